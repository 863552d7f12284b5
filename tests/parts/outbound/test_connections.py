"""Connections that are kept, shared by threads, and checked by TLS for the name."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from outbound.errors import OutboundFailed
from tests.parts.outbound.conftest import Listen, way_to
from tests.parts.outbound.listeners import answer


def test_connections_are_kept_and_a_dead_one_is_replaced(listen: Listen) -> None:
    """The pool: many calls, one connection; one that died unseen costs a GET nothing and is never re-sent as POST."""
    alive = listen()
    client = way_to(alive.url)
    for _ in range(20):
        client.request("GET", alive.url)
    assert alive.connections == 1

    def answer_once(connection: socket.socket, _head: bytes) -> None:
        if len(dying.heads) % 2 == 1:
            connection.sendall(answer(body=b"{}"))
        else:
            connection.close()

    dying = listen(answer_once)
    again = way_to(dying.url)
    assert [again.request("GET", f"{dying.url}/{each}").status for each in range(2)] == [200, 200]
    assert len(dying.heads) == 3
    with pytest.raises(OutboundFailed):
        again.request("POST", f"{dying.url}/last", body=b"once")
    assert sum(b"POST" in head for head in dying.heads) == 1


def test_many_threads_share_one_client(listen: Listen) -> None:
    """The client is for the whole process: 8 threads, 200 calls, each with its own answer."""
    server = listen(lambda connection, head: connection.sendall(answer(body=head.split(b" ")[1])))
    client, wrong = way_to(server.url), []

    def work(number: int) -> None:
        for each in range(25):
            path = f"/{number}/{each}"
            if client.request("GET", server.url + path).body != path.encode():
                wrong.append(path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(days=1),
        now + timedelta(days=1),
    )
    signed = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_pem)
    return context, str(pem)


def test_tls_is_checked_for_the_name(listen: Listen, tmp_path: Path) -> None:
    """SEC-05: pinning the number does not weaken the certificate check; verify=False is not taken."""
    context, bundle = certificate(tmp_path, "localhost")
    server = listen(tls=context)
    assert way_to(server.url, ca_bundle=bundle).request("GET", server.url).status == 200
    with pytest.raises(OutboundFailed, match="tls"):
        way_to(server.url).request("GET", server.url)
    with pytest.raises(OutboundFailed, match="tls"):
        way_to(server.url).guarded_session().get(server.url, verify=False)
    other_context, other_bundle = certificate(tmp_path, "other.example")
    other = listen(tls=other_context)
    with pytest.raises(OutboundFailed, match="tls"):
        way_to(other.url, ca_bundle=other_bundle).request("GET", other.url)
