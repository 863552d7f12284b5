"""What a cancer record should say at the least (the core of mCODE), and what this one does not. Pure."""

from __future__ import annotations

from enum import StrEnum

from fhir_bridge.reading.summary_model import CancerSummary
from vocabulary.phrase import Phrase, phrase


class Topic(StrEnum):
    """What a person may add to their record or correct."""

    CANCER = "cancer"
    FOUND = "found"
    CELLS = "cells"
    STAGE = "stage"
    MARKERS = "markers"
    TREATMENT = "treatment"
    NOW = "now"
    DAILY_LIFE = "daily-life"
    OTHER = "other"


TOPIC_NAMES: dict[Topic, Phrase] = {
    Topic.CANCER: phrase("What cancer I have or had"),
    Topic.FOUND: phrase("When it was found"),
    Topic.CELLS: phrase("What kind of cells it is made of"),
    Topic.STAGE: phrase("What stage it is"),
    Topic.MARKERS: phrase("What the tumor was tested for (markers)"),
    Topic.TREATMENT: phrase("What treatment I had"),
    Topic.NOW: phrase("How the cancer is doing now"),
    Topic.DAILY_LIFE: phrase("How active I am in daily life"),
    Topic.OTHER: phrase("Something else"),
}

_TESTED = frozenset({"breast", "lung", "colon", "rectum", "prostate", "stomach"})
_WITHOUT_STAGE = frozenset({"leukemia", "all", "aml", "cml", "blood", "brain"})


def missing_from(story: CancerSummary) -> tuple[Topic, ...]:
    """What the record does not say, in the order in which it is told; nothing is missed that does not apply."""
    if not story.cancers:
        return (Topic.CANCER,)
    ours = story.cancers
    lacking = {
        Topic.FOUND: any(one.found is None for one in ours),
        Topic.CELLS: any(not (one.histology or one.histology_clinical) for one in ours),
        Topic.STAGE: not story.stages
        and any(not one.stages and not one.in_situ and one.site not in _WITHOUT_STAGE for one in ours),
        Topic.MARKERS: not story.markers
        and any(one.site in _TESTED and not (one.markers or one.genes) for one in ours)
        and not (story.trends or story.genes),
        Topic.TREATMENT: not story.treatments,
        Topic.NOW: story.disease_status is None and any(one.disease_status is None for one in ours),
        Topic.DAILY_LIFE: story.performance is None,
    }
    return tuple(topic for topic, missing in lacking.items() if missing)
