"""G2.1: the whole POST of a decision on granian, and the bare handler beside it, 32 at once."""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID, uuid4

from itsdangerous import URLSafeTimedSerializer

from benchmarks.harness.arms import Outcome
from benchmarks.harness.bare_pages import serving
from benchmarks.harness.postgres import BenchServer
from benchmarks.scale.site import Site
from consent.decision import Answer
from patient_portal.signing_in.web_session import SessionStore

AT_ONCE = 32
FROM_ONE_ADDRESS = 20
PROVIDERS = (
    '[[provider]]\nid = "riverside"\nname = "Riverside"\nstate = "MA"\nfhir_base_url = "http://localhost:9/fhir"\n'
    'client_id = "portal"\nclient_auth = "public"\npractice = "riverside-main"\nnetwork = "private"\n'
    'cancerlinq_participant = true\nscopes = "openid fhirUser launch/patient patient/*.rs"\n'
    'identifier_system = "urn:oid:2.16.840.1.113883.19.5"\n'
)
STORES = (
    '[[store]]\nid = "platform"\nname = "Platform"\nkind = "webhook"\ntransport = "ndjson"\n'
    'endpoint = "http://localhost:9/none"\nsecrets = ["env:STORE_SECRET"]\nholds = "identifiable"\n'
    'basis = "operations"\npractices = ["riverside-main"]\ndeadline = "15m"\ncontact = "privacy@platform.example"\n'
    'network = "private"\n'
)


@dataclass(frozen=True)
class Press:
    """One form, ready to send."""

    cookie: str
    body: str


@dataclass(frozen=True)
class Servers:
    """Where both listen."""

    product: int
    bare: int


@contextmanager
def servers(bench: BenchServer, site: Site, folder: Path) -> Iterator[Servers]:
    """The product's pages and the bare handler, each on granian with 8 threads in one process."""
    (folder / "providers.toml").write_text(PROVIDERS)
    (folder / "stores.toml").write_text(STORES)
    environment = {
        **os.environ,
        "DATABASE_URL": site.database.urls.web,
        "DATABASE_URL_WORKER": site.database.urls.worker,
        "PORTAL_KEYS": str(bench.folder / "keys.json"),
        "PORTAL_SECRET_KEY": secrets.token_urlsafe(48),
        "PORTAL_PROVIDERS": str(folder / "providers.toml"),
        "PORTAL_STORES": str(folder / "stores.toml"),
        "STORE_SECRET": "whsec_" + "QUFB" * 11 + "QUE=",
        "PORTAL_LOG_LEVEL": "warning",
        "OPERATOR_ROLE": "covered-entity",
    }
    with (
        serving("patient_portal.serving:application", environment) as product,
        serving("benchmarks.w2_bare:app", environment) as bare,
    ):
        yield Servers(product, bare)


def presses(site: Site, count: int) -> list[Press]:
    """A signed-in session and its form for each of `count` people, made before any clock runs."""
    store = SessionStore(site.database.web, site.ring, secure=False)
    signer = URLSafeTimedSerializer(site.ring.blind_index("csrf", "forms").hex(), salt="wtf-csrf-token")
    made = []
    for person, answer in site.persons(count):
        sid, token, account = secrets.token_urlsafe(32), secrets.token_hex(20), uuid4()
        content = {
            "kind": "patient", "account": str(account), "person": str(person), "persons": [str(person)],
            "provider": "riverside", "csrf_token": token, "language": "en",
        }  # fmt: skip
        store._write(sid, content)
        made.append(Press(f"{store.cookie_name}={sid}", _form(person, account, answer, str(signer.dumps(token)))))
    return made


def _form(person: UUID, account: UUID, answer: Answer, token: str) -> str:
    fields = {"csrf_token": token, "form": secrets.token_urlsafe(24), "answer": answer.value}
    return urlencode({**fields, "person": str(person), "account": str(account)})


def sent(port: int, forms: Sequence[Press]) -> Outcome:
    """All of them, 32 at once by kept connections; each address of this machine sends a few, for the product counts
    what one address decides."""
    left, lock, done = list(enumerate(forms)), threading.Lock(), []

    def work() -> None:
        connection: http.client.HTTPConnection | None = None
        asked = 0
        while True:
            with lock:
                if not left:
                    break
                number, form = left.pop()
            if connection is None or asked % FROM_ONE_ADDRESS == 0:
                address = f"127.{1 + secrets.randbelow(250)}.{secrets.randbelow(250)}.{1 + secrets.randbelow(250)}"
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(address, 0))
            asked += 1
            headers = {"cookie": form.cookie, "content-type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/choices/cancerlinq", form.body, headers)
            answer = connection.getresponse()
            answer.read()
            to = answer.getheader("location") or ""
            assert answer.status == 303, answer.status
            assert "/choices/decision/" in to, to
            done.append(number)

    threads = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    digest = hashlib.sha256(str(len(done)).encode()).hexdigest()
    return Outcome(len(done), digest, {"per_second": len(done) / took})
