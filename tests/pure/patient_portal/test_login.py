"""Who types a command."""

from __future__ import annotations

import os
import pwd

import pytest

from patient_portal.commands.login import login_of_process, who_acts


@pytest.mark.parametrize(
    ("name", "production", "who"),
    [
        ("Ann", True, "alice (Ann)"), ("alice", True, "alice"), (None, True, "alice"), ("", True, "alice"),
        ("ada", False, "ada"), (None, False, "alice"),
    ],
)  # fmt: skip
def test_a_name_stands_beside_the_login(name: str | None, production: bool, who: str) -> None:
    """SEC-08: in production nobody becomes somebody else by what they type; on a trial one person plays all."""
    assert who_acts("alice", name, production=production) == who


def test_the_login_is_the_systems_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """SEC-08: no variable of the environment makes another login; by sudo it is who called it."""
    monkeypatch.setenv("LOGNAME", "somebody-else")
    own = pwd.getpwuid(os.getuid()).pw_name
    assert login_of_process({"LOGNAME": "somebody-else", "USER": "x"}) == own
    monkeypatch.setattr(os, "getuid", lambda: 0)
    root = pwd.getpwuid(0).pw_name
    assert login_of_process({"SUDO_UID": "x"}) == root
    assert login_of_process({"SUDO_UID": "3999999999"}) == "uid-3999999999"
