"""A trial that exists only as YAML and CSV runs to a report, and reruns only what changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from workflow.runs import REPO, accept, copy_repo, files, planned, snakemake, toy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = toy(tmp_path_factory.mktemp("toy") / "run")
    run = snakemake(folder, code=REPO)
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


@pytest.fixture
def again(done: Path, tmp_path: Path) -> Path:
    """A moved copy of the finished run."""
    target = tmp_path / "moved é"
    shutil.copytree(done, target)
    return target


def test_toy_runs_to_a_report(done: Path) -> None:
    report = (done / "results" / "toy" / "report" / "index.html").read_text(encoding="utf-8")
    assert "A one-arm trial that exists only as YAML and CSV" in report
    assert "SYNTHETIC DATA" in report
    assert (done / "results" / "index.html").exists()


def test_second_run_has_nothing_to_do(done: Path) -> None:
    assert planned(done, code=REPO) == set()


def test_moved_folder_has_nothing_to_do(again: Path) -> None:
    assert planned(again, code=REPO) == set()


def test_touching_every_file_has_nothing_to_do(again: Path) -> None:
    for path in sorted(p for p in again.rglob("*") if p.is_file() and ".snakemake" not in p.parts):
        if "results" not in p_parts(path, again):
            os.utime(path)
    assert planned(again, code=REPO) == set()


def p_parts(path: Path, root: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts


def test_yaml_comment_has_nothing_to_do(again: Path) -> None:
    for path in (again / "config").rglob("*.yaml"):
        path.write_text("# a comment\n" + path.read_text(encoding="utf-8") + "\n# another\n", encoding="utf-8")
    assert planned(again, code=REPO) == set()


def test_changed_pk_value_reruns_only_the_pk_path(again: Path) -> None:
    path = again / "extracts" / "pk.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("12.5", "13.5"), encoding="utf-8")
    assert accept(again, "toy").returncode == 0
    assert planned(again, code=REPO) == {
        "ingest toy lab pk",
        "clean toy pc",
        "checks toy",
        "derive toy adpc",
        "analyse toy pk",
        "stack toy",
        "figures toy",
        "report toy",
        "index",
    }


def test_changed_raw_file_with_old_mtime_stops_the_run(again: Path) -> None:
    path = again / "extracts" / "pk.csv"
    old = path.stat()
    path.write_text(path.read_text(encoding="utf-8").replace("12.5", "13.5"), encoding="utf-8")
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    run = snakemake(again, code=REPO)
    assert run.returncode != 0
    last = run.stderr.strip().splitlines()[-1]
    assert "extracts/pk.csv is not the extract that was accepted (sha256 differs)" in last
    assert "make accept TRIAL=toy" in last
    accept(again, "toy")
    assert "ingest toy lab pk" in planned(again, code=REPO)


def test_changed_function_reruns_the_jobs_that_reach_it(done: Path, tmp_path: Path) -> None:
    code = copy_repo(tmp_path / "code")
    run = tmp_path / "run"
    shutil.copytree(done, run)
    assert planned(run, code=code) == set()
    module = code / "workflow" / "scripts" / "trialpipe" / "stats" / "km.py"
    module.write_text(
        module.read_text(encoding="utf-8") + "\n\ndef _unused() -> int:\n    return 1\n", encoding="utf-8"
    )
    assert planned(run, code=code) == {
        "analyse toy survival",
        "stack toy",
        "figures toy",
        "report toy",
        "index",
    }


def test_comment_in_code_has_nothing_to_do(done: Path, tmp_path: Path) -> None:
    code = copy_repo(tmp_path / "code")
    run = tmp_path / "run"
    shutil.copytree(done, run)
    for module in (code / "workflow" / "scripts").rglob("*.py"):
        module.write_text(module.read_text(encoding="utf-8") + "\n# a comment\n", encoding="utf-8")
    assert planned(run, code=code) == set()


def test_another_place_locale_clock_and_cores_give_the_same_bytes(done: Path, tmp_path: Path) -> None:
    other = toy(tmp_path / "other é place")
    for path in other.rglob("*"):
        os.utime(path, (86_400 * 365, 86_400 * 365))
    env = {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7"}
    run = snakemake(other, "--cores", "1", code=REPO, env=env)
    assert run.returncode == 0, run.stderr[-3000:]
    ours, theirs = files(done / "results"), files(other / "results")
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
