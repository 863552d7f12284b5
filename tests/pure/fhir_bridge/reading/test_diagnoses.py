"""MC-01, MC-02, MC-03: what is a cancer, how many there are, and what has spread."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_bridge.reading.summary import summarise
from tests.pure.fhir_bridge.reading.samples import ICD, SNOMED, condition, example, only, without_profiles


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ((ICD, "C50.412"), "Breast cancer"),
        ((ICD, "C504"), "Breast cancer"),
        ((ICD, "C34.11"), "Lung cancer"),
        ((ICD, "C18.7"), "Colon cancer"),
        ((ICD, "C20"), "Rectal cancer"),
        ((ICD, "C61"), "Prostate cancer"),
        ((ICD, "C43.5"), "Melanoma (a skin cancer)"),
        ((ICD, "C90.00"), "Multiple myeloma"),
        ((ICD, "C91.10"), "Chronic lymphocytic leukemia (CLL)"),
        ((ICD, "C92.00"), "Acute myeloid leukemia (AML)"),
        ((ICD, "C81.90"), "Hodgkin lymphoma"),
        ((ICD, "C83.30"), "Lymphoma"),
        ((ICD, "D46.9"), "A blood cancer"),
        ((ICD, "D47.3"), "A blood cancer"),
        ((SNOMED, "254637007"), "Lung cancer"),
        ((SNOMED, "109838007"), "Colon cancer"),
        ((SNOMED, "126906006"), "Prostate cancer"),
        ((SNOMED, "277571004"), "Acute lymphoblastic leukemia (ALL)"),
    ],
)
def test_cancers_by_code(code: tuple[str, str], title: str) -> None:
    """MC-01: found by its code without any profile."""
    assert str(only(summarise([condition("c", code)])).title) == title


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("Breast CA, L", "Breast cancer"),
        ("Malignant tumor of ovary (disorder)", "Ovarian cancer"),
        ("Follicular lymphoma grade 2", "Lymphoma"),
        ("Carcinoma of unknown primary", "Carcinoma of unknown primary"),
    ],
)
def test_cancers_by_words(words: str, title: str) -> None:
    """MC-01: found by words when there is no code."""
    assert str(only(summarise([condition("c", words=words)])).title) == title


@pytest.mark.parametrize(
    "not_cancer",
    [
        condition("c", (ICD, "D12.6"), words="Benign neoplasm of colon"),
        condition("c", (ICD, "D25.9"), words="Leiomyoma of uterus"),
        condition("c", (ICD, "D47.2"), words="Monoclonal gammopathy"),
        condition("c", (ICD, "Z80.3"), words="Family history of malignant neoplasm of breast"),
        condition("c", (ICD, "Z85.3"), words="Personal history of malignant neoplasm of breast"),
        condition("c", words="Suspected lung cancer (situation)"),
        condition("c", words="Screening for breast cancer"),
        condition("c", words="Fear of cancer"),
        condition("c", (ICD, "I10"), words="High blood pressure"),
        condition("c", words="Cataract"),
        condition("c", (ICD, "I10"), words="Malignant hypertension"),
        condition("c", (ICD, "R97.1"), words="Elevated cancer antigen 125 [CA 125]"),
        condition("c", (ICD, "Z15.01"), words="Genetic susceptibility to malignant neoplasm of breast"),
        condition("c", words="Genetic susceptibility to cancer of the breast"),
        condition("c", words="Breast cancer genetic marker of susceptibility positive"),
        condition("c", words="Hereditary breast and ovarian cancer syndrome"),
        condition("c", words="Increased risk for colon cancer"),
        condition("c", words="Worried about skin cancer"),
        condition("c", words="Mother had breast cancer"),
        condition("c", words="FH: Colon cancer"),
        condition("c", words="Precancerous lesion of colon"),
        condition("c", words="Malignant hyperthermia"),
        condition("c", words="Raised CA 19-9"),
        condition("c", words="Low Ca level"),
        condition("c", words="Cancer related fatigue"),
        condition("c", words="Hypercalcemia of malignancy"),
        condition("c", words="Lymphedema following treatment of breast cancer"),
        condition("c", words="Anemia due to lung cancer"),
        condition("c", words="Negative for malignancy"),
        condition("c", words="Lesion suspicious for malignancy"),
        condition("c", words="Hx of breast cancer"),
    ],
    ids=lambda one: str(one["code"]["text"]),
)
def test_what_is_no_cancer(not_cancer: dict[str, Any]) -> None:
    """MC-01: benign, suspected, feared, screened for, inherited, in the family or in the past is no diagnosis, nor is
    what a cancer or its treatment brings along."""
    summary = summarise([not_cancer])
    assert (summary.cancers, summary.spread) == ((), ())


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("Non-metastatic castration-resistant prostate cancer", "Prostate cancer"),
        ("Breast cancer without distant metastasis", "Breast cancer"),
        ("Lung cancer, no known metastases", "Lung cancer"),
        ("High risk prostate cancer", "Prostate cancer"),
        ("Clinically apparent melanoma of unclear site", "Melanoma (a skin cancer)"),
        ("Breast cancer s/p lumpectomy", "Breast cancer"),
    ],
)
def test_no_spread_is_no_spread(words: str, title: str) -> None:
    """MC-01, MC-03: a name that says that a cancer has not spread, or how large its risk is, is that cancer's."""
    summary = summarise([condition("c", words=words)])
    assert str(only(summary).title) == title
    assert summary.spread == ()


def test_what_is_told_apart() -> None:
    """MC-01: what is suspected, ruled out or past is told as such, and not any more once it stands as a cancer."""
    entries = [
        condition("s", (SNOMED, "162573006"), words="Suspected lung cancer (situation)"),
        condition("o", words="Mass of ovary suspicious for malignancy"),
        condition("r", (ICD, "C61"), words="Prostate cancer", verificationStatus={"coding": [{"code": "refuted"}]}),
        condition("p", (ICD, "Z85.3"), words="Personal history of malignant neoplasm of breast"),
        condition("f", words="Family history of colon cancer"),
        condition("n", words="Possible pneumonia"),
    ]
    told = {one.clinical: str(one.text) for one in summarise(entries).told_apart}
    assert told == {
        "Suspected lung cancer": "not confirmed",
        "Mass of ovary suspicious for malignancy": "not confirmed",
        "Prostate cancer": "was looked into and ruled out",
        "Personal history of malignant neoplasm of breast": "told as something of the past",
    }
    confirmed = summarise([entries[0], entries[3], condition("c", (ICD, "C34.11")), condition("d", (ICD, "C50.9"))])
    assert len(confirmed.cancers) == 2
    assert confirmed.told_apart == ()


def test_in_situ_is_said() -> None:
    """MC-02: carcinoma in situ is not called invasive cancer."""
    cancer = only(summarise([condition("c", (ICD, "D05.12"))]))
    assert cancer.in_situ
    assert "in situ" in str(cancer.title)
    assert str(cancer.side) == "left side"


def test_several_primaries() -> None:
    """MC-02: two sides, or two organs, are two cancers; many entries of one cancer are one."""
    entries = [
        condition("c1", (ICD, "C50.912"), onsetDateTime="2020"),
        condition("c2", (ICD, "C50.412"), onsetDateTime="2020-03"),
        condition("c3", (SNOMED, "254837009"), onsetDateTime="2021"),
        condition("c4", (ICD, "C50.911"), onsetDateTime="2023"),
        condition("c5", (ICD, "C34.11"), onsetDateTime="2024"),
    ]
    found = summarise(entries).cancers
    assert [(one.site, str(one.side)) for one in found] == [
        ("breast", "left side"), ("breast", "right side"), ("lung", "right side"),
    ]  # fmt: skip
    assert {"c1", "c2", "c3"} == {one.split("/")[1] for one in found[0].keys}
    assert found[0].found is not None
    assert found[0].found.text == "2020"


def test_two_melanomas_are_two() -> None:
    """MC-02: skin cancers at different places are different cancers."""
    assert len(summarise([condition("a", (ICD, "C43.5")), condition("b", (ICD, "C43.61"))]).cancers) == 2


@pytest.mark.parametrize(
    "metastasis",
    [
        condition("m", (ICD, "C79.51")),
        condition("m", (SNOMED, "94222008")),
        condition("m", words="Metastasis to bone from breast"),
        condition("m", (ICD, "C78.7")),
    ],
)
def test_spread_invents_no_primary(metastasis: dict[str, Any]) -> None:
    """MC-03: a metastasis alone is spread, and no cancer where it was found."""
    summary = summarise([metastasis])
    assert summary.cancers == ()
    assert len(summary.spread) == 1
    assert "spread" in str(summary.spread[0].title)


@pytest.mark.parametrize("profiles", [True, False])
def test_spread_belongs_to_its_primary(profiles: bool) -> None:
    """MC-03: the mCODE example of brain metastases is shown with its lung cancer."""
    entries = [
        example("Condition-primary-cancer-condition-nsclc"),
        example("Condition-secondary-cancer-condition-brain-mets"),
        condition("other", (ICD, "C61")),
    ]
    found = summarise(entries if profiles else without_profiles(entries))
    lung = next(one for one in found.cancers if one.site == "lung")
    assert [str(one.title) for one in lung.spread] == ["Cancer spread to the brain or nerves"]
    assert found.spread == ()
    assert str(lung.side) == "left side"


@pytest.mark.parametrize("profiles", [True, False])
def test_no_history_of_spread_means_no(profiles: bool) -> None:
    """MC-03: history of metastatic cancer with false means NO such history; without a value it means yes."""
    no, yes = (
        example("Observation-no-history-of-metastatic-cancer"),
        example("Observation-history-of-cancer-metastatic-to-liver"),
    )
    for entry, word in ((no, "No"), (yes, "Yes")):
        found = summarise([entry] if profiles else without_profiles([entry]))
        assert found.spread_history is not None
        assert str(found.spread_history.text).startswith(word)
        assert (found.cancers, found.spread) == ((), ())


def test_two_hospitals_one_cancer() -> None:
    """MC-02: the same cancer told by two hospitals is one card."""
    entries = [
        condition("a", (ICD, "C50.912")),
        condition("b", (SNOMED, "353431000119107"), words="left breast cancer"),
    ]
    assert len(only(summarise(entries)).keys) == 2
