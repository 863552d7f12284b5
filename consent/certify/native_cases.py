"""The cases for stores that are told in their own way: a warehouse, a FHIR server, a stream.

Signatures and greetings are a webhook's. What is hostile for these: a batch told twice, out of order, long gone, or not
fit to be taken; and what counts is what stands there afterwards (`Compares`), or what the store behind a stream says in
its own signed receipts (`Keeps`).
"""

from __future__ import annotations

from consent.certify.case import NO, YES, Case, Compares, Craft, Expect, Keeps, Many, Say, Tell
from consent.store_config import Kind

MANY = 300


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
POISONED = Case(
    "poisoned", "SUB-05", "A message in which one event cannot be stored is taken as a whole or not at all",
    (Say((Tell("a", 2), Tell("b", 2), Tell("c", 2)), craft=Craft.POISONED, expect=Expect.TURNED_DOWN),
     Say((Tell("a", 2), Tell("c", 2))), Compares("a", NO), Compares("c", NO)),
    people={"b": "{run}-\x00"},
)  # fmt: skip
FORGED = Case(
    "forged", "SUB-11", "A message that another signed is not obeyed and gets no receipt",
    (Say((Tell("a", 9, YES),), craft=Craft.FORGED, expect=Expect.UNAUTHORIZED), Say((Tell("a", 3),)), Keeps()),
)  # fmt: skip

NATIVE: dict[Kind, tuple[Case, ...]] = {
    Kind.SQL: (*COMMON, POISONED),
    Kind.FHIR: COMMON,
    Kind.STREAM: (*COMMON, FORGED),
}
