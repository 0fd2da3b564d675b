"""``make impact TRIAL=x CELL=file:row:item``: every number that a raw cell reaches."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator

from trialpipe.config.errors import ConfigError
from trialpipe.provenance.graph import Cell, Graph
from trialpipe.provenance.trace import results_folder


def impact(graph: Graph, cell: Cell) -> Iterator[str]:
    """Lines: the cell's text, the rows it reaches, then each result with its printed text."""
    yield f"cell      {cell} {graph.text(cell)!r}"
    rows = sorted(graph.reached(cell))
    yield f"reaches   {len(rows)} clean and derived rows"
    yield from (f"  {row}" for row in rows)
    results = list(graph.touched(cell))
    yield f"numbers   {len(results)}"
    yield from (f"  {row['result_id']} = {row['formatted']}" for row in results)


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit code 1 with one line for a cell that is not in the extracts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trial", required=True)
    parser.add_argument("--cell", required=True)
    given = parser.parse_args(arguments)
    try:
        cell = Cell.parse(given.cell)
        graph = Graph(results_folder(given.trial))
    except (ValueError, FileNotFoundError, ConfigError) as error:
        print(f"ERROR {error}", file=sys.stderr)
        return 1
    if not graph.has(cell):
        print(
            f"ERROR {given.trial} has no cell '{cell}' - rows are counted in the file, the header is row 1",
            file=sys.stderr,
        )
        return 1
    for line in impact(graph, cell):
        print(line)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that stops early, such as head, is no error
    sys.exit(main())
