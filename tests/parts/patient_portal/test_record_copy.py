"""Taking one's record along."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import event

from tests.parts.patient_portal.test_record import shown
from tests.support.portal import Portal, signed_in_client


def test_the_copy_holds_everything_as_it_was_received(portal: Portal) -> None:
    """DL-01, DL-05: one Bundle, the same count for each type, the same content, not kept by any cache, and audited."""
    chart = portal.chart("rv-p06")
    client = signed_in_client(portal, "rv-p06")
    assert "HIPAA" in shown(client, "/record/download")
    response = client.post("/record/download")
    assert response.status_code == 200
    assert response.content_type == "application/fhir+json"
    assert response.headers["Content-Disposition"] == 'attachment; filename="my-record.json"'
    assert response.headers["Cache-Control"] == "no-store"
    bundle = response.get_json(force=True)
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    resources = [entry["resource"] for entry in bundle["entry"]]
    counted = Counter(one["resourceType"] for one in resources)
    kept = portal.rows("SELECT type, count(*) AS n FROM record_entry WHERE type <> 'Binary' GROUP BY type")
    assert counted == {row.type: row.n for row in kept}
    assert {name: counted[name] for name in ("Observation", "Condition", "DocumentReference")} == {
        name: len(chart.of_type(name)) for name in ("Observation", "Condition", "DocumentReference")
    }
    base = portal.hospitals["riverside"].fhir_url
    for entry in bundle["entry"]:
        key = "{resourceType}/{id}".format(**entry["resource"])
        assert entry["resource"] == chart.read(key)
        assert entry["fullUrl"] == f"{base}/{key}"
    lines = portal.rows("SELECT * FROM audit_event WHERE event = 'record.downloaded'")
    assert [(line.person_id, line.outcome) for line in lines] == [(client.person, "0")]


def test_a_copy_is_of_one_moment(portal: Portal) -> None:
    """DL-01: what is pinned when the copy begins is what it holds, though entries change while it is sent."""
    client = signed_in_client(portal, "rv-p06")
    before = portal.rows("SELECT count(*) AS n FROM record_entry WHERE type <> 'Binary'")[0].n
    gone: list[int] = []

    def withdraw(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "FROM resource_version" in statement and "record_count" not in statement and not gone:
            gone.append(1)
            with portal.database.maintenance.engine.begin() as other:
                other.exec_driver_sql("DELETE FROM record_entry")

    event.listen(portal.wiring.database.engine, "before_cursor_execute", withdraw)
    bundle = client.post("/record/download").get_json(force=True)
    assert gone
    assert len(bundle["entry"]) == before
    assert client.post("/record/download").get_json(force=True).get("entry") is None


def test_a_copy_needs_a_form(portal: Portal) -> None:
    """SEC-03: nothing is made by a link, nor by a form without its token."""
    client = signed_in_client(portal, "rv-p06", record=False)
    assert client.browser.post("/record/download", base_url=portal.url).status_code == 400
    assert client.browser.post("/record/again", base_url=portal.url).status_code == 400
    assert client.get("/record/again").status_code == 405
