"""MC-01 to MC-08: the cancer summary of mCODE's own example patient, with and without profiles."""

from __future__ import annotations

import orjson
import pytest

from fhir_bridge.reading.summary import summarise
from fhir_bridge.reading.summary_model import CancerSummary, Treatment
from tests.pure.fhir_bridge.reading.samples import jenny, only, without_profiles


@pytest.fixture(params=[False, True], ids=["with profiles", "without profiles"])
def summary(request: pytest.FixtureRequest) -> CancerSummary:
    return summarise(without_profiles(jenny()) if request.param else jenny())


def test_the_cancer(summary: CancerSummary) -> None:
    """MC-01, MC-02: one breast cancer, left, with its cells, its date and how it stands."""
    cancer = only(summary)
    assert (str(cancer.title), str(cancer.side)) == ("Breast cancer", "left side")
    assert cancer.clinical == "Primary malignant neoplasm of female left breast"
    assert cancer.found is not None
    assert cancer.found.text == "2018-03-16"
    assert str(cancer.histology).startswith("Invasive ductal carcinoma")
    assert cancer.histology_clinical == "Infiltrating duct carcinoma"
    assert str(cancer.status) == "in remission"
    assert not cancer.in_situ


def test_both_stages_newest_first(summary: CancerSummary) -> None:
    """MC-04: after surgery first, then before; with T, N and M."""
    after, before = only(summary).stages
    assert (after.value, str(after.basis)) == ("IIB", "after surgery, from what was removed")
    assert (before.value, str(before.basis)) == ("IIB", "before surgery, from exams and scans")
    assert before.parts[:2] == ("T3", "N0")
    assert (after.system, before.system) == ("TNM", "TNM")


def test_receptors(summary: CancerSummary) -> None:
    """MC-06: estrogen, progesterone, HER2 in that order, then the others."""
    said = [(str(one.name), str(one.result)) for one in only(summary).markers]
    assert said[:3] == [("Estrogen", "positive"), ("Progesterone", "negative"), ("HER2", "negative")]
    assert said[3] == ("Oncotype DX score", "47 Recurrence score")


def test_genes_say_whether_inherited(summary: CancerSummary) -> None:
    """MC-06: a gene change is told with where it comes from."""
    (gene,) = only(summary).genes
    assert gene.name == "PALB2"
    assert "tumor only" in str(gene.note)


def test_how_it_is(summary: CancerSummary) -> None:
    """MC-05, MC-07: disease status and how active the person can be."""
    status = only(summary).disease_status
    assert status is not None
    assert str(status.text) == "Getting better at the last check"
    assert status.date is not None
    assert status.date.text == "2018-11-01"
    assert summary.performance is not None
    assert str(summary.performance.text) == "Fully active (ECOG 0)"


def brief(one: Treatment) -> tuple[str, tuple[str, ...], str, bool]:
    return (one.kind, one.names, one.start.text if one.start else "", one.ongoing)


def test_the_time_line(summary: CancerSummary) -> None:
    """MC-08: surgery, medicines by regimen, radiation, hormones, oldest first, with what they were meant to do."""
    assert [brief(one) for one in summary.treatments] == [
        ("surgery", (), "2018-04-01", False),
        ("chemotherapy", ("cyclophosphamide", "doxorubicin"), "2018-04-01", True),
        ("chemotherapy", ("paclitaxel",), "2018-04-12", True),
        ("radiation", (), "2018-08-15", False),
        ("hormone-therapy", ("anastrozole",), "2018-09-30", True),
    ]
    surgery, chemo, _, radiation, _ = summary.treatments
    assert str(surgery.title) == "Lumpectomy: the tumor was removed from the breast"
    assert {str(one.intent) for one in summary.treatments} == {"meant to cure"}
    assert chemo.times == 1
    assert radiation.times == 31
    assert radiation.end is not None
    assert radiation.end.text == "2018-10-25"


def test_json_round_trip(summary: CancerSummary) -> None:
    """MC-01: what is stored is read back the same."""
    assert CancerSummary.from_json(orjson.loads(orjson.dumps(summary.to_json()))) == summary


@pytest.mark.parametrize("wrong", [None, {}, {"version": 0}, []])
def test_another_version_is_made_again(wrong: object) -> None:
    """MC-01: a summary of another shape is refused, so that it is made anew."""
    with pytest.raises(ValueError, match="summary-version"):
        CancerSummary.from_json(wrong)
