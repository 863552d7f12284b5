"""The stores of the scale run: one for each basis that is told."""

from __future__ import annotations

from datetime import timedelta

from consent.efforts import Holds
from consent.store_config import Basis, Kind, Store, Transport

SYSTEM = "urn:oid:2.16.840.1.113883.19.5"


def _store(store_id: str, basis: Basis, effort: str | None = None, *, via: bool = False) -> Store:
    return Store(
        id=store_id,
        name=store_id,
        kind=Kind.WEBHOOK,
        transport=Transport.NDJSON,
        endpoint="http://localhost:9/none",
        secrets=("whsec_" + "QUFB" * 11 + "QUE=",),
        holds=Holds.DE_IDENTIFIED if effort == "living-well" else Holds.IDENTIFIABLE,
        basis=basis,
        effort=effort,
        via_cancerlinq=via,
        identifier_system=SYSTEM if effort is None else None,
        practices=frozenset({"riverside-main"}) if effort is None else frozenset(),
        states=frozenset(),
        deadline=timedelta(minutes=15),
        contact="privacy@platform.example",
        network="private",
    )


PLATFORM = _store("platform", Basis.OPERATIONS)
DONATION = _store("living-well", Basis.DONATION, "living-well")
VIA = _store("early-signs", Basis.DONATION, "early-signs", via=True)
STORES = (PLATFORM, DONATION, VIA)
