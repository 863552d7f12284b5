"""What a representative's form adds to what is asked: on what authority, and until when it may stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from consent.asked import Asked
from consent.decision import Answer
from consent.duo.limits import read_bounds
from consent.duo.plain_choices import PlainChoice
from database.context import as_persons
from patient_portal.family.standing import may_of
from patient_portal.wiring import Wiring
from vocabulary.actor import ActorKind
from vocabulary.calendar_day import day_at, end_of
from vocabulary.errors import Refused


def on_behalf(wiring: Wiring, asked: Asked, now: datetime) -> Asked:
    """`asked` with its authority, when a representative asks; Refused when theirs does not reach so far.

    To give needs a paper that staff have seen: a yes to a study, coming back into CancerLinQ, and another choice of
    the kinds of research than the one that stands. A donation never outlasts the authority it was signed with, and a
    parent shares none of the very private kinds: for that care a minor may have consented alone (45 CFR
    164.502(g)(3)).
    """
    actor = asked.actor
    if actor.kind is not ActorKind.PROXY:
        return asked
    assert actor.person is not None
    assert actor.account_id is not None
    zone = wiring.settings.time_zone
    authority, found = may_of(wiring, actor, day_at(now, zone))
    with wiring.database.begin(as_persons(actor.person, account=actor.account_id)) as session:
        kept = read_bounds(session, wiring.keyring, (actor.person,)).limits if asked.narrowed else ()
    if authority is None or not (found.sign if _opens(asked, kept) else found.refuse):
        raise Refused(f"authority-{found.why.value if found.why else 'not-stated'}")
    if asked.donates and asked.sensitive:
        raise Refused("authority-not-for-private-kinds")
    evidence = dict(asked.evidence) | {"authority": authority.relation.value, "authority_id": str(authority.id)}
    last = end_of(found.until, zone) if found.until and asked.donates else None
    ends = min((moment for moment in (asked.expires_at, last) if moment is not None), default=None)
    return replace(asked, evidence=evidence, expires_at=ends)


def _opens(asked: Asked, kept: Sequence[PlainChoice]) -> bool:
    """Whether more may be shared by it than before. `kept`: the kinds of research that are left open until now."""
    other_kinds = asked.narrowed is not None and bool(kept) and tuple(kept) != (asked.narrowed.choice,)
    return asked.answer is Answer.YES or other_kinds
