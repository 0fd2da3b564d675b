#!/usr/bin/env bash
# Build .venv from a hash-locked requirements file: tools/bootstrap.sh run|test
# The stamp is written last and keyed by the locks, so an interrupted install is done again.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
lock=requirements.lock
[ "$kind" = test ] && lock=requirements-dev.lock

missing() { echo "$1 is missing; install it with: sudo apt-get install -y $2" >&2; exit 1; }
command -v git >/dev/null || missing git git
python=
for name in python3 python3.13 python3.12 python3.11; do
  if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'; then
    python=$name
    break
  fi
done
[ -n "$python" ] || missing "Python 3.11 or newer" python3
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing "Python's venv module" python3-venv

stamp=.venv/.built-$kind
wanted=$(cat requirements-build.lock "$lock" | sha256sum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  exit 0
fi
# a moved environment holds paths of its old place
if [ -x .venv/bin/python ] && ! .venv/bin/python -c "import os, sys; sys.exit(not os.path.samefile(sys.prefix, '.venv'))" 2>/dev/null; then
  rm -rf .venv
fi
[ -x .venv/bin/python ] || { rm -rf .venv; "$python" -m venv .venv; }
rm -f .venv/.built-*
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
echo "building the environment from $lock ..." >&2
pip install --require-hashes -r requirements-build.lock
# the few source packages are built with the locked setuptools above, not with one fetched for the build
pip install --require-hashes --no-build-isolation -r "$lock"
echo "$wanted" > "$stamp"
if [ "$kind" = test ]; then
  # the test lock holds everything of the run lock
  cat requirements-build.lock requirements.lock | sha256sum > .venv/.built-run
fi
# real data never meets git: refuse data files at commit
if git rev-parse --is-inside-work-tree >/dev/null 2>&1 && [ "$(git rev-parse --show-toplevel)" = "$PWD" ]; then
  git config core.hooksPath tools/hooks 2>/dev/null || true
fi
