"""Check a receipt, or a proof that you were out, offline and without us. Python's standard library only.

    python verify_receipt.py receipt.json [--key PUBLIC-KEY-HEX] [--later consistency.json]

It recomputes the leaf of each decision from the row that is printed, walks the path to the head (RFC 9162 section
2.1.3.2), and checks the head's Ed25519 signature (RFC 8032) with the key you give, else with the one in the file:
take the key from /ledger/keys or from somebody who has kept it, for a forger would print a key of their own.
`--later` is what /ledger/consistency answers: then a later head, such as one that a data store was sent, is shown to
hold everything that the receipt's head holds (RFC 9162 section 2.1.4.2).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any


def canonical(value: object) -> bytes:
    """RFC 8785 for what a receipt holds: texts, whole numbers, lists, true, false and null."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaf_of(place: dict[str, Any]) -> bytes:
    """SHA-256(0x00 || salt || RFC 8785 form of the row)."""
    return hashlib.sha256(b"\x00" + bytes.fromhex(place["salt"]) + canonical(place["row"])).digest()


def root_of(place: dict[str, Any], size: int) -> bytes:
    """The root of `size` positions that this row, salt and path lead to; b"" when they fit no tree of that size."""
    reached = leaf_of(place)
    at, last = int(place["position"]), size - 1
    if not 0 <= at <= last:
        return b""
    for step in map(bytes.fromhex, place["path"]):
        if last == 0:
            return b""
        if at & 1 or at == last:
            reached = node(step, reached)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            reached = node(reached, step)
        at, last = at >> 1, last >> 1
    return reached if last == 0 else b""


def is_consistent(first: int, second: int, proof: list[bytes], old_root: bytes, root: bytes) -> bool:
    """Whether the tree of `second` positions begins with that of `first`."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and old_root == root
    steps = [old_root, *proof] if first & (first - 1) == 0 else list(proof)
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not steps:
        return False
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node(step, old), node(step, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node(new, step)
        at, last = at >> 1, last >> 1
    return last == 0 and old == old_root and new == root


# Ed25519 verification, after the formulas of RFC 8032 sections 5.1.3, 5.1.4 and 5.1.7. Public values only, so that it
# takes no care of timing.
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Keys = bytes | list[bytes] | None
Point = tuple[int, int, int, int]  # extended homogeneous coordinates X, Y, Z, T


def _add(one: Point, other: Point) -> Point:
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> Point:
    found: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = _add(found, point)
        point, number = _add(point, point), number >> 1
    return found


def _point(coded: bytes) -> Point | None:
    y, sign = int.from_bytes(coded, "little") & ~(1 << 255), coded[31] >> 7
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) of `message` was made with the private half of `public` (32 bytes)."""
    if len(public) != 32 or len(signature) != 64 or BASE is None:
        return False
    key, shown, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or shown is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    left, right = _times(s, BASE), _add(shown, _times(h, key))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


def is_signed(head: dict[str, Any], public_key: bytes) -> bool:
    """Whether the head carries the service's Ed25519 signature."""
    signed = canonical({name: head[name] for name in ("root", "signed_at", "size")})
    return is_ed25519(public_key, signed, base64.b64decode(head["signature"]))


def _wrong_head(head: dict[str, Any], keys: Keys) -> str | None:
    """Keys are changed from time to time: any of those given may have signed."""
    each = [keys] if isinstance(keys, bytes) else keys
    if each is not None and not any(is_signed(head, key) for key in each):
        return "NOT PROVEN: the head was not signed with this key."
    return None


def check(receipt: dict[str, Any], public_key: Keys = None) -> str:
    """One sentence: what the receipt, or the proof that one was out, proves."""
    if "decisions" in receipt:
        return check_out(receipt, public_key)
    proof = receipt.get("proof", receipt)
    if proof is None:
        return "NOT PROVEN: this receipt was made before a head covered the decision. Download it again."
    size = int(proof["head"]["size"])
    if root_of(proof, size).hex() != proof["head"]["root"]:
        return "NOT PROVEN: this decision does not lead to the head on the receipt."
    signed = "signed head" if public_key is not None else "head (signature not checked)"
    return _wrong_head(proof["head"], public_key) or (
        f"Proven: the decision is number {proof['position']} of {size} under the {signed}."
    )


def check_out(document: dict[str, Any], public_key: Keys = None) -> str:
    """One sentence: what a proof that one was out at position `at` shows."""
    head, at, about = document["head"], int(document["at"]), document["about"]
    size = int(head["size"])
    rows = [place["row"] for place in document["decisions"]]
    places = [int(place["position"]) for place in document["decisions"]]
    if any(root_of(place, size).hex() != head["root"] for place in document["decisions"]):
        return "NOT PROVEN: a decision does not lead to the head in the file."
    if (
        not rows
        or len({row["person"] for row in rows}) != 1
        or [row["version"] for row in rows] != [*range(1, len(rows) + 1)]
    ):
        return "NOT PROVEN: the versions of one person are not all there from 1 on."
    if places != sorted(set(places)) or places[-1] >= at or at > size:
        return "NOT PROVEN: the decisions do not stand in order before the position asked about."
    mine = [row for row in rows if row["choice"] == about["choice"] and row["effort"] == about["effort"]]
    if not mine or mine[-1]["answer"] != "no":
        return "NOT PROVEN: the newest decision before this position is not a no."
    dated, no = document["dated"], document["decisions"][rows.index(mine[-1])]
    first = dated["head"]
    if root_of({**no, "path": dated["path"]}, int(first["size"])).hex() != first["root"]:
        return "NOT PROVEN: the no does not lead to the first head that is said to cover it."
    signed = "" if public_key is not None else " (signatures not checked)"
    return (
        _wrong_head(head, public_key)
        or _wrong_head(first, public_key)
        or f"Proven: before position {at} the newest of the {len(rows)} decisions shown is version"
        f" {mine[-1]['version']}, a no, signed for by {first['signed_at']}{signed}. Whoever says that a yes followed"
        f" must show a version {len(rows) + 1} at a position below {at}."
    )


def check_later(receipt: dict[str, Any], later: dict[str, Any], public_key: Keys = None) -> str:
    """One sentence: whether a later head holds all that the receipt's head holds."""
    shown = receipt if "decisions" in receipt else receipt.get("proof", receipt)
    if shown is None:
        return "NOT CHECKED: there is no head on the receipt that a later one could continue."
    old = shown["head"]
    new, asked = later.get("head"), f"/ledger/consistency?first={old['size']}&second="
    if later.get("first", old["size"]) != old["size"]:
        return f"NOT CHECKED: the later file begins at size {later['first']}. For this receipt ask {asked}..."
    if new is None:
        return f"NOT CHECKED: the later file has no signed head. Ask {asked}... with a size of /ledger/heads."
    proof = [bytes.fromhex(step) for step in later["proof"]]
    sizes = int(old["size"]), int(new["size"])
    if not is_consistent(*sizes, proof, bytes.fromhex(old["root"]), bytes.fromhex(new["root"])):
        return "NOT PROVEN: the later head does not continue the head on the receipt. Keep both files."
    return _wrong_head(new, public_key) or f"Proven: the head of size {sizes[1]} continues that of size {sizes[0]}."


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check a receipt, or a proof that you were out, offline.")
    parser.add_argument("receipt", type=Path)
    parser.add_argument("old_style_key", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--key", action="append", default=[], help="a public key of the service, 64 hexadecimal digits")
    parser.add_argument("--later", type=Path, help="what /ledger/consistency?first=<size on the receipt> answered")
    options = parser.parse_args(arguments)
    given = [*options.key, *([options.old_style_key] if options.old_style_key else [])]
    try:
        receipt = json.loads(options.receipt.read_text(encoding="utf-8"))
        keys = [bytes.fromhex(key) for key in given or receipt.get("head_keys", {}).values()] or None
        said = [check(receipt, keys)]
        if options.later:
            said.append(check_later(receipt, json.loads(options.later.read_text(encoding="utf-8")), keys))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        said, keys = ["NOT PROVEN: a file or a key is not whole, or not of the service. Download it again."], None
    if keys and not given:
        said.append("Signatures were checked with the keys printed in the file. Compare them with /ledger/keys.")
    sys.stdout.write("\n".join(said) + "\n")
    return 1 if any(line.startswith("NOT") for line in said) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
