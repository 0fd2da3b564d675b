"""The data guard: what git must not hold is refused at commit and in CI."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUARD = ROOT / "tools" / "check_no_data.py"


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run git in ``folder`` as somebody, with no settings of the machine."""
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=False)


def guard(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the guard in ``folder``."""
    return subprocess.run([sys.executable, str(GUARD)], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git checkout with the guard and its hook, in a folder with a space and an accent."""
    folder = tmp_path / "my trials é"
    folder.mkdir()
    git(folder, "init", "-q")
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "config", "core.hooksPath", "tools/hooks")
    return folder


def stage(folder: Path, name: str, content: bytes = b"USUBJID;AGE\n") -> None:
    """Write a file and stage it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    done = git(folder, "add", "--force", name)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "patients.csv",
        "patients.CSV",
        "patients.csv.bak",
        "été/plate 1.xlsx",
        "docs/export.json",
        "plate.rcc",
        "ae.sas7bdat",
        "ae.xpt",
        "dump.zip",
        "export.xml",
        "results/adsl.parquet",
        "resources/extracts/real-trial/patients.csv",
        "resources/extracts/patients.csv",
        "tests/unit/patients.csv",
    ],
)
def test_data_outside_the_listed_places_is_refused(repository: Path, name: str) -> None:
    stage(repository, name)
    done = guard(repository)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line.startswith(f"ERROR {name} ")], done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "resources/reference/units.csv",
        "workflow/schemas/protocol.schema.json",
        "tests/unit/data/case.csv",
        "tests/reference/data/km/expected.json",
        "notes.md",
        "workflow/scripts/x.py",
    ],
)
def test_listed_places_and_other_files_pass(repository: Path, name: str) -> None:
    stage(repository, name)
    done = guard(repository)
    assert (done.returncode, done.stderr) == (0, "")


def test_size_is_that_of_the_staged_content(repository: Path) -> None:
    stage(repository, "notes.md", b"x" * 5_000_000)
    assert guard(repository).returncode == 0
    stage(repository, "resources/reference/large.csv", b"x" * 5_000_001)
    (repository / "resources/reference/large.csv").write_bytes(b"small again, but not staged")
    done = guard(repository)
    assert done.returncode == 1
    assert "resources/reference/large.csv 5000001 bytes" in done.stderr


def test_guard_sees_the_whole_checkout_from_a_folder_of_it(repository: Path) -> None:
    stage(repository, "patients.csv")
    assert guard(repository / "tools").returncode == 1


def test_untracked_data_is_nobody_s_concern(repository: Path) -> None:
    (repository / "patients.csv").write_text("USUBJID\n")
    assert guard(repository).returncode == 0


def test_hook_refuses_the_commit_and_lets_the_cured_one_pass(repository: Path) -> None:
    stage(repository, "notes.md")
    stage(repository, "patients.csv")
    refused = git(repository, "commit", "-q", "-m", "x")
    assert refused.returncode != 0
    assert "ERROR patients.csv" in refused.stderr
    assert git(repository, "log").returncode != 0, "nothing was committed"
    git(repository, "rm", "-q", "--cached", "patients.csv")
    passed = git(repository, "commit", "-q", "-m", "x")
    assert passed.returncode == 0, passed.stderr


def test_outside_git_there_is_nothing_to_check(tmp_path: Path) -> None:
    assert guard(tmp_path).returncode == 0
