"""X-03: every fact of the leaflet's eleven questions is present, in both languages, in our own words."""

from __future__ import annotations

import datetime
import re

import pytest

from patient_portal.words.faq import Answer, Faq, Names, load
from tests.support.testdata import testdata
from vocabulary.plain_text import folded

QUESTIONS = (
    "what-is-cancerlinq",
    "why-am-i-told",
    "how-it-helps-me",
    "how-it-helps-others",
    "where-data-comes-from",
    "what-about-me",
    "who-sees-it",
    "how-it-is-protected",
    "new-knowledge",
    "cost",
    "opt-out",
)

# Per answer: (fact, English pattern, Spanish pattern); patterns meet text without accents and in lower case.
FACTS = {
    "what-is-cancerlinq": [
        ("platform", "health information platform", "plataforma de informacion de salud"),
        ("secure", "secure", "segur"),
        ("medical and treatment data", "health and treatment", "salud y de tratamiento"),
        ("from practices", "clinics that care for people with cancer", "clinicas que atienden"),
        ("operations", "make their work", "trabajar mejor"),
        ("quality for you and others", "your care better. other", "atencion de usted y de otros"),
        ("patterns", "researchers see patterns", "investigadores a ver patrones"),
        ("diagnosis and treatment", "find cancer and to treat", "hallar el cancer y de tratarlo"),
        ("2014", "2014", "2014"),
        ("ASCO", r"american society of clinical oncology, inc\., or asco", "oncologia clinica.*asco"),
        ("non-profit", "non-profit", "sin fines de lucro"),
        ("members", "cancer doctors and other health workers", "medicos del cancer y otros trabaj"),
        ("50 years", "more than 50 years", "mas de 50 anos"),
        ("2015", "2015, asco set up cancerlinq llc", "2015, asco creo cancerlinq llc"),
    ],
    "why-am-i-told": [
        ("provider takes part", "doctor or clinic takes part", "medico o su clinica participa"),
        ("your data contributes", "about you and your care will be sent", "usted y su atencion se enviaran"),
        ("securely", "secure way", "forma segura"),
        ("quality improvement", "raise the quality", "mejor calidad"),
    ],
    "how-it-helps-me": [
        ("journeys differ", "no two people", "no hay dos personas"),
        ("better-informed together", "decide about your care together", "decidir juntos"),
        ("compare options", "treatments you could have against", "comparar los tratamientos"),
        ("patients like you", "people like you", "personas como usted"),
        ("improve your care", "make your care better", "mejorar su atencion"),
        ("may benefit already", "gain from this now", "ya le ayude"),
    ],
    "how-it-helps-others": [
        ("today and in future", "now and in years to come", "hoy y en los anos"),
        ("each time", "each time you get care", "cada vez que usted recibe"),
        ("millions", "millions of people with cancer", "millones de personas con cancer"),
        ("who uses", "doctors, care teams and researchers", "medicos, sus equipos y los invest"),
        ("diagnose, treat, monitor", "diagnose.*treat.*watch", "diagnosticar.*tratarlo.*vigilarlo"),
    ],
    "where-data-comes-from": [
        ("majority", "most of it", "mayor parte"),
        ("securely", "secure", "segura"),
        ("EHR", "electronic health records", "expedientes medicos electronicos"),
        ("what an EHR is", "computer system of your doctor", "sistema de computadoras de su medico"),
        ("plan, record, monitor", "plan.*write down.*watch", "planear.*anotar.*ver como"),
    ],
    "what-about-me": [
        ("already there", "already", "ya estan"),
        ("general", "general: .*name, address, birth date and gender", "generales: .*nombre, direccion, genero y f"),
        ("clinical", "clinical: .*medical history and test results", "clinicos: .*historia medica y los resultados"),
        ("therapy", "therapy: .*plans, the drugs.*how well", "terapia: .*planes.*medicinas.*que tan bien"),
    ],
    "who-sees-it": [
        ("care team", "your cancer care team can see", "su equipo de atencion del cancer puede ver"),
        ("like the record", "as it does in your own health record", "igual que en su propio expediente"),
        ("few trained people", "small number.*trained.*picked", "unas pocas.*elegidas y formadas"),
        ("CancerLinQ and technology", "cancerlinq and its technology team", "equipo de tecnologia"),
        ("identifiable", "shows who you are", "muestran quien es usted"),
        ("operations and quality", "run well and give better care", "funcionar bien y a dar mejor atencion"),
        ("curators", "tempus and concerto healthai.*technology companies",
         "tempus y concerto healthai.*empresas de tec"),
        ("very limited", "very limited access, for one thing only", "muy limitado y tiene un solo fin"),
        ("curate and de-identify", "put data in order and take out", "ordenar los datos y quitar"),
    ],
    "how-it-is-protected": [
        ("state of the art", "state-of-the-art", "tecnologia de punta"),
        ("software", "security software", "programas de seguridad"),
        ("physical", "guarded rooms and buildings", "edificios vigilados"),
        ("laws and standards", "laws, rules and industry standards", "leyes, las reglas y las normas"),
        ("HIPAA de-identified", "hipaa.*de-identified", "hipaa.*sin identidad"),
        ("no re-identifying", "not allowed to try to find out who", "prohibido tratar de saber quien"),
        ("vendors too", "companies that put the data in order must", "empresas que ordenan los datos deben"),
    ],
    "new-knowledge": [
        ("combined", "put together with the data of many others", "se juntan con los datos de muchas otras"),
        ("de-identified", "de-identified", "sin identidad"),
        ("informs all", "all health workers who take part", "todos los trabajadores de la salud"),
        ("millions", "millions", "millones"),
        ("recipients", "academic researchers and to life science compan",
         "investigadores academicos y a empresas de cienc"),
        ("Discovery", "cancerlinq discovery", "cancerlinq discovery"),
        ("secondary use", "second use", "segundo uso"),
        ("new and effective", "new treatments, ones that work better", "nuevos tratamientos, a otros que sirvan mas"),
        ("prevention", "prevent cancer", "prevenir el cancer"),
        ("secondary to care", "comes second. the first aim", "segundo lugar. el primer fin"),
    ],
    "cost": [
        ("never a charge", "never a charge to patients", "nunca les cobra nada a los pacientes"),
    ],
    "opt-out": [
        ("shared hope", "learn from each patient", "aprender del camino de cada paciente"),
        ("any time", "at any time", "en cualquier momento"),
        ("notify", "tell your doctor or any other person on your care team", "medico o a otra persona de su equipo"),
        ("staff assist", "staff of cancerlinq can help", "personal de cancerlinq puede ayudar"),
        ("identifiable, forward", "shows who you are removed.*going forward", "de ahora en adelante.*quien es usted"),
        ("not recalled", "cannot be called back", "no se pueden pedir de vuelta"),
        ("phone", r"\(888\) 282-2552", r"\(888\) 282-2552"),
        ("site", r"cancerlinq\.org", r"cancerlinq\.org"),
    ],
}  # fmt: skip


def _faq(language: str) -> Faq:
    return load(language, Names())


def _answer(faq: Faq, name: str) -> Answer:
    return next(answer for answer in faq.answers if answer.id == name)


@pytest.mark.parametrize(
    ("name", "english", "spanish"),
    [pytest.param(name, *fact[1:], id=f"{name}:{fact[0]}") for name, facts in FACTS.items() for fact in facts],
)
def test_the_fact_is_told(name: str, english: str, spanish: str) -> None:
    """X-03: each fact stands in its own answer, in English and in Spanish."""
    for language, pattern in (("en", english), ("es", spanish)):
        said = folded(" ".join(_answer(_faq(language), name).texts))
        assert re.search(pattern, said), f"{language}: {pattern}"


@pytest.mark.parametrize("language", ["en", "es", "ar"])
def test_the_eleven_questions_in_their_order(language: str) -> None:
    """X-03: eleven questions, the same ids in each language, so that a link keeps its place."""
    assert tuple(answer.id for answer in _faq(language).answers) == QUESTIONS


@pytest.mark.parametrize("language", ["en", "es", "ar"])
def test_dates_source_and_note(language: str) -> None:
    """X-03: nothing undated is stated as current; the note tells of December 2023 and of 2024."""
    faq = _faq(language)
    assert faq.as_of >= datetime.date(2026, 1, 1)
    assert "2015" in faq.source_date
    assert "2023" in faq.source_date
    note = folded(" ".join(faq.note))
    for needed in ("concertai", "2023", "asco", "cancer.net", "2024", "cancer.org"):
        assert needed in note
    assert re.search("december 2023|diciembre de 2023|ديسمبر 2023", note)


@pytest.mark.parametrize("language", ["en", "es", "ar"])
def test_the_opt_out_is_one_click_from_its_question_and_the_leaflet_is_linked(language: str) -> None:
    """X-03: the answer that tells of the opt-out links to it and to the official leaflet."""
    links = _answer(_faq(language), "opt-out").links
    assert "opt-out" in links
    assert "leaflet" in links
    assert "opt-out" in _answer(_faq(language), "new-knowledge").links


@pytest.mark.parametrize("language", ["en", "es", "ar"])
def test_nothing_promises_to_recall_what_was_released(language: str) -> None:
    """X-03: every sentence about calling back says that it cannot be done."""
    for answer in _faq(language).answers:
        for sentence in re.split(r"(?<=[.?!])\s", folded(" ".join(answer.texts))):
            if re.search(r"call(ed)? back|recall|de vuelta|استرجاع", sentence):
                assert re.search(r"cannot|no se puede|لا يمكن", sentence), sentence


def test_names_phone_and_owner_come_from_configuration() -> None:
    """X-03: what may change is configuration; the text follows it."""
    faq = load("en", Names(phone="(555) 010-0000", site="example.org", owner="Someone New"))
    said = " ".join(text for answer in faq.answers for text in answer.texts) + " ".join(faq.note)
    assert "(555) 010-0000" in said
    assert "Someone New" in said
    assert "(888) 282-2552" not in said


def test_a_language_without_a_text_gets_english() -> None:
    """LANG-03: the fallback names its own language, so that the page can mark it."""
    assert load("vi", Names()).language == "en"
    assert load("../en", Names()).language == "en"


def test_our_words_are_not_the_leaflets() -> None:
    """X-03: no run of ten words is taken from the leaflet."""
    theirs = _runs(testdata("../seeds/004_fd57b002c8af8dde.txt").read_text(encoding="utf-8"))
    for answer in _faq("en").answers:
        for text in answer.texts:
            assert not _runs(text) & theirs, text


def _runs(text: str, length: int = 10) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", folded(text))
    return {tuple(words[place : place + length]) for place in range(len(words) - length + 1)}
