"""The cases for stores that are told in their own way: a warehouse, a FHIR server, a stream.

Greetings are a webhook's. What is hostile for these: a batch told twice, out of order, long gone, broken off, or not
fit to be taken; in a stream also a message that is signed wrongly or cannot be read. What counts is what stands there
afterwards (`Compares`), or what the store behind a stream says in its own signed receipts (`Keeps`).
"""

from __future__ import annotations

from consent.certify.case import (
    NO,
    YES,
    Case,
    Compares,
    Craft,
    Expect,
    Keeps,
    Many,
    Overtakes,
    Say,
    Stands,
    Tell,
)
from consent.store_config import Kind

MANY, HUGE = 300, 5_000


def _ends(who: str, answer: object = NO) -> tuple[Keeps, Compares]:
    """What has to stand at the end; a stream is asked by its receipts and a table by its rows."""
    return Keeps(), Compares(who, YES if answer is YES else NO)


COMMON = (
    Case("no", "SUB-05", "A no is taken, and stands", (Say((Tell("a", 2),)), *_ends("a"))),
    Case("yes-after-no", "CON-09", "A later yes lifts it",
         (Say((Tell("a", 2),)), Say((Tell("a", 3, YES),)), *_ends("a", YES))),
    Case("repeat", "SUB-05", "The same message told twice has the effect of one",
         (Say((Tell("a", 2), Tell("b", 2)), name="first"), Say(again="first"), *_ends("a"), *_ends("b"))),
    Case("repeat-other-id", "SUB-05", "The same events under another message id change nothing",
         (Say((Tell("a", 2),), name="first"), Say(same_events_as="first"), *_ends("a"))),
    Case("disorder", "CON-09", "An older yes that comes late lifts no newer no",
         (Say((Tell("a", 3),)), Say((Tell("a", 2, YES),)), *_ends("a"))),
    Case("disorder-in-one", "CON-09", "The same within one message",
         (Say((Tell("a", 3), Tell("b", 2), Tell("a", 2, YES))), *_ends("a"), *_ends("b"))),
    Case("rise-in-one", "CON-09", "Of two decisions in one message the newer stands",
         (Say((Tell("a", 2, YES), Tell("a", 3))), *_ends("a"))),
    Case("stale-yes", "CON-09", "A yes of long ago, told after everything, lifts no no",
         (Say((Tell("a", 9),)), Say((Tell("a", 1, YES),)), Say((Tell("a", 8, YES),)), *_ends("a"))),
    Case("replay", "SUB-05", "A message of before the no, told once more after it, lifts nothing",
         (Say((Tell("a", 2, YES),), name="old"), Say((Tell("a", 3),)), Say(again="old"), *_ends("a"))),
    Case("replay-run", "SUB-05", "A whole run told once more after newer decisions changes none of them",
         (Say((Tell("a", 2, YES), Tell("b", 2)), name="old"), Say((Tell("a", 3), Tell("b", 3, YES))), Say(again="old"),
          *_ends("a"), *_ends("b", YES))),
    Case("told-again", "SUB-05", "The same version under a higher number is made so again, and the number is kept",
         (Say((Tell("a", 2),)), Say((Tell("a", 2),)), *_ends("a"))),
    Case("twice-in-one", "SUB-05", "The same events twice in one message have the effect of one",
         (Say((Tell("a", 2), Tell("b", 2, YES)), craft=Craft.TWICE), *_ends("a"), *_ends("b", YES))),
    Case("to-and-fro", "CON-09", "Of ten changes of mind in one message the last stands",
         (Say(tuple(Tell("a", version, NO if version % 2 else YES) for version in range(2, 12))), *_ends("a"))),
    Case("scattered", "CON-09", "Of five changes of mind that come in disorder, one by one, the newest stands",
         (*(Say((Tell("a", version, NO if version == 6 else YES),)) for version in (4, 2, 6, 3, 5)), *_ends("a"))),
    Case("version-far", "CON-09", "Versions may jump, and are compared as numbers",
         (Say((Tell("a", 9, YES),)), Say((Tell("a", 1_000_000),)), Say((Tell("a", 10, YES),)), *_ends("a"))),
    Case("others-stay", "SUB-05", "A no of one person is nobody else's",
         (Say(tuple(Tell(who, 2, YES) for who in "bcd")), Say((Tell("a", 2),)), *_ends("a"), Stands("b"), Stands("d"))),
    Case("long-name", "CON-10", "An identifier of 500 letters is kept whole",
         (Say((Tell("a", 2), Tell("b", 2, YES))), *_ends("a"), *_ends("b", YES)),
         people={"a": "{run}-" + "x" * 460 + "a", "b": "{run}-" + "x" * 460 + "b"}),
    Case("gap", "SUB-05", "Event numbers that are left out stop nothing",
         (Say((Tell("a", 2),)), Say((Tell("b", 2),), skip=40), *_ends("a"), *_ends("b"))),
    Case("zeros", "CON-10", "0007 is not 7",
         (Say((Tell("a", 2), Tell("b", 2, YES))), *_ends("a"), *_ends("b", YES)),
         people={"a": "{run}-0007", "b": "{run}-7"}),
    Case("letters", "CON-10", "Ab is not ab",
         (Say((Tell("a", 2), Tell("b", 2, YES))), *_ends("a"), *_ends("b", YES)),
         people={"a": "{run}-Ab", "b": "{run}-ab"}),
    Case("any-unicode", "CON-10", "Any letter may come, and signs that mean something to a database are only signs",
         (Say((Tell("a", 2), Tell("b", 2))), *_ends("a"), *_ends("b")),
         people={"a": "{run}-Zoë 李 🙂", "b": "{run}-o'x\\\\y;--\"%_"}),
    Case("other-system", "CON-10", "The same number under another identifier system is another person",
         (Say((Tell("a", 2),)), Say((Tell("a", 3, YES, other_system=True),)), Compares("a", NO))),
    Case("many", "SUB-05", f"{MANY} events in one message are all taken", (Many(MANY), Keeps())),
)  # fmt: skip
WAREHOUSE = (
    Case("poisoned", "SUB-05", "A message in which one event cannot be stored is taken as a whole or not at all",
         (Say((Tell("d", 2, YES),)),
          Say((Tell("d", 3), Tell("b", 2), Tell("c", 2)), craft=Craft.POISONED, expect=Expect.TURNED_DOWN),
          Stands("d"), Say((Tell("d", 3), Tell("c", 2))), Stands("d"), Stands("c")),
         people={"b": "{run}-\x00"}),
    Case("broken-off", "SUB-05", "Of a message that breaks off in the middle nothing stands",
         (Say((Tell("d", 2, YES),)),
          Say((Tell("d", 3), Tell("a", 2), Tell("b", 2)), craft=Craft.CUT, expect=Expect.TURNED_DOWN),
          Stands("d"), Say((Tell("d", 3),)), Stands("d"))),
    Case("huge", "SUB-05", f"{HUGE:,} events in one message are all taken", (Many(HUGE),)),
)  # fmt: skip
SERVER = (
    Case("poisoned", "SUB-05", "A message in which one event is not valid is taken as a whole or not at all",
         (Say((Tell("d", 2, YES),)),
          Say((Tell("a", 2), Tell("d", 3), Tell("b", 2)), craft=Craft.POISONED, expect=Expect.ALL_OR_NONE),
          Stands("d")),
         people={"b": "{run}-\x07"}),
    Case("overtaken", "CON-09", "An older yes on its way, when a newer no comes in between, is turned down",
         (Say((Tell("a", 1),)), Overtakes(late=Tell("a", 2, YES), newer=Tell("a", 3)), Compares("a", NO))),
    Case("overtaken-no", "CON-09", "So is an older no, when a newer yes comes in between",
         (Say((Tell("a", 1),)), Overtakes(late=Tell("a", 2), newer=Tell("a", 3, YES)), Compares("a", YES))),
)  # fmt: skip


def _unheard(craft: Craft) -> Case:
    """What may not be believed gets no receipt, changes nothing, and holds up nothing behind it."""
    return Case(craft.name.lower().replace("_", "-"), "SUB-11", f"A message {craft.value} is not obeyed",
                (Say((Tell("a", 9, YES),), craft=craft), Say((Tell("a", 3),)), Keeps()))  # fmt: skip


def _heard(craft: Craft) -> Case:
    return Case(craft.name.lower().replace("_", "-"), "SUB-11", f"A message {craft.value} is obeyed",
                (Say((Tell("a", 2, YES),)), Say((Tell("a", 3),), craft=craft), Keeps()))  # fmt: skip


STREAM = (
    *map(_unheard, (Craft.UNSIGNED, Craft.FORGED, Craft.OTHER_BODY, Craft.OTHER_ID, Craft.STALE, Craft.FUTURE,
                    Craft.YEAR_OLD, Craft.NO_TIME, Craft.UNKNOWN_SCHEME)),
    *map(_unheard, (Craft.CUT, Craft.GARBAGE, Craft.UNKNOWN_KIND)),
    *map(_heard, (Craft.UNKNOWN_FIRST, Craft.UNKNOWN_LAST, Craft.EXTRA)),
)  # fmt: skip

NATIVE: dict[Kind, tuple[Case, ...]] = {
    Kind.SQL: (*COMMON, *WAREHOUSE),
    Kind.FHIR: (*COMMON, *SERVER),
    Kind.STREAM: (*COMMON, *STREAM),
}
