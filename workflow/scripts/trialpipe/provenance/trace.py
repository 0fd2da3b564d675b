"""``make trace TRIAL=x RESULT=id``: the chain of a number down to the raw cells, as text."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from trialpipe.config.errors import ConfigError
from trialpipe.config.site import read_site
from trialpipe.provenance.graph import Cell, Graph, Row

HIDDEN = {"row_id", "from", "origin", "flags", "USUBJID", "DOMAIN"}


def trace(graph: Graph, result_id: str) -> Iterator[str]:
    """Lines of the chain: result, rows of its row set by role, rows behind them, raw cells with their text.

    A row that several others were made from is printed whole once and named afterwards.
    Raises KeyError for an unknown result_id.
    """
    result = graph.result(result_id)
    yield f"result    {result_id}"
    method = result["method"] or "count or description"
    yield f"          {result['statistic']} = {result['formatted']} (value {result['value']!r}); {method}"
    place = f"{result['analysis']}, scenario {result['scenario']}, population {result['population']}"
    yield f"analysis  outcome {result['outcome']}, {place}"
    members = graph.rowsets.get(str(result["rowset"]), [])
    roles = sorted({role for _, role in members})
    counts = ", ".join(f"{sum(r == role for _, r in members)} {role}" for role in roles)
    yield f"rowset    {result['rowset']}: {len(members)} rows ({counts})"
    shown: set[str] = set()
    for role in roles:
        yield f"role      {role}"
        for row_id in [row for row, r in members if r == role]:
            yield from _chain(graph, row_id, 1, shown)


def _chain(graph: Graph, row_id: str, depth: int, shown: set[str]) -> Iterator[str]:
    indent = "  " * depth
    if row_id in shown:
        yield f"{indent}{row_id} (above)"
        return
    shown.add(row_id)
    if row_id not in graph.rows:
        yield f"{indent}{row_id} (not among the clean and derived rows)"
        return
    yield f"{indent}{row_id}  {_facts(graph.rows[row_id])}"
    rows, cells = graph.parents(row_id)
    for parent in rows:
        yield from _chain(graph, parent, depth + 1, shown)
    for address in cells:
        yield f"{indent}  raw {address} {graph.text(Cell.parse(address))!r}"


def _facts(row: Row) -> str:
    return " ".join(f"{name}={value}" for name, value in row.items() if name not in HIDDEN and value is not None)


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit code 1 with one line for an unknown trial or result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trial", required=True)
    parser.add_argument("--result", required=True)
    given = parser.parse_args(arguments)
    try:
        graph = Graph(results_folder(given.trial))
        for line in trace(graph, given.result):
            print(line)
    except (FileNotFoundError, ConfigError) as error:
        print(f"ERROR {error}", file=sys.stderr)
        return 1
    except KeyError:
        near = get_close_matches(given.result, [str(row["result_id"]) for row in graph.results], 3)
        cure = f"nearest: {', '.join(near)}" if near else "result_ids stand in the report and in analysis.parquet"
        print(f"ERROR {given.trial} has no result '{given.result}' - {cure}", file=sys.stderr)
        return 1
    return 0


def results_folder(trial: str) -> Path:
    """Folder of a trial's artifacts, by config.yaml."""
    return Path(read_site().pathvars.get("results", "results")) / trial


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that stops early, such as head, is no error
    sys.exit(main())
