"""The locks: every machine installs the same files, whichever index it has."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
MEMBERS = sorted(
    path
    for folder in ("shared", "services/*", "deploy/embedded", "tests/simulators")
    for path in ROOT.glob(f"{folder}/pyproject.toml")
)
COMPILED = ("aiohttp", "asyncpg", "cryptography", "orjson", "pydantic-core")


def project(manifest: Path) -> dict[str, object]:
    """Return the `[project]` table of a member."""
    return dict(tomllib.loads(manifest.read_text())["project"])


def pinned(lock: Path) -> dict[str, list[str]]:
    """Return `name==version` → hashes of a lock; a name may be pinned per Python version."""
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)
    return {
        entry.split()[0]: re.findall(r"--hash=sha256:[0-9a-f]{64}", entry)
        for entry in entries
        if entry.strip()
    }


def names(requirements: object) -> set[str]:
    """Return the normalized names of requirements such as `Aio_Pika[x]>=1 ; marker`."""
    assert isinstance(requirements, (list, dict))
    found = (re.match(r"[A-Za-z0-9._-]+", one) for one in requirements)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


OWN = names([str(project(manifest)["name"]) for manifest in MEMBERS])


def test_members_are_found() -> None:
    assert {"shared", "core-billing", "gateway-yookassa", "notifier", "embedded"} <= OWN


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_names_no_address(lock: Path) -> None:
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_pin_has_a_hash(lock: Path) -> None:
    assert [pin for pin, hashes in pinned(lock).items() if not hashes] == []


@pytest.mark.parametrize("lock", ["runtime", "demo", "dev"])
def test_lock_serves_every_platform(lock: str) -> None:
    """One hash per compiled package is the sign of a lock made with a machine's own index."""
    pins = pinned(ROOT / "requirements" / f"{lock}.lock")
    hashes = {pin.partition("==")[0]: len(found) for pin, found in pins.items()}
    assert {name: hashes[name] for name in COMPILED if hashes[name] < 10} == {}


@pytest.mark.parametrize(("smaller", "larger"), [("runtime", "demo"), ("demo", "dev")])
def test_locks_agree(smaller: str, larger: str) -> None:
    one, other = (pinned(ROOT / "requirements" / f"{lock}.lock") for lock in (smaller, larger))
    assert one.items() <= other.items()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_holds_no_member(lock: Path) -> None:
    """Strangers own such names publicly: a member in a lock would install theirs."""
    assert names(pinned(lock)) & OWN == set()


@pytest.mark.parametrize("manifest", MEMBERS, ids=lambda path: path.parent.name)
def test_member_depends_on_locked_third_parties_only(manifest: Path) -> None:
    needed = names(project(manifest)["dependencies"])
    assert needed & OWN == set()
    assert needed <= names(pinned(ROOT / "requirements" / "demo.lock"))


@pytest.mark.parametrize("manifest", MEMBERS, ids=lambda path: path.parent.name)
def test_member_cannot_be_uploaded(manifest: Path) -> None:
    assert project(manifest)["classifiers"] == ["Private :: Do Not Upload"]


@pytest.mark.parametrize("lock", ["demo", "dev"])
def test_build_tools_are_locked(lock: str) -> None:
    locked = names(pinned(ROOT / "requirements" / f"{lock}.lock"))
    assert {"hatchling", "editables"} <= locked
