"""What a machine lacks is said loudly, and is a failure in CI."""

from pathlib import Path

import pytest

CONFTEST = """
    from pathlib import Path
    from servers import postgres, rabbitmq, sources

    pytest_plugins = ["servers.left_out", "servers.fixtures"]

    nowhere = Path("/nonexistent")
    sources.LOCAL_POSTGRES = "postgresql+asyncpg://postgres@127.0.0.1:1/postgres"
    sources.LOCAL_RABBITMQ = "amqp://127.0.0.1:1/"
    sources.BROWSERS = ("no-such-browser",)
    postgres.PACKAGED = rabbitmq.PACKAGED = nowhere
    postgres.shutil.which = lambda name: None
"""
TESTS = """
    def test_ledger(postgres_server): ...
    def test_page(chromium): ...
    def test_queue(bus_namespace): ...
    def test_store(database_url): ...
"""


@pytest.fixture
def bare_machine(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A run on a machine that has neither servers nor a browser."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("CI", "SALDO_TEST_DATABASE_URL", "SALDO_TEST_BUS_URL"):
        monkeypatch.delenv(name, raising=False)
    markers = ("connected", "postgres", "rabbitmq", "browser")
    pytester.makeini("\n    ".join(["[pytest]\nmarkers =", *markers]))
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    return pytester


def test_left_out_is_printed_last(bare_machine: pytest.Pytester) -> None:
    result = bare_machine.runpytest_subprocess()
    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(
        [
            "*!! LEFT OUT !!*",
            "Chromium: no Chromium is installed*(1 tests not run)",
            "PostgreSQL: no PostgreSQL answers and none is installed*(2 tests not run)",
            "RabbitMQ: no RabbitMQ answers and none is installed*(1 tests not run)",
            "=*1 passed, 4 skipped in*=",
        ]
    )


def test_left_out_fails_in_ci(
    bare_machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    result = bare_machine.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=4)


def test_connected_tests_can_be_deselected(bare_machine: pytest.Pytester) -> None:
    result = bare_machine.runpytest_subprocess("-m", "not connected and not browser")
    result.assert_outcomes(passed=1, deselected=4)


def test_named_server_that_is_silent_is_an_error(
    bare_machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who names a server wants it used: falling back to another would hide the mistake."""
    monkeypatch.setenv("SALDO_TEST_DATABASE_URL", "postgresql://127.0.0.1:1")
    result = bare_machine.runpytest_subprocess("-k", "ledger")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*SALDO_TEST_DATABASE_URL does not answer*"])
