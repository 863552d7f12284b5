"""PostgreSQL is killed while heads are signed: the harness of `docs/reliability/kills-sealing.md`, in small."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

from tests.crash.sealing import run


def test_a_kill_while_sealing_leaves_nothing_half_done() -> None:
    """I6, threats 5 (kill -9): after each kill the sealer goes on; the audit finds every acknowledged head true."""
    made = run(Path(mkdtemp(prefix="portal-test-")), kills=3, seed=48)
    assert made.findings == []
    assert made.kills == 3
    assert len(made.heads) >= 3
    assert made.positions > 180
