"""Every number resolves to raw cells, and every raw cell to the numbers it reaches."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow.runs import REPO, python, snakemake, toy

from trialpipe.provenance.graph import Cell, Graph
from trialpipe.provenance.trace import trace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = toy(tmp_path_factory.mktemp("trace") / "run")
    run = snakemake(folder, code=REPO)
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def graph(done: Path) -> Graph:
    return Graph(done / "results" / "toy")


def median_id(graph: Graph) -> str:
    (found,) = (r["result_id"] for r in graph.results if r["outcome"] == "pk" and r["statistic"] == "median")
    return found


def leaves(graph: Graph, row_id: str) -> set[str]:
    rows, cells = graph.parents(row_id)
    return set(cells).union(*(leaves(graph, row) for row in rows))


def test_every_number_resolves_to_raw_cells_that_exist(graph: Graph) -> None:
    assert len(graph.results) > 100
    for result in graph.results:
        members = graph.rowsets.get(result["rowset"], [])
        for row_id, _ in members:
            cells = leaves(graph, row_id)
            assert cells, (result["result_id"], row_id)
            assert all(graph.has(Cell.parse(cell)) for cell in cells)


def test_trace_prints_the_chain_down_to_the_cell_text(graph: Graph) -> None:
    """By hand: concentrations on day 14 are 12.5, <0.5, 8.25, 3.1 and 15.75, so the median is 8.25 in pk.csv line 4."""
    text = "\n".join(trace(graph, median_id(graph)))
    assert "median = 8.25" in text
    assert "raw pk.csv:4:conc '8.25'" in text
    assert "raw pk.csv:3:conc '<0.5'" in text


def test_impact_of_a_concentration_is_the_pk_outcome_alone(graph: Graph) -> None:
    touched = {row["outcome"] for row in graph.touched(Cell.parse("pk.csv:4:conc"))}
    assert touched == {"pk"}


def test_impact_of_a_death_date_reaches_survival(graph: Graph) -> None:
    touched = {row["outcome"] for row in graph.touched(Cell.parse("patients.csv:4:death"))}
    assert {"os", "alive"} <= touched


def test_trace_and_impact_of_what_does_not_exist_is_one_line(done: Path) -> None:
    for command, option, value in (("trace", "--result", "os/nothing"), ("impact", "--cell", "pk.csv:99:conc")):
        run = python(done, "-m", f"trialpipe.provenance.{command}", "--trial", "toy", option, value)
        assert run.returncode == 1
        assert run.stderr.startswith("ERROR toy has no ")
        assert len(run.stderr.strip().splitlines()) == 1


def test_check_prints_only_new_queries(done: Path) -> None:
    run = python(done, "-m", "trialpipe.provenance.check", "--trial", "toy")
    assert run.returncode == 0, run.stderr
    assert "of these 0 new since the last run" in run.stdout
