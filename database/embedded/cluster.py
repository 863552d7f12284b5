"""The folder of one embedded server: its lock, its password, its data, and where its socket may live.

data_dir/owner.lock            held while a process of ours runs a server here
data_dir/superuser-password    mode 0600
data_dir/server/               owned by the server's account (a link, where that account cannot come this far)
data_dir/server/pgdata, socket, server.log, binaries-VERSION
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from database.embedded.as_user import Account, command, environment, server_account
from database.embedded.binaries import Binaries
from database.embedded.trouble import FolderInUse, FolderNotOurs, StartFailed

LONGEST_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux and 104 on macOS
SOCKET_NAME_BYTES = len("/.s.PGSQL.65535")
FAR_HOME = Path("/var/lib/patient-portal")


@dataclass(frozen=True)
class Cluster:
    """An opened, locked data folder."""

    data_dir: Path
    home: Path
    account: Account | None
    lock: int

    @property
    def pgdata(self) -> Path:
        return self.home / "pgdata"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def password(self) -> str:
        return (self.data_dir / "superuser-password").read_text().strip()

    @property
    def major(self) -> int | None:
        """The version that made the data; None before the first start."""
        file = self.pgdata / "PG_VERSION"
        return int(file.read_text()) if file.exists() else None

    def close(self) -> None:
        """Give the folder free for the next process."""
        os.close(self.lock)


def open_cluster(data_dir: Path) -> Cluster:
    """Lock `data_dir`, making it where needed. Raises FolderInUse or FolderNotOurs."""
    data_dir = data_dir.absolute()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data_dir / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FolderNotOurs(data_dir) from error
    try:
        _take(lock, data_dir)
        account = server_account(data_dir / "server" / "pgdata")
        return Cluster(data_dir, _home(data_dir, account), account, lock)
    except BaseException:
        os.close(lock)
        raise


def initialise(cluster: Cluster, binaries: Binaries) -> None:
    """Make the data on the first start: passwords by SCRAM, checksums, UTF-8, code-point order. Atomic by rename."""
    if cluster.major is not None:
        return
    password = _write_password(cluster)
    unfinished = _fresh(cluster.home / "pgdata.unfinished", cluster.account)
    password_file = cluster.home / "first-password"
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    give([password_file], cluster.account)
    argv = [str(binaries.path / "initdb"), "--pgdata", str(unfinished), "--username=postgres"]
    argv += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--data-checksums", "--encoding=UTF8"]
    try:
        for locale in _locales(binaries.major):
            done = subprocess.run(
                command([*argv, *locale], cluster.account),
                capture_output=True, text=True, cwd=cluster.home, env=environment(), check=False,
            )  # fmt: skip
            if done.returncode == 0:
                unfinished.rename(cluster.pgdata)
                return
    finally:
        password_file.unlink(missing_ok=True)
    raise StartFailed(f"making a new database in {cluster.home}", done.stderr[-2000:])


def socket_folder(cluster: Cluster) -> Path:
    """A folder that only the server's account may enter, with a path short enough for a unix socket."""
    folder = cluster.home / "socket"
    if len(os.fsencode(folder)) + SOCKET_NAME_BYTES <= LONGEST_SOCKET_PATH:
        return _fresh(folder, cluster.account)
    folder = Path(tempfile.mkdtemp(prefix="portal-", dir="/tmp"))  # mode 0700, a name that nobody can guess
    give([folder], cluster.account)
    return folder


def give(paths: Iterable[Path], account: Account | None) -> None:
    """Make `account` the owner."""
    if account is None:
        return
    for path in paths:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _take(lock: int, data_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise FolderInUse(data_dir, os.pread(lock, 20, 0).decode("ascii", "ignore").strip()) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _home(data_dir: Path, account: Account | None) -> Path:
    """The folder around the server's own; far away if its account cannot enter `data_dir` (as in root's home)."""
    server = data_dir / "server"
    _let_pass(data_dir, account)
    if not server.is_dir():
        server.unlink(missing_ok=True)
        if account is None or _may_enter(data_dir, account):
            server.mkdir(mode=0o700)
        else:
            FAR_HOME.mkdir(mode=0o711, parents=True, exist_ok=True)
            server.symlink_to(tempfile.mkdtemp(dir=FAR_HOME))
    home = server.resolve()
    _let_pass(home, account)
    pgdata = home / "pgdata"
    if account is None and pgdata.exists() and pgdata.stat().st_uid != os.geteuid():
        raise FolderNotOurs(data_dir)
    return home


def _let_pass(folder: Path, account: Account | None) -> None:
    """Let the server's account through `folder` to its own folders below, and list nothing."""
    if account is not None:
        os.chown(folder, -1, account.gid)
        folder.chmod(0o710)


def _fresh(folder: Path, account: Account | None) -> Path:
    """An empty folder of the account's own, mode 0700."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    give([folder], account)
    return folder


def _may_enter(folder: Path, account: Account) -> bool:
    argv = command(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], account)
    return subprocess.run(argv, capture_output=True, cwd="/", env=environment(), check=False).returncode == 0


def _write_password(cluster: Cluster) -> str:
    file = cluster.data_dir / "superuser-password"
    unfinished = file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    password = secrets.token_urlsafe(32)
    unfinished.write_text(password)
    unfinished.rename(file)
    return password


def _locales(major: int) -> list[list[str]]:
    """initdb's choices in order: the server's own C.UTF-8 (17 and newer), the system's, plain C."""
    own = [["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]] if major >= 17 else []
    return [*own, ["--locale=C.UTF-8"], ["--locale=C"]]
