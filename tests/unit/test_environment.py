"""environment.yml and the locks say the same, with hashes and without an index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")


def direct(name: str) -> list[str]:
    lines = (line.strip() for line in (REPO / name).read_text(encoding="utf-8").splitlines())
    return [re.split(r"[=<>]", line)[0] for line in lines if line and not line.startswith(("-", "#"))]


def locked(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s\\;]+)", (REPO / name).read_text(encoding="utf-8"), re.MULTILINE))


def test_environment_pins_every_direct_dependency_to_the_lock() -> None:
    listed = yaml.safe_load((REPO / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pins = dict(entry.split(" =", 1) for entry in listed if not entry.startswith("python "))
    wanted = {*direct("requirements.in"), *direct("requirements-dev.in")}
    lock = locked("requirements-dev.lock")
    assert pins == {name: lock[name] for name in wanted}


def test_dev_lock_holds_the_run_lock() -> None:
    run, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: dev.get(name) for name in run} == run


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_has_hashes_and_no_address(name: str) -> None:
    text = (REPO / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert entries
    for entry in entries:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
