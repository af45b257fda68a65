"""The command of `make bench`: measures the numbers to hold; 1 means that a bar fell."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import accepting, consuming, figures, grown, journey, posting, report, storm
from bench.figures import Figure
from bench.stand import Size, Stand, stand
from servers.processes import ServerFailed, ServerMissing
from shared import log

Measure = Callable[[Stand], Sequence[Figure]]

MEASURES: Final[Mapping[str, Measure]] = {
    "one_by_one": posting.one_by_one,
    "batches": posting.batches,
    "queue": consuming.queue,
    "accept": accepting.accept,
    "end_to_end": journey.journey,
    "growth": grown.growth,
    "storage": grown.storage,
    "storm": storm.storm,
}
"""What `--rows` picks from; some give several rows."""

LARGE: Final = 10_000_000
RESULT: Final = Path("bench.json")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--large", action="store_true", help="ten million payments in the tables")
    parser.add_argument(
        "--rows",
        type=_rows,
        default=tuple(MEASURES),
        metavar="A,B",
        help=f"only these of {', '.join(MEASURES)}",
    )
    return parser.parse_args(given)


def measure(names: Sequence[str], ready: Stand) -> list[Figure]:
    """Measure the rows of these names."""
    found: list[Figure] = []
    for name in names:
        ready.say(f"-- {name}")
        found += MEASURES[name](ready)
    return found


def main() -> int:
    """Run; return the exit status."""
    given = arguments()
    log.configure("bench", "WARNING")
    size = replace(Size(), grown=LARGE) if given.large else Size()
    folder = Path(tempfile.mkdtemp(prefix="saldo-bench-"))
    try:
        with stand(folder, size, report.progress()) as ready:
            found = measure(given.rows, ready)
    except ServerMissing as missing:
        print(f"the bench needs its own servers: {missing}", file=sys.stderr)
        return 2
    except ServerFailed as failed:
        print(f"FAILED: {failed}\nlogs are kept in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"\n{report.table(found)}\n")
    figures.write(found, RESULT)
    for name in figures.fallen(found):
        print(f"the bar of {name} fell", file=sys.stderr)
    return figures.exit_status(found)


def _rows(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in MEASURES]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'}: no such row")
    return names


if __name__ == "__main__":
    sys.exit(main())
