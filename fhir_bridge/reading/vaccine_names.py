"""Plain names of vaccines, by CVX code (CDC, code set of vaccines administered)."""

from __future__ import annotations

from typing import Any

from fhir_bridge.reading.shape import codings
from vocabulary.phrase import Phrase, phrase

CVX = "http://hl7.org/fhir/sid/cvx"

_NAMES: tuple[tuple[Phrase, str], ...] = (
    (phrase("Flu shot"), "15 16 88 135 140 141 144 150 153 155 158 161 166 168 171 185 186 197 205"),
    (phrase("Flu vaccine, as a nose spray"), "111 149"),
    (
        phrase("COVID-19 shot"),
        "207 208 210 211 212 213 217 218 219 221 228 229 230 300 301 302 308 309 310 311 312 313",
    ),
    (phrase("Pneumonia shot"), "33 100 109 133 152 215 216"),
    (phrase("Shingles shot"), "121 187 188"),
    (phrase("Tetanus and diphtheria shot"), "09 113 138 139 196"),
    (phrase("Tetanus, diphtheria and whooping cough shot"), "20 106 107 115"),
    (phrase("Hepatitis A shot"), "52 83 84 85"),
    (phrase("Hepatitis B shot"), "08 42 43 44 45 189 220"),
    (phrase("Hepatitis A and B shot"), "104"),
    (phrase("HPV shot (protects from some cancers)"), "62 118 137 165"),
    (phrase("Measles, mumps and rubella shot"), "03"),
    (phrase("Chickenpox shot"), "21"),
    (phrase("Polio shot"), "10 89"),
    (phrase("RSV shot (a lung virus)"), "303 304 305 314 315"),
    (phrase("Meningitis shot"), "32 108 114 136 147 148 162 163 164 203"),
)

_BY_CODE = {code: name for name, codes in _NAMES for code in codes.split()}


def vaccine_name(concept: Any) -> Phrase | None:
    """The plain name of an Immunization's vaccineCode, None when it has no CVX code that is known here."""
    found = (one.code.zfill(2) for one in codings(concept) if one.system == CVX)
    return next((_BY_CODE[code] for code in found if code in _BY_CODE), None)
