"""A RabbitMQ of our own: its node, ports, database, log and epmd touch no other broker."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from servers import broker
from servers.guardian import Guardian
from servers.processes import (
    LOOPBACK,
    ServerFailed,
    ServerMissing,
    end_process,
    free_ports,
    last_lines,
    run_aside,
    wait_until,
)

PACKAGED = Path("/usr/lib/rabbitmq/bin")
"""The programs themselves: Debian's wrapper in the PATH serves only root and `rabbitmq`."""


class PrivateRabbitMQ:
    """One broker on a free port of the loopback, guest/guest.

    `settings` are lines of rabbitmq.conf. Stop, kill and start again as often as you like: ports
    and messages stay until the `with` block ends.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._binaries = find_binaries()
        self._settings = {"loopback_users.guest": "true"} | dict(settings or {})
        self._broker: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self.port, self._distribution_port, self._epmd_port = free_ports(3)
        self.directory = Path(tempfile.mkdtemp(prefix="saldo-rabbitmq-"))
        self.log = self.directory / "log" / "stdout"
        self.log.parent.mkdir()
        self._guardian = Guardian(self.directory)
        self._environment = self._describe()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address for AMQP clients, on the default virtual host."""
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}/"

    @property
    def pid(self) -> int | None:
        """The broker's process id, None while stopped."""
        return self._broker.pid if self._broker else None

    def start(self) -> None:
        """Start and wait until it greets clients; raises ServerFailed with the log's end."""
        self._start_epmd()
        if self._broker is None:
            self._broker = self._launch(self._binaries / "rabbitmq-server")
        if not wait_until(lambda: self._ended() or greets(self.port), seconds=60) or self._ended():
            raise ServerFailed(f"RabbitMQ did not start:\n{last_lines(self.log)}")

    def stop(self) -> None:
        """Stop in order: connections are closed, messages are written."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, nothing is written."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop in order and start again."""
        self.stop()
        self.start()

    def purge(self, queue: str) -> int:
        """Throw away all ready messages of a queue and return how many there were."""
        return run_aside(broker.purge(self.url, queue))

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against this broker and return what it printed; raises ServerFailed."""
        ran = subprocess.run(
            [self._binaries / "rabbitmqctl", "--quiet", *arguments],
            check=False,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        if ran.returncode:
            raise ServerFailed(f"rabbitmqctl {' '.join(arguments)}: {ran.stderr}")
        return ran.stdout

    def close(self) -> None:
        """Stop broker and epmd, and remove the directory; further calls do nothing."""
        self.stop()
        if self._epmd:
            end_process(self._epmd, signal.SIGTERM, seconds=10)
            self._guardian.forget(self._epmd.pid)
            self._epmd = None
        self._guardian.close()

    def _describe(self) -> dict[str, str]:
        """Write the configuration and return the environment that points every path to us."""
        here = self.directory
        conf = here / "rabbitmq.conf"
        conf.write_text("".join(f"{name} = {value}\n" for name, value in self._settings.items()))
        (here / "enabled_plugins").write_text("[].\n")
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(here),  # the Erlang cookie is made here
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(self._epmd_port),
            # Makes the start script become the broker, so that its pid is ours to signal.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": f"saldo_{secrets.token_hex(4)}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": str(here / "none"),
            "RABBITMQ_CONFIG_FILE": str(conf),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(here / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(here / "generated"),
            "RABBITMQ_MNESIA_BASE": str(here / "mnesia"),
            "RABBITMQ_LOG_BASE": str(here / "log"),
            "RABBITMQ_PID_FILE": str(here / "pid"),
        }

    def _start_epmd(self) -> None:
        """Start epmd ourselves: the broker would leave a daemon behind that nobody owns."""
        if self._epmd is None:
            self._epmd = self._launch(Path(find_epmd()))
            if not wait_until(lambda: _listens(self._epmd_port), seconds=10):
                raise ServerFailed(f"epmd did not start:\n{last_lines(self.log)}")

    def _launch(self, program: Path) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [program],
                env=self._environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal is for us; we stop the server in order.
                start_new_session=True,
            )
        self._guardian.watch(process.pid)
        return process

    def _ended(self) -> bool:
        return self._broker is None or self._broker.poll() is not None

    def _end(self, signal_number: int) -> None:
        if self._broker:
            end_process(self._broker, signal_number, seconds=60)
            self._guardian.forget(self._broker.pid)
            self._broker = None


def find_binaries() -> Path:
    """Return the folder of RabbitMQ's programs; raises ServerMissing."""
    on_path = shutil.which("rabbitmq-server")
    if (PACKAGED / "rabbitmq-server").exists():
        return PACKAGED
    if on_path:
        return Path(on_path).resolve().parent
    raise ServerMissing(
        "no RabbitMQ answers and none is installed (apt-get install rabbitmq-server)"
    )


def find_epmd() -> str:
    """Return the path of Erlang's port mapper; raises ServerMissing."""
    packaged = sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))
    found = shutil.which("epmd") or (str(packaged[-1]) if packaged else None)
    if found is None:
        raise ServerMissing("RabbitMQ is installed without Erlang's epmd")
    return found


def greets(port: int) -> bool:
    """Say whether a broker answers AMQP's greeting: the port opens before the broker is ready."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as link:
            link.sendall(b"AMQP\x00\x00\x09\x01")
            return link.recv(1) == b"\x01"
    except OSError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as link:
        return link.connect_ex((LOOPBACK, port)) == 0
