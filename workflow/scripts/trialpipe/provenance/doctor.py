"""``make doctor``: what a run needs here and, with a cluster profile, on the cluster; each failure with its cure."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import yaml

from trialpipe.config.errors import ConfigError
from trialpipe.config.site import Site, load_trials, read_site
from trialpipe.io.errors import DataError
from trialpipe.provenance import probe
from trialpipe.provenance.cluster import GIB, Finding, check_cluster, settings
from trialpipe.provenance.extracts import check_extracts

REBUILD = "rm -rf .venv && make environment"


def check_python() -> Finding:
    """Python's version, and that it is the one of the project's environment."""
    found = f"{sys.version.split()[0]} in {sys.prefix}"
    suits = (3, 11) <= sys.version_info[:2] <= (3, 14)
    return Finding("python", found, "" if suits else f"install Python 3.11 to 3.14, then: {REBUILD}")


def check_lock(lock: Path) -> Finding:
    """Installed packages against the lock: every entry at its version."""
    if not lock.exists():
        return Finding("packages", f"{lock} is missing", "call make doctor in the project's folder")
    wanted: dict[str, set[str]] = {}
    optional = set()
    for line in lock.read_text(encoding="utf-8").splitlines():
        if entry := re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(;)?", line):
            name = re.sub(r"[-_.]+", "-", entry[1]).lower()
            wanted.setdefault(name, set()).add(entry[2])
            optional |= {name} if entry[3] else set()  # for other Pythons or systems
    have = probe.installed()
    wrong = [name for name in wanted if (name in have or name not in optional) and have.get(name) not in wanted[name]]
    if wrong:
        shown = ", ".join(f"{name} {have.get(name, 'missing')}" for name in wrong[:3])
        return Finding("packages", f"{len(wrong)} not as locked: {shown}", REBUILD)
    return Finding("packages", f"{len(wanted)} as locked in {lock.name}, digest {probe.digest()}")


def check_disk(results: str) -> Finding:
    """Free space where results go."""
    place = probe.existing(results)
    free = shutil.disk_usage(place).free / GIB
    cure = f"free 1 GiB there, or set pathvars.results in config/local.yaml to another disk (now {results})"
    return Finding("disk", f"{free:.1f} GiB free in {place}", "" if free >= 1 and os.access(place, os.W_OK) else cure)


def check_fonts() -> Finding:
    """The font that figures are drawn with."""
    from matplotlib.font_manager import findfont

    try:
        return Finding("fonts", Path(findfont("DejaVu Sans", fallback_to_default=False)).name)
    except ValueError:
        return Finding("fonts", "DejaVu Sans is not found", f"it comes with matplotlib: {REBUILD}")


def check_trials(site: Site) -> tuple[list[Finding], list[str]]:
    """Configuration and extracts of every trial of a run, and the folders of their extracts."""
    names = list(site.trials) or sorted(path.parent.name for path in Path(site.trials_dir).glob("*/protocol.yaml"))
    if not names:
        return [Finding("trials", f"none under {site.trials_dir}", "a trial is a folder with protocol.yaml")], []
    found, roots = [], []
    for name in names:
        try:
            trial = load_trials({**site.model_dump(), "trials": [name]})[name]
            roots.append(str(trial.root.absolute()))
            check_extracts(trial)
            found.append(Finding(name, f"configuration valid, {len(trial.lock)} extracts as accepted"))
        except (ConfigError, DataError) as error:
            text, _, cure = str(error).removeprefix("ERROR ").splitlines()[0].rpartition(" - ")
            found.append(Finding(name, text or cure, cure if text else f"make check TRIAL={name} tells all"))
    return found, roots


def table(findings: list[Finding]) -> str:
    """Findings as text, failures with their cure below."""
    width = max(len(f.what) for f in findings)
    lines = []
    for f in findings:
        lines.append(f"{'FAIL' if f.cure else 'ok':5} {f.what:{width}}  {f.found}")
        lines += [f"{'':6}{'':{width}}  cure: {f.cure}"] if f.cure else []
    return "\n".join(lines)


def cluster_findings(profile: str, results: str, roots: list[str], wait: float) -> list[Finding]:
    """Findings of the profile's cluster; one line that says so when the profile runs on this machine."""
    place = next((p for p in (Path(profile), Path("profiles") / profile) if (p / "profile.yaml").exists()), None)
    if place is None:
        return [
            Finding("profile", f"{profile} holds no profile.yaml", "PROFILE=profiles/slurm or PROFILE=profiles/default")
        ]
    try:
        given = settings(place)
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        return [Finding("profile", str(error).splitlines()[0], f"correct {place}/site.yaml; docs/hpc.md shows one")]
    if given.executor != "slurm":
        return [
            Finding("cluster", f"not asked: {place} runs on this machine; make doctor PROFILE=profiles/slurm asks it")
        ]
    return check_cluster(given, results, roots, wait)


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit code 1 when anything fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="profiles/default")
    parser.add_argument("--wait", type=float, default=180, help="seconds until a probe job is given up")
    given = parser.parse_args(arguments)
    findings = [check_python(), check_lock(Path("requirements.lock")), check_fonts()]
    roots: list[str] = []
    results = "results"
    try:
        site = read_site()
        results = site.pathvars.get("results", results)
        findings.append(check_disk(results))
        trials, roots = check_trials(site)
        findings += trials
    except ConfigError as error:
        findings.append(
            Finding("config", str(error).splitlines()[0], "correct config/config.yaml or config/local.yaml")
        )
    findings += cluster_findings(given.profile, results, roots, given.wait)
    print(table(findings))
    failed = sum(bool(f.cure) for f in findings)
    print(f"\n{failed} of {len(findings)} checks failed" if failed else f"\nall {len(findings)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that stops early, such as head, is no error
    sys.exit(main())
