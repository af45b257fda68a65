"""The make file: it says what it can do, and in one sentence what it lacks."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANIFESTS = (
    *ROOT.glob("shared/pyproject.toml"),
    *ROOT.glob("services/*/pyproject.toml"),
    *ROOT.glob("deploy/*/pyproject.toml"),
    *ROOT.glob("tests/*/pyproject.toml"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of what make stands on: no environment has been made in it."""
    for source in (ROOT / "Makefile", *ROOT.glob("requirements/*"), *MANIFESTS):
        copy = tmp_path / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
    return tmp_path


def make(
    folder: Path, *arguments: str, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, not as the make that may have started these tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [shutil.which("make") or "make", *arguments],
        check=False,
        cwd=folder,
        env=kept | ({"PATH": path} if path else {}),
        capture_output=True,
        text=True,
    )


def fake_python(folder: Path, refuses: str) -> Path:
    """Make a Python that fails where its `-c` script mentions a word."""
    program = folder / "fake-python"
    program.write_text(f'#!/bin/sh\ncase "$*" in *{refuses}*) exit 1;; esac\n')
    program.chmod(0o755)
    return program


def test_help_lists_every_command(folder: Path) -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)[0].split()
    shown = make(folder).stdout
    assert [target for target in phony if f"  make {target} " not in shown] == []


@pytest.mark.parametrize(
    ("refuses", "says"),
    [("version_info", "needs Python 3.11 or newer"), ("ensurepip", "install python3-venv")],
)
def test_unfit_python_gets_one_sentence(folder: Path, refuses: str, says: str) -> None:
    ran = make(folder, "venv", f"PYTHON={fake_python(folder, refuses)}")
    told = [line for line in ran.stderr.splitlines() if not line.startswith("make")]
    assert ran.returncode != 0
    assert len(told) == 1
    assert says in told[0]


def test_lock_without_uv_says_so(folder: Path) -> None:
    ran = make(folder, "lock", path="/usr/bin:/bin")
    if shutil.which("uv", path="/usr/bin:/bin"):
        pytest.skip("uv is installed with the system")
    assert ran.returncode != 0
    assert "make lock needs uv" in ran.stderr


def test_nothing_is_installed_twice() -> None:
    """The stamps of the environment that runs this test are newer than what they stand on."""
    if not (ROOT / ".venv" / ".dev-ready").exists():
        pytest.skip("these tests run from another environment")
    assert "nothing to be done" in make(ROOT, "--dry-run", "venv").stdout.lower()


def test_ci_calls_the_test_command() -> None:
    script = ROOT / ".ci" / "run"
    lines = script.read_text().splitlines()
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert lines[-1] == "make test"
    assert "export CI=true" in lines
