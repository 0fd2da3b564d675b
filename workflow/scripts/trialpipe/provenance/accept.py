"""``make accept TRIAL=x``: show what changed in the raw files, then record them in extracts.lock."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from trialpipe.config import plan
from trialpipe.config.errors import ConfigError
from trialpipe.config.site import read_site
from trialpipe.config.trial import LOCK, Trial, as_json, load_trial, write_lock
from trialpipe.io import store
from trialpipe.io.errors import DataError
from trialpipe.provenance.extracts import configured_files, hash_file
from trialpipe.provenance.identity import ingest_spec
from trialpipe.provenance.trace import results_folder


def changes(trial: Trial, results: Path) -> Iterator[str]:
    """One line per raw file that is new, changed or no longer configured; rows are compared with the last run's."""
    present = configured_files(trial)
    for name in sorted(set(trial.lock) - set(present)):
        yield f"removed   {name}"
    for name in present:
        path = trial.root / name
        if not path.is_file():
            raise DataError(
                path.as_posix(),
                message="is missing",
                cure="put the extract there, or set data_root in config/local.yaml",
            )
        found = hash_file(path)
        if name not in trial.lock:
            yield f"new       {name} ({found.size} bytes, sha256 {found.sha256[:12]})"
        elif found != trial.lock[name]:
            yield f"changed   {name} ({trial.lock[name].size} -> {found.size} bytes){_rows(trial, name, results)}"


def _rows(trial: Trial, name: str, results: Path) -> str:
    """``: 3 rows added, 1 row removed`` against the ingested table of the last run, if there is one."""
    from trialpipe.ingest.run import ingest

    for source, form in plan.forms(trial):
        before = results / "ingested" / source / f"{form}.parquet"
        if name in plan.raw_files(trial, source, form) and before.exists():
            spec = json.loads(as_json(ingest_spec(trial, source, form)))
            old, new = (
                Counter(
                    as_json({k: v for k, v in row.items() if k != "source_row"})
                    for row in table.to_pylist()
                    if row["source_file"] == name
                )
                for table in (store.read_arrow(before), ingest(spec, trial.root, form)[0])
            )
            return f": {(new - old).total()} rows added or changed, {(old - new).total()} rows gone or changed"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit code 1 with one line for a missing or unreadable file, and the lock left as it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trial", required=True)
    given = parser.parse_args(arguments)
    try:
        site = read_site()
        trial = load_trial(Path(site.trials_dir), given.trial, site.data_roots.get(given.trial, site.data_root))
        lines = list(changes(trial, results_folder(given.trial)))
        for line in lines:
            print(line)
        if not lines:
            print(f"{given.trial}: the extracts are the accepted ones; nothing to record")
            return 0
        write_lock(trial.folder / LOCK, {name: hash_file(trial.root / name) for name in configured_files(trial)})
        print(f"recorded  {(trial.folder / LOCK).as_posix()}; commit it with the reason for the new extract")
    except (ConfigError, DataError) as error:
        text = str(error)
        print(text if text.startswith("ERROR") else f"ERROR {text}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
