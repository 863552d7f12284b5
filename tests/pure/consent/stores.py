"""The seven stores as the sandbox has them, for tests of the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from consent.efforts import Holds
from consent.store_config import Basis, Kind, Store, Transport

SECRET = "whsec_" + "QUFB" * 8
OLD_SECRET = "whsec_" + "QkJC" * 8
PRACTICES = frozenset({"riverside-main", "lakeside-main"})
RIVERSIDE = "urn:oid:2.16.840.1.113883.19.5"

CANCERLINQ_STORE = Store(
    id="cancerlinq",
    name="CancerLinQ platform (sandbox)",
    kind=Kind.WEBHOOK,
    transport=Transport.BACKPORT,
    endpoint="http://localhost:9201/notifications",
    secrets=(SECRET,),
    holds=Holds.IDENTIFIABLE,
    basis=Basis.OPERATIONS,
    effort=None,
    via_cancerlinq=False,
    identifier_system=None,
    practices=PRACTICES,
    states=frozenset(),
    deadline=timedelta(minutes=15),
    contact="privacy@cancerlinq.example",
    network="private",
)
TEMPUS = replace(CANCERLINQ_STORE, id="tempus", name="Tempus", transport=Transport.NDJSON)
DISCOVERY = replace(CANCERLINQ_STORE, id="discovery", name="Discovery", holds=Holds.DE_IDENTIFIED)
REGISTRY = replace(
    CANCERLINQ_STORE, id="registry", name="Registry", basis=Basis.LAW, states=frozenset({"MA"}), practices=frozenset()
)
LIVING_WELL_STORE = replace(
    CANCERLINQ_STORE,
    id="living-well",
    name="Living Well",
    basis=Basis.DONATION,
    effort="living-well",
    holds=Holds.DE_IDENTIFIED,
    practices=frozenset(),
    transport=Transport.NDJSON,
)
EARLY_SIGNS_STORE = replace(
    LIVING_WELL_STORE,
    id="early-signs",
    name="Early Signs",
    effort="early-signs",
    holds=Holds.IDENTIFIABLE,
    via_cancerlinq=True,
)
ALL_STORES = (CANCERLINQ_STORE, TEMPUS, DISCOVERY, REGISTRY, LIVING_WELL_STORE, EARLY_SIGNS_STORE)
