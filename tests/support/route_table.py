"""What every route is expected to answer, written by hand: a new route needs a row here (threats.md abuse case 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from werkzeug.test import TestResponse

from tests.support.actors import ANONYMOUS, HELPER, LEAD, OTHER, OWNER, PROXY, STAFF, WORKER, Cast, Visitor

PUBLIC, PATIENT, CARE_TEAM = "public", "patient", "care-team"
OF_STAFF, OF_LEADS = "cancerlinq-staff", "cancerlinq-leads"
FOR_PERSON, READS, FOR_PROXY, FOR_HELPER = "for-person", "reads", "proxy", "helper"


@dataclass(frozen=True)
class Row:
    """What one route is expected to answer to the one who may pass.

    `ids`: path parameters that name an object of the owner's. `plain`: other path parameters. `ends`: it would end
    the session or the connection of whoever asks, so those who may are tried elsewhere.
    """

    gate: str
    answers: int = 200
    ids: dict[str, str] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    form: dict[str, Any] = field(default_factory=dict)
    ends: bool = False


NO_ID = "00000000-0000-4000-8000-000000000001"
NO_CASE = {"case_no": 999_999_999}
A_NO = {"answer": "no", "form": "matrix-form-key"}
ENTRY, DECISION = {"entry": "entry"}, {"decision_id": "decision_id"}
TABLE: dict[tuple[str, str], Row] = {
    ("static", "GET"): Row(PUBLIC, plain={"filename": "portal.css"}),
    ("public.home", "GET"): Row(PUBLIC),
    ("public.faq", "GET"): Row(PUBLIC),
    ("public.privacy", "GET"): Row(PUBLIC),
    ("public.help_page", "GET"): Row(PUBLIC),
    ("public.accessibility", "GET"): Row(PUBLIC),
    ("public.without_account", "GET"): Row(PUBLIC),
    ("health.healthz", "GET"): Row(PUBLIC),
    ("health.readyz", "GET"): Row(PUBLIC, 503),  # no worker is at work in this test
    ("health.prometheus", "GET"): Row(PUBLIC),
    ("operator.overview", "GET"): Row(PUBLIC),
    ("operator.runbook", "GET"): Row(PUBLIC),
    ("store_record.overview", "GET"): Row(PUBLIC),
    ("sign_in.choose", "GET"): Row(PUBLIC),
    ("sign_in.confirm", "GET"): Row(PUBLIC, plain={"provider": "riverside"}),
    ("sign_in.begin", "POST"): Row(PUBLIC, 303, plain={"provider": "riverside"}),
    ("sign_in.callback", "GET"): Row(PUBLIC, 400, plain={"provider": "riverside"}),
    ("sign_in.launch", "GET"): Row(PUBLIC, 400),
    ("sign_in.jwks", "GET"): Row(PUBLIC),
    ("sign_in.sign_out", "POST"): Row(PUBLIC, 303, ends=True),
    ("record.overview", "GET"): Row(READS),
    ("record.progress", "GET"): Row(READS),
    ("record.again", "POST"): Row(FOR_PERSON, 303),
    ("record.kind", "GET"): Row(READS, plain={"kind": "medicines"}),
    ("find.entries", "GET"): Row(READS, plain={"kind": "medicines"}),
    ("find.tests", "GET"): Row(READS, plain={"kind": "test-results"}),
    ("record.entry", "GET"): Row(READS, ids=ENTRY),
    ("record.fhir", "GET"): Row(READS, ids=ENTRY),
    ("record.file", "GET"): Row(READS, ids=ENTRY, plain={"index": 0}),
    ("record.document", "GET"): Row(READS, ids={"entry": "document"}, plain={"index": 1}),
    ("reading.course", "GET"): Row(READS, 303, ids=ENTRY),
    ("reading.choose", "GET"): Row(PATIENT),
    ("reading.keep", "POST"): Row(PATIENT, 303),
    ("pack.prepare", "GET"): Row(READS),
    ("pack.make", "POST"): Row(READS),
    ("mine.overview", "GET"): Row(READS),
    ("mine.add", "POST"): Row(READS, 422),
    ("mine.remove", "POST"): Row(FOR_PERSON, 404, plain={"statement": "00000000-0000-4000-8000-000000000001"}),
    ("mine.letter", "POST"): Row(FOR_PERSON, 422),
    ("take_away.choose", "GET"): Row(FOR_PERSON),
    ("take_away.take", "POST"): Row(FOR_PERSON),
    ("take_away.copy", "GET"): Row(FOR_PERSON, ids={"copy_id": "copy_id"}),
    ("take_away.file", "GET"): Row(FOR_PERSON, 303, ids={"copy_id": "copy_id"}),  # no worker is at work in this test
    ("take_away.throw_away", "POST"): Row(FOR_PERSON, 303, ids={"copy_id": "copy_id"}, ends=True),
    ("share.overview", "GET"): Row(PATIENT),
    ("share.make", "POST"): Row(PATIENT, 303, form={"what": "ips", "lasts": "day", "open": "yes"}),
    ("share.link", "GET"): Row(PATIENT, ids={"link_id": "link_id"}),
    ("share.end", "POST"): Row(PATIENT, 303, ids={"link_id": "link_id"}, ends=True),
    ("close_account.ask", "GET"): Row(PATIENT),
    ("close_account.close", "POST"): Row(PATIENT, 422),
    ("close_account.done", "GET"): Row(PUBLIC),
    ("share.what_it_is", "GET"): Row(PUBLIC),
    # A secret that opens nothing: whoever asks, there is no such link.
    ("shl.manifest", "POST"): Row(PUBLIC, 422, plain={"token": "none"}),
    ("shl.direct", "GET"): Row(PUBLIC, 422, plain={"token": "none"}),
    ("shl.file", "GET"): Row(PUBLIC, 404, plain={"token": "none", "number": 0, "until": 1, "signature": "none"}),
    ("choices.overview", "GET"): Row(READS),
    ("choices.cancerlinq", "GET"): Row(READS),
    ("choices.decide_cancerlinq", "POST"): Row(FOR_PERSON, 303, form=A_NO),
    ("choices.effort", "GET"): Row(READS, plain={"effort_id": "living-well"}),
    ("choices.decide_effort", "POST"): Row(FOR_PERSON, 303, plain={"effort_id": "early-signs"}, form=A_NO),
    ("choices.stop_all", "GET"): Row(FOR_PERSON),
    ("choices.decide_stop_all", "POST"): Row(FOR_PERSON, 303, form=A_NO),
    ("research_limits.choose", "GET"): Row(FOR_PERSON),
    ("research_limits.decide", "POST"): Row(FOR_PERSON, form={"scope": "any-health-research"}),
    ("choices.status", "GET"): Row(FOR_PERSON, ids=DECISION),
    ("choices.receipt", "GET"): Row(FOR_PERSON, ids=DECISION),
    # No sequencer and no sealer work in this test, so that no head covers anything.
    ("proof_of_no.download", "GET"): Row(FOR_PERSON, 409, ids=DECISION),
    ("ledger.heads", "GET"): Row(PUBLIC),
    ("ledger.head", "GET"): Row(PUBLIC, 404, plain={"size": 1}),
    ("ledger.consistency", "GET"): Row(PUBLIC, 422),
    ("ledger.inclusion", "GET"): Row(PUBLIC, 422),
    ("ledger.keys", "GET"): Row(PUBLIC),
    ("ledger.newest_checkpoint", "GET"): Row(PUBLIC, 404),
    ("ledger.script", "GET"): Row(PUBLIC),
    ("choices.signed", "GET"): Row(FOR_PERSON, ids={"decision_id": "donation_id"}),
    ("papers.signed", "GET"): Row(FOR_PERSON, ids={"decision_id": "donation_id"}),
    ("papers.twin", "GET"): Row(FOR_PERSON, ids=DECISION),
    ("papers.changes", "GET"): Row(FOR_PERSON, plain={"effort_id": "living-well"}),
    ("papers.form", "GET"): Row(PUBLIC),
    ("donation.leaves", "GET"): Row(READS, plain={"effort_id": "living-well"}),
    ("activity.overview", "GET"): Row(FOR_PERSON),
    ("uses.overview", "GET"): Row(FOR_PERSON),
    ("uses.as_csv", "GET"): Row(FOR_PERSON),
    ("uses.as_fhir", "GET"): Row(FOR_PERSON),
    ("joined.overview", "GET"): Row(PATIENT),
    ("joined.take_back", "POST"): Row(PATIENT, 404, form={"record": "not-one"}),
    ("connection.overview", "GET"): Row(PATIENT),
    ("connection.shared", "GET"): Row(PATIENT, ids={"connection_id": "connection_id"}),
    ("connection.adding", "GET"): Row(PATIENT, 404),  # nobody came back from another hospital
    ("connection.add", "POST"): Row(PATIENT, 404),
    ("connection.end", "POST"): Row(PATIENT, 303, ids={"connection_id": "connection_id"}, ends=True),
    ("family.overview", "GET"): Row(PATIENT),
    ("family.invite_helper", "POST"): Row(PATIENT, 422),
    ("family.end_helper", "POST"): Row(PATIENT, 303, ids={"helper": "helper_id"}, ends=True),
    ("family.end_representative", "POST"): Row(PATIENT, 404, plain={"authority": NO_ID}),
    ("family.door", "GET"): Row(PUBLIC, plain={"token": "none"}),
    ("family.enter", "POST"): Row(PUBLIC, 422, plain={"token": "none"}),
    ("family.fill_in_form", "POST"): Row(FOR_HELPER, 303, plain={"effort_id": "living-well"}),
    ("acting.overview", "GET"): Row(FOR_PROXY),
    ("acting.state", "POST"): Row(FOR_PROXY, 422),
    ("acting.end", "POST"): Row(FOR_PROXY, 404, plain={"authority": NO_ID}),
    ("died.form", "GET"): Row(PUBLIC),
    ("died.report", "POST"): Row(PUBLIC, 422),
    ("died.thanks", "GET"): Row(PUBLIC),
    ("died.are_you_here", "GET"): Row(PATIENT),
    ("died.mistake", "POST"): Row(PATIENT, 303),
    ("leave.quickly", "POST"): Row(PUBLIC, ends=True),
    ("stay.on", "POST"): Row(PUBLIC, 204),
    ("get_record.guide", "GET"): Row(PUBLIC),
    ("get_record.letter", "GET"): Row(PUBLIC),
    ("get_record.make", "POST"): Row(PUBLIC, 422),
    ("public.ask_reply", "GET"): Row(PUBLIC),
    ("public.reply", "POST"): Row(PUBLIC, 303),
    ("access.overview", "GET"): Row(FOR_PERSON),
    ("access.new", "GET"): Row(FOR_PERSON),
    ("access.write", "POST"): Row(FOR_PERSON, 422),
    ("access.status", "GET"): Row(FOR_PERSON, ids={"request_id": "request_id"}),
    ("access.add", "POST"): Row(FOR_PERSON, 422, ids={"request_id": "request_id"}, form={"kind": "asked"}),
    ("access.letter", "GET"): Row(
        FOR_PERSON, ids={"request_id": "request_id"}, plain={"language": "en", "ending": "txt"}
    ),
    ("added.overview", "GET"): Row(FOR_PERSON),
    ("added.add", "POST"): Row(FOR_PERSON, 422),
    ("added.file", "GET"): Row(FOR_PERSON, ids={"file_id": "file_id"}),
    ("added.ask_delete", "GET"): Row(FOR_PERSON, ids={"file_id": "file_id"}),
    ("added.delete", "POST"): Row(FOR_PERSON, 303, ids={"file_id": "file_id"}, ends=True),
    ("notifications.overview", "GET"): Row(PATIENT),
    ("notifications.change", "GET"): Row(PATIENT),
    ("effort_news.overview", "GET"): Row(PATIENT),
    ("notifications.number", "POST"): Row(PATIENT, 422, form={"number": "not a number"}),
    ("notifications.code", "GET"): Row(PATIENT, 303),
    ("notifications.confirm", "POST"): Row(PATIENT, 303),
    ("notifications.again", "POST"): Row(PATIENT, 303),
    ("notifications.texts", "POST"): Row(PATIENT, 303, form={"wanted": "no"}),
    ("notifications.remove", "POST"): Row(PATIENT, 303),
    ("notifications.remind", "POST"): Row(PATIENT, 303),
    ("notifications.do_not_remind", "POST"): Row(PATIENT, 303),
    ("care_team.chart", "GET"): Row(CARE_TEAM),
    ("care_team.decide", "POST"): Row(CARE_TEAM, 422, form={"form": "matrix-form-key"}),
    ("care_team.done", "GET"): Row(CARE_TEAM, ids=DECISION),
    ("care_team_void.ask", "POST"): Row(CARE_TEAM, 303),
    ("care_team_void.agree", "POST"): Row(CARE_TEAM, 422),
    # The opt-out in this chart is the patient's own.
    ("care_team_letters.letter", "GET"): Row(CARE_TEAM, 404, ids=DECISION),
    ("care_team_letters.posted", "POST"): Row(CARE_TEAM, 404, ids=DECISION),
    ("care_team_list.overview", "GET"): Row(CARE_TEAM, 404),
    ("care_team_list.empty", "GET"): Row(CARE_TEAM, 404),
    ("care_team_list.send", "POST"): Row(CARE_TEAM, 404),
    ("care_team_list.preview", "GET"): Row(CARE_TEAM, 404, plain={"list_id": NO_ID}),
    ("care_team_list.apply", "POST"): Row(CARE_TEAM, 404, plain={"list_id": NO_ID}),
    ("care_team_list.letters", "GET"): Row(CARE_TEAM, 404, plain={"list_id": NO_ID, "language": "en"}),
    ("care_team_list.posted", "POST"): Row(CARE_TEAM, 404, plain={"list_id": NO_ID}),
    ("care_team_panel.choose", "GET"): Row(PUBLIC),
    ("care_team_panel.confirm", "GET"): Row(PUBLIC, plain={"provider": "riverside"}),
    ("care_team_panel.begin", "POST"): Row(PUBLIC, 303, plain={"provider": "riverside"}),
    ("care_team_panel.form", "GET"): Row(PUBLIC),
    # Staff who came from a chart have that chart and no list.
    ("care_team_panel.patients", "GET"): Row(CARE_TEAM, 303),
    ("care_team_panel.search", "POST"): Row(CARE_TEAM, 404),
    ("care_team_panel.open_one", "POST"): Row(CARE_TEAM, 404),
    ("other_clinic.ask", "GET"): Row(PATIENT),
    ("other_clinic.name", "POST"): Row(PATIENT, 422),
    ("staff_sign_in.choose", "GET"): Row(PUBLIC),
    ("staff_sign_in.confirm", "GET"): Row(PUBLIC, plain={"identity": "cancerlinq"}),
    ("staff_sign_in.begin", "POST"): Row(PUBLIC, 303, plain={"identity": "cancerlinq"}),
    ("staff_sign_in.callback", "GET"): Row(PUBLIC, 400, plain={"identity": "cancerlinq"}),
    ("staff_sign_in.passkey", "GET"): Row(PUBLIC, 303),  # nobody waits for a second factor
    ("staff_sign_in.code", "POST"): Row(PUBLIC, 303),
    ("staff_sign_in.show", "POST"): Row(PUBLIC, 303),
    ("staff.queue", "GET"): Row(OF_STAFF),
    # Cases and openings are tested by themselves (test_staff.py); here there is none of this number.
    ("staff.case", "GET"): Row(OF_STAFF, 404, plain=NO_CASE),
    ("staff.do", "POST"): Row(OF_STAFF, 404, plain=NO_CASE, form={"do": "take"}),
    ("staff_people.find", "GET"): Row(OF_STAFF),
    ("staff_people.open_by_number", "POST"): Row(OF_STAFF, 422),
    ("staff_people.open_of_case", "POST"): Row(OF_STAFF, 404, plain=NO_CASE, form={"why": "In the matrix of routes"}),
    ("staff_people.person", "GET"): Row(OF_STAFF, 404, plain={"opening": NO_ID}),
    ("staff_people.end_authority", "POST"): Row(OF_STAFF, 404, plain={"opening": NO_ID, "authority": NO_ID}),
    ("staff_people.letter", "GET"): Row(OF_STAFF, 404, plain={"opening": NO_ID, "to": "person"}),
    ("staff_people.letter_of_case", "GET"): Row(OF_STAFF, 404, plain=NO_CASE | {"to": "clinic"}),
    ("staff_people.opened", "GET"): Row(OF_LEADS),
    ("staff_people.looked_at", "POST"): Row(OF_LEADS, 404, plain={"opening": NO_ID}),
    ("staff_two.overview", "GET"): Row(OF_STAFF),
    ("staff_two.ask", "POST"): Row(OF_STAFF, 422),
    ("staff_two.decide", "POST"): Row(OF_STAFF, 422, plain={"asked": NO_ID}),
    ("staff_reports.overview", "GET"): Row(OF_STAFF),
    ("staff_reports.as_csv", "GET"): Row(OF_STAFF),
    # No signature, no answer: who holds a browser session is nobody here.
    ("reaching.topics", "GET"): Row(PATIENT),
    ("reaching.keep_topics", "POST"): Row(PATIENT, 303),
    ("hours.times", "GET"): Row(PATIENT),
    ("hours.keep_times", "POST"): Row(PATIENT, 422, form={"zone": "Mars"}),
    ("reaching.email", "GET"): Row(PATIENT),
    ("reaching.give_email", "POST"): Row(PATIENT, 422, form={"email": "no address"}),
    ("reaching.email_code", "GET"): Row(PATIENT, 303),
    ("reaching.confirm_email", "POST"): Row(PATIENT, 303),
    ("reaching.email_wanted", "POST"): Row(PATIENT, 303, form={"wanted": "no"}),
    ("reaching.remove_email", "POST"): Row(PATIENT, 303),
    ("reaching.letters", "GET"): Row(PATIENT),
    ("reaching.keep_letters", "POST"): Row(PATIENT, 422, form={"postal": "one line"}),
    ("reaching.remove_letters", "POST"): Row(PATIENT, 303),
    ("unsubscribe.ask", "GET"): Row(PUBLIC, plain={"token": "x"}),
    ("unsubscribe.end", "POST"): Row(PUBLIC, plain={"token": "x"}),
    ("webhooks.inbound", "POST"): Row(PUBLIC, 403),
    ("webhooks.status", "POST"): Row(PUBLIC, 403),
    ("webhooks.receipts", "POST"): Row(PUBLIC, 401, plain={"store_id": "cancerlinq"}),
}


def routes(cast: Cast) -> dict[tuple[str, str], Any]:
    """(endpoint, verb) -> rule, for GET and POST; HEAD and OPTIONS follow from them."""
    rules = cast.portal.app.url_map.iter_rules()
    return {(rule.endpoint, verb): rule for rule in rules for verb in (rule.methods or set()) & {"GET", "POST"}}


def path_of(rule: Any, row: Row, ids: dict[str, str]) -> str:
    """The rule's path with its parameters filled in."""
    values = row.plain | {name: ids[key] for name, key in row.ids.items()}
    return re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda found: quote(str(values[found.group(1)])), str(rule.rule))


def ask(visitor: Visitor, verb: str, path: str, row: Row) -> TestResponse:
    """The request as the pages would send it."""
    return visitor.post(path, row.form) if verb == "POST" else visitor.send(verb, path)


MAY_PASS = {
    PATIENT: (OWNER, OTHER),
    FOR_PERSON: (OWNER, OTHER, PROXY),
    READS: (OWNER, OTHER, PROXY, HELPER),
    FOR_PROXY: (PROXY,),
    FOR_HELPER: (HELPER,),
    CARE_TEAM: (STAFF,),
    OF_STAFF: (WORKER, LEAD),
    OF_LEADS: (LEAD,),
}
"""The owner's helper reads what is the owner's; the representative is another person's, and finds nothing of it."""


def expected(row: Row, actor: str) -> int:
    """The status this actor gets for the owner's object."""
    if row.gate == PUBLIC:
        return row.answers
    if actor == ANONYMOUS:
        return 303
    if actor not in MAY_PASS[row.gate]:
        return 403
    return 404 if actor in (OTHER, PROXY) and row.ids else row.answers
