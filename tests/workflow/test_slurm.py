"""A shipped trial on a real SLURM of one node: the same bytes as a local run, also after the head was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import needs
from workflow.runs import REPO, copy_repo, files, snakemake

pytestmark = pytest.mark.slow
TRIAL = "bmt-1991"
SITE = """\
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 2
default-resources: {slurm_partition: main}
"""
COMMAND = (sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of a shell that sees the cluster."""
    folder = tmp_path_factory.mktemp("slurm")
    script = [sys.executable, str(REPO / "tools" / "slurm" / "cluster.py")]
    start = subprocess.run([*script, "start", str(folder)], capture_output=True, text=True, timeout=150)
    if start.returncode == 3:
        needs.lacking(start.stderr.strip())
    assert start.returncode == 0, start.stderr
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    yield {**os.environ, "PATH": path, "SLURM_CONF": str(folder / "slurm.conf"), "PYTHONPATH": "workflow/scripts"}
    stop = subprocess.run([*script, "stop", str(folder)], capture_output=True, text=True, timeout=90)
    assert stop.returncode == 0, stop.stderr
    assert not list(folder.glob("*.started"))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """All results of a run on this machine."""
    folder = copy_repo(tmp_path_factory.mktemp("local") / "run", (TRIAL,))
    run = snakemake(folder)
    assert run.returncode == 0, run.stderr[-3000:]
    return files(folder / "results")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with a site's own settings."""
    folder = copy_repo(tmp_path / "run", (TRIAL,))
    shutil.copytree(REPO / "tools" / "slurm", folder / "tools" / "slurm")
    shutil.copy2(REPO / "requirements.lock", folder)
    (folder / "profiles" / "slurm" / "site.yaml").write_text(SITE, encoding="utf-8")
    return folder


def run(folder: Path, cluster: dict[str, str], *command: str, limit: int = 600) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=cluster, capture_output=True, text=True, timeout=limit)


def jobs(folder: Path, cluster: dict[str, str], *states: str) -> list[str]:
    """``id state processors`` of this folder's jobs."""
    shown = run(folder, cluster, "squeue", "-h", *states, "-o", "%A %T %C|%Z", limit=30).stdout.splitlines()
    return [line.partition("|")[0] for line in shown if line.endswith(f"|{folder}")]


def same(found: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    assert sorted(found) == sorted(wanted)
    assert [name for name in wanted if found[name] != wanted[name]] == []


def test_a_run_on_slurm_gives_the_bytes_of_a_local_run(
    cluster: dict[str, str], local: dict[str, bytes], project: Path
) -> None:
    done = run(project, cluster, *COMMAND)
    assert done.returncode == 0, done.stderr[-3000:]
    same(files(project / "results"), local)
    ended = [line.split()[1:] for line in jobs(project, cluster, "--states=all")]
    assert ended == [["COMPLETED", "2"]] * 2, "a submission for the trial's data, one for its results"


def test_a_killed_head_is_resumed_by_the_same_command(
    cluster: dict[str, str], local: dict[str, bytes], project: Path
) -> None:
    log = project.parent / "head.log"
    with open(log, "wb") as out:
        head = subprocess.Popen(COMMAND, cwd=project, env=cluster, stdout=out, stderr=out, start_new_session=True)
    try:
        end = time.monotonic() + 300
        while not list(project.glob(f"results/{TRIAL}/clean/*.parquet")):
            assert head.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.1)
    finally:
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()
    assert [line.split()[1] for line in jobs(project, cluster)] == ["RUNNING"], "the job outlives the head"
    assert list(project.glob(".snakemake/locks/*"))

    cancelled = run(project, cluster, "bash", "tools/slurm/cancel.sh")
    assert cancelled.returncode == 0, cancelled.stderr
    assert jobs(project, cluster) == []
    assert not list(project.glob("results/*/report/index.html")), "it was killed in mid run"

    done = run(project, cluster, *COMMAND)
    assert done.returncode == 0, done.stderr[-3000:]
    same(files(project / "results"), local)
    again = run(project, cluster, *COMMAND, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_without_slurm_a_run_ends_at_once_with_one_line(project: Path, tmp_path: Path) -> None:
    """Snakemake alone would wait for ever."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "sh", "which"):
        (programs / name).symlink_to(str(shutil.which(name)))
    bare = {**os.environ, "PATH": str(programs), "PYTHONPATH": "workflow/scripts"}
    done = run(project, bare, *COMMAND, limit=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ERROR sbatch is not found - call this on the cluster's login node"


def test_the_doctor_on_a_real_cluster(cluster: dict[str, str], project: Path) -> None:
    ask = (sys.executable, "-m", "trialpipe.provenance.doctor", "--profile", "profiles/slurm")
    done = run(project, cluster, *ask)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "checks passed" in done.stdout
    assert jobs(project, cluster) == []

    site = project / "profiles" / "slurm" / "site.yaml"
    site.write_text("default-resources: {slurm_partition: none-such}\n", encoding="utf-8")
    done = run(project, cluster, *ask)
    assert done.returncode == 1
    for words in ("Invalid partition", "slurm_partition: NAME", "slurm-status-command: squeue", "2 of"):
        assert words in done.stdout
