"""The only conftest of the root: which plugins of ours run, and what repeats a run exactly."""

import signal
import threading

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings

import shared  # noqa: F401 - else pytest takes the folder `shared/` of shared/tests for it

# Whom others import comes first: pytest rewrites the assertions of what it loads itself.
pytest_plugins = [
    "pytester",
    "servers.compiled",
    "servers.brief",
    "servers.turns",
    "servers.left_out",
    "servers.guard",
    "servers.fixtures",
]

# A slow machine is no failure. `--hypothesis-profile=explore` looks for new examples.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
# A mutant is caught by any example, and by a test object that is made anew each time.
settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    max_examples=50,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.differing_executors],
)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Shuffle the same way each time, and let SIGTERM end a run in order, as Ctrl-C does.

    `make test ARGS=--randomly-seed=7` tries another order. An option in pyproject.toml would
    stop mutmut, which runs pytest without the plugin.
    """
    # Its default prints the local variables of every frame, tokens among them.
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    usual = structlog.get_config()["processors"][:-1]
    structlog.configure(processors=[*usual, plain])
    if getattr(config.option, "randomly_seed", None) == "default":
        config.option.randomly_seed = 1
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
