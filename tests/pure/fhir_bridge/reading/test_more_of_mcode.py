"""MC-04, MC-05, MC-10, MC-11: genes, sizes, other illnesses, scores and staging systems, with and without profiles."""

from __future__ import annotations

import pytest

from fhir_bridge.reading.summary import summarise
from fhir_bridge.reading.summary_model import CancerSummary
from tests.pure.fhir_bridge.reading.samples import ICD, condition, example, without_profiles


@pytest.fixture(params=[False, True], ids=["with profiles", "without profiles"])
def plain(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def read(plain: bool, *names: str) -> CancerSummary:
    resources = [example(name) for name in names]
    return summarise(without_profiles(resources) if plain else resources)


def test_genes_told_apart_in_words(plain: bool) -> None:
    """MC-10: born with it, in the tumor only, or not said: each in words, and what was looked at is no finding."""
    names = [f"Observation-genomic-variant-{one}" for one in ("germline-deletion", "somatic-single-nucleotide")]
    said = {str(one.name): str(one.note) for one in read(plain, *names).genes}
    assert "born with it" in said["BRCA1"]
    assert "germline" in said["BRCA1"]
    assert "tumor only" in said["STK11"]
    assert "somatic" in said["STK11"]
    unsaid = example(names[0])
    unsaid["component"] = [one for one in unsaid["component"] if one["code"]["coding"][0]["code"] != "48002-0"]
    assert "does not say" in str(summarise([unsaid]).genes[0].note)
    absent = read(plain, "Observation-gx-genomic-variant-pertinent-negative-nras-kit-braf")
    assert absent.genes == ()


def test_what_a_gene_change_means() -> None:
    """MC-10: whether a change harms is said as the laboratory said it; a change of the genome alone is told too."""
    variant = example("Observation-genomic-variant-germline-deletion")
    assert summarise([variant]).genes[0].clinical == "NG_005905.2:g.126148_126152del"
    for code, words in (("LA26333-7", "nobody knows yet"), ("LA6675-8", "harmless"), ("LA6668-3", "pathogenic")):
        meaning = {"code": {"coding": [{"code": "53037-8"}]}, "valueCodeableConcept": {"coding": [{"code": code}]}}
        (gene,) = summarise([variant | {"component": [*variant["component"], meaning]}]).genes
        assert words in str(gene.result)


def test_the_genes_that_were_looked_at(plain: bool) -> None:
    """MC-10: a region that was studied is named as studied; it is no change."""
    summary = read(plain, "Observation-genomic-region-studied-stk11")
    assert summary.genes == ()
    assert summary.genes_studied is not None
    assert "STK11" in str(summary.genes_studied.text)


@pytest.mark.parametrize("name", ["tumor-size-jenny-m", "tumor-size-pathology"])
def test_tumor_size(name: str, plain: bool) -> None:
    """MC-11: the size with its unit, the longest first."""
    size = read(plain, f"Observation-{name}").tumor_size
    assert size is not None
    assert str(size.text)[0].isdigit()


def test_other_illnesses(plain: bool) -> None:
    """MC-11: what is there is named; what is said to be absent is said as a no."""
    summary = read(plain, "Observation-cancer-related-comorbidities-john-anyperson", "Condition-john-anyperson-chf")
    said = [str(one.text) for one in summary.other_illnesses]
    assert any("eart" in one for one in said)
    assert "No: Obesity" in said
    assert "Obesity" not in said


@pytest.mark.parametrize(
    ("name", "words"),
    [("karnofsky-performance-status-normal-activity", "90 of 100 (Karnofsky"),
     ("lansky-play-performance-status-twenty", "20 of 100 (Lansky"),
     ("ecog-performance-status-fully-active", "Fully active")],
)  # fmt: skip
def test_scores_of_daily_life(name: str, words: str, plain: bool) -> None:
    """MC-05: each score with what it means."""
    found = read(plain, f"Observation-{name}").performance
    assert found is not None
    assert words in str(found.text)


@pytest.mark.parametrize(
    ("name", "system"),
    [("figo-stage-IIIA", "FIGO"), ("rai-stage-II", "Rai"), ("binet-stage-group-B", "Binet"),
     ("multiple-myeloma-iss-stage-II", "ISS"), ("multiple-myeloma-riss-stage-II", "R-ISS"),
     ("gleason-grade-group-4", "Gleason"), ("melanoma-breslow-depth-stage", "Breslow"),
     ("melanoma-clark-level-4", "Clark"), ("hodgkins-lymphoma-stage-IIIe", "Lymphoma"),
     ("neuroblastoma-inss-stage-III", "INSS"), ("neuroblastoma-inrgss-stage-MS", "INRGSS"),
     ("wilms-tumor-stage-III", "Wilms"), ("rhabdomyosarcoma-clinical-group-stage-IA", "IRS")],
)  # fmt: skip
def test_other_staging_systems(name: str, system: str, plain: bool) -> None:
    """MC-04: a stage says by which system it was made."""
    (stage,) = read(plain, f"Observation-{name}").stages
    assert stage.system == system


def test_no_is_no_and_nothing_is_invented(plain: bool) -> None:
    """MC-03: false means no; a spread makes no first cancer; what is suspected is no diagnosis."""
    history = read(plain, "Observation-no-history-of-metastatic-cancer").spread_history
    assert str(history.text if history else "").startswith("No")
    spread = read(plain, "Condition-secondary-cancer-condition-brain-mets")
    assert spread.cancers == ()
    assert len(spread.spread) == 1
    unsure = condition("c", (ICD, "C50.9"), verificationStatus={"coding": [{"code": "provisional"}]})
    assert summarise([unsure]).cancers == ()
