"""What a person hands to a new doctor: the record to read, the record for the doctor's own system, and every file."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator

from fhir_bridge.export.copy_facts import CopyFacts, Say, read_me
from fhir_bridge.reading.notes import safe_file_name
from fhir_bridge.record_copy import Pinned, attached_files
from patient_portal.wiring import Wiring
from vocabulary.phrase import phrase

PAPER, BUNDLE = "record-to-read.pdf", "record-fhir-bundle.json"
ABOUT = {
    PAPER: phrase("Give this to the new doctor, or print it."),
    BUNDLE: phrase("The new doctor’s computer system can read this in."),
    "files/": phrase("Notes, pictures and other files, as your hospital sent them."),
}


def pack_files(
    wiring: Wiring, pinned: Pinned, facts: CopyFacts, say: Say, *, pdf: Callable[[], bytes], bundle: Iterable[bytes]
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The files of the pack; attached ones byte for byte as the hospital gave them (DL-04)."""
    about = [f"{name}: {say(words)}" for name, words in ABOUT.items()]
    yield "README.txt", [read_me(facts, say, about)]
    yield PAPER, [pdf()]
    yield BUNDLE, bundle
    for number, file in enumerate(attached_files(wiring.database, wiring.keyring, pinned), start=1):
        data = file.get("data")
        if isinstance(data, str):
            media = str(file.get("contentType") or "").split(";")[0].strip().lower()
            yield f"files/{safe_file_name('', media, f'document-{number}')}", [base64.b64decode(data)]
