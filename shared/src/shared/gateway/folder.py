"""Registers that are put into a folder: taken, then moved to ``done`` or ``refused``.

A refused file gets a text beside it that says why, in both languages. Several processes may watch
one folder: a file is applied once whoever reads it, and moved by whoever ends first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

import structlog

from shared.gateway import reconciliation
from shared.gateway.gateway import Gateway
from shared.gateway.reconciliation_rest import Inlet
from shared.gateway.register import WrongRegister
from shared.gateway.registers import Elsewhere
from shared.metrics import alarm

QUIET: Final = timedelta(seconds=10)
"""A file that was written to more recently may not be whole yet."""
EVERY_SECONDS: Final = 15.0
DONE: Final = "done"
REFUSED: Final = "refused"

_UNFINISHED: Final = (".part", ".tmp", ".crdownload", ".filepart")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Folder:
    """Where registers are put, and how they are read."""

    path: Path
    inlet: Inlet


async def step(gateway: Gateway, folder: Folder) -> bool:
    """Take the first file that is ready; return whether there was one."""
    ready = _ready(folder.path, gateway.clock())
    for path in ready:
        try:
            await _take(gateway, folder, path)
        except WrongRegister as error:
            _refuse(path, error)
        except (Elsewhere, FileNotFoundError):
            _log.info("register.applied_elsewhere", file=path.name)
            continue
        else:
            _move(path, DONE)
        return True
    return False


async def _take(gateway: Gateway, folder: Folder, path: Path) -> None:
    most = folder.inlet.bytes_max // 1024**2
    if path.stat().st_size > folder.inlet.bytes_max:
        raise WrongRegister(
            f"larger than {most} MiB: order a register for each day",
            f"больше {most} МиБ: закажите реестр за каждый день отдельно",
        )
    with path.open("rb") as file:
        opened = await folder.inlet.receive(gateway, file, path.name)
    try:
        for one in opened:
            if one.taken.finished_at is not None:
                _log.info("register.repeated", file=path.name, id=str(one.taken.id))
            for note in one.notes:
                _log.warning("register.note", file=path.name, note=note.en)
            await reconciliation.apply(gateway, one.taken, one.spool)
    finally:
        for one in opened:
            one.close()


def _ready(path: Path, at: datetime) -> list[Path]:
    """Return the files nobody writes to any more, in the order of their names."""
    found = []
    for file in sorted(path.iterdir()):
        hidden = file.name.startswith((".", "~")) or file.suffix.lower() in _UNFINISHED
        if hidden or file.is_symlink() or not file.is_file():
            continue
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        if at - written >= QUIET:
            found.append(file)
    return found


def _refuse(path: Path, error: WrongRegister) -> None:
    alarm("register_refused", file=path.name, reason=error.text.en)
    moved = _move(path, REFUSED)
    if moved is not None:
        reason = moved.with_name(f"{moved.name}.txt")
        reason.write_text(f"{error.text.ru}\n\n{error.text.en}\n", encoding="utf-8")


def _move(path: Path, where: str) -> Path | None:
    """Move a file into a folder beside it, under a free name; None where somebody else did."""
    folder = path.parent / where
    folder.mkdir(exist_ok=True)
    names = (path.name if n == 1 else f"{path.stem}-{n}{path.suffix}" for n in count(1))
    target = next(folder / name for name in names if not (folder / name).exists())
    try:
        return path.rename(target)
    except FileNotFoundError:
        return None
