"""Run the second derivation in R, or say what is missing for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from trialpipe.io.errors import DataError

PACKAGES = {
    "survival": "r-cran-survival",
    "cmprsk": "r-cran-cmprsk",
    "nlme": "r-cran-nlme",
    "jsonlite": "r-cran-jsonlite",
}
"""R package -> Debian package."""


def missing() -> list[str]:
    """Debian packages that the second derivation needs and that are not there."""
    if shutil.which("Rscript") is None:
        return ["r-base-core", *PACKAGES.values()]
    names = ", ".join(f'"{name}"' for name in PACKAGES)
    code = f"cat(setdiff(c({names}), rownames(installed.packages())))"
    found = subprocess.run(["Rscript", "--vanilla", "-e", code], capture_output=True, text=True, check=False)
    return [PACKAGES[name] for name in found.stdout.split()]


def check() -> None:
    """Raises DataError, with the command that installs it, where R or a package is missing."""
    lacking = missing()
    if lacking:
        cure = f"apt-get install {' '.join(lacking)}"
        raise DataError(message="the second derivation needs R with its packages", cure=cure)


def run(script: Path, source: Path, target: Path) -> None:
    """``Rscript script source target``. Raises DataError where R or a package is missing, or R stops."""
    check()
    done = subprocess.run(["Rscript", "--vanilla", str(script), str(source), str(target)], check=False)
    if done.returncode:
        raise DataError(message="R stopped in the second derivation", cure="its message stands above this line")


if __name__ == "__main__":
    try:
        check()
    except DataError as error:
        sys.exit(str(error))
