"""The doctor on clusters that fail in one way each: stand-ins for SLURM's programs are the only ones on PATH."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from workflow.runs import REPO, toy

from trialpipe.provenance import cluster, doctor, probe
from trialpipe.provenance.cluster import Finding, Settings, check_cluster, settings

TOOLS = ("bash", "sh", "cat", "touch", "mv", "sed", "true")
FOLDER_OF_JOB = "folder=$(sed -n 's/^cd \\(.*\\) || exit 41$/\\1/p' job.sh); eval cd \"$folder\"\n"
RUN = "cat > job.sh\nbash job.sh\necho 7\n"
SACCT_OFF = "echo 'Slurm accounting storage is disabled' >&2\nexit 1\n"
ENDED = "echo 'JobId=7 JobState={} Reason={} ExitCode=1:0'\n"
WORKS = {
    "sbatch": RUN,
    "scontrol": ENDED.format("COMPLETED", "None"),
    "sacct": "exit 0\n",
    "squeue": "exit 0\n",
    "srun": 'shift\nexec "$@"\n',
    "scancel": 'echo "$@" >> cancelled\n',
}


def altered(key: str, value: str) -> str:
    """An sbatch whose node answers something else."""
    return RUN.replace(
        "echo 7", f'{FOLDER_OF_JOB}sed -i \'s/"{key}": "[^"]*"/"{key}": "{value}"/\' answer.json\necho 7'
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my trials é"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, **changed: str | None) -> None:
    """Stand-ins on PATH, and nothing else but a few tools; None: the program is not there."""
    place = folder.parent / "bin"
    place.mkdir()
    for name in TOOLS:
        (place / name).symlink_to(str(shutil.which(name)))
    for name, text in {**WORKS, **changed}.items():
        if text is not None:
            (place / name).write_text(f"#!/bin/bash\n{text}", encoding="utf-8")
            (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(place))


def failures(found: list[Finding]) -> dict[str, str]:
    return {f.what: f"{f.found} | {f.cure}" for f in found if f.cure}


def examined(wait: float = 20, roots: tuple[str, ...] = (), **given: object) -> list[Finding]:
    return check_cluster(Settings("slurm", latency=0, **given), "results", list(roots), wait)  # type: ignore[arg-type]


def test_a_cluster_that_works(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(project, monkeypatch)
    found = examined(roots=(str(project),))
    assert failures(found) == {}
    whats = ["status command", "submission", "job", "shared path", "node's Python", "node's packages", "node's disk"]
    assert [f.what for f in found] == whats
    assert list((project / ".snakemake").iterdir()) == [], "nothing is left behind"


CASES: dict[str, tuple[dict[str, str | None], str, list[str]]] = {
    "no sbatch": ({"sbatch": None}, "sbatch", ["not found", "login node"]),
    "refused partition": (
        {"sbatch": "echo 'sbatch: error: invalid partition specified: nope' >&2\nexit 1\n"},
        "submission",
        ["invalid partition specified: nope", "slurm_partition", "sinfo -s"],
    ),
    "refused account": (
        {"sbatch": "echo 'sbatch: error: Invalid account or account/partition combination specified' >&2\nexit 1\n"},
        "submission",
        ["Invalid account", "slurm_account"],
    ),
    "more than a node has": (
        {"sbatch": "echo 'sbatch: error: Requested node configuration is not available' >&2\nexit 1\n"},
        "submission",
        ["not available", "mem_mb"],
    ),
    "no controller": (
        {"sbatch": "echo 'sbatch: error: Unable to contact slurm controller (connect failure)' >&2\nexit 1\n"},
        "submission",
        ["Unable to contact", "operators"],
    ),
    "another python": ({"sbatch": altered("python", "3.9.2")}, "node's Python", ["3.9.2 on ", "build .venv"]),
    "another lock": ({"sbatch": altered("packages", "00ff")}, "node's packages", ["00ff on ", "build .venv"]),
    "a folder of the same name": (
        {"sbatch": altered("token", "x")},
        "shared path",
        ["another file", "share this disk"],
    ),
    "path not visible": (
        {"sbatch": "cat > /dev/null\necho 7\n", "scontrol": ENDED.format("FAILED", "NonZeroExitCode")},
        "shared path",
        ["ended (FAILED)", "login node and nodes share"],
    ),
    "forgotten by slurm": (
        {"sbatch": "echo 7\n", "scontrol": "echo 'slurm_load_jobs error: Invalid job id specified' >&2\nexit 1\n"},
        "shared path",
        ["ended (GONE)", "share"],
    ),
    "python missing": (
        {
            "sbatch": RUN.replace(
                "bash job.sh",
                "sed -i 's#^.*probe.py.\\? question.json >#none-such question.json >#' job.sh; bash job.sh",
            ),
            "scontrol": ENDED.format("FAILED", "NonZeroExitCode"),
        },
        "job",
        ["Python does not run", "none-such", "shared disk"],
    ),
    "srun without configuration": (
        {
            "srun": "echo 'srun: fatal: Could not establish a configuration source' >&2\nexit 1\n",
            "scontrol": ENDED.format("FAILED", "NonZeroExitCode"),
        },
        "job",
        ["srun fails", "configuration source", "SLURM_CONF"],
    ),
    "accounting off": ({"sacct": SACCT_OFF}, "status command", ["is disabled", "slurm-status-command: squeue"]),
}


@pytest.mark.parametrize("case", CASES)
def test_each_failure_alone_with_its_cure(project: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    changed, what, words = CASES[case]
    programs(project, monkeypatch, **changed)
    found = failures(examined())
    assert list(found) == [what]
    for word in words:
        assert word in found[what]


def test_pending_for_ever_is_cancelled_and_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(project, monkeypatch, sbatch="echo 7\n", scontrol=ENDED.format("PENDING", "Resources"))
    found = failures(examined(wait=0.5))
    assert list(found) == ["job"]
    for word in ("job 7 still PENDING", "reason Resources", "WAIT=600"):
        assert word in found["job"]
    assert (project / "cancelled").read_text() == "7\n"


def test_a_silent_sbatch_is_given_up(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(project, monkeypatch, sbatch="while :; do :; done\n")
    monkeypatch.setattr(cluster, "TIMEOUT", 0.5)
    found = failures(examined())
    assert "sbatch did not answer" in found["submission"]
    assert "operators" in found["submission"]


def test_what_the_site_asks_for_is_asked_of_sbatch(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(project, monkeypatch, sbatch='echo "$@" > asked\nexit 1\n')
    examined(partition="short", account="me", cores=2, memory=2000)
    asked = (project / "asked").read_text().split()
    assert {"--partition=short", "--account=me", "--cpus-per-task=2", "--mem=2000", "--time=2"} <= set(asked)


def test_extracts_that_a_node_cannot_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(project, monkeypatch)
    assert "cannot be read" in failures(examined(roots=("none-such",)))["node's extracts"]


def test_settings_are_the_profile_with_the_site_over_it(tmp_path: Path) -> None:
    shipped = settings(REPO / "profiles" / "slurm") if not (REPO / "profiles/slurm/site.yaml").exists() else None
    assert shipped is None or (shipped.executor, shipped.cores, shipped.memory, shipped.partition) == (
        "slurm",
        2,
        2000,
        "",
    )
    shutil.copy(REPO / "profiles" / "slurm" / "profile.yaml", tmp_path)
    (tmp_path / "site.yaml").write_text(
        "slurm-status-command: squeue\ncores: 4\ndefault-resources: {slurm_account: me, slurm_partition: short}\n"
    )
    found = settings(tmp_path)
    assert (found.account, found.partition, found.status_command) == ("me", "short", "squeue")
    assert (found.cores, found.memory, found.latency) == (4, 4000, 60)


def test_the_local_side_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = toy(tmp_path / "toy é")
    for name in ("requirements.lock", "profiles"):
        (folder / name).symlink_to(REPO / name)
    monkeypatch.chdir(folder)
    assert doctor.main([]) == 0
    shown = capsys.readouterr().out
    assert "configuration valid" in shown
    assert "not asked" in shown
    assert "FAIL" not in shown

    (folder / "extracts" / "pk.csv").unlink()
    (folder / "requirements.lock").unlink()
    (folder / "requirements.lock").write_text("pandas==0.1\nnone-such==1.0 \\\nother==1 ; sys_platform == 'x' \\\n")
    assert doctor.main(["--profile", "none-such"]) == 1
    shown = capsys.readouterr().out
    for word in ("extracts/pk.csv is missing", "2 not as locked: pandas", "none-such missing", "holds no profile.yaml"):
        assert word in shown
    assert shown.count("FAIL") == shown.count("cure:") == 3


def test_the_digest_tells_environments_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    one = probe.digest()
    monkeypatch.setattr(probe, "installed", lambda: {"pandas": "0.1"})
    assert probe.digest() != one
    answer = probe.look({"token": "t", "results": "none-such/results", "roots": []})
    assert json.loads(json.dumps(answer))["token"] == "t"
