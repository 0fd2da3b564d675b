"""Whole runs of the workflow in temporary folders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "environment.yml", "workflow", "config", "resources", "profiles")


def copy_repo(target: Path, trials: tuple[str, ...] = ()) -> Path:
    """A copy of what a run needs, without results; only the named trials (default: none)."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    target.mkdir(parents=True)
    for name in PARTS:
        source = REPO / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignore)
        else:
            shutil.copy2(source, target / name)
    (target / "config" / "local.yaml").unlink(missing_ok=True)
    for folder in (target / "config" / "trials").iterdir():
        if folder.name not in trials:
            shutil.rmtree(folder)
    return target


def toy(target: Path) -> Path:
    """A folder that holds only the toy trial's YAML and CSV, its extracts accepted."""
    shutil.copytree(REPO / "tests" / "workflow" / "data" / "toy", target)
    accept(target, "toy")
    return target


def accept(folder: Path, trial: str, code: Path = REPO) -> subprocess.CompletedProcess[str]:
    """``make accept`` without make."""
    return python(folder, "-m", "trialpipe.provenance.accept", "--trial", trial, code=code)


def python(
    folder: Path, *arguments: str, code: Path = REPO, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """This interpreter in ``folder`` with the library of ``code`` on its path."""
    environment = {**os.environ, "PYTHONPATH": str(code / "workflow" / "scripts"), **(env or {})}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def snakemake(
    folder: Path, *arguments: str, code: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Snakemake in ``folder`` with the Snakefile and default profile of ``code`` (default: the folder itself)."""
    code = code or folder
    command = [
        "-m",
        "snakemake",
        "-s",
        str(code / "Snakefile"),
        "--workflow-profile",
        str(code / "profiles" / "default"),
    ]
    return python(folder, *command, "--directory", str(folder), *arguments, code=code, env=env)


def planned(folder: Path, *arguments: str, code: Path | None = None) -> set[str]:
    """Jobs that a run would start, as ``rule wildcard values``; empty when there is nothing to do."""
    run = snakemake(folder, "--dry-run", *arguments, code=code)
    assert run.returncode == 0, run.stderr[-3000:]
    jobs: list[list[str]] = []
    for line in run.stdout.splitlines() + run.stderr.splitlines():
        if found := re.match(r"\s*(?:local)?rule (\w+):", line):
            jobs.append([found.group(1)])
        elif found := re.match(r"\s+wildcards: (.*)$", line):
            jobs[-1] += [value.split("=", 1)[1] for value in found.group(1).split(", ")]
    return {" ".join(job) for job in jobs} - {"all"}


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != ".snakemake_timestamp"
    }
