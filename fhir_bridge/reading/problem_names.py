"""Plain names of health problems that often stand beside cancer, by SNOMED CT and ICD-10-CM code.

Only codes that mean just this problem: a code that says more (diabetes with kidney damage) keeps the provider's words.
"""

from __future__ import annotations

from typing import Any

from fhir_bridge.reading.shape import codings
from vocabulary.phrase import Phrase, phrase

_NAMES: tuple[tuple[Phrase, str], ...] = (
    (phrase("High blood pressure"), "38341003 59621000 I10"),
    (phrase("Type 2 diabetes"), "44054006 E11 E11.9"),
    (phrase("Type 1 diabetes"), "46635009 E10 E10.9"),
    (phrase("Blood sugar above normal (prediabetes)"), "15777000 R73.03"),
    (phrase("High cholesterol or blood fats"), "55822004 13644009 E78.00 E78.2 E78.5"),
    (phrase("Asthma"), "195967001 J45.909"),
    (phrase("Long-term lung disease (COPD)"), "13645005 J44.9"),
    (phrase("Narrow heart arteries"), "53741008 I25.10"),
    (phrase("Heart attack"), "22298006 I21.9"),
    (phrase("Weak heart (heart failure)"), "84114007 88805009 I50.9"),
    (phrase("Uneven heartbeat (atrial fibrillation)"), "49436004 I48.91"),
    (phrase("Stroke"), "230690007 I63.9"),
    (phrase("Long-term kidney disease"), "709044004 N18.9"),
    (phrase("Depression"), "35489007 370143000 F32.A F32.9 F33.9"),
    (phrase("Anxiety"), "48694002 197480006 F41.9 F41.1"),
    (phrase("Acid reflux"), "235595009 K21.9"),
    (phrase("Thin bones (osteoporosis)"), "64859006 M81.0"),
    (phrase("Bone thinning (osteopenia)"), "312894000"),
    (phrase("Worn joints (osteoarthritis)"), "396275006 M19.90"),
    (phrase("Low thyroid"), "40930008 E03.9"),
    (phrase("Very high weight"), "414916001 162864005 E66.9"),
    (phrase("Too few red blood cells (anemia)"), "271737000 D64.9"),
    (phrase("Low iron with too few red blood cells (anemia)"), "87522002 D50.9"),
    (phrase("Too few infection-fighting cells (neutropenia)"), "165517008 303011007 D70.9"),
    (phrase("Fever with too few infection-fighting cells"), "409089005"),
    (phrase("Too few platelets (blood may clot slowly)"), "302215000 415116008 D69.6"),
    (phrase("Feeling sick to the stomach"), "422587007 R11.0"),
    (phrase("Vomiting"), "422400008 R11.10"),
    (phrase("Tiredness"), "84229001 R53.83"),
    (phrase("Pain"), "22253000 R52"),
    (phrase("Long-lasting pain"), "82423001 G89.29"),
    (phrase("Pain from cancer"), "G89.3"),
    (phrase("Low back pain"), "279039007 M54.50"),
    (phrase("Nerve damage in hands or feet (neuropathy)"), "302226006 386033004 G62.9"),
    (phrase("Nerve damage from a medicine"), "G62.0"),
    (phrase("Swelling from lymph fluid (lymphedema)"), "234097001 I89.0"),
    (phrase("Blood clot in the lung"), "59282003 I26.99"),
    (phrase("Blood clot in a deep vein"), "128053003 I82.40"),
    (phrase("Hard stools (constipation)"), "14760008 K59.00"),
    (phrase("Loose stools (diarrhea)"), "62315008 R19.7"),
    (phrase("Trouble sleeping"), "193462001 G47.00"),
    (phrase("Breathing stops in sleep (sleep apnea)"), "73430006 78275009 G47.33"),
    (phrase("Bladder or kidney infection"), "68566005 N39.0"),
    (phrase("Lung infection (pneumonia)"), "233604007 J18.9"),
    (phrase("Body-wide illness from an infection (sepsis)"), "91302008 A41.9"),
    (phrase("Sore mouth (mucositis)"), "95361005 K12.30"),
    (phrase("Hot flashes"), "198436008"),
    (phrase("Shortness of breath"), "267036007 R06.02"),
    (phrase("Cough"), "49727002 R05.9"),
    (phrase("Weight loss"), "89362005 R63.4"),
    (phrase("Used to smoke"), "8517006 Z87.891"),
    (phrase("Hay fever"), "367498001 J30.2"),
    (phrase("Sinus infection from a virus"), "444814009"),
    (phrase("Sore throat from a virus"), "195662009"),
    (phrase("Chest cold (bronchitis)"), "10509002 J20.9"),
)

_BY_CODE = {code: name for name, codes in _NAMES for code in codes.split()}


def problem_name(concept: Any) -> Phrase | None:
    """The plain name of a Condition's code, None when it says more than a plain name does or is not known here."""
    return next((_BY_CODE[one.code] for one in codings(concept) if one.code in _BY_CODE), None)
