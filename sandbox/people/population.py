"""All the invented people, in a fixed order. Numbers are of the reserved 555-01xx kind; nobody lives there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Literal

from sandbox.people.person import HospitalId, Relative, SyntheticPerson
from sandbox.people.stories import lakeside_blood, lakeside_solid, riverside, riverside_more

Story = Callable[[SyntheticPerson], list[dict[str, Any]]]
Row = tuple[str, str, str, str, Literal["female", "male"], str, tuple[str, str, str, str], str, Story]

_RIVERSIDE: tuple[Row, ...] = (
    ("RV-104233", "Maria", "Alvarez", "1968-03-14", "female", "es", ("12 Alder Street", "Denver", "CO", "80205"),
     "Breast cancer", riverside.breast),
    ("RV-104871", "James", "Whitfield", "1957-11-30", "male", "en", ("77 Quarry Road", "Boulder", "CO", "80302"),
     "Prostate cancer", riverside.prostate),
    ("RV-105310", "Mei-Ling", "Chen", "1961-06-08", "female", "zh", ("305 Larkspur Lane", "Aurora", "CO", "80012"),
     "Lung cancer", riverside.lung),
    ("RV-105998", "Fatima", "Al-Sayed", "1974-02-19", "female", "ar", ("8 Cedar Court", "Lakewood", "CO", "80226"),
     "Ovarian cancer", riverside.ovary),
    ("RV-106147", "Linh", "Tran", "2010-09-05", "female", "vi", ("41 Willow Way", "Denver", "CO", "80219"),
     "Acute leukemia (ALL)", riverside_more.child_leukemia),
    ("RV-106802", "Robert", "Kowalski", "1949-07-22", "male", "en", ("19 Mill Street", "Golden", "CO", "80401"),
     "Colon cancer and bladder cancer", riverside_more.two_primaries),
    ("RV-107455", "Denise", "Johnson", "1980-12-01", "female", "en", ("250 Aspen Avenue", "Denver", "CO", "80211"),
     "Melanoma", riverside_more.melanoma),
)  # fmt: skip
_LAKESIDE: tuple[Row, ...] = (
    ("LK-20871", "Walter", "Brooks", "1951-09-02", "male", "en", ("4 Pier Road", "Milwaukee", "WI", "53202"),
     "Chronic leukemia (CLL)", lakeside_blood.chronic_leukemia),
    ("LK-20944", "Carmen", "Ruiz", "1955-04-17", "female", "es", ("66 Orchard Street", "Milwaukee", "WI", "53204"),
     "Multiple myeloma", lakeside_blood.myeloma),
    ("LK-21106", "Thuy", "Nguyen", "1987-08-25", "female", "vi", ("130 Birch Lane", "Racine", "WI", "53402"),
     "Thyroid cancer", lakeside_solid.thyroid),
    ("LK-21390", "Samuel", "Osei", "1963-01-11", "male", "en", ("22 Harbor View", "Kenosha", "WI", "53140"),
     "Pancreatic cancer", lakeside_solid.pancreas),
    ("LK-21457", "Layla", "Mansour", "1992-05-30", "female", "ar", ("9 Elm Terrace", "Milwaukee", "WI", "53211"),
     "Hodgkin lymphoma", lakeside_blood.hodgkin),
    ("LK-21822", "Grace", "Lin", "1970-10-03", "female", "zh", ("501 Prairie Drive", "Madison", "WI", "53703"),
     "Bladder cancer", lakeside_solid.bladder),
    ("LK-22014", "Maria", "Alvarez", "1968-03-14", "female", "es", ("12 Alder Street", "Denver", "CO", "80205"),
     "Breast cancer, treated elsewhere", lakeside_solid.second_chart),
)  # fmt: skip
_MOTHER = Relative("rv-p05-mother", "Hoa Tran", "mother, personal representative", "MTH", "1983-01-27")
_SAME_PHONE = {"LK-22014": "+1-303-555-0101"}


def _people(hospital: HospitalId, prefix: str, area: str, rows: tuple[Row, ...], first: int) -> list[SyntheticPerson]:
    made = []
    for number, row in enumerate(rows, start=1):
        mrn, given, family, born, sex, language, address, cancer, story = row
        made.append(SyntheticPerson(
            id=f"{prefix}-p{number:02d}", hospital=hospital, mrn=mrn, given=given, family=family,
            birth_date=date.fromisoformat(born), sex=sex, language=language, address=address, cancer=cancer,
            phone=_SAME_PHONE.get(mrn, f"+1-{area}-555-{first + number:04d}"), story=story,
            relative=_MOTHER if mrn == "RV-106147" else None,
        ))  # fmt: skip
    return made


_ALL = (*_people("riverside", "rv", "303", _RIVERSIDE, 100), *_people("lakeside", "lk", "414", _LAKESIDE, 120))


def population() -> tuple[SyntheticPerson, ...]:
    """Every synthetic person of both hospitals; the same bytes each time."""
    return _ALL
