"""Raw extracts against their lock: what must hold before the first job starts."""

from __future__ import annotations

import hashlib
from pathlib import Path

from trialpipe.config.trial import Locked, Trial
from trialpipe.io.errors import DataError


def hash_file(path: Path) -> Locked:
    """sha256 and size in bytes, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return Locked(digest.hexdigest(), path.stat().st_size)


def configured_files(trial: Trial) -> list[str]:
    """Every raw file of a trial, relative to its root, sorted."""
    return sorted({name for source in trial.extracts.sources for form in source.forms for name in form.files})


def check_extracts(trial: Trial) -> None:
    """Raise DataError for the first configured file that is missing, empty or not the one accepted."""
    cure = f"look at the change and record it with: make accept TRIAL={trial.id}"
    for name in configured_files(trial):
        path = trial.root / name
        if not path.is_file():
            raise DataError(
                path.as_posix(),
                message="is missing",
                cure="put the extract there, or set data_root in config/local.yaml",
            )
        if path.stat().st_size == 0:
            raise DataError(path.as_posix(), message="is empty", cure="export the form again")
        if name not in trial.lock:
            raise DataError(path.as_posix(), message="has not been accepted yet", cure=cure)
        if hash_file(path) != trial.lock[name]:
            raise DataError(path.as_posix(), message="is not the extract that was accepted (sha256 differs)", cure=cure)
