"""The command of `make faults`: a run on real servers, then one embedded; 1 means a fault."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from faults import plan, report, stage
from faults.drive import Outcome, drive
from faults.plan import Plan, Size
from servers.processes import ServerFailed, ServerMissing, last_lines

REAL_SHARE: Final = 0.4
"""Of the whole time, while payments are made; the rest is for starting and converging."""
EMBEDDED_SHARE: Final = 0.1
EMBEDDED_PAYMENTS: Final = 0.15
"""Of the real part's payments."""
JUDGED_AT: Final = {"real": 0.75, "embedded": 0.95}
"""Of the whole time: what is not settled by then is a fault, and still listed."""
KILLS: Final = 20
EMBEDDED_KILLS: Final = 5
CALLBACKS_PER_PAYMENT: Final = 4


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed strikes alike")
    parser.add_argument("--payments", type=int, default=2500, help="of the real part")
    parser.add_argument("--minutes", type=float, default=10.0, help="the whole run may take")
    parser.add_argument("--embedded", action="store_true", help="only the embedded part")
    return parser.parse_args()


def plans(given: argparse.Namespace) -> dict[str, Plan]:
    """Draw the plans of the parts that are to run, by the kind of their stage."""
    seconds = given.minutes * 60
    sizes = {
        "real": Size(
            given.payments,
            seconds * REAL_SHARE,
            KILLS,
            tuple(stage.SERVICES),
        ),
        "embedded": Size(
            round(given.payments * EMBEDDED_PAYMENTS),
            seconds * EMBEDDED_SHARE,
            EMBEDDED_KILLS,
            ("embedded",),
            servers=False,
        ),
    }
    if given.embedded:
        del sizes["real"]
    return {kind: plan.draw(given.seed, size) for kind, size in sizes.items()}


async def perform(kind: str, drawn: Plan, folder: Path, until: float) -> Outcome:
    """Run one part from the first server to the last check, which begins at `until`."""
    stages = {"real": stage.real, "embedded": stage.embedded}
    async with stages[kind](folder, drawn.seed) as ready:
        return await drive(ready, drawn, until)


async def run(given: argparse.Namespace, folder: Path) -> int:
    """Run all parts; return how many faults were found."""
    begun, faults = time.monotonic(), 0
    async with asyncio.timeout(given.minutes * 60):
        for kind, drawn in plans(given).items():
            print(report.schedule(kind, drawn), flush=True)
            place = folder / kind
            place.mkdir()
            until = begun + given.minutes * 60 * JUDGED_AT[kind]
            outcome = await perform(kind, drawn, place, until)
            least = round(CALLBACKS_PER_PAYMENT * drawn.size.payments)
            if outcome.callbacks.arrived < least:
                outcome.faults.append(f"only {outcome.callbacks.arrived} of {least} callbacks came")
            print(report.summary(kind, outcome), flush=True)
            faults += len(outcome.faults)
    print(f"\n{'FAILED' if faults else 'held'} after {time.monotonic() - begun:.0f} s")
    return faults


def tails(logs: Sequence[Path]) -> str:
    """Return the ends of logs, each under its name."""
    return "\n".join(f"--- {log}\n{_narrow(last_lines(log, 30))}" for log in logs)


def _narrow(text: str) -> str:
    return "\n".join(line[:300] for line in text.splitlines())


def main() -> int:
    """Run; return the exit status."""
    given = arguments()
    # SIGTERM ends a run as Ctrl-C does: what it has started is stopped in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="saldo-faults-"))
    try:
        faults = asyncio.run(run(given, folder))
    except ServerMissing as missing:
        print(f"the fault run needs its own servers: {missing}", file=sys.stderr)
        return 2
    except ServerFailed as failed:
        print(f"FAILED: {failed}", file=sys.stderr)
        faults = 1
    except TimeoutError:
        print(f"FAILED: not done after {given.minutes} minutes", file=sys.stderr)
        faults = 1
    except KeyboardInterrupt:
        print(f"stopped from outside; logs and data are kept in {folder}", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        faults = 1
    if faults:
        print(f"{tails(sorted(folder.glob('*/*.log')))}\nlogs and data are kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
