"""``make check TRIAL=x``: configuration and extracts in seconds, and the queries that are new since the last run."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trialpipe.config import plan
from trialpipe.config.errors import ConfigError
from trialpipe.config.site import read_site
from trialpipe.config.trial import Trial, as_json, load_trial
from trialpipe.io import store
from trialpipe.io.errors import DataError
from trialpipe.provenance.extracts import check_extracts
from trialpipe.provenance.identity import clean_spec, ingest_spec
from trialpipe.provenance.trace import results_folder

if TYPE_CHECKING:
    import pandas as pd


def queries(trial: Trial) -> pd.DataFrame:
    """All queries on a trial's extracts, computed in memory; nothing is written. Raises DataError."""
    import json

    from trialpipe.clean.checks import cross
    from trialpipe.clean.combine import combine
    from trialpipe.clean.run import clean, context_from
    from trialpipe.ingest.run import ingest
    from trialpipe.io.contracts import QUERIES

    forms = {}
    for source, form in plan.forms(trial):
        table, _ = ingest(json.loads(as_json(ingest_spec(trial, source, form))), trial.root, form)
        forms[f"{source}.{form}"] = store.frame(table)
    context = context_from(json.loads(as_json(clean_spec(trial))))
    found, domains = [], {}
    for name in plan.domains(trial):
        needed = {form: forms[form] for form in plan.domain_forms(trial, name)}
        result = clean(plan.domain_map(trial, name), needed, context)
        domains[name] = result.table
        found.append(result.queries)
    return combine([*found, cross(domains, context)], QUERIES)


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit code 1 when configuration or extracts are not usable."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trial", required=True)
    given = parser.parse_args(arguments)
    try:
        site = read_site()
        trial = load_trial(Path(site.trials_dir), given.trial, site.data_roots.get(given.trial, site.data_root))
        print(f"configuration of {given.trial}: valid")
        check_extracts(trial)
        print(f"extracts: {len(trial.lock)} files, all as accepted")
        found = queries(trial)
    except (ConfigError, DataError) as error:
        text = str(error)
        print(text if text.startswith("ERROR") else f"ERROR {text}", file=sys.stderr)
        return 1
    before = results_folder(given.trial) / "clean" / "queries.parquet"
    known = set(store.read(before)["query_id"]) if before.exists() else set()
    new = found[~found["query_id"].isin(known)]
    print(f"queries: {len(found)}, of these {len(new)} new since the last run")
    for row in new.to_dict("records"):
        place = row["origin"][0] if row["origin"] else ""
        print(f"  {row['severity']:7} {place} {row['message']}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that stops early, such as head, is no error
    sys.exit(main())
