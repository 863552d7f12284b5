"""The cases, in the order in which they are run. A new one is a new row here; nothing else has to change."""

from __future__ import annotations

from consent.certify.case import (
    NO,
    OBEYED,
    YES,
    Case,
    Compares,
    Craft,
    Expect,
    Feeds,
    Finds,
    Greet,
    HangUp,
    Holds,
    Keeps,
    Many,
    Misses,
    Say,
    Slips,
    Slowly,
    Step,
    Tell,
)
from consent.receipts import State
from consent.store_config import Basis

LARGEST = 1_000
"""As many events as the feed puts into one message."""


def _unheard(craft: Craft) -> tuple[Step, ...]:
    """A message that the store may not believe: 401, and what it held stays."""
    return (
        Holds("a"),
        Say((Tell("a", 2),), craft=craft, expect=Expect.UNAUTHORIZED),
        Finds("a", entries=3),
    )


def _not_read(craft: Craft) -> tuple[Step, ...]:
    return (
        Holds("a"),
        Say((Tell("a", 2),), craft=craft, expect=Expect.TURNED_DOWN),
        Finds("a", entries=3),
    )


CHANNEL = (
    Case("handshake", "SUB-02", "A handshake is answered, without receipts", (Greet("handshake"),)),
    Case("handshake-again", "SUB-02", "So is a second one", (Greet("handshake"), Greet("handshake"))),
    Case("heartbeat", "SUB-06", "A heartbeat is answered, without receipts", (Greet("heartbeat"),)),
    Case("heartbeat-forged", "SUB-11", "A forged heartbeat is 401",
         (Greet("heartbeat", craft=Craft.FORGED, expect=Expect.UNAUTHORIZED),)),
    Case("heartbeat-ahead", "SUB-06", "A heartbeat that names more events than came shows that some were missed",
         (Say((Tell("a", 2),)), Greet("heartbeat", ahead=2), Misses(some=True),
          Say((Tell("b", 2), Tell("c", 2))), Misses(some=False))),
    Case("gap", "SUB-05", "A jump in the event numbers is noticed, and the event behind it is taken",
         (Say((Tell("a", 2),)), Say((Tell("b", 2),), skip=2), Misses(some=True),
          Say((Tell("c", 2), Tell("d", 2)), fill=True))),
    Case("gap-filled", "SUB-05", "What was missing is taken later, and the gap is closed",
         (Say((Tell("a", 2),)), Say((Tell("b", 2),), skip=2), Say((Tell("c", 2), Tell("d", 2)), fill=True),
          Finds("c", version=2, answer=NO), Misses(some=False))),
)  # fmt: skip

SIGNATURE = (
    Case("unsigned", "SUB-11", "A message without a signature is 401 and changes nothing", _unheard(Craft.UNSIGNED)),
    Case("forged", "SUB-11", "A forged signature is 401 and changes nothing", _unheard(Craft.FORGED)),
    Case("other-body", "SUB-11", "The signature covers the body", _unheard(Craft.OTHER_BODY)),
    Case("other-id", "SUB-11", "The signature covers the webhook-id", _unheard(Craft.OTHER_ID)),
    Case("stale", "SUB-11", "A message signed more than five minutes ago is 401", _unheard(Craft.STALE)),
    Case("future", "SUB-11", "A message signed for a time to come is 401", _unheard(Craft.FUTURE)),
    Case("year-old", "SUB-11", "A genuine message of a year ago is 401", _unheard(Craft.YEAR_OLD)),
    Case("no-time", "SUB-11", "A timestamp that is no number is 401", _unheard(Craft.NO_TIME)),
    Case("unknown-scheme", "SUB-11", "A signature of another scheme alone is 401", _unheard(Craft.UNKNOWN_SCHEME)),
    Case("two-secrets-new-first", "SUB-11", "While secrets overlap one good signature is enough, wherever it stands",
         (Say((Tell("a", 2),), craft=Craft.UNKNOWN_FIRST),)),
    Case("two-secrets-old-last", "SUB-11", "So it is when the other signature comes last",
         (Say((Tell("a", 2),), craft=Craft.UNKNOWN_LAST),)),
)  # fmt: skip

REPEATED = (
    Case("duplicate", "SUB-07", "The same message again gets the same receipts",
         (Holds("a"), Say((Tell("a", 2),), name="first"), Say(again="first", expect=Expect.SAME))),
    Case("duplicate-new-id", "SUB-07", "The same event in another message is taken, and does nothing twice",
         (Holds("a"), Say((Tell("a", 2),), name="first"), Say(same_events_as="first"),
          Finds("a", entries=0, version=2, answer=NO))),
    Case("duplicate-in-batch", "SUB-07", "The same event twice in one message is one event",
         (Say((Tell("a", 2),), craft=Craft.TWICE, expect=Expect.ONCE_OR_DOWN),)),
    Case("replayed-no", "SUB-09", "An opt-out, a yes, and the opt-out's message again: the yes stands",
         (Say((Tell("a", 2, NO),), name="no"), Say((Tell("a", 3, YES),)), Say(again="no"),
          Finds("a", version=3, answer=YES))),
    Case("replayed-yes", "SUB-09", "A yes, an opt-out, and the yes's message again: the opt-out stands",
         (Say((Tell("a", 2, YES),), name="yes"), Say((Tell("a", 3, NO),)), Say(again="yes"),
          Finds("a", version=3, answer=NO))),
)  # fmt: skip

VERSIONS = (
    Case("version-back", "SUB-09", "An older yes that comes after an opt-out never wins",
         (Say((Tell("a", 5, NO),)), Say((Tell("a", 4, YES),)), Finds("a", version=5, answer=NO))),
    Case("no-after-newer-yes", "SUB-09", "An older opt-out that comes after a yes never wins",
         (Say((Tell("a", 5, YES),)), Say((Tell("a", 4, NO),)), Finds("a", version=5, answer=YES))),
    Case("disorder-in-batch", "SUB-09", "Inside one message, too, the highest version wins",
         (Say((Tell("a", 3, NO), Tell("a", 2, YES))), Finds("a", version=3, answer=NO))),
    Case("order-in-batch", "SUB-09", "Two versions in one message, in order: the second wins",
         (Say((Tell("a", 2, NO), Tell("a", 3, YES))), Finds("a", version=3, answer=YES))),
    Case("same-version", "SUB-09", "Of one version the higher event number counts: a lower one comes too late",
         (Say((Tell("a", 2, NO),), skip=1), Say((Tell("a", 2, YES),), fill=True), Finds("a", version=2, answer=NO))),
    Case("version-far", "SUB-09", "Versions may jump, and are compared as numbers",
         (Say((Tell("a", 9, YES),)), Say((Tell("a", 1_000_000, NO),)), Say((Tell("a", 10, YES),)),
          Finds("a", version=1_000_000, answer=NO))),
)  # fmt: skip

OBEYING = (
    Case("removed", "X-03", "A no removes what is held",
         (Holds("a"), Say((Tell("a", 2),)), Finds("a", entries=0, version=2, answer=NO))),
    Case("removed-count", "SUB-08", "The receipt says how many entries were removed",
         (Holds("a", entries=5), Say((Tell("a", 2),), removed=5))),
    Case("promise-kept", "SUB-08", "What was only accepted is done, and confirmed by a later receipt",
         (Holds("a"), Say((Tell("a", 2),)), Keeps(), Finds("a", entries=0))),
    Case("two-of-one-name", "SUB-08", "Of two people with one name only the one who is meant is touched",
         (Holds("a"), Holds("b"), Say((Tell("a", 2),)), Finds("b", entries=3))),
    Case("close-identifiers", "SUB-08", "Identifiers are compared whole: 0007 is not 7",
         (Holds("a"), Holds("b"), Say((Tell("a", 2),)), Finds("b", entries=3, version=0)),
         {"a": "{run}-0007", "b": "{run}-7"}, Basis.OPERATIONS),
    Case("case-of-letters", "SUB-08", "Identifiers are compared whole: Ab is not ab",
         (Holds("a"), Holds("b"), Say((Tell("a", 2),)), Finds("b", entries=3, version=0)),
         {"a": "{run}-Ab", "b": "{run}-ab"}, Basis.OPERATIONS),
    Case("unicode", "SUB-08", "An identifier may hold any character",
         (Holds("a"), Say((Tell("a", 2),)), Finds("a", entries=0, version=2, answer=NO)),
         {"a": "{run} Zoë O'Brien \"Ω\" \U0001f642 50% _*\\"}),
    Case("other-system", "SUB-08", "The same value under an unknown identifier system is somebody else",
         (Holds("a"),
          Say((Tell("a", 2, other_system=True),), states=OBEYED | {State.NOT_FOUND, State.REFUSED}),
          Finds("a", entries=3, version=0)), {}, Basis.OPERATIONS),
    Case("nobody", "SUB-08", "An opt-out of somebody who is not held is taken: nothing held, or not found",
         (Say((Tell("a", 2),), states=OBEYED | {State.NOT_FOUND}),)),
    Case("ambiguous", "SUB-08", "Of two people under one identifier both are removed, or the store says ambiguous",
         (Holds("a", twice=True), Say((Tell("a", 2),), states=OBEYED | {State.AMBIGUOUS}),
          Finds("a", entries=0, unless=State.AMBIGUOUS)), {}, Basis.OPERATIONS),
    Case("kept-out", "X-03", "The next feed does not bring a removed person back (re-ingest rule)",
         (Holds("a"), Say((Tell("a", 2),)), Feeds("a", taken=False))),
    Case("kept-out-unseen", "X-03", "Nor one who was never held before the opt-out",
         (Say((Tell("a", 2),)), Feeds("a", taken=False))),
    Case("let-in-again", "X-05", "A later yes lets the next feed in",
         (Holds("a"), Say((Tell("a", 2),)), Say((Tell("a", 3, YES),)), Feeds("a", taken=True), Finds("a", entries=3))),
    Case("told-again", "SUB-08", "The same version under a higher event number is made so again",
         (Holds("a"), Say((Tell("a", 2),)), Slips("a"), Say((Tell("a", 2),)), Finds("a", entries=0))),
    Case("compared", "SUB-08", "Asked what is in force, the store names the event, its version and the answer",
         (Say((Tell("a", 3, YES),)), Compares("a", YES))),
    Case("compared-truly", "SUB-08", "What counts then is the data, not what was obeyed once",
         (Say((Tell("a", 2, NO),)), Slips("a"), Compares("a", YES))),
    Case("not-its-business", "X-01", "A choice that is not this store's business is refused and changes nothing",
         (Holds("a"), Say((Tell("a", 2, other_choice=True),), expect=Expect.REFUSED_OR_DOWN), Finds("a", entries=3))),
)  # fmt: skip

FORM = (
    Case("cut", "SUB-03", "A body that ends in the middle is turned down and changes nothing", _not_read(Craft.CUT)),
    Case("garbage", "SUB-03", "A body in neither format is turned down", _not_read(Craft.GARBAGE)),
    Case("wrong-type", "SUB-04", "Another content type is turned down", _not_read(Craft.HTML)),
    Case("unknown-kind", "SUB-03", "An event of an unknown kind is refused or turned down, and changes nothing",
         (Holds("a"), Say((Tell("a", 2),), craft=Craft.UNKNOWN_KIND, expect=Expect.REFUSED_OR_DOWN),
          Finds("a", entries=3))),
    Case("poisoned", "SUB-07", "A message with one event of no known kind is never taken as a whole",
         (Holds("b"), Say((Tell("a", 2), Tell("b", 2), Tell("c", 2)), craft=Craft.POISONED,
                          expect=Expect.REFUSED_OR_DOWN), Finds("b", entries=3), Say((Tell("a", 3),)))),
    Case("empty", "SUB-04", "A message without events is harmless",
         (Say(craft=Craft.EMPTY, expect=Expect.NOTHING_OR_DOWN),)),
    Case("extra-fields", "SUB-03", "Fields that are not in the contract are passed over",
         (Holds("a"), Say((Tell("a", 2),), craft=Craft.EXTRA), Finds("a", entries=0))),
    Case("large", "SUB-07", f"A message with {LARGEST:,} events is answered in full and in time", (Many(LARGEST),)),
    Case("slow", "SUB-07", "A slow message does not hold up another", (Slowly(Tell("a", 2), Tell("b", 2)),)),
    Case("hung-up", "SUB-07", "A message that breaks off is not done, and the next one is answered",
         (Holds("a"), HangUp(Tell("a", 2)), Finds("a", entries=3), Greet("heartbeat"))),
    Case("well-at-the-end", "SUB-06", "After all of this the store still answers", (Greet("heartbeat"),)),
)  # fmt: skip

CASES: tuple[Case, ...] = (*CHANNEL, *SIGNATURE, *REPEATED, *VERSIONS, *OBEYING, *FORM)
