"""Locks and the conda environment agree; what a fresh machine lacks is named in one line with its cure."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
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


STANDS_IN = {
    "python": "#!/bin/sh\nexit 0\n",
    "old python": "#!/bin/sh\nexit 1\n",
    "python without venv": '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; *print*) echo python3.12-venv;; esac\n',
}


@pytest.mark.parametrize(
    ("python", "git", "line"),
    [
        (None, True, "Python is missing; install it with: sudo apt-get install -y python3 python3-venv"),
        ("old python", True, "Python 3.11 to 3.14 is missing; install it with: sudo apt-get install -y python3.11 "),
        ("python without venv", True, "Python's venv module is missing; install it with: sudo apt-get install -y pyth"),
        ("python", False, "git is missing; install it with: sudo apt-get install -y git"),
    ],
)
def test_what_the_machine_lacks_is_one_line(tmp_path: Path, python: str | None, git: bool, line: str) -> None:
    project, programs = tmp_path / "my trials é", tmp_path / "bin"
    shutil.copytree(ROOT / "tools", project / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for lock in LOCKS:
        shutil.copy(ROOT / lock, project)
    programs.mkdir()
    for name in ["bash", "sh", "cat", "dirname", "sha256sum"]:
        (programs / name).symlink_to(shutil.which(name) or name)
    stubs = {"python3": STANDS_IN[python] if python else None, "git": STANDS_IN["python"] if git else None}
    for name, text in stubs.items():
        if text:
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
    done = subprocess.run(
        [programs / "bash", project / "tools/bootstrap.sh", "run"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    assert not (project / ".venv").exists()


def test_the_front_page_is_where_the_site_puts_its_results(tmp_path: Path) -> None:
    def printed() -> str:
        asked = [sys.executable, str(ROOT / "tools/front_page.py")]
        return subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("pathvars: {results: results, logs: logs}\n")
    assert printed() == f"{tmp_path}/results/index.html"
    (tmp_path / "config/local.yaml").write_text("pathvars: {logs: elsewhere}\n")
    assert printed() == f"{tmp_path}/results/index.html"
    (tmp_path / "config/local.yaml").write_text(f"pathvars: {{results: '{tmp_path}/é b'}}\n")
    assert printed() == f"{tmp_path}/é b/index.html"
