"""Before signing: exactly what would leave for one research effort, beside the original."""

from __future__ import annotations

from itertools import groupby

import orjson
from flask import Blueprint, render_template, request, url_for

from consent.decision import DataCategory, SensitiveClass
from consent.efforts import Effort
from fhir_bridge.reading.kinds import KIND_NAMES, Kind
from patient_portal.choices.choosing import choices_of, effort_or_not_found
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.pages.own_record import own_session
from patient_portal.wiring import now, wiring
from research.preview import preview
from research.selection import Chosen
from vocabulary.errors import Invalid

blueprint = Blueprint("donation", __name__, url_prefix="/choices/efforts")


@blueprint.get("/<effort_id>/leaves")
@gate(Gate.READS)
@limited("preview", per_minute=60)
def leaves(effort_id: str) -> str:
    """Words and counts first; then kind by kind, ten entries a page, each folded with what leaves of it inside.

    Without `?categories=` it shows all parts that can be chosen; with `?kind=` one kind of entry.
    """
    actor = current_actor()
    effort = effort_or_not_found(choices_of(wiring(), actor), effort_id)
    chosen, kind = _chosen(effort), _kind()
    with own_session() as session:
        found = preview(session, wiring().keyring, actor.persons, chosen, this_year=now().year, page=_page(), kind=kind)
    return render_template(
        "choices/leaves.html",
        effort=effort,
        preview=found,
        kinds=[(each, KIND_NAMES[each], count, _address(effort, chosen, each)) for each, count in found.counts.items()],
        kind=kind,
        groups=[(KIND_NAMES[each], list(items)) for each, items in groupby(found.items, lambda item: item.kind)],
        all_kinds=_address(effort, chosen, None),
        chosen=sorted(chosen.categories),
        switched=sorted(chosen.sensitive),
        names={provider.id: provider.name for provider in wiring().settings.providers},
        before=_address(effort, chosen, kind, found.page - 1) if found.page > 1 else "",
        after=_address(effort, chosen, kind, found.page + 1) if found.page < found.pages else "",
    )


@blueprint.app_template_filter("flat")
def flat(leaves: str) -> list[tuple[str, str]]:
    """Every value of an entry's JSON with the names above it, one a line: nothing is left out, and it fits a phone."""
    found: list[tuple[str, str]] = []
    waiting: list[tuple[str, object]] = [("", orjson.loads(leaves))]
    while waiting:
        name, value = waiting.pop(0)
        if isinstance(value, dict):
            waiting[:0] = [(f"{name} {key}".strip(), part) for key, part in value.items()]
        elif isinstance(value, list):
            waiting[:0] = [(name, part) for part in value]
        else:
            found.append((name, value if isinstance(value, str) else orjson.dumps(value).decode()))
    return found


def _chosen(effort: Effort) -> Chosen:
    try:
        categories = frozenset(DataCategory(each) for each in request.args.getlist("categories"))
        sensitive = frozenset(SensitiveClass(each) for each in request.args.getlist("sensitive"))
    except ValueError:
        raise Invalid("unknown-part") from None
    return Chosen((categories or effort.offers) & effort.offers, sensitive, effort.holds)


def _address(effort: Effort, chosen: Chosen, kind: Kind | None, page: int = 1) -> str:
    """This page for one kind, or for all, at its lines."""
    return url_for(
        "donation.leaves",
        effort_id=effort.id,
        categories=sorted(chosen.categories),
        sensitive=sorted(chosen.sensitive),
        kind=kind.value if kind else None,
        page=page if page > 1 else None,
        _anchor="lines",
    )


def _kind() -> Kind | None:
    try:
        return Kind(request.args["kind"]) if "kind" in request.args else None
    except ValueError:
        raise Invalid("unknown-kind") from None


def _page() -> int:
    text = request.args.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1
