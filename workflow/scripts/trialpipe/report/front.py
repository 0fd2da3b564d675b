"""Facts of the front page: a line per trial, read from its results."""

from __future__ import annotations

from collections import Counter

from trialpipe.report.marks import mark_of
from trialpipe.report.run import headline
from trialpipe.report.tables import NOT_DONE, Row

PRIMARY = "primary"


def portfolio(
    specs: list[dict],
    results: list[list[Row]],
    queries: list[list[Row]],
    laws: list[list[Row]],
    verdicts: list[list[Row]] | None = None,
) -> list[dict[str, object]]:
    """One dictionary per trial for the template; the lists are in the same order of trials.

    ``verdicts``: rows of the comparison with the second derivation; with them each trial has its ``mark``.
    """
    lines = [
        _line(spec["protocol"], spec["outcomes"], sorted(rows, key=lambda r: r["order"]))
        | {"queries": Counter(query["severity"] for query in asked)}
        | {"laws": len(checked), "broken": sum(not law["holds"] for law in checked)}
        for spec, rows, asked, checked in zip(specs, results, queries, laws, strict=True)
    ]
    for line, found in zip(lines, verdicts or (), strict=verdicts is not None):
        line["mark"] = mark_of(row["verdict"] for row in found)
    return lines


def _line(protocol: dict, outcomes: list[dict], rows: list[Row]) -> dict[str, object]:
    promised = [o for o in outcomes if o["role"] == "described"]
    registered = [o for o in outcomes if o["role"] not in ("described", "source")]
    # without any registration (a published data set) the source's own outcomes count
    counted = registered or [o for o in outcomes if o["role"] == "source"]
    primary = [o for o in outcomes if o["role"] in ("primary", "assumed_primary")]
    return {
        "trial": protocol["trial"],
        "acronym": protocol["acronym"],
        "title": protocol["title"],
        "synthetic": protocol["synthetic"],
        "planned": protocol["design"]["planned_n"],
        "cutoff": protocol["data_cutoff"],
        "n": _analysed(primary or counted, rows),
        "outcomes": _tally(counted, rows),
        "promised": _tally(promised, rows),
        "primary": [
            (o["title"], headline([r for r in rows if r["outcome"] == o["id"]], o["headline"])) for o in primary
        ],
    }


def _analysed(outcomes: list[dict], rows: list[Row]) -> str:
    """Size of the population of the first of the outcomes that has results, all groups together."""
    names = [outcome["id"] for outcome in outcomes]
    sets = [
        row["population"] for name in names for row in rows if row["outcome"] == name and row["scenario"] == PRIMARY
    ]
    sizes = [r for r in rows if r["statistic"] == "n" and r["analysis"] == "populations" and r["category"] in sets[:1]]
    return next((str(row["formatted"]) for row in sizes if row["group"] in (None, "Overall")), "")


def _tally(outcomes: list[dict], rows: list[Row]) -> tuple[int, int]:
    """(reported, total) of registered outcomes; one that several analyses share counts once, and when all have it."""
    found: dict[tuple[str, ...], bool] = {}
    for outcome in outcomes:
        name = tuple(outcome["registered"])
        reported = _is_reported([r for r in rows if r["outcome"] == outcome["id"]])
        found[name] = found.get(name, True) and reported
    return sum(found.values()), len(found)


def _is_reported(rows: list[Row]) -> bool:
    return any(r["value"] is not None for r in rows) and not any(r["note"] == NOT_DONE for r in rows)
