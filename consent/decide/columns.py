"""A question put to the rules once for each profile, so that asking for a person is one look in a list. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyroaring import BitMap

from consent.decide.snapshot import NOBODY, Snapshot
from consent.decision import DataCategory, SensitiveClass
from consent.duo.use import Use, is_duo, use_of
from consent.efforts import SANDBOX_EFFORTS, Effort
from consent.may_use import Permission, Purpose, Reason, may_use
from consent.store_config import Store
from vocabulary.errors import Invalid

MOST_COLUMNS = 20_000


@dataclass(frozen=True)
class Question:
    """May `store` use data of `category`, carrying these sensitive classes, for `purpose`? (About whom comes apart.)

    `use` is the purpose in DUO's terms, where it was asked in them; `purpose` is then research.
    """

    store: str
    category: DataCategory
    purpose: Purpose
    sensitive: frozenset[SensitiveClass] = frozenset()
    use: Use | None = None


def question_of(
    store: str,
    category: str,
    purpose: str,
    sensitive: Sequence[str],
    stores: Mapping[str, Store],
    *,
    disease: str = "",
    modifiers: Sequence[str] = (),
) -> Question:
    """The question in these words; Invalid names the one that is not known. `purpose` is ours or a term of DUO's, which
    may come with the disease studied (MONDO) and with modifiers (`DUO:0000046`, `DUO:0000022=US`)."""
    if store not in stores:
        raise Invalid("unknown-store", {"store": store})
    use = use_of(purpose, disease, modifiers) if is_duo(purpose) else None
    if use is not None:
        purpose = Purpose.RESEARCH.value
    elif disease or modifiers:
        raise Invalid("not-a-duo-purpose", {"purpose": purpose})
    for field, value, kind in (("class", category, DataCategory), ("purpose", purpose, Purpose)):
        if value not in {member.value for member in kind}:
            raise Invalid(f"unknown-{field}", {field: value})
    if not {member.value for member in SensitiveClass}.issuperset(sensitive):
        raise Invalid("unknown-sensitive-class", {"sensitive": ",".join(sensitive)})
    carried = frozenset(SensitiveClass(name) for name in sensitive)
    return Question(store, DataCategory(category), Purpose(purpose), carried, use)


class Columns:
    """The rules' answers by question and profile, of one snapshot. For one thread at a time."""

    def __init__(
        self, snapshot: Snapshot, stores: Mapping[str, Store], efforts: tuple[Effort, ...] = SANDBOX_EFFORTS
    ) -> None:
        self._snapshot, self._stores, self._efforts = snapshot, stores, efforts
        self._kept: OrderedDict[Question, list[Permission]] = OrderedDict()
        self._same: dict[Permission, Permission] = {}

    def column(self, question: Question) -> list[Permission]:
        """The permission of each profile; `column[snapshot.shown[person_no]]` is a person's."""
        column = self._kept.get(question)
        if column is None:
            column = self._kept[question] = []
            if len(self._kept) > MOST_COLUMNS:
                self._kept.popitem(last=False)
        for number in range(len(column), len(self._snapshot.profiles)):
            answer = self._ask(question, number)
            column.append(self._same.setdefault(answer, answer))
        return column

    def permitted(self, question: Question) -> BitMap:
        """The numbers of everyone whose data may be used."""
        column = self.column(question)
        return self._snapshot.members(number for number, answer in enumerate(column) if answer.allowed)

    def _ask(self, question: Question, number: int) -> Permission:
        profile = self._snapshot.profiles[number]
        store = self._stores.get(question.store)
        if store is None:
            return Permission(False, Reason.UNKNOWN)
        if number == NOBODY:
            return Permission(False, Reason.NOT_CONCERNED)
        return may_use(
            store,
            question.category,
            question.sensitive,
            question.purpose,
            profile.standing,
            profile.known,
            participates=profile.participates,
            use=question.use,
            efforts=self._efforts,
        )
