#!/usr/bin/env bash
# After Snakemake itself was killed (kill -9, a reboot of the login node): cancel the SLURM jobs that its runs in this
# folder left behind, wait for their end, and free the lock. Then give the same command again.
# Without this, a second run submits second copies of jobs that still write.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$(pwd -P)

# jobs of this user and folder whose name begins with slurm-jobname-prefix
left() { squeue --me --noheader --format='%A|%j|%Z' | awk -F'|' -v here="$here" '$2 ~ /^trialpipe_/ && $3 == here {print $1}'; }

jobs=$(left)
if [ -n "$jobs" ]; then
  echo "cancelling" $jobs
  scancel $jobs
  for _ in $(seq 120); do
    jobs=$(left)
    [ -n "$jobs" ] || break
    sleep 1
  done
  [ -z "$jobs" ] || { echo "still there after two minutes:" $jobs "- ask the operators" >&2; exit 1; }
fi
# what Snakemake's own --unlock does, without reading the configuration
rm -rf .snakemake/locks
echo "nothing of this folder runs on the cluster; give the same command again"
