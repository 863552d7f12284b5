"""The pages, a blueprint per family. The order is the order of the navigation."""

from __future__ import annotations

from flask import Blueprint

from patient_portal.pages.access import blueprint as access
from patient_portal.pages.acting import blueprint as acting
from patient_portal.pages.activity import blueprint as activity
from patient_portal.pages.added import blueprint as added
from patient_portal.pages.care_team import blueprint as care_team
from patient_portal.pages.care_team_letters import blueprint as care_team_letters
from patient_portal.pages.care_team_list import blueprint as care_team_list
from patient_portal.pages.care_team_panel import blueprint as care_team_panel
from patient_portal.pages.care_team_void import blueprint as care_team_void
from patient_portal.pages.choices import blueprint as choices
from patient_portal.pages.close_account import blueprint as close_account
from patient_portal.pages.connection import blueprint as connection
from patient_portal.pages.died import blueprint as died
from patient_portal.pages.donation import blueprint as donation
from patient_portal.pages.effort_news import blueprint as effort_news
from patient_portal.pages.family import blueprint as family
from patient_portal.pages.get_record import blueprint as get_record
from patient_portal.pages.health import blueprint as health
from patient_portal.pages.joined import blueprint as joined
from patient_portal.pages.leave import blueprint as leave
from patient_portal.pages.ledger import blueprint as ledger
from patient_portal.pages.notifications import blueprint as notifications
from patient_portal.pages.operator import blueprint as operator
from patient_portal.pages.other_clinic import blueprint as other_clinic
from patient_portal.pages.papers import blueprint as papers
from patient_portal.pages.proof_of_no import blueprint as proof_of_no
from patient_portal.pages.public import blueprint as public
from patient_portal.pages.reaching import blueprint as reaching
from patient_portal.pages.reaching_hours import blueprint as reaching_hours
from patient_portal.pages.record import blueprint as record
from patient_portal.pages.record_find import blueprint as record_find
from patient_portal.pages.record_mine import blueprint as record_mine
from patient_portal.pages.record_pack import blueprint as record_pack
from patient_portal.pages.record_reading import blueprint as record_reading
from patient_portal.pages.research_limits import blueprint as research_limits
from patient_portal.pages.share import blueprint as share
from patient_portal.pages.share import holder as health_links
from patient_portal.pages.sign_in import blueprint as sign_in
from patient_portal.pages.staff import blueprint as staff
from patient_portal.pages.staff_people import blueprint as staff_people
from patient_portal.pages.staff_reports import blueprint as staff_reports
from patient_portal.pages.staff_sign_in import blueprint as staff_sign_in
from patient_portal.pages.staff_two import blueprint as staff_two
from patient_portal.pages.stay import blueprint as stay
from patient_portal.pages.store_record import blueprint as store_record
from patient_portal.pages.take_away import blueprint as take_away
from patient_portal.pages.unsubscribe import blueprint as unsubscribe
from patient_portal.pages.uses import blueprint as uses
from patient_portal.pages.webhooks import blueprint as webhooks

BLUEPRINTS: tuple[Blueprint, ...] = (
    public, sign_in, record, record_find, record_reading, record_mine, record_pack, choices, donation, activity,
    notifications, reaching, reaching_hours, unsubscribe, effort_news,
    connection, care_team, care_team_panel, care_team_void, care_team_letters, care_team_list,
    papers, webhooks, health, ledger, proof_of_no, research_limits, uses, joined, store_record, operator, access, added,
    get_record, family, acting, died, leave, stay,
    take_away, share, health_links, close_account,
    other_clinic, staff, staff_people, staff_two, staff_reports, staff_sign_in,
)  # fmt: skip
# Their senders sign each request, so they carry no form token (SEC-03).
SIGNED_BLUEPRINTS: tuple[Blueprint, ...] = (webhooks, health_links, unsubscribe)
