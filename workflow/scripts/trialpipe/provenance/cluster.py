"""One probe job on a SLURM cluster: what a run there needs, each with its cure. Never waits without limit."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from trialpipe.provenance import probe

GIB = 2**30
TIMEOUT = 30.0  # seconds for any one of SLURM's programs
WAITING = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "STOPPED"}
# the job step of Snakemake's plugin takes SLURM's variables away before it calls srun, and so does this job
SCRIPT = """#!/bin/bash
cd {folder} || exit 41
cat question.json > seen || exit 41
keep=" SLURM_JOB_ID SLURM_JOBID SLURM_CLUSTER_NAME SLURM_SUBMIT_DIR SLURM_SUBMIT_HOST "
for name in ${{!SLURM_@}}; do [[ $keep == *" $name "* ]] || unset "$name"; done
srun -n1 true 2> srun.txt || exit 42
touch srun.ok
{python} {probe} question.json > answer.part 2> python.txt || exit 43
mv answer.part answer.json
"""


@dataclass(frozen=True)
class Finding:
    """A line of the doctor's table; a failure has a cure, and nothing else has one."""

    what: str
    found: str
    cure: str = ""


@dataclass(frozen=True)
class Settings:
    """What a profile and its ``site.yaml`` say about a job: processors, MiB, partition, account, status command."""

    executor: str
    cores: int = 1
    memory: int = 1000
    partition: str = ""
    account: str = ""
    status_command: str = "sacct"
    latency: int = 5
    site: str = "site.yaml"


def settings(profile: Path) -> Settings:
    """Settings of a profile folder. Raises OSError and yaml.YAMLError."""
    own = yaml.safe_load((profile / "profile.yaml").read_text(encoding="utf-8")) or {}
    place = profile / "site.yaml"
    site = (yaml.safe_load(place.read_text(encoding="utf-8")) or {}) if place.exists() else {}
    keys = {**own, **site}
    resources = {**(own.get("default-resources") or {}), **(site.get("default-resources") or {})}
    cores = int(keys["cores"]) if str(keys.get("cores")).isdigit() else 1
    number = re.match(r"\d+", str(resources.get("mem_mb", "1000")))  # "1000 * attempt" is 1000 at first
    return Settings(
        executor=str(keys.get("executor", "local")),
        cores=cores,
        memory=cores * int(number[0] if number else 1000),
        partition=str(resources.get("slurm_partition", "")),
        account=str(resources.get("slurm_account", "")),
        status_command=str(keys.get("slurm-status-command", "sacct" if shutil.which("sacct") else "squeue")),
        latency=int(keys.get("latency-wait", 5)),
        site=place.as_posix(),
    )


def run(*command: str, stdin: str = "") -> tuple[int, str]:
    """Exit code and output with the errors last; 124 after TIMEOUT seconds."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]} did not answer in {TIMEOUT:.0f} s"
    except OSError as error:
        return 127, f"{command[0]}: {error.strerror}"
    return done.returncode, (done.stdout + done.stderr).strip()


def last_line(text: str) -> str:
    """The last line that says something."""
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["no message"])[-1]


def check_status_command(given: Settings) -> Finding:
    """Whether the command that Snakemake asks for the state of jobs answers: if not, Snakemake would wait for ever."""
    what = "status command"
    if given.status_command == "squeue":
        code, text = run("squeue", "--noheader", "--me")
        cure = "the cluster's controller does not answer: ask its operators"
    else:
        code, text = run("sacct", "-X", "--noheader", "--starttime", "now", "--format=JobIDRaw,State")
        cure = f"put the line 'slurm-status-command: squeue' into {given.site}; without it Snakemake waits for ever"
    if code:
        return Finding(what, f"{given.status_command}: {last_line(text)}", cure)
    return Finding(what, f"{given.status_command} answers")


def submit(given: Settings, folder: Path) -> tuple[str, Finding]:
    """Job id (empty when refused) and what sbatch said. The job asks for what a group of jobs will ask for."""
    script = SCRIPT.format(
        folder=shlex.quote(str(folder)), python=shlex.quote(sys.executable), probe=shlex.quote(probe.__file__)
    )
    options = ["--parsable", "--job-name=trialpipe_doctor", "--time=2", "--ntasks=1", "--output=/dev/null"]
    options += [f"--cpus-per-task={given.cores}", f"--mem={given.memory}"]
    options += [f"--partition={given.partition}"] if given.partition else []
    options += [f"--account={given.account}"] if given.account else []
    code, text = run("sbatch", *options, stdin=script)
    asked = f"partition {given.partition or '(default)'}, account {given.account or '(default)'}"
    asked += f", {given.cores} processors, {given.memory} MiB"
    job = re.match(r"\d+", text)
    if code == 0 and job:
        return job[0], Finding("submission", f"job {job[0]} accepted: {asked}")
    if code == 124 or re.search("configuration source|contact slurm controller", text):
        cure = "the cluster's controller does not answer: ask its operators"
    elif "partition" in text.lower() and "account" not in text.lower():
        cure = f"name a partition that 'sinfo -s' lists: default-resources: {{slurm_partition: NAME}} in {given.site}"
    elif "account" in text.lower():
        cure = f"name an account of yours: default-resources: {{slurm_account: NAME}} in {given.site}"
    else:
        cure = (
            f"ask for what a node has (see 'sinfo -N -l'): cores and default-resources: {{mem_mb: N}} in {given.site}"
        )
    return "", Finding("submission", f"refused ({asked}): {last_line(text)}", cure)


def state(job: str) -> tuple[str, str]:
    """State and reason of a job as SLURM tells them; ``GONE`` when it knows the job no more, ``UNKNOWN`` if silent."""
    code, text = run("scontrol", "--oneliner", "show", "job", job)
    if code:
        return ("GONE" if "Invalid job id" in text else "UNKNOWN"), last_line(text)
    found = {key: value for key, _, value in (word.partition("=") for word in text.split())}
    return found.get("JobState", "UNKNOWN"), found.get("Reason", "")


def follow(job: str, answer: Path, wait: float, latency: float) -> tuple[str, str]:
    """Wait for the job's end and then for its answer to be seen here; last state and reason. Cancels what is left."""
    end, now, step = time.monotonic() + wait, ("UNKNOWN", ""), 0.2
    try:
        while not answer.exists() and time.monotonic() < end:
            now = state(job)
            if now[0] not in WAITING | {"UNKNOWN"}:
                end = min(end, time.monotonic() + latency)
            time.sleep(step)
            step = min(2.0, step * 1.5)
    finally:
        if state(job)[0] in WAITING | {"UNKNOWN"} and not answer.exists():
            run("scancel", job)
    return now


def silence(job: str, folder: Path, now: tuple[str, str], wait: float, given: Settings) -> Finding:
    """Why there is no answer."""
    state_now, reason = now

    def told(name: str) -> str:
        return last_line((folder / name).read_text(encoding="utf-8", errors="replace"))

    if (folder / "python.txt").exists() and state_now != "RUNNING":
        cure = f"the environment of this folder must start on the nodes: the same {sys.executable} on a shared disk"
        return Finding("job", f"Python does not run on the node: {told('python.txt')}", cure)
    if (folder / "srun.txt").exists() and not (folder / "srun.ok").exists() and state_now != "RUNNING":
        cure = "srun must find SLURM's configuration on the nodes without SLURM_CONF, as /etc/slurm/slurm.conf"
        return Finding("job", f"srun fails within a job: {told('srun.txt')}", cure)
    if state_now in WAITING | {"UNKNOWN"}:
        cure = "cancelled; wait for free nodes and give it longer (make doctor WAIT=600), or name another partition"
        return Finding("job", f"job {job} still {state_now} after {wait:.0f} s, reason {reason or 'not told'}", cure)
    cure = "put the project on a disk that login node and nodes share, under the same path"
    return Finding("shared path", f"job {job} ended ({state_now}) and wrote nothing to {folder}", cure)


def compare(answer: Mapping, own: Mapping, results: str) -> list[Finding]:
    """What the node says beside what the head says."""
    rebuild = "the node runs another environment: build .venv in this folder anew and share the folder with the nodes"

    def same(what: str, key: str) -> Finding:
        there, here = answer.get(key), own[key]
        if there == here:
            return Finding(what, f"{there}, as here")
        return Finding(what, f"{there} on {answer.get('host')}, {here} here", rebuild)

    found = [Finding("shared path", f"{answer.get('host')} read and wrote a file here")]
    if answer.get("token") != own["token"]:
        cure = "a folder of the same name, but not the same: share this disk with the nodes"
        found = [Finding("shared path", "the node read another file than was written here", cure)]
    found += [same("node's Python", "python"), same("node's packages", "packages")]
    free = answer.get("free", 0) / GIB
    cure = "" if free >= 1 and answer.get("writable") else f"results go to {results}: it needs 1 GiB and leave to write"
    found.append(
        Finding("node's disk", f"{free:.1f} GiB free" + ("" if answer.get("writable") else ", no writing"), cure)
    )
    for root in answer.get("unreadable", []):
        found.append(Finding("node's extracts", f"{root} cannot be read there", "share the folder with the nodes"))
    return found


def check_cluster(given: Settings, results: str, roots: list[str], wait: float) -> list[Finding]:
    """Findings of one probe job of two minutes at most; ``wait``: seconds until it is given up and cancelled."""
    if not shutil.which("sbatch"):
        return [Finding("sbatch", "not found", "call make doctor on the cluster's login node, or load SLURM's module")]
    found = [check_status_command(given)]
    Path(".snakemake").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="doctor-", dir=".snakemake")).resolve()
    try:
        question = {"token": secrets.token_hex(8), "results": str(Path(results).absolute()), "roots": roots}
        (folder / "question.json").write_text(json.dumps(question), encoding="utf-8")
        job, said = submit(given, folder)
        found.append(said)
        if not job:
            return found
        began = time.monotonic()
        now = follow(job, folder / "answer.json", wait, min(wait, given.latency))
        if not (folder / "answer.json").exists():
            return [*found, silence(job, folder, now, wait, given)]
        found.append(Finding("job", f"ran and answered within {time.monotonic() - began:.0f} s"))
        answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        return found + compare(answer, probe.look(question), results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
