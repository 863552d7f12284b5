"""My record, from a hospital over real HTTP to the page that a person reads."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from database.context import as_persons
from database.unit_of_work import count_statements
from fhir_bridge import bring_in as bringing
from fhir_bridge import record_list
from fhir_bridge.record_list import PAGE_SIZE
from fhir_bridge.record_standing import ASKED_TYPES
from fhir_bridge.tables import Retrieval, RetrievalSearch
from patient_portal.wiring import now
from patient_portal.words.glossary import glossary
from sandbox.hospital.discovery import TYPES
from tests.support.portal import Client, Portal, signed_in_client

ENTRY = re.compile(r'<li><span><a href="(/record/entry/[0-9a-f-]{36})"')


def shown(client: Client, path: str) -> str:
    """The words of a page, without markup."""
    response = client.get(path)
    assert response.status_code == 200, response.status
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def lines_of(client: Client, kind: str) -> list[str]:
    """The addresses of every entry of a kind, page after page, as a person would follow them."""
    path, found = f"/record/kind/{kind}", []
    for _page in range(200):
        text = client.get(path).text
        found += re.findall(r'<li><span><a href="(/record/entry/[0-9a-f-]{36})"', text)
        older = re.search(r'href="([^"]+)" rel="next"', text)
        if not older:
            return found
        path = html.unescape(older.group(1))
    raise AssertionError("the pages never end")


@pytest.mark.parametrize(
    ("patient", "said"),
    [
        ("rv-p01", ("Breast cancer, left side", "February 2021", "IIA", "Estrogen: positive", "HER2: negative",
                    "Lumpectomy", "docetaxel", "May – Jul 2021", "Radiation", "anastrozole", "CA 15-3", "17.6 U/mL")),
        ("rv-p02", ("Prostate cancer", "PSA")),
        ("rv-p06", ("Colon cancer", "Bladder cancer", "IIIB", "oxaliplatin", "CEA")),
    ],
)  # fmt: skip
def test_the_story_is_told(portal: Portal, patient: str, said: tuple[str, ...]) -> None:
    """MC-01, MC-02, MC-04: the overview says what the hospital holds about the cancer, each primary on its card."""
    client = signed_in_client(portal, patient)
    page = shown(client, "/record")
    assert [words for words in said if words not in page] == []
    assert "could not" not in page.replace("What could not be brought in, and why", "")
    assert words_are_explained(client.get("/record").text, "en") >= {"Stage"}
    assert words_are_explained(client.get("/record?lang=es").text, "es") >= {"Etapa"}


def words_are_explained(page: str, language: str) -> set[str]:
    """The words of the story that stand with their meaning in this language behind them (a glossary in place)."""
    found = dict(re.findall(r'<details class="gloss"><summary>([^<]+)</summary><p>([^<]+)</p>', page))
    assert {html.unescape(one) for one in found.values()} <= {term.means[language] for term in glossary().values()}
    return set(found)


def test_while_the_record_is_fetched(portal: Portal) -> None:
    """FHIR-10: until data is here the page says that it is being fetched, and claims nothing; no script needed."""
    client = signed_in_client(portal, "rv-p06", record=False)
    page = shown(client, "/record")
    assert f"0 of {len(ASKED_TYPES)} parts are done" in page
    assert "Check again" in page
    assert "Being fetched." in shown(client, "/record/progress")
    assert "none of these" not in page
    assert "We found no diagnosis" not in page
    assert 'http-equiv="refresh"' not in client.get("/record").text
    part = client.get("/record/progress?part=1").text
    assert 'data-waiting="1"' in part
    assert "<html" not in part
    portal.bring_in_all()
    part = client.get("/record/progress?part=1").text
    assert 'data-waiting="0"' in part
    assert 'href="/record"' in part


def test_what_was_not_fetched_is_never_none(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """FHIR-10: a type that fails or is refused is named as such, with a way to try again; others are not touched."""
    monkeypatch.setattr("fhir_bridge.bring_in.time", SimpleNamespace(sleep=lambda _seconds: None))
    faults = portal.hospitals["riverside"].hospital.faults
    broken = {"Observation": {"status": 500}, "$everything": {"status": 500}, "Immunization": {"status": 403}}
    faults.set({"types": broken})
    client = signed_in_client(portal, "rv-p06")
    page = shown(client, "/record")
    assert "1 part could not be fetched" in page
    assert re.search(r"Weight, blood pressure and other measurements These could not be fetched", page)
    assert "You did not share these, or your hospital does not let us see them: Shots (vaccines). What I share" in page
    assert "1 part is not shared" in page
    none_there = page.partition("none of these for you:")[2]
    assert "Allergies" in none_there
    for name in ("Shots", "Weight", "Test results", "Gene tests"):
        assert name not in none_there
    progress = shown(client, "/record/progress")
    assert "Test results and measurements Observation We could not get these. You can try again." in progress
    empty = shown(client, "/record/kind/vital-signs")
    assert "These could not be fetched" in empty
    assert "none of these" not in empty
    assert "These could not be fetched" in shown(client, "/record/download")

    faults.set({})
    assert client.post("/record/again").status_code == 303
    assert portal.bring_in_all() == ["finished"]
    page = shown(client, "/record")
    assert "could not be fetched" not in page
    assert "Shots (vaccines) 2" in page


def test_another_patients_entry_is_left_out_and_named(portal: Portal) -> None:
    """FHIR-17, CON-13: an entry about another person is not kept; the progress page names it and says why. The fetch
    and what was not kept stand in the audit, where the person reads them."""
    portal.hospitals["riverside"].hospital.faults.set({"other_patient": "Condition"})
    client = signed_in_client(portal, "rv-p06")
    progress = shown(client, "/record/progress")
    found = re.search(r"Condition/\S*stranger", progress)
    assert found
    assert "It was about another person, so we did not keep it." in progress
    assert not [line for line in lines_of(client, "problems") if "stranger" in client.get(line + "/fhir").text]
    lines = portal.rows(
        "SELECT event, outcome, actor_kind, detail FROM audit_event WHERE person_id = :person"
        " AND event IN ('record.brought-in', 'record.wrong-person') ORDER BY id",
        person=client.person,
    )
    assert [tuple(one) for one in lines] == [
        ("record.brought-in", "0", "system", {"provider": "riverside", "state": "finished"}),
        ("record.wrong-person", "4", "system", {"provider": "riverside", "count": 1}),
    ]
    page = shown(client, "/activity")
    assert "We asked a hospital for your record" in page
    assert "A hospital sent something about another person; we did not keep it" in page


def test_pages_of_a_list(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """FHIR-18: every entry stands on exactly one page, newest first, and the way back leads to the same pages; what is
    looked for is found."""
    client = signed_in_client(portal, "rv-p06")
    lines = lines_of(client, "test-results")
    total = portal.rows("SELECT count(*) AS n FROM record_entry WHERE kind = 'test-results'")[0].n
    assert total > 2 * PAGE_SIZE
    assert len(lines) == len(set(lines)) == total
    first = client.get("/record/kind/test-results").text
    second = client.get(html.unescape(re.findall(r'href="([^"]+)" rel="next"', first)[0])).text
    back = client.get(html.unescape(re.findall(r'href="([^"]+)" rel="prev"', second)[0])).text
    assert re.findall(r"/record/entry/[0-9a-f-]+", back) == re.findall(r"/record/entry/[0-9a-f-]+", first)
    gone = client.get(f"/record/kind/test-results?older_than={uuid4()}")
    assert (gone.status_code, gone.headers["Location"]) == (303, "/record/kind/test-results")
    assert client.get("/record/kind/test-results?older_than=%00'").status_code == 200
    _finds(client, monkeypatch)


def _finds(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """By plain name, clinical name and code, of some days, in a few steps; each test once."""

    def found(kind: str, query: str) -> list[str]:
        return ENTRY.findall(client.get(f"/record/kind/{kind}/find?{query}").text)

    by_name = found("test-results", "q=hemoglobin")
    assert by_name
    assert found("test-results", "q=718-7") == by_name
    assert all("emoglobin" in client.get(one).text for one in (by_name[0], by_name[-1]))
    dated = found("test-results", "q=hemoglobin&since=2024-01-01&until=2024-12-31")
    assert dated
    assert set(dated) < {*by_name, *dated}
    assert found("test-results", "since=2099-01-01") == found("problems", "q=no%20such%20words") == []
    nothing = shown(client, "/record/kind/problems/find?q=no%20such%20words")
    assert "Nothing found." in nothing
    assert "none of these" not in nothing
    colon = found("problems", "q=COLON+cancer")
    assert colon
    for days, wrong in (
        ("since=2024-02-01&until=2023-01-01", "is before the first"),
        ("since=soon", "Write the day as"),
    ):
        assert wrong in client.get(f"/record/kind/problems/find?{days}").text
    monkeypatch.setattr(record_list, "WINDOW", 1)
    path, steps = "/record/kind/problems/find?q=colon+cancer", list[str]()
    for _step in range(50):
        text = client.get(path).text
        steps += ENTRY.findall(text)
        older = re.search(r'<a href="([^"]+)">Go on looking', text)
        if older is None:
            break
        path = html.unescape(older[1])
    assert steps == colon
    monkeypatch.undo()
    once = client.get("/record/kind/test-results/tests").text
    names = [html.unescape(one) for one in re.findall(r'/over-time">(?:<bdi>)?([^<]+)', once)]
    assert len(names) == len(set(names)) > 10
    assert names == sorted(names, key=str.casefold)
    narrowed = shown(client, "/record/kind/test-results/tests?q=718-7")
    assert "1 test found" in narrowed
    assert client.get("/record/kind/medicines/tests").status_code == 404


def test_a_refresh_adds_nothing_twice_and_names_what_is_gone(portal: Portal) -> None:
    """FHIR-16, FHIR-10: a refresh brings what changed, each entry once; what the hospital no longer has is found when
    all is asked for again, and named."""
    chart = portal.chart("rv-p06")
    client = signed_in_client(portal, "rv-p06")
    before = len(lines_of(client, "procedures"))
    withdrawn = chart.by_type["Procedure"].pop(0)
    added = withdrawn | {"id": "added-later", "code": {"text": "A thing done later"}}
    added["meta"] = {"lastUpdated": (now() + timedelta(minutes=1)).isoformat()}
    chart.by_type["Procedure"] += [added, added | {"id": "added-too"}]
    client.post("/record/again")
    client.post("/record/again")
    assert portal.bring_in_all() == ["finished"]
    assert len(lines_of(client, "procedures")) == before + 2
    assert "A thing done later" in shown(client, "/record/kind/procedures")
    with portal.wiring.database.begin(as_persons(client.person)) as session:
        assert set(session.scalars(select(Retrieval.whole))) == {True, False}
        session.execute(update(Retrieval).values(whole=False))  # as if all had been asked for long ago
    client.post("/record/again")
    assert portal.bring_in_all() == ["finished"]
    lines = lines_of(client, "procedures")
    assert len(lines) == before + 1
    sent = {client.get(line + "/fhir?save=1").get_json(force=True)["id"] for line in lines}
    assert withdrawn["id"] not in sent
    assert "no longer has it" in shown(client, "/record/progress")


def test_a_killed_fetch_goes_on(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """FHIR-05: a worker that dies half-way leaves how far each search was; the next one asks for no page again."""
    client = signed_in_client(portal, "rv-p06")
    whole = len(lines_of(client, "test-results"))
    fetch, asked = bringing._Run._fetch, list[str]()

    def dies(run: Any, url: str, headers: Any) -> Any:
        asked.append(url)
        if len(asked) == 20:
            raise RuntimeError("killed")
        return fetch(run, url, headers)

    def notes(run: Any, url: str, headers: Any) -> Any:
        asked.append(url)
        return fetch(run, url, headers)

    client.post("/record/again")
    monkeypatch.setattr(bringing._Run, "_fetch", dies)
    with pytest.raises(RuntimeError, match="killed"):
        portal.bring_in_all()
    first = [one for number, one in enumerate(asked, start=1) if number != 20]
    asked.clear()
    with portal.wiring.database.begin(as_persons(client.person)) as session:
        assert len(session.scalars(select(RetrievalSearch.sealed)).all()) > 5
        session.execute(update(Retrieval).where(Retrieval.state == "running").values(state="waiting"))
    monkeypatch.setattr(bringing._Run, "_fetch", notes)
    assert portal.bring_in_all() == ["finished"]
    answered = {one for one in first if re.search(r"/fhir/(\w+)\?patient=", one) and _kind(one) in TYPES}
    assert len(answered) > 5
    assert not answered & set(asked)
    assert len(lines_of(client, "test-results")) == whole
    with portal.wiring.database.begin(as_persons(client.person)) as session:
        assert session.scalars(select(RetrievalSearch.sealed)).all() == []


def _kind(url: str) -> str:
    return url.split("/fhir/")[1].split("?")[0]


def test_few_questions_to_the_database(portal: Portal) -> None:
    """Benchmarks, G6.2, FHIR-08: a page asks at most two questions beside session and context, however long the record
    is; one of an entry's is who wrote it, as its Provenance says. Each page says whose record it is."""
    client = signed_in_client(portal, "rv-p06")
    (given,) = portal.chart("rv-p06").by_type["Patient"]
    name = given["name"][0]["given"][0]
    pages = (shown(client, one) for one in lines_of(client, "appointments")[:5])
    assert any("Written or sent by: Riverside" in one for one in pages)
    entry = lines_of(client, "notes-and-reports")[0]
    test = next(one for one in lines_of(client, "vital-signs") if "over-time" in client.get(one).text)
    asked: list[str] = []
    count_statements(portal.wiring.database.engine, asked)
    for path, most in (
        ("/record", 2), ("/record/progress", 2), ("/record/progress?part=1", 1), ("/record/kind/test-results", 2),
        (entry, 2), (entry + "/fhir", 1), (entry + "/file/0", 2), ("/record/download", 2), ("/record/added", 2),
        ("/record/kind/medicines", 2), (test + "/over-time", 2), ("/record/mine", 2), ("/record/share", 2),
        ("/choices", 2), ("/choices/cancerlinq", 2), ("/choices/stop-all", 2),
    ):  # fmt: skip
        asked.clear()
        page = client.get(path)
        if page.mimetype == "text/html" and "part=1" not in path:
            assert '<div class="who">' in page.text, path
            assert f"<bdi>{name} " in page.text.partition('<div class="who">')[2][:200], path
        own = [one for one in asked if "set_config" not in one and "web_session" not in one]
        assert len(own) <= most, (path, own)
