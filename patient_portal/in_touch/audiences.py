"""For whom a campaign is: everyone, who gives data to an effort, or who signed words that have since changed.

Composed here, because campaigns (`notifications`) know nothing of decisions (`consent`). The newest decision about an
effort counts, as everywhere.
"""

from __future__ import annotations

from consent.efforts import SANDBOX_EFFORTS, effort_by_id
from notifications.campaigns import Audience
from patient_portal.choices.choosing import TEXTS
from vocabulary.errors import Invalid

EVERYONE = "everyone"
_NEWEST = (
    "EXISTS (SELECT FROM (SELECT DISTINCT ON (d.effort_id) d.answer, d.text_id, d.text_version FROM decision d"
    " WHERE d.person_id = c.person_id AND {about} ORDER BY d.effort_id, d.version DESC) n"
    " WHERE n.answer = 'yes' AND {so})"
)


def audience_named(name: str) -> Audience:
    """`everyone`, `effort:ID` (whose yes stands, also when it has ended) or `text:ID` (a standing
    yes to words older than the newest major ones).

    Invalid for any other name. The condition is the same on planning and on release, so who has left gets nothing.
    """
    what, _, which = name.partition(":")
    if name == EVERYONE:
        return Audience(name)
    if what == "effort" and effort_by_id(which, SANDBOX_EFFORTS) is not None:
        return Audience(name, _NEWEST.format(about="d.effort_id = :effort", so="true"), {"effort": which})
    if what == "text" and any(text.id == which for text in TEXTS.all):
        condition = _NEWEST.format(about="d.effort_id IS NOT NULL", so="n.text_id = :text AND n.text_version < :major")
        return Audience(name, condition, {"text": which, "major": TEXTS.newest_major(which)})
    raise Invalid("audience", {"audience": "not-known"})
