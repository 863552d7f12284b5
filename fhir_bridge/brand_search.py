"""Finding a hospital by what people know of it: its name, another name, its place. Bundles were loaded before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, delete, insert, select
from sqlalchemy.orm import Session

from fhir_bridge.brands import Brand
from fhir_bridge.tables import ProviderBrand

AT_ONCE = 1000
MOST_FOUND = 40


def keep_brands(session: Session, source: str, brands: Iterable[Brand], now: datetime) -> int:
    """Replace what was loaded from `source`; returns how many brands there are from it now."""
    session.execute(delete(ProviderBrand).where(ProviderBrand.source == source))
    rows = [_row(source, brand, now) for brand in brands]
    for start in range(0, len(rows), AT_ONCE):
        session.execute(insert(ProviderBrand), rows[start : start + AT_ONCE])
    return len(rows)


def find_brands(session: Session, words: Sequence[str], *, first: Sequence[str]) -> list[Brand]:
    """Brands in whose names and place each of `words` begins a word; those that sign in at one of the FHIR bases
    `first` before the others. At most MOST_FOUND."""
    if not words:
        return []
    found = session.scalars(
        select(ProviderBrand)
        .where(and_(*(ProviderBrand.searched.contains(f" {word}", autoescape=True) for word in words)))
        .order_by(ProviderBrand.fhir_base_url.in_(first).desc(), ProviderBrand.name, ProviderBrand.id)
        .limit(MOST_FOUND)
    )
    return [
        Brand(row.fhir_base_url, row.name, tuple(row.known_as), (), row.city, row.state, row.postal_code, row.logo)
        for row in found
    ]


def _row(source: str, brand: Brand, now: datetime) -> dict[str, object]:
    return {
        "source": source, "fhir_base_url": brand.fhir_base_url, "name": brand.name, "known_as": list(brand.known_as),
        "city": brand.city, "state": brand.state, "postal_code": brand.postal_code, "logo": brand.logo,
        "searched": brand.searched, "loaded_at": now,
    }  # fmt: skip
