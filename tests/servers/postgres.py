"""A PostgreSQL of our own: started for one run, in a directory that is removed afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from servers.guardian import Guardian, alive
from servers.processes import (
    LOOPBACK,
    ServerFailed,
    ServerMissing,
    end_process,
    free_ports,
    last_lines,
    wait_until,
)

PACKAGED = Path("/usr/lib/postgresql")
_INITDB = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
UNPRIVILEGED = "postgres"
"""Who runs the server where we are root: initdb refuses root."""


class PrivatePostgres:
    """One server on a free port of the loopback; the superuser is `postgres`, without a password.

    `settings` are lines of postgresql.conf. Stop, kill and start again as often as you like: port
    and data stay until the `with` block ends.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._binaries = find_binaries()
        self._user = _server_user()
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_ports(1)[0]
        self.directory = Path(tempfile.mkdtemp(prefix="saldo-postgres-"))
        self.log = self.directory / "log"
        self._guardian = Guardian(self.directory)

    def __enter__(self) -> Self:
        try:
            self._create()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address for SQLAlchemy, with the database `postgres`."""
        return f"postgresql+asyncpg://postgres@{LOOPBACK}:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, None while stopped."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start and wait until it answers; raises ServerFailed with the log's end."""
        if self._process is None:
            self._launch()
        if not wait_until(lambda: self._ended() or self._answers(), 30) or self._ended():
            raise ServerFailed(f"PostgreSQL did not start:\n{last_lines(self.log)}")

    def stop(self) -> None:
        """Stop in order (`fast`): open transactions are rolled back, all is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL to all its processes, nothing is written."""
        children = _children(self.pid)
        self._end(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        # While one lives, the shared memory is taken and the next start is refused.
        wait_until(lambda: not any(map(alive, children)), seconds=10)

    def restart(self) -> None:
        """Stop in order and start again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, and remove the directory; further calls do nothing."""
        self.stop()
        self._guardian.close()

    def _create(self) -> None:
        data = self.directory / "data"
        if self._user:
            shutil.chown(self.directory, self._user)
        made = subprocess.run(
            [str(self._binaries / "initdb"), "-D", str(data), *_INITDB],
            check=False,
            capture_output=True,
            text=True,
            user=self._user,
            cwd=self.directory,
        )
        if made.returncode:
            raise ServerFailed(f"initdb failed:\n{made.stderr}")
        own = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
        }
        lines = [f"{name} = '{value}'\n" for name, value in (own | self._settings).items()]
        with (data / "postgresql.conf").open("a") as conf:
            conf.writelines(lines)

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.directory / "data"],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.directory,
                # Ctrl-C in a terminal is for us; we stop the server in order.
                start_new_session=True,
            )
        self._guardian.watch(self._process.pid)

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _answers(self) -> bool:
        program = str(self._binaries / "pg_isready")
        asked = subprocess.run([program, "-q", "-h", LOOPBACK, "-p", str(self.port)], check=False)
        return asked.returncode == 0

    def _end(self, signal_number: int) -> None:
        if self._process:
            end_process(self._process, signal_number, seconds=30)
            self._guardian.forget(self._process.pid)
            self._process = None


def find_binaries() -> Path:
    """Return the folder of the newest installed server's programs; raises ServerMissing."""
    packaged = sorted(PACKAGED.glob("*/bin/initdb"), key=lambda path: _version(path.parts[-3]))
    on_path = shutil.which("initdb")
    if packaged:
        return packaged[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    raise ServerMissing("no PostgreSQL answers and none is installed (apt-get install postgresql)")


def _children(pid: int | None) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in listed.split()]
    except OSError:
        return []


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdigit())


def _server_user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(UNPRIVILEGED).pw_name
    except KeyError:
        raise ServerMissing("PostgreSQL refuses root, and there is no user `postgres`") from None
