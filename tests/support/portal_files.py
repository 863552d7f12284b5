"""providers.toml and stores.toml as the tests have them: the demo's, with stores at addresses where nobody answers."""

from __future__ import annotations

from patient_portal.demo.outside import IDENTIFIERS
from sandbox.hospital.server import RunningHospital
from sandbox.staff_identity.server import RunningStaffIdentity


def provider_table(name: str, running: RunningHospital) -> str:
    """One hospital, registered as in the demo."""
    how = {
        "riverside": 'client_auth = "private_key_jwt"\nprivate_key = "file:riverside.json"',
        "lakeside": 'client_auth = "client_secret_basic"\nclient_secret = "file:lakeside-secret"',
    }[name]
    return (
        f'[[provider]]\nid = "{name}"\nname = "{running.hospital.config.name} (sandbox)"\nstate = "MA"\n'
        f'fhir_base_url = "{running.fhir_url}"\nclient_id = "portal"\n{how}\npractice = "{name}-main"\n'
        f'identifier_system = "{IDENTIFIERS[name]}"\nnetwork = "private"\ncare_team = true\n'
        'cancerlinq_participant = true\nscopes = "launch/patient openid fhirUser offline_access patient/*.rs"\n\n'
    )


def identity_table(running: RunningStaffIdentity) -> str:
    """Where staff sign in, as in the demo."""
    return (
        f'[[identity]]\nid = "cancerlinq"\nname = "Staff sign-in (sandbox)"\nsigns_in = "staff"\n'
        f'issuer = "{running.url}"\nclient_id = "portal"\nclient_auth = "client_secret_basic"\n'
        'client_secret = "file:staff-secret"\namr = ["mfa"]\nnetwork = "private"\n'
        'roles = { "cancerlinq-staff" = "staff", "cancerlinq-lead" = "lead" }\n\n'
    )


def store_table(row: tuple[str, str, str, str, str, str, dict[str, object], str]) -> str:
    """One store as in the demo, at an address where nobody answers."""
    store, name, _role, wire, holds, basis, more, deadline = row
    of_basis = {
        "operations": 'practices = ["riverside-main", "lakeside-main"]', "law": 'states = ["MA"]',
        "donation": f'effort = "{more.get("effort")}"',
    }  # fmt: skip
    return (
        f'[[store]]\nid = "{store}"\nname = "{name}"\nkind = "webhook"\ntransport = "{wire}"\n'
        f'endpoint = "http://localhost:9/{store}/notifications"\nsecrets = ["file:store-secret"]\n'
        f'holds = "{holds}"\nbasis = "{basis}"\ndeadline = "{deadline}"\ncontact = "privacy@{store}.example"\n'
        f'network = "private"\n{of_basis[basis]}\n\n'
    )
