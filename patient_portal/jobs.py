"""The jobs. Arguments are opaque ids; what they mean is read from the database in the person's context."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import procrastinate
from procrastinate import JobContext
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.authority.stated import may_now
from consent.overdue_tasks import keep_overdue_tasks
from consent.practice_counts import count_practices
from database.context import as_nobody, as_persons, as_propagation
from database.jobs import CappedWait, defer, sweep_stalled
from fhir_bridge import login_attempts
from fhir_bridge.bring_in import FINISHED, Parts, bring_in
from fhir_bridge.export import jobs, shared_links
from fhir_bridge.kept_current import (
    BEHIND_PEOPLE,
    Due,
    ask_when_due,
    due_connections,
    representative_of,
    room_for,
)
from fhir_bridge.smart.client import SmartClient
from patient_portal.care_team import bulk as care_team_bulk
from patient_portal.choices.donating import record_came_in
from patient_portal.edge import rate_limits
from patient_portal.in_touch.store_mails import mail_channel_of, send_store_mails
from patient_portal.in_touch.telling import tell_of_new_entries
from patient_portal.operating.operator_reading import count_for_the_operator
from patient_portal.signing_in import web_session
from patient_portal.signing_in.aliases import learn_aliases
from patient_portal.staff.two_persons import tell_again
from patient_portal.taking_away.making import make_copy
from patient_portal.wiring import Wiring, now

JOBS = procrastinate.Blueprint()


def wiring_of(context: JobContext) -> Wiring:
    """The worker process's wiring, handed to every job."""
    found = context.additional_context["wiring"]
    assert isinstance(found, Wiring)
    return found


def parts_of(wiring: Wiring) -> Parts:
    """What bringing a record in needs; each fetch stands in the audit, and what was about somebody else (FHIR-17)."""

    def audit(session: Session, person: UUID, event: str, detail: Mapping[str, object]) -> None:
        refused = event == "record.wrong-person" or detail.get("state") != FINISHED
        line = Audited(person, event, "C", "system", outcome="4" if refused else "0", detail=detail)
        write_audit(session, now(), line)

    return Parts(wiring.database, wiring.keyring, SmartClient(wiring.http), wiring.http, now, audit)


@JOBS.task(name="bring-in-record", pass_context=True, retry=CappedWait())
def bring_in_record(context: JobContext, *, person: str, retrieval: str, provider: str) -> None:
    """Bring a person's record in from one hospital."""
    wiring = wiring_of(context)
    hospital = wiring.provider(provider)
    if bring_in(parts_of(wiring), hospital, person=UUID(person), retrieval=UUID(retrieval)) == FINISHED:
        learn_aliases(wiring, hospital, UUID(person), now())
        record_came_in(wiring, UUID(person))
        tell_of_new_entries(wiring, UUID(person), UUID(retrieval), now())


@JOBS.periodic(cron="* * * * *")
@JOBS.task(name="keep-records-current", pass_context=True)
def keep_records_current(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - given by every timer
    """Ask for the records that are due, of those who let us do so while they are not signed in."""
    wiring, moment = wiring_of(context), now()
    hospitals = {one.id for one in wiring.settings.providers}
    with wiring.database.begin(as_nobody()) as session:
        room = room_for(session)
    for due in due_connections(wiring.database, moment, room):
        with wiring.database.begin(as_persons(due.person)) as session:
            may = due.provider_id in hospitals and _may_read(session, wiring, due, moment)
            retrieval = ask_when_due(session, due, moment, may=may)
            if retrieval is not None:
                ids = {"person": str(due.person), "retrieval": str(retrieval), "provider": due.provider_id}
                defer(session, bring_in_record, lock=f"record:{due.person}", priority=BEHIND_PEOPLE, **ids)


def _may_read(session: Session, wiring: Wiring, due: Due, moment: datetime) -> bool:
    """Whether the record may still be asked for by this connection: a representative's ends with their authority."""
    account = representative_of(session, due)
    return account is None or may_now(session, wiring.keyring, due.person, account, moment.date())[1].read


@JOBS.task(name="make-record-copy", pass_context=True, retry=CappedWait())
def make_record_copy(context: JobContext, *, person: str, copy: str) -> None:
    """Make a copy of a person's record that takes too long for a browser to wait."""
    make_copy(wiring_of(context), UUID(person), UUID(copy), now())


@JOBS.periodic(cron="* * * * *")
@JOBS.task(name="sweep", pass_context=True)
async def sweep(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - given by every timer
    """Give back the jobs of killed workers."""
    await sweep_stalled(context.app)


@JOBS.periodic(cron="*/10 * * * *")
@JOBS.task(name="forget", pass_context=True)
def forget(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - given by every timer
    """Delete sessions, launches, copies of records and shared files past their limits."""
    with wiring_of(context).database.begin(as_propagation()) as session:
        web_session.forget_old(session, now())
        login_attempts.forget_old(session, now())
        jobs.forget_old(session, now())
        shared_links.forget_old(session, now())
        care_team_bulk.forget_old(session, now())
    with wiring_of(context).database.begin(as_nobody()) as session:
        rate_limits.forget_old(session, now() - timedelta(hours=1))


@JOBS.periodic(cron="* * * * *")
@JOBS.task(name="store-mails", pass_context=True)
def store_mails(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - given by every timer
    """Write to the contacts of stores that are late."""
    wiring = wiring_of(context)
    send_store_mails(wiring, mail_channel_of(wiring), now())


@JOBS.periodic(cron="* * * * *")
@JOBS.task(name="staff-tasks", pass_context=True)
def staff_tasks(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - given by every timer
    """Make cases for staff of opt-outs that are late, and count what they report."""
    wiring = wiring_of(context)
    keep_overdue_tasks(wiring.database, wiring.settings.stores, now())
    count_practices(wiring.database, now())


@JOBS.task(name="tell-store-again", pass_context=True, retry=CappedWait())
def tell_store_again(context: JobContext, *, request: str) -> None:
    """Tell a store again what it has not confirmed, as two members of staff agreed."""
    tell_again(wiring_of(context), UUID(request), now())


@JOBS.periodic(cron="* * * * *")
@JOBS.task(name="count", pass_context=True)
def count(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - given by every timer
    """Count what the operator's page, the metrics and the stores' public record show."""
    count_for_the_operator(wiring_of(context), now())
