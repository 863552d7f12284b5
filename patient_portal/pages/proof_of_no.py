"""A document with which a person shows, without us, that they were out when a release or a batch was built."""

from __future__ import annotations

from uuid import UUID

import orjson
from flask import Blueprint, Response, request

from consent.proof_of_no import prove_no
from consent.seal import head_keys
from database.context import as_persons
from patient_portal.choices.choosing import read_choices
from patient_portal.choices.receipts import reference_of
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid

blueprint = Blueprint("proof_of_no", __name__, url_prefix="/choices")


@blueprint.get("/decision/<uuid:decision_id>/proof")
@gate(Gate.FOR_PERSON)
def download(decision_id: UUID) -> Response:
    """The proof for one's own no; `?at=` asks about the position at which a batch or a release was built."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        choices = read_choices(session, wiring(), actor.persons)
        entry = choices.entry(decision_id)
        stores = [store.id for store in choices.stores_of(entry.decision) if store.is_told]
        proof = prove_no(session, choices.history, entry, stores, _at())
    keys = {key: public.hex() for key, public in head_keys(wiring().keyring).items()}
    service = {"service": wiring().settings.base_url, "made_at": now().isoformat(), "head_keys": keys}
    response = Response(orjson.dumps(service | proof.as_json(), option=orjson.OPT_INDENT_2))
    response.content_type = "application/json"
    response.headers["Content-Disposition"] = f'attachment; filename="proof-{reference_of(entry.decision)}.json"'
    return response


def _at() -> int | None:
    given = request.args.get("at")
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 15:
        raise Invalid("at")
    return int(given)
