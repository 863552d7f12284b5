"""May this store use this kind of data of this person for this purpose, now? Pure, and no when in doubt (CON-10)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from consent.coverage import KnownAs, stores_concerned
from consent.decision import DataCategory, SensitiveClass
from consent.duo.use import Use, blocked_by
from consent.efforts import SANDBOX_EFFORTS, Effort, effort_by_id
from consent.standing import Standing
from consent.store_config import Basis, Store


class Purpose(StrEnum):
    """What the data is for (v3-PurposeOfUse in spirit)."""

    OPERATIONS = "operations"
    RESEARCH = "research"
    PUBLIC_HEALTH = "public-health"


class Reason(StrEnum):
    """Why yes or no; a stable code for the audit."""

    NOT_OPTED_OUT = "not-opted-out"
    DONATED = "donated"
    LAW = "law"
    OPTED_OUT = "opted-out"
    NO_DONATION = "no-donation"
    NOT_CHOSEN = "kind-not-chosen"
    SENSITIVE = "sensitive-kind-is-off"
    OTHER_PURPOSE = "other-purpose"
    EFFORT_ENDED = "effort-has-ended"
    OTHER_USE = "use-not-stated"
    NOT_CONCERNED = "store-does-not-know-person"
    UNKNOWN = "unknown"
    NOT_CHECKED = "position-not-checked"


@dataclass(frozen=True)
class Permission:
    allowed: bool
    reason: Reason


_PURPOSE = {Basis.OPERATIONS: Purpose.OPERATIONS, Basis.DONATION: Purpose.RESEARCH, Basis.LAW: Purpose.PUBLIC_HEALTH}


def may_use(
    store: Store,
    category: DataCategory,
    sensitive: frozenset[SensitiveClass],
    purpose: Purpose,
    standing: Standing | None,
    known: KnownAs,
    *,
    participates: bool,
    use: Use | None = None,
    efforts: tuple[Effort, ...] = SANDBOX_EFFORTS,
) -> Permission:
    """Whether `store` may use data of `category` carrying the `sensitive` classes for `purpose`.

    `standing` None means that it could not be read: no, but for a report the law requires (X-06).
    `participates`: does a practice of the person take part in CancerLinQ? `use`: what the research is, in DUO's terms,
    where the asker states it; it has to be within what the effort told people of itself (DUO-02, DUO-03).
    """
    if purpose is not _PURPOSE.get(store.basis):
        return Permission(False, Reason.OTHER_PURPOSE)
    if store.basis is Basis.LAW:
        concerned = store.id in stores_concerned([store], known)
        return Permission(concerned, Reason.LAW if concerned else Reason.NOT_CONCERNED)
    if standing is None or category not in DataCategory:
        return Permission(False, Reason.UNKNOWN)
    if store.basis is Basis.DONATION:
        return _by_donation(store, category, sensitive, standing, use, efforts)
    if store.id not in stores_concerned([store], known):
        return Permission(False, Reason.NOT_CONCERNED)
    if not standing.in_cancerlinq(participates):
        return Permission(False, Reason.OPTED_OUT if standing.opted_out else Reason.NOT_CONCERNED)
    return Permission(True, Reason.NOT_OPTED_OUT)


def _by_donation(
    store: Store,
    category: DataCategory,
    sensitive: frozenset[SensitiveClass],
    standing: Standing,
    use: Use | None,
    efforts: tuple[Effort, ...],
) -> Permission:
    effort = effort_by_id(store.effort or "", efforts)
    if effort is None:
        return Permission(False, Reason.UNKNOWN)
    if effort.ended is not None:
        return Permission(False, Reason.EFFORT_ENDED)
    if use is not None and blocked_by(effort.id, use):
        return Permission(False, Reason.OTHER_USE)
    stands = standing.donation(effort)
    if not stands.permits:
        opted_out = effort.via_cancerlinq and standing.opted_out
        return Permission(False, Reason.OPTED_OUT if opted_out else Reason.NO_DONATION)
    if category not in stands.categories or category not in effort.offers:
        return Permission(False, Reason.NOT_CHOSEN)
    if not sensitive <= stands.sensitive:
        return Permission(False, Reason.SENSITIVE)
    return Permission(True, Reason.DONATED)
