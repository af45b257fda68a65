"""A bench that cannot fail would be worth nothing; one that does not run would be worth less."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest

from bench import accepting, figures, notice, paid, pgbench, report, run, wrk
from bench.figures import Figure, Row, Sense, absolute, paired, percentile
from bench.quiet import Patience
from bench.stand import Size, Stand
from servers.guardian import Guardian
from servers.left_out import leave_out
from servers.postgres import PrivatePostgres
from servers.processes import ServerFailed, ServerMissing

RATIO = Row("ratio", "a ratio", "/s", 0.7)
VALUE = Row("value", "a value", "ms", 60, Sense.AT_MOST, on_ratio=False)
EXACT = Row("exact", "a count", "", 200, Sense.EXACTLY, on_ratio=False)
SHOWN = Row("shown", "without a bar", "/s", None)
TINY = Size(
    rounds=1, seconds=0.3, scale=1, contracts=20, queued=40, grown=60, stored=60, patience=0
)


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    figure = paired(RATIO, [(100, 100), (300, 200), (50, 500)])
    assert figure.ratio == 1.0
    assert (figure.least, figure.most) == (0.1, 1.5)


@pytest.mark.parametrize(
    ("figure", "held"),
    [
        (paired(RATIO, [(70, 100)]), True),
        (paired(RATIO, [(69, 100)]), False),
        (absolute(VALUE, [60]), True),
        (absolute(VALUE, [61]), False),
        (absolute(VALUE, [math.nan]), False),
        (absolute(EXACT, [200]), True),
        (absolute(EXACT, [201]), False),
        (absolute(SHOWN, [0]), None),
    ],
)
def test_a_bar_holds_up_to_itself(figure: Figure, held: bool | None) -> None:
    assert figure.held is held


def test_one_fallen_bar_makes_the_exit_status_non_zero() -> None:
    good, bad = paired(RATIO, [(1, 1)]), absolute(VALUE, [61])
    assert figures.exit_status([good, paired(SHOWN, [(1, 9)])]) == 0
    assert figures.exit_status([good, bad]) == 1
    assert figures.fallen([good, bad]) == ["value"]
    assert figures.exit_status([]) == 1


def test_the_file_holds_what_others_read(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    figures.write([paired(RATIO, [(50, 100)]), absolute(VALUE, [math.nan])], file)
    assert json.loads(file.read_text()) == {
        "ratio": {"value": 50, "reference": 100, "ratio": 0.5, "bar": 0.7, "held": False},
        "value": {"value": None, "reference": None, "ratio": None, "bar": 60, "held": False},
    }


def test_the_table_names_each_row_and_its_verdict() -> None:
    table = report.table([paired(RATIO, [(50, 100)], "a note"), absolute(VALUE, [59])])
    assert "NO" in table.splitlines()[1]
    assert "yes" in table.splitlines()[2]
    assert "ratio: a ratio (a note)" in table


def test_percentiles() -> None:
    assert percentile(range(1, 101), 0.99) == 100
    assert percentile([5.0], 0.99) == 5.0
    assert math.isnan(percentile([], 0.5))


def test_rows_are_picked_by_name() -> None:
    assert run.arguments(["--rows", "storm,queue,storm"]).rows == ("storm", "queue")
    assert run.arguments([]).rows == tuple(run.MEASURES)
    with pytest.raises(SystemExit):
        run.arguments(["--rows", "no_such_row"])


def test_what_pgbench_prints_is_read() -> None:
    assert pgbench.rate("latency = 2 ms\ntps = 3660.123 (without initial...)") == 3660.123
    with pytest.raises(ServerFailed):
        pgbench.rate("pgbench: error")


def test_what_wrk_prints_is_read() -> None:
    printed = (
        "  Latency Distribution\n     50%    6.10ms\n     99%  612.00us\n"
        "  10005 requests in 1.00s, 1.2MB read\n  Socket errors: connect 0, read 1, write 0,"
        " timeout 2\n  Non-2xx or 3xx responses: 4\nRequests/sec:  10004.97\n"
    )
    assert wrk.read(printed) == wrk.Load(10005, 10004.97, 0.612, 7)
    assert wrk.read(printed.replace("612.00us", "1.50s")).late_ms == 1500
    with pytest.raises(ServerFailed):
        wrk.read("unable to connect")


def test_patience_waits_for_quiet_and_ends() -> None:
    shares = iter([0.9, 0.8, 0.05, 0.7])
    patient = Patience(100.0, lambda: next(shares))
    assert patient.wait() == 0.05
    assert Patience(0.0, lambda: 0.7).wait() == 0.7


def test_payments_and_notifications_are_as_the_provider_makes_them() -> None:
    one, another = islice(paid.payments(10, seed=1), 2)
    assert one.external_id != another.external_id
    assert [len(part) for part in one.external_id.split("-")] == [8, 4, 4, 4, 12]
    assert json.loads(notice.body("an id"))["object"]["payment_method"]["id"] == "an id"
    assert len(wrk.payment_id(accepting._FIRST)) == len(one.external_id)


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Stand]:
    """A stand of almost nothing, on a server of its own."""
    with ExitStack() as stack:
        try:
            postgres = stack.enter_context(PrivatePostgres({"fsync": "off"}))
        except ServerMissing as missing:
            leave_out("PostgreSQL", missing)
        guardian = Guardian(tmp_path / "nothing")
        stack.callback(guardian.close)
        yield Stand(postgres.url, "", tmp_path, TINY, print, guardian)


@pytest.mark.connected
@pytest.mark.postgres
@pytest.mark.slow
def test_the_ledger_is_measured_and_its_books_are_proven(tiny: Stand) -> None:
    found = run.measure(["one_by_one"], tiny)
    names = [figure.row.name for figure in found]
    assert names == ["one_by_one_sqlalchemy", "one_by_one_driver"]
    assert all(figure.ratio and figure.ratio > 0 for figure in found)
