"""Pages of the documentation on operating characteristics, from a finished ``make characteristics``.

    python -m trialpipe.report.characteristics_docs [--trial ID]

writes ``docs/characteristics/<trial>.md`` of every trial that has characteristics. The page names the command and the
seed that give the same numbers again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trialpipe.config.site import load_trials, read_site
from trialpipe.config.trial import Trial
from trialpipe.io import store
from trialpipe.io.text import write_text
from trialpipe.report.characteristics import Row, markdown

FOLDER = Path("docs") / "characteristics"


def command(trial: Trial, rows: list[Row]) -> str:
    """The command that makes the rows."""
    count = max(int(row["replicates"]) for row in rows)
    return f"make characteristics TRIAL={trial.id} N={count} DOCS=1"


def text(trial: Trial, rows: list[Row]) -> str:
    """The page of a trial. Raises ValueError if it has no scenarios."""
    spec = trial.characteristics
    if spec is None:
        raise ValueError(f"{trial.id} has no characteristics.yaml")
    outcome = next(o for o in trial.outcomes if o.id == spec.outcome)
    return markdown(trial.protocol, outcome, spec, rows, command(trial, rows))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trialpipe.report.characteristics_docs")
    parser.add_argument("--trial", help="one trial; default: all that have characteristics")
    wanted = parser.parse_args(arguments).trial
    site = read_site()
    trials = load_trials(site.model_dump(mode="json") | ({"trials": [wanted]} if wanted else {}))
    results = Path(site.pathvars.get("results", "results"))
    for trial in (t for t in trials.values() if t.characteristics is not None):
        rows = store.read_arrow(results / trial.id / "characteristics.parquet").to_pylist()
        write_text(text(trial, rows), FOLDER / f"{trial.id}.md")
        print(FOLDER / f"{trial.id}.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
