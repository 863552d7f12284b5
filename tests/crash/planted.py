"""Faults planted into what a storm recorded, each as a bug of the product, a store or a record would leave it.

A checker that finds nothing proves nothing until it is shown that it would have: after a storm each fault is planted
alone into that storm's own logs and stores' contents, and the checker must name it. Needs a person with four decisions
about CancerLinQ and one about an effort; the person is chosen by chance.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.crash.evidence import CANCERLINQ, Effect, Evidence, Form, StoreSeen
from tests.crash.rules import check
from tests.crash.scene import Scene, highest, listed, scene_of

OTHER = {"yes": "no", "no": "yes"}

Plant = Callable[[Scene], Evidence]


def delivery_lost(scene: Scene) -> Evidence:
    gone = scene.some().version
    return scene.effects(lambda done: [effect for effect in done if effect.version != gone])


def newest_delivery_lost(scene: Scene) -> Evidence:
    gone = scene.answered()[-1].version
    return scene.effects(lambda done: [effect for effect in done if effect.version < gone])


def lost_in_every_store(scene: Scene) -> Evidence:
    """Acknowledged, and then in no store, as after an answer before the commit."""
    gone = scene.answered()[-1].version
    return _without(scene, lambda effect: effect.version < gone)


def person_never_told(scene: Scene) -> Evidence:
    return scene.effects(lambda _: [])


def silently_parked(scene: Scene) -> Evidence:
    """From one decision on a store is told no more of a person."""
    first = scene.answered()[1].version
    return scene.effects(lambda done: [effect for effect in done if effect.version < first])


def donation_lost(scene: Scene) -> Evidence:
    gone = scene.chance.choice(scene.answered(scene.effort.subject)).version
    return scene.effort_effects(lambda done: [effect for effect in done if effect.version != gone])


def donor_unknown(scene: Scene) -> Evidence:
    return scene.effort_effects(lambda _: [])


def effect_twice(scene: Scene) -> Evidence:
    return scene.effects(lambda done: [done[0], replace(done[0], event=scene.fresh_event()), *done[1:]])


def told_again_at_the_end(scene: Scene) -> Evidence:
    return scene.effects(lambda done: [*done, replace(done[-1], event=scene.fresh_event())])


def one_event_two_effects(scene: Scene) -> Evidence:
    return scene.effects(lambda done: [done[0], replace(done[1], event=done[0].event), *done[2:]])


def donation_twice(scene: Scene) -> Evidence:
    return scene.effort_effects(lambda done: [*done, replace(done[-1], event=scene.fresh_event())])


def two_exchanged(scene: Scene) -> Evidence:
    return scene.effects(lambda done: [done[1], done[0], *done[2:]])


def newest_first(scene: Scene) -> Evidence:
    return scene.effects(lambda done: list(reversed(done)))


def late_committer_behind(scene: Scene) -> Evidence:
    """An early decision is told last, as one that was skipped and found again."""
    return scene.effects(lambda done: [*done[1:], done[0]])


def other_answer(scene: Scene) -> Evidence:
    wrong = scene.some().version
    return scene.effects(lambda done: [_turned(effect) if effect.version == wrong else effect for effect in done])


def newest_turned(scene: Scene) -> Evidence:
    return scene.effects(lambda done: [*done[:-1], _turned(done[-1])])


def goes_by_an_older(scene: Scene) -> Evidence:
    """The store's own standing went back to what stood before, as by a restored copy."""
    before = scene.holding.effects[-2]
    return scene.hold(standing=(before.version, before.answer))


def no_resurrected(scene: Scene) -> Evidence:
    """An old yes arrives once more after a newer no, and is obeyed."""
    yes = next(effect for effect in scene.holding.effects if effect.answer == "yes")
    return scene.effects(lambda done: [*done, replace(yes, event=scene.fresh_event())])


def receipt_without_effect(scene: Scene) -> Evidence:
    """The store confirmed the newest and did nothing."""
    return scene.effects(lambda done: done[:-1])


def brought_back_at_night(scene: Scene) -> Evidence:
    return replace_out(scene, entries=7)


def may_be_brought_back(scene: Scene) -> Evidence:
    return replace_out(scene, suppressed=False)


def effort_keeps_data(scene: Scene) -> Evidence:
    return scene.with_store(replace(scene.effort, held=len(scene.evidence.people) + 1))


def wrong_person(scene: Scene) -> Evidence:
    """One decision's effect is on somebody else."""
    moved = scene.holding.effects[0]
    mine, theirs = scene.holding, scene.store.holdings[scene.other]
    code = next(
        (one.code for one in scene.store.effects if theirs.effects and one.event == theirs.effects[0].event), "x"
    )
    every = tuple(replace(one, code=code) if one.event == moved.event else one for one in scene.store.effects)
    holdings = {
        **scene.store.holdings,
        scene.name: replace(mine, effects=mine.effects[1:]),
        scene.other: replace(theirs, effects=(moved, *theirs.effects)),
    }
    return scene.with_store(replace(scene.store, effects=every, holdings=holdings))


def stranger_told_of(scene: Scene) -> Evidence:
    strange = Effect(scene.fresh_event(), "stranger", 1, "no")
    return scene.with_store(replace(scene.store, effects=(*scene.store.effects, strange)))


def wrong_store_told(scene: Scene) -> Evidence:
    """An effort is told under a code that nobody gave it."""
    strange = tuple(Effect(scene.fresh_event() + number, f"stranger-{number}", 1, "yes") for number in range(500))
    return scene.with_store(replace(scene.effort, effects=(*scene.effort.effects, *strange)))


def wrong_kind_told(scene: Scene) -> Evidence:
    return scene.with_store(replace(scene.store, problem="told of what it should not be told"))


def store_gone(scene: Scene) -> Evidence:
    return scene.with_store(StoreSeen(scene.store.id, scene.store.subject, problem="ConnectionError"))


def nobody_asked(scene: Scene) -> Evidence:
    """A decision that no form asked for, in every store."""
    newest = max(effect.version for effect in scene.holding.effects)
    extra = Effect(scene.fresh_event(), "", max(newest, highest(scene)) + 1, "no")
    return scene.effects(lambda done: [*done, extra])


def torn(scene: Scene) -> Evidence:
    """A form without an answer is obeyed in one store only."""
    version = highest(scene) + 1
    open_form = Form("never-answered", CANCERLINQ, "no")
    changed = replace(scene, evidence=scene.person(forms={**scene.told.forms, "never-answered": open_form}))
    return changed.effects(lambda done: [*done, Effect(scene.fresh_event(), "", version, "no")])


def versions_skip(scene: Scene) -> Evidence:
    """The newest has a number too high, in the log and in every store."""
    newest = scene.answered()[-1]
    jumped = [replace(one, version=one.version + 5) if one == newest else one for one in scene.told.answered]
    return scene.person(answered=jumped)


def second_answer(scene: Scene) -> Evidence:
    return scene.person(again=[*scene.told.again, (scene.some().form, "another-decision")])


def form_counted_twice(scene: Scene) -> Evidence:
    one = scene.some()
    again = replace(one, decision="another-decision", version=highest(scene) + 1)
    return scene.person(answered=[*scene.told.answered, again])


def older_said_to_stand(scene: Scene) -> Evidence:
    """A form is answered with a decision older than one this device knows."""
    return scene.person(backwards=[scene.some().decision])


def about_something_else(scene: Scene) -> Evidence:
    one = scene.some()
    answered = [replace(each, answer=OTHER[each.answer]) if each == one else each for each in scene.told.answered]
    return scene.person(answered=answered)


def one_version_two_decisions(scene: Scene) -> Evidence:
    one = scene.some()
    late = Form("late", one.subject, one.answer)
    answered = [*scene.told.answered, replace(one, form="late", decision="another-decision")]
    return scene.person(forms={**scene.told.forms, "late": late}, answered=answered)


def receipt_gone(scene: Scene) -> Evidence:
    return scene.person(missing=[*scene.told.missing, scene.some().decision])


def gone_from_the_list(scene: Scene) -> Evidence:
    """The portal lists every decision but one."""
    return scene.person(listed=listed(scene)[1:])


def listed_too_many(scene: Scene) -> Evidence:
    return scene.person(listed=[*listed(scene), "00000000-another-decision"])


def promise_not_taken(scene: Scene) -> Evidence:
    return scene.with_store(replace(scene.store, owed=scene.store.owed + 1))


def replace_out(scene: Scene, **changed: object) -> Evidence:
    """Somebody who is out, of whom the store now says something else."""
    out = sorted(name for name, held in scene.store.holdings.items() if held.standing and held.standing[1] == "no")
    return replace(scene, name=scene.chance.choice(out)).hold(**changed)


def _without(scene: Scene, keep: Callable[[Effect], bool]) -> Evidence:
    evidence = scene.evidence
    for store in evidence.stores:
        if store.subject == CANCERLINQ:
            there = replace(scene, evidence=evidence, store=next(s for s in evidence.stores if s.id == store.id))
            evidence = there.effects(lambda done: [effect for effect in done if keep(effect)])
    return evidence


def _turned(effect: Effect) -> Effect:
    return replace(effect, answer=OTHER[effect.answer])


PLANTED: dict[Plant, str] = {
    delivery_lost: "lost", newest_delivery_lost: "lost", lost_in_every_store: "lost", person_never_told: "lost",
    silently_parked: "lost", donation_lost: "lost", donor_unknown: "lost", receipt_without_effect: "lost",
    effect_twice: "doubled", told_again_at_the_end: "doubled", one_event_two_effects: "doubled",
    donation_twice: "doubled", two_exchanged: "reordered", newest_first: "reordered",
    late_committer_behind: "reordered", no_resurrected: "reordered", other_answer: "altered",
    newest_turned: "altered", goes_by_an_older: "not-final", brought_back_at_night: "shared-after-no",
    may_be_brought_back: "shared-after-no", effort_keeps_data: "shared-after-no", wrong_person: "lost",
    stranger_told_of: "phantom", wrong_store_told: "phantom", nobody_asked: "phantom", torn: "torn",
    wrong_kind_told: "unreadable", store_gone: "unreadable", versions_skip: "gap", listed_too_many: "gap",
    second_answer: "second-answer",
    older_said_to_stand: "second-answer", form_counted_twice: "second-answer", about_something_else: "second-answer",
    one_version_two_decisions: "second-answer", receipt_gone: "missing", gone_from_the_list: "missing",
    promise_not_taken: "owed",
}  # fmt: skip


def found_of(evidence: Evidence, chance: random.Random) -> dict[str, bool]:
    """Each planted fault by its name: whether the checker names it for what it is, and nothing where none is."""
    scene = scene_of(evidence, chance)
    found = {"nothing planted": not check(scene.evidence).violations}
    for plant, kind in PLANTED.items():
        found[plant.__name__] = kind in {violation.kind for violation in check(plant(scene)).violations}
    return found
