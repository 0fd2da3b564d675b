"""What must not stand in the repository, and the shape it must keep."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
LIBRARY = REPO / "workflow" / "scripts"
# spelt in parts, so that this file does not name them itself
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted",
    "npm" + "js.",
    "deb." + "debian",
    "anaconda" + ".org",
    "conda." + "io",
]
PLACES = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]


def tracked() -> list[Path]:
    try:
        out = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [REPO / name for name in out.decode("utf-8").split("\0") if name]


def texts() -> list[tuple[Path, str]]:
    found = []
    for path in tracked():
        if path.suffix not in (".xlsx", ".png") and path.is_file():
            found.append((path, path.read_bytes().decode("utf-8", errors="ignore")))
    return found


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    wrong = [(p.name, word) for p, text in texts() for word in (*REGISTRIES, *PLACES) if word in text]
    assert wrong == []


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.py")), ids=lambda p: p.relative_to(LIBRARY).as_posix())
def test_module_is_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_package_files_are_empty() -> None:
    assert [p for p in LIBRARY.rglob("__init__.py") if p.read_text(encoding="utf-8").strip()] == []


def test_no_trial_is_named_in_code_or_templates() -> None:
    trials = [path.name for path in (REPO / "config" / "trials").iterdir() if path.is_dir()]
    files = [
        *(REPO / "workflow").rglob("*.py"),
        *(REPO / "workflow").rglob("*.smk"),
        *(REPO / "workflow").rglob("*.j2"),
    ]
    wrong = [(p.name, t) for p in files for t in trials if re.search(rf"\b{t}\b", p.read_text(encoding="utf-8"))]
    assert wrong == []


def guard():
    spec = importlib.util.spec_from_file_location("check_no_data", REPO / "tools" / "check_no_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_guard_refuses_data_outside_the_listed_places(tmp_path: Path) -> None:
    check = guard()
    (tmp_path / "big.txt").write_bytes(b"x" * (check.LARGEST + 1))
    names = [
        "export.csv",
        "resources/extracts/toy/a.csv",
        "secure/patients.XLSX",
        "tests/unit/data/a.csv",
        "big.txt",
        "README.md",
        "results/x.parquet",
    ]
    found = check.offences(names, tmp_path, check.allowed_places())
    assert [line.split(":")[0] for line in found] == [
        "big.txt",
        "export.csv",
        "results/x.parquet",
        "secure/patients.XLSX",
    ]


def test_this_repository_passes_the_guard() -> None:
    check = guard()
    assert check.offences([p.relative_to(REPO).as_posix() for p in tracked()], REPO, check.allowed_places()) == []


def test_commit_hook_refuses_a_data_file(tmp_path: Path) -> None:
    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "core.hooksPath=tools/hooks"]
        return subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True)

    import shutil

    shutil.copytree(REPO / "tools", tmp_path / "tools")
    git("init", "-q")
    git("add", "tools")
    assert git("commit", "-qm", "tools").returncode == 0
    (tmp_path / "patients.csv").write_text("a\n", encoding="utf-8")
    git("add", "-f", "patients.csv")
    refused = git("commit", "-qm", "data")
    assert refused.returncode != 0
    assert "patients.csv" in refused.stderr
