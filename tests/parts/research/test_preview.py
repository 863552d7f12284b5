"""Before signing, exactly what would leave: the preview and the delivery say the same."""

from __future__ import annotations

from typing import Any

import orjson

from consent.audit import read_audit
from consent.decision import ALL_CATEGORIES, SensitiveClass
from consent.efforts import Holds
from consent.store_config import Store
from database.context import as_persons
from research.deliveries import deliveries_of
from research.preview import Preview, preview
from research.selection import Chosen, Stays
from tests.parts.research.conftest import DENISE, World


def _all_lines(world: World, who: Any, chosen: Chosen) -> tuple[Preview, list[dict[str, Any]]]:
    lines: list[dict[str, Any]] = []
    with world.database.web.begin(as_persons(who)) as session:
        ring = world.database.keyring
        first = preview(session, ring, [who], chosen, this_year=world.clock().year)
        for page in range(1, first.pages + 1):
            found = preview(session, ring, [who], chosen, this_year=world.clock().year, page=page)
            assert len(found.items) <= 10
            lines += [orjson.loads(item.leaves) for item in found.items]
        beyond = preview(session, ring, [who], chosen, this_year=world.clock().year, page=10_000)
        assert beyond.page == first.pages
    return first, lines


def test_the_preview_is_what_the_store_then_holds(world: World, living_well: Store) -> None:
    """HIP-20: page by page the preview shows every line that then arrives, but for the random ids."""
    who = world.donor(1, DENISE)
    chosen = Chosen(ALL_CATEGORIES, frozenset(), Holds.DE_IDENTIFIED)
    shown, lines = _all_lines(world, who, chosen)
    world.give(who)
    world.deliver()
    assert _without_ids(lines) == _without_ids(world.held())
    assert shown.total == len(lines) == sum(shown.counts.values())
    assert {Stays.SENSITIVE, Stays.NEVER} <= set(shown.stays)


def test_a_class_that_is_switched_on_leaves(world: World, living_well: Store) -> None:
    """CON-06: the sensitive kinds stay until each is switched on, in the preview and in the store."""
    who = world.donor(1, DENISE)
    off = Chosen(ALL_CATEGORIES, frozenset(), Holds.DE_IDENTIFIED)
    hiv = Chosen(ALL_CATEGORIES, frozenset({SensitiveClass.HIV}), Holds.DE_IDENTIFIED)
    before, _ = _all_lines(world, who, off)
    after, _ = _all_lines(world, who, hiv)
    assert after.total > before.total
    world.give(who, sensitive=frozenset({SensitiveClass.HIV}))
    world.deliver()
    held = str(world.held())
    assert "7918-6" in held
    assert "36437" not in held


def test_the_person_sees_each_delivery(world: World, living_well: Store) -> None:
    """X-08, CON-13: each delivery is listed with the version of the yes, its count and what became of it,
    to nobody else, and audited."""
    who, other = world.donor(1), world.donor(2)
    world.give(who)
    world.deliver()
    with world.database.web.begin(as_persons(who)) as session:
        (found,) = deliveries_of(session, [who])
        assert deliveries_of(session, [other]) == []
    assert (found.version, found.state, found.count) == (1, "delivered", len(world.held()))
    assert found.answered_at is not None
    assert str(found.count) in str(found.says)
    with world.database.web.begin(as_persons(who)) as session:
        sent = [line for line in read_audit(session, [who]) if line.event == "donation.sent"]
    assert [line.detail for line in sent] == [
        {"effort": "living-well", "manifest": str(found.id), "count": found.count}
    ]


def _without_ids(lines: list[dict[str, Any]]) -> list[str]:
    def bare(node: Any) -> Any:
        if isinstance(node, list):
            return [bare(one) for one in node]
        if isinstance(node, dict):
            return {key: bare(value) for key, value in sorted(node.items()) if key not in ("id", "reference")}
        return node

    return sorted(str(bare(line)) for line in lines)
