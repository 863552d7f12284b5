"""Every must and should of SMART App Launch and of the library traps, and the tests that prove the product does it.

A row fails when it names no test, when a test that it names is gone, or when that test does not say the id itself.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
# SMART-50 (introspection) is beyond; all other numbers of requirements.md, section 1, are musts or shoulds.
REQUIRED = (
    *(f"SMART-{number:02}" for number in (*range(1, 7), *range(10, 16), *range(20, 24), *range(30, 37))),
    *(f"SMART-{number:02}" for number in (*range(40, 50), *range(60, 66))),
    *(f"LIB-{number:02}" for number in range(1, 7)),
)
FILES = {
    "launch": "pure/fhir_bridge/smart/test_launch.py",
    "scopes": "pure/fhir_bridge/smart/test_scopes.py",
    "identity": "pure/fhir_bridge/smart/test_identity.py",
    "brands": "pure/fhir_bridge/test_brands.py",
    "plan": "pure/fhir_bridge/retrieve/test_plan.py",
    "paging": "pure/fhir_bridge/retrieve/test_paging.py",
    "destinations": "pure/outbound/test_destinations.py",
    "consent": "pure/consent/test_as_fhir.py",
    "way out": "parts/outbound/test_guarded_way_out.py",
    "fake": "parts/fhir_bridge/smart/test_sign_in.py",
    "refused": "parts/fhir_bridge/smart/test_refused_sign_in.py",
    "mix-up": "parts/fhir_bridge/smart/test_mix_up.py",
    "refresh": "parts/fhir_bridge/smart/test_refresh.py",
    "sandbox": "parts/fhir_bridge/smart/test_sandbox_hospitals.py",
    "third": "parts/third_party/test_smart_fhir_server.py",
    "validator": "parts/third_party/test_validator.py",
    "run": "parts/fhir_bridge/retrieve/test_run.py",
    "portal": "parts/patient_portal/test_sign_in.py",
    "hospitals": "parts/patient_portal/test_hospitals.py",
    "command": "parts/patient_portal/test_providers_command.py",
    "chart": "parts/patient_portal/test_guard_launch.py",
    "headers": "parts/patient_portal/test_guard_headers.py",
    "logs": "parts/patient_portal/test_guard_logs.py",
    "session": "parts/patient_portal/test_web_session.py",
    "care team": "parts/patient_portal/test_care_team.py",
    "edges": "parts/patient_portal/test_care_team_edges.py",
    "decision": "parts/consent/test_record_decision.py",
    "entry": "parts/patient_portal/test_record_entry.py",
}
TABLE: dict[str, tuple[str, ...]] = {
    "SMART-01": ("launch: the_configuration_stands_below_the_whole_base", "fake: a_public_client_signs_in"),
    "SMART-02": ("launch: a_required_key_is_missing", "portal: a_hospital_that_cannot_be_used"),
    "SMART-03": ("launch: a_configuration_that_cannot_be_used", "portal: a_hospital_that_cannot_be_used"),
    "SMART-04": ("launch: relative_endpoints_and_optional_ones",),
    "SMART-05": ("launch: missing_capabilities_are_named", "portal: a_hospital_that_cannot_be_used"),
    "SMART-06": (
        "hospitals: what_is_not_shared_and_how_to_share_it", "command: the_picker_finds_by_name_and_place",
        "brands: a_brand_with_places_logo_and_names",
    ),
    "SMART-10": ("launch: a_standalone_request_has_exactly_these_parameters", "third: a_whole_launch"),
    "SMART-11": ("portal: an_answer_counts_once", "portal: an_answer_in_another_browser", "portal: a_forged_answer"),
    "SMART-12": ("launch: state_nonce_and_verifier_are_long_and_apart", "third: what_must_be_refused_is_refused"),
    "SMART-13": ("launch: a_long_request_goes_by_post", "portal: a_request_too_long_for_an_address"),
    "SMART-14": ("portal: the_person_says_no", "refused: a_bad_callback_makes_no_token_call"),
    "SMART-15": (
        "sandbox: the_answer_names_its_issuer", "third: the_other_algorithm_and_the_named_issuer",
        "mix-up: a_code_of_one_provider_at_the_callback_of_another",
    ),
    "SMART-20": ("chart: a_launch_that_cannot_be_read", "sandbox: a_nurse_launches_from_the_chart"),
    "SMART-21": ("chart: an_unknown_hospital_is_never_called", "chart: a_near_miss_of_a_listed_hospital"),
    "SMART-22": ("scopes: what_is_asked_for", "sandbox: a_nurse_launches_from_the_chart"),
    "SMART-23": ("chart: in_the_charts_own_frame",),
    "SMART-30": ("scopes: scopes_are_read", "scopes: what_is_no_scope_grants_nothing"),
    "SMART-31": ("scopes: what_is_asked_for", "sandbox: a_hospital_that_knows_only_version_1"),
    "SMART-32": (
        "scopes: granular_grants", "plan: a_token_for_some_categories_asks_for_those_only",
        "sandbox: only_lab_tests_are_shared",
    ),
    "SMART-33": (
        "scopes: only_what_was_granted", "third: a_narrow_grant_is_a_narrow_view",
        "hospitals: what_is_not_shared_and_how_to_share_it",
    ),
    "SMART-34": ("hospitals: what_is_not_shared_and_how_to_share_it", "sandbox: only_lab_tests_are_shared"),
    "SMART-35": ("scopes: what_is_asked_for", "command: a_hospital_is_added_and_found_sound"),
    "SMART-36": (
        "scopes: what_is_asked_for", "launch: a_standalone_request_has_exactly_these_parameters",
        "hospitals: a_record_is_kept_current",
    ),
    "SMART-40": ("fake: a_public_client_signs_in", "third: a_whole_launch"),
    "SMART-41": ("fake: a_symmetric_client_sends_its_secret_only_in_the_header", "third: a_whole_launch"),
    "SMART-42": (
        "fake: an_asymmetric_client_signs_a_fresh_assertion", "third: a_whole_launch",
        "third: the_other_algorithm_and_the_named_issuer",
    ),
    "SMART-43": (
        "launch: published_keys_are_public", "sandbox: keys_are_rotated_while_people_sign_in",
        "command: our_keys_are_rotated_in_three_steps", "headers: the_keys_may_be_kept_for_ten_minutes",
    ),
    "SMART-44": (
        "refused: a_wrong_token_answer_signs_nobody_in", "portal: a_token_endpoint_that_fails",
        "fake: what_else_a_token_answer_holds", "refresh: a_refresh_that_must_not_be_used",
    ),
    "SMART-45": (
        "refused: a_wrong_token_answer_signs_nobody_in", "edges: no_name_no_screen",
        "fake: what_else_a_token_answer_holds",
    ),
    "SMART-46": ("way out: a_token_stays_below_its_base", "destinations: a_next_link_that_leaves_is_refused"),
    "SMART-47": (
        "hospitals: two_workers_refresh_once", "hospitals: connected_again_in_place",
        "hospitals: a_sign_in_that_is_down_loses_no_token", "refresh: a_refresh_that_must_not_be_used",
    ),
    "SMART-48": (
        "run: renewed_once_for_all", "run: a_token_refused_after_renewal", "run: forbidden_is_not_renewed",
        "run: a_long_retrieval_outlives_its_tokens",
    ),
    "SMART-49": (
        "refresh: revocation", "third: a_whole_launch", "hospitals: connected_again_in_place",
        "hospitals: a_record_is_kept_current",
    ),
    "SMART-60": ("identity: a_forged_token_is_refused", "sandbox: a_hospital_that_lies_about_who_signed_in"),
    "SMART-61": ("identity: no_nonce_is_asked_for_where_none_was_sent", "portal: a_wrong_id_token"),
    "SMART-62": ("launch: roles", "fake: fhir_user_decides_the_role", "edges: staff_need_a_chart"),
    "SMART-63": ("hospitals: the_person_adds_a_hospital", "hospitals: somebody_else_at_the_other_hospital"),
    "SMART-64": ("launch: a_standalone_request_has_exactly_these_parameters",),
    "SMART-65": ("care team: staff_can_only_opt_out", "decision: care_team_may_only_opt_out"),
    "LIB-01": (
        "fake: a_public_client_signs_in", "command: an_old_server_is_named_as_such", "entry: the_form_that_was_sent",
    ),
    "LIB-02": ("run: foreign_next_gets_nothing", "paging: a_foreign_next_is_refused"),
    "LIB-03": ("logs: a_whole_way_leaves_nobody_in_logs_tables_or_cookies",
               "session: a_session_row_says_nothing_without_the_keys"),
    "LIB-04": ("consent: each_fault_is_found", "validator: what_only_our_own_check_refuses"),
    "LIB-05": ("refused: a_wrong_claim_signs_nobody_in", "portal: a_wrong_id_token"),
    "LIB-06": ("fake: an_asymmetric_client_signs_a_fresh_assertion",),
}  # fmt: skip


@cache
def _said_by(file: str) -> dict[str, str]:
    """Each test of a file and what it says of itself."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    named = (part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name.startswith("test_"))
    return {part.name: ast.get_docstring(part) or "" for part in named}


def cited(words: str) -> set[str]:
    """The ids in a docstring: `SMART-10, 12`, `SMART-01 to SMART-06` and `SMART-40 to 47` count for each."""
    found: set[str] = set()
    for area, listed in re.findall(r"\b(SMART|LIB)-(\d\d(?:(?:, | to |…)(?:\1-)?\d\d)*)", words):
        previous, spread = 0, False
        for mark, digits in re.findall(r"(, | to |…|^)(?:\w+-)?(\d\d)", listed):
            spread = mark in (" to ", "…")
            first = previous + 1 if spread else int(digits)
            found |= {f"{area}-{number:02}" for number in range(first, int(digits) + 1)}
            previous = int(digits)
    return found


def trouble(identity: str, named: tuple[str, ...]) -> list[str]:
    """What is wrong with one row, in words."""
    if not named:
        return [f"{identity}: no test"]
    wrong = []
    for each in named:
        where, _, what = each.partition(": ")
        said = _said_by(FILES[where]).get(f"test_{what}")
        if said is None:
            wrong.append(f"{identity}: {FILES[where]}::test_{what} does not exist")
        elif identity not in cited(said):
            wrong.append(f"{identity}: {FILES[where]}::test_{what} does not say so")
    return wrong


@pytest.mark.parametrize("identity", REQUIRED)
def test_a_must_or_should_is_proved(identity: str) -> None:
    """House: each id has tests, they exist, and they say what they prove."""
    assert trouble(identity, TABLE.get(identity, ())) == []


def test_the_table_says_nothing_else() -> None:
    """House: no row for what is no must or should, and no file that no row names."""
    assert set(TABLE) == set(REQUIRED)
    assert {row.partition(": ")[0] for rows in TABLE.values() for row in rows} == set(FILES)


def test_the_table_can_fail() -> None:
    """House: a missing test, a row without one, and a test that proves something else are each named."""
    assert trouble("SMART-01", ()) == ["SMART-01: no test"]
    assert "does not exist" in trouble("SMART-01", ("launch: nothing_of_the_kind",))[0]
    assert "does not say so" in trouble("SMART-49", ("launch: roles",))[0]
    assert cited("SMART-01, 10, 40 to 42: x; LIB-05") == {
        "SMART-01", "SMART-10", "SMART-40", "SMART-41", "SMART-42", "LIB-05",
    }  # fmt: skip
