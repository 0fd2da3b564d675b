"""A real SLURM cluster of one node on this machine, for tests: loopback only, no systemd, all files in one folder.

    python3 tools/slurm/cluster.py start FOLDER
    . FOLDER/env.sh                               # SLURM's configuration and programs for this shell
    python3 tools/slurm/cluster.py stop FOLDER

Needs root and Debian's munge, slurmctld, slurmd and slurm-client; installs nothing. ``stop`` ends what ``start``
started, by process id and start time, and nothing else. No accounting database: ask squeue, not sacct.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client"}
ORDER = ("munged", "slurmctld", "slurmd")
NOT_HERE = 3

CONFIGURATION = """\
ClusterName=onenode
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
# listen on 127.0.0.1 alone; both words are needed
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# neither cgroups nor MPI are asked of the machine
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
# memory is sampled each second, and what exceeds its request is killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# two processors are promised even where the machine has one
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
# what no node can ever run is refused at once instead of waiting without a word
EnforcePartLimits=ALL
AccountingStorageType=accounting_storage/none
# squeue tells of ended jobs for this long
MinJobAge=300
KillWait=3
ReturnToService=2
UnkillableStepTimeout=300
NodeName={host} NodeAddr=127.0.0.1 Port={node_port} CPUs={processors} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES DefaultTime=30 MaxTime=120 State=UP
"""


def started(pid: int) -> str | None:
    """Start time of a process in kernel ticks; None when there is none. Pid and start time name a process for good."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def running(folder: Path, name: str) -> int | None:
    """Pid of a daemon that an earlier ``start`` in ``folder`` left running."""
    try:
        pid, ticks = (folder / f"{name}.started").read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if started(int(pid)) == ticks else None


def launch(folder: Path, name: str, *command: str) -> None:
    """Start a daemon in the foreground mode of its own, in a session of its own, unless it runs already."""
    if running(folder, name):
        return
    with open(folder / f"{name}.out", "ab") as out:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    (folder / f"{name}.started").write_text(f"{daemon.pid} {started(daemon.pid)}\n")


def answers(*command: str) -> str:
    """Output of a command; empty when it fails or takes more than five seconds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def until(seconds: float, true: Callable[[], object]) -> bool:
    """Whether ``true`` became so in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def lacking() -> str | None:
    """What keeps a cluster from being started here, with its cure; None when nothing does."""
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if missing:
        return f"no SLURM here: apt-get install -y --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0:
        return "starting SLURM needs root: the daemons change user ids"
    name = socket.gethostname().partition(".")[0]
    try:
        socket.gethostbyname(name)
    except OSError:
        return f"the name of this machine does not resolve: add the line '127.0.0.1 {name}' to /etc/hosts"
    return None


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def configure(folder: Path) -> None:
    """Key, slurm.conf, srun and env.sh; what an earlier start wrote stays as it is."""
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir(exist_ok=True)
    key = folder / "munge.key"
    if not key.exists():
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
    configuration = folder / "slurm.conf"
    if not configuration.exists():
        controller_port, node_port = free_ports(2)
        configuration.write_text(
            CONFIGURATION.format(
                folder=folder,
                host=socket.gethostname().partition(".")[0],
                controller_port=controller_port,
                node_port=node_port,
                processors=max(2, os.cpu_count() or 1),
                memory=int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20 * 0.8),
            )
        )
    # Snakemake's job step takes SLURM_CONF from the environment before it calls srun: srun is told again
    wrapper = folder / "bin" / "srun"
    if not wrapper.exists():
        lines = (
            "#!/bin/sh",
            f"export SLURM_CONF={shlex.quote(str(configuration))}",
            f'exec {shutil.which("srun")} "$@"',
        )
        wrapper.write_text("\n".join(lines) + "\n")
        wrapper.chmod(0o755)
    (folder / "env.sh").write_text(
        f"export SLURM_CONF={shlex.quote(str(configuration))}\nexport PATH={shlex.quote(str(folder / 'bin'))}:$PATH\n"
    )


def start(folder: Path) -> str | None:
    """Start what does not run yet and wait until a job can be submitted; returns what went wrong, with its cure."""
    if " " in str(folder):
        return f"{folder}: slurm.conf cannot hold a path with spaces - name another folder"
    os.umask(0o022)  # munged refuses a folder that others may write to
    folder.mkdir(parents=True, exist_ok=True)
    configure(folder)
    os.environ["SLURM_CONF"] = configuration = str(folder / "slurm.conf")
    place = str(folder / "munge.socket")
    own = [f"--{option}={folder}/munge.{ending}" for option, ending in (("pid-file", "pid"), ("seed-file", "seed"))]
    own += [f"--key-file={folder}/munge.key", f"--log-file={folder}/munge.log", f"--socket={place}"]
    # --force: the folder may lie below one that others may write to, such as a folder for temporary files
    launch(folder, "munged", "munged", "--foreground", "--force", *own)
    if not until(20, lambda: answers("munge", "-n", "-S", place)):
        return f"munged does not answer - see {folder}/munge.log"
    launch(folder, "slurmctld", "slurmctld", "-D", "-f", configuration)
    if not until(30, lambda: "UP" in answers("scontrol", "ping")):
        return f"slurmctld does not answer - see {folder}/slurmctld.log"
    launch(folder, "slurmd", "slurmd", "-D", "-f", configuration)
    ready = {"idle", "mixed", "allocated", "completing"}
    if not until(60, lambda: answers("sinfo", "-h", "-o", "%T").strip() in ready):
        return f"the node does not come up - see {folder}/slurmd.log"
    return None


def stop(folder: Path) -> None:
    """Cancel all jobs, end the daemons; leaves the folder, which the next start uses again."""
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    if running(folder, "slurmctld"):  # first the jobs: they outlive the node's daemon
        jobs = answers("squeue", "-h", "-o", "%A").split()
        if jobs:
            answers("scancel", *jobs)
            until(20, lambda: not answers("squeue", "-h", "-o", "%A").split())
    for name in reversed(ORDER):
        pid = running(folder, name)
        if pid:
            os.kill(pid, signal.SIGTERM)
            if not until(10, lambda name=name: not running(folder, name)):
                os.kill(pid, signal.SIGKILL)
        (folder / f"{name}.started").unlink(missing_ok=True)


def main() -> int:
    """Command line; exit code 3 where SLURM cannot be started at all, 1 where it should start and does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("start", "stop"))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    folder = given.folder.resolve()
    os.environ["PATH"] += ":/usr/sbin"  # where Debian keeps the daemons
    if given.action == "stop":
        stop(folder)
        return 0
    if problem := lacking():
        print(f"ERROR {problem}", file=sys.stderr)
        return NOT_HERE
    if problem := start(folder):
        print(f"ERROR {problem}", file=sys.stderr)
        return 1
    print(f"SLURM runs; in this shell:  . {folder}/env.sh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
