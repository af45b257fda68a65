"""The borders between modules: whoever crosses one is found, every member has its place."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    source
    for folder in ("shared", "services/*", "deploy/embedded", "tests/simulators")
    for source in ROOT.glob(f"{folder}/src")
)
EMPTY = ("shared/__init__.py", "shared/gateway/__init__.py")


def contracts() -> list[dict[str, list[str]]]:
    """Return import-linter's contracts."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return list(config["tool"]["importlinter"]["contracts"])


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts as seen from a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--no-logo", "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("notifier/wire.py", "import aiohttp"),
        ("notifier/protocols/osmp.py", "from sqlalchemy import text"),
        ("notifier/__init__.py", "import core_billing"),
        ("simulators/bank.py", "from shared.money import Money"),
        ("simulators/__init__.py", "import embedded"),
    ],
)
def test_crossed_border_is_found(tmp_path: Path, module: str, line: str) -> None:
    """A package planted in the working directory stands before the installed one."""
    planted = tmp_path / module
    planted.parent.mkdir(parents=True)
    for folder in {planted.parent, tmp_path / Path(module).parts[0]}:
        (folder / "__init__.py").touch()
    planted.write_text(f"{line}\n")
    found = lint_imports(tmp_path)
    assert found.returncode == 1
    assert "1 broken" in found.stdout


def test_kept_borders_pass(tmp_path: Path) -> None:
    """So that what the test above finds is the planted line."""
    assert lint_imports(tmp_path).returncode == 0


def test_every_member_has_a_layer() -> None:
    layers = next(contract["layers"] for contract in contracts() if "layers" in contract)
    layered = {name.strip() for layer in layers for name in layer.split("|")}
    assert layered == {path.name for source in SOURCES for path in source.iterdir()}


@pytest.mark.parametrize("name", EMPTY)
def test_package_imports_nothing(name: str) -> None:
    """import-linter counts indirect imports: one here would make every pure module impure."""
    body = ast.parse((ROOT / "shared" / "src" / name).read_text()).body
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in body)
