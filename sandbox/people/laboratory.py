"""Blood counts and chemistry over years, with reference ranges, plus vital signs and smoking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.people.chart_builder import ChartBuilder, wobble
from sandbox.people.codes import US_CORE, hl7, loinc, quantity, snomed


@dataclass(frozen=True)
class Analyte:
    """One laboratory test: LOINC, name, unit, normal range, decimals shown."""

    code: str
    name: str
    unit: str
    low: float
    high: float
    decimals: int = 1


CBC = (
    Analyte("6690-2", "White blood cells", "10*3/uL", 4.0, 11.0),
    Analyte("718-7", "Hemoglobin", "g/dL", 12.0, 16.0),
    Analyte("4544-3", "Hematocrit", "%", 36.0, 47.0),
    Analyte("777-3", "Platelets", "10*3/uL", 150, 400, 0),
    Analyte("751-8", "Neutrophils", "10*3/uL", 1.8, 7.5),
    Analyte("731-0", "Lymphocytes", "10*3/uL", 1.0, 4.0),
)
CHEMISTRY = (
    Analyte("2951-2", "Sodium", "mmol/L", 135, 145, 0),
    Analyte("2823-3", "Potassium", "mmol/L", 3.5, 5.1),
    Analyte("2160-0", "Creatinine", "mg/dL", 0.6, 1.2, 2),
    Analyte("3094-0", "Urea nitrogen", "mg/dL", 7, 20, 0),
    Analyte("2345-7", "Glucose", "mg/dL", 70, 99, 0),
    Analyte("17861-6", "Calcium", "mg/dL", 8.5, 10.5),
    Analyte("1742-6", "Alanine aminotransferase (ALT)", "U/L", 7, 40, 0),
    Analyte("1920-8", "Aspartate aminotransferase (AST)", "U/L", 8, 40, 0),
    Analyte("6768-6", "Alkaline phosphatase", "U/L", 40, 120, 0),
    Analyte("1975-2", "Total bilirubin", "mg/dL", 0.2, 1.2),
    Analyte("1751-7", "Albumin", "g/dL", 3.5, 5.0),
)
_PANELS = (
    ("cbc", "58410-2", "CBC panel - Blood by Automated count", CBC),
    ("chem", "24323-8", "Comprehensive metabolic 2000 panel - Serum or Plasma", CHEMISTRY),
)

Shifts = dict[str, dict[str, float]]
"""By LOINC code, {year: factor of the usual value} (`*` for every year)."""


def months(start: str, end: str, step: int = 1) -> Iterator[str]:
    """A day in every `step`-th month from `start` to `end` (both YYYY-MM)."""
    year, month = map(int, start.split("-"))
    while f"{year:04d}-{month:02d}" <= end:
        yield f"{year:04d}-{month:02d}-{6 + int(5 + 5 * wobble(f'day {year} {month}')):02d}"
        month += step
        year, month = year + (month - 1) // 12, (month - 1) % 12 + 1


def measured(person: str, test: Analyte, when: str, shifts: Shifts) -> float:
    """The invented value: the middle of the range, a steady personal lean, a little noise, the year's factor."""
    span = test.high - test.low
    value = (test.low + test.high) / 2 + span * (0.18 * wobble(f"{person} {test.code}")
                                                 + 0.16 * wobble(f"{person} {test.code} {when}"))  # fmt: skip
    factors = shifts.get(test.code, {})
    value *= factors.get(when[:4], factors.get("*", 1.0))
    return round(value, test.decimals) if test.decimals else float(round(value))


def blood_tests(chart: ChartBuilder, days: Iterator[str], shifts: Shifts | None = None) -> None:
    """Add both panels on each day: a laboratory DiagnosticReport and its Observations."""
    for when in days:
        for key, code, name, tests in _PANELS:
            results = [_result(chart, test, when, shifts or {}) for test in tests]
            chart.add(
                "DiagnosticReport", f"{key}-{when}", when, US_CORE + "diagnosticreport-lab", status="final",
                category=[hl7("v2-0074", "LAB", "Laboratory")], code=loinc(code, name), subject=chart.subject,
                effectiveDateTime=f"{when}T09:10:00-06:00", issued=f"{when}T21:00:00Z",
                performer=[chart.organization], result=results,
            )  # fmt: skip


def _result(chart: ChartBuilder, test: Analyte, when: str, shifts: Shifts) -> dict[str, str]:
    value = measured(chart.person.id, test, when, shifts)
    flag = ("L", "Low") if value < test.low else ("H", "High") if value > test.high else ("N", "Normal")
    return chart.observe(
        f"lab-{test.code}-{when}", when, "laboratory", loinc(test.code, test.name), US_CORE + "observation-lab",
        issued=f"{when}T20:00:00Z", performer=[chart.organization], valueQuantity=quantity(value, test.unit),
        referenceRange=[{"low": quantity(test.low, test.unit), "high": quantity(test.high, test.unit)}],
        interpretation=[hl7("v3-ObservationInterpretation", *flag)],
    )  # fmt: skip


def vital_signs(chart: ChartBuilder, days: list[str], weight: float, height: float) -> None:
    """Add weight, height, pulse and blood pressure on each day."""
    panel = US_CORE + "vital-signs"
    for when in days:
        lean = wobble(f"{chart.person.id} vitals {when}")
        chart.observe(f"weight-{when}", when, "vital-signs", loinc("29463-7", "Body weight"), panel,
                      valueQuantity=quantity(round(weight * (1 + 0.03 * lean), 1), "kg"))  # fmt: skip
        chart.observe(f"pulse-{when}", when, "vital-signs", loinc("8867-4", "Heart rate"), panel,
                      valueQuantity=quantity(round(74 + 9 * lean), "beats/minute", "/min"))  # fmt: skip
        parts = (("8480-6", "Systolic blood pressure", 126 + 12 * lean), ("8462-4", "Diastolic blood pressure",
                                                                          78 + 7 * lean))  # fmt: skip
        chart.observe(
            f"bp-{when}", when, "vital-signs", loinc("85354-9", "Blood pressure"), panel,
            component=[{"code": loinc(code, name), "valueQuantity": quantity(round(value), "mmHg", "mm[Hg]")}
                       for code, name, value in parts],
        )  # fmt: skip
    chart.observe(f"height-{days[0]}", days[0], "vital-signs", loinc("8302-2", "Body height"), panel,
                  valueQuantity=quantity(height, "cm"))  # fmt: skip


def smoking(chart: ChartBuilder, when: str, code: str, display: str) -> None:
    """Add tobacco smoking status (LOINC 72166-2)."""
    chart.observe("smoking", when, "social-history", loinc("72166-2", "Tobacco smoking status"),
                  US_CORE + "smokingstatus", valueCodeableConcept=snomed(code, display))  # fmt: skip
