"""Refuse data files outside the listed places, and large files anywhere: real data never meets git.

Every file in git's index (tracked or staged) is checked, as staged; exit code 1 names each offender.
"""

from __future__ import annotations

import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

ALLOWED = Path(__file__).with_name("data_allowed.txt")
ENDINGS = {
    ".csv", ".tsv", ".txt", ".dat", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".parquet", ".feather", ".arrow",
    ".xpt", ".sas7bdat", ".sav", ".dta", ".rds", ".rdata", ".rda", ".xml", ".rcc", ".zip", ".gz", ".bz2", ".xz",
    ".7z", ".tar", ".tgz", ".json", ".jsonl", ".ndjson", ".sqlite", ".db", ".mdb", ".accdb", ".pkl", ".pickle",
    ".npy", ".npz", ".h5", ".fcs", ".doc", ".docx", ".rtf", ".pdf",
}  # fmt: skip
LARGEST = 5_000_000


def allowed_places() -> list[str]:
    """Patterns of places where data may stand."""
    lines = ALLOWED.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def offences(sizes: dict[str, int], places: list[str]) -> list[str]:
    """One line per file that must not be committed; ``sizes`` maps names to bytes."""
    found = []
    for name, size in sorted(sizes.items()):
        # every ending counts: patients.csv.bak and patients.csv.gz are data too
        is_data = any(part.lower() in ENDINGS for part in PurePosixPath(name).suffixes)
        if is_data and not any(fnmatchcase(name, place) for place in places):
            found.append(f"{name} a data file outside the listed places - unstage it: git rm --cached '{name}'")
        elif size > LARGEST:
            found.append(f"{name} {size} bytes, more than {LARGEST} - unstage it: git rm --cached '{name}'")
    return found


def staged() -> dict[str, int]:
    """Names and bytes of the files in git's index, as they would be committed (links to other repositories: 0)."""
    out = subprocess.run(["git", "ls-files", "-s", "-z", ":/"], capture_output=True, check=True).stdout
    entries = [entry.split("\t", 1) for entry in out.decode("utf-8", "surrogateescape").split("\0") if entry]
    blobs = "".join(f"{head.split()[1]}\n" for head, _ in entries)
    asked = ["git", "cat-file", "--batch-check=%(objectsize)"]
    answers = subprocess.run(asked, input=blobs, capture_output=True, check=True, text=True).stdout.splitlines()
    sizes = (int(answer) if answer.isdigit() else 0 for answer in answers)
    return {name: size for (_, name), size in zip(entries, sizes, strict=True)}


def main() -> int:
    """Exit code 1 if a file must not be committed."""
    inside = subprocess.run(["git", "rev-parse", "--is-inside-work-tree"], capture_output=True, check=False)
    if inside.returncode:
        print("not in a git checkout: nothing to check", file=sys.stderr)
        return 0
    found = offences(staged(), allowed_places())
    for line in found:
        print(f"ERROR {line}".encode("utf-8", "replace").decode("utf-8"), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
