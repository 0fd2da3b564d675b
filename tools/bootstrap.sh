#!/usr/bin/env bash
# Build .venv from a hash-locked requirements file: tools/bootstrap.sh run|test
# The stamp is written last and keyed by the locks and the place, so an interrupted install is done again.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

stamp_of() { { cat requirements-build.lock "$1"; pwd -P; } | sha256sum; }
stamp_is() { [ -f ".venv/.built-$1" ] && [ "$(cat ".venv/.built-$1")" = "$2" ]; }
suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; }
# pip is gone where the system's Python moved on to another minor version
healthy() { suits .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null; }
missing() { echo "$1 is missing; install it with: sudo apt-get install -y $2" >&2; exit 1; }

kind=$1
wanted_run=$(stamp_of requirements.lock)
wanted_test=$(stamp_of requirements-dev.lock)
if [ "$kind" = test ]; then lock=requirements-dev.lock wanted=$wanted_test; else lock=requirements.lock wanted=$wanted_run; fi

# two calls at once (make -j): the second waits; a disk that cannot lock is no reason to stop
exec 9<tools/bootstrap.sh
flock 9 2>/dev/null || true
if stamp_is "$kind" "$wanted" && healthy; then
  exit 0
fi

command -v git >/dev/null || missing git git
command -v python3 >/dev/null || missing Python "python3 python3-venv"
python=
for name in python3 python3.13 python3.12 python3.11 python3.14; do
  if command -v "$name" >/dev/null && suits "$name"; then
    python=$name
    break
  fi
done
[ -n "$python" ] || missing "Python 3.11 to 3.14" "python3.11 python3.11-venv"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  missing "Python's venv module" "$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')"

# only a whole run environment of these locks is kept and extended for tests; all else (another lock, another place,
# an install that was interrupted, a Python that is gone) is built anew
if ! healthy || ! stamp_is run "$wanted_run" || { [ -f .venv/.built-test ] && ! stamp_is test "$wanted_test"; }; then
  rm -rf .venv
fi
[ -d .venv ] || "$python" -m venv .venv
rm -f .venv/.built-*
# a user's own pip settings hold, but for "user = true", which no virtual environment allows
pip() { PIP_USER=0 .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
echo "building the environment from $lock (a minute or two) ..." >&2
pip install --require-hashes -r requirements-build.lock
# the few source packages are built with the locked setuptools above, not with one fetched for the build
pip install --require-hashes --no-build-isolation -r "$lock"

# real data never meets git: refuse data files at commit (.git is a file in a worktree)
if [ -e .git ]; then
  hooks=$(git config core.hooksPath 2>/dev/null || true)
  [ -n "$hooks" ] || { git config core.hooksPath tools/hooks 2>/dev/null && hooks=tools/hooks; } || true
  [ "$hooks" = tools/hooks ] ||
    echo "note: git hooks are not set to tools/hooks; before a commit, run: python3 tools/check_no_data.py" >&2
fi

# the test lock holds everything of the run lock
echo "$wanted_run" > .venv/.built-run
[ "$kind" != test ] || echo "$wanted_test" > .venv/.built-test
