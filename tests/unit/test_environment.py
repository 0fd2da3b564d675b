"""Locks and the conda environment agree, and every locked file is known by its hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements-build.lock", "requirements.lock", "requirements-dev.lock"]


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def direct(name: str) -> dict[str, str | None]:
    """Direct dependencies of an ``.in`` file: name -> pinned version or None."""
    lines = [line.strip() for line in (ROOT / name).read_text().splitlines()]
    pairs = [line.partition("==") for line in lines if line and not line.startswith(("#", "-r"))]
    return {normal(package): version or None for package, _, version in pairs}


def entries(name: str) -> list[str]:
    """Logical lines of a lock."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def versions(name: str) -> dict[str, set[str]]:
    """Locked versions by name; several where markers tell them apart."""
    found: dict[str, set[str]] = {}
    for entry in entries(name):
        package, _, rest = entry.partition("==")
        found.setdefault(normal(package), set()).add(rest.split()[0])
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_one_version_with_hashes_and_no_address(lock: str) -> None:
    assert entries(lock)
    for entry in entries(lock):
        assert re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][^\s;]*(\s*;[^-]*)?\s+--hash=sha256:[0-9a-f]{64}", entry), (
            entry
        )
        assert not re.search(r"://|\bfile:|--(index|extra-index|find-links|trusted-host)| @ ", entry), entry


@pytest.mark.parametrize(
    ("wanted", "lock"),
    [
        ("requirements-build.in", "requirements-build.lock"),
        ("requirements.in", "requirements.lock"),
        ("requirements-dev.in", "requirements-dev.lock"),
    ],
)
def test_the_lock_holds_what_is_asked_for(wanted: str, lock: str) -> None:
    locked = versions(lock)
    for package, version in direct(wanted).items():
        assert package in locked, package
        assert version is None or locked[package] == {version}, package


def test_the_dev_lock_extends_the_run_lock() -> None:
    dev = set(entries("requirements-dev.lock"))
    assert [entry for entry in entries("requirements.lock") if entry not in dev] == []


def test_conda_environment_names_every_direct_dependency_at_the_locked_version() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    stated = dict(re.split(r"\s*=+\s*", line, maxsplit=1) for line in environment["dependencies"] if ">" not in line)
    locked = versions("requirements-dev.lock")
    wanted = [*direct("requirements.in"), *direct("requirements-dev.in")]
    assert {name: {stated.get(name)} for name in wanted} == {name: locked[name] for name in wanted}
    assert sorted(stated) == sorted(wanted), "nothing that the locks do not ask for"
