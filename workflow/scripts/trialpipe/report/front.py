"""Facts of the front page: a line per trial, read from its results."""

from __future__ import annotations

from collections import Counter

from trialpipe.report.run import headline
from trialpipe.report.tables import NOT_DONE, Row


def portfolio(
    specs: list[dict], results: list[list[Row]], queries: list[list[Row]], laws: list[list[Row]]
) -> list[dict[str, object]]:
    """One dictionary per trial for the template; the lists are in the same order of trials."""
    return [
        _line(spec["protocol"], spec["outcomes"], sorted(rows, key=lambda r: r["order"]))
        | {"queries": Counter(query["severity"] for query in asked)}
        | {"laws": len(checked), "broken": sum(not law["holds"] for law in checked)}
        for spec, rows, asked, checked in zip(specs, results, queries, laws, strict=True)
    ]


def _line(protocol: dict, outcomes: list[dict], rows: list[Row]) -> dict[str, object]:
    reported = [o for o in outcomes if _is_reported([r for r in rows if r["outcome"] == o["id"]])]
    primary = [o for o in outcomes if o["role"] in ("primary", "assumed_primary")]
    return {
        "trial": protocol["trial"],
        "acronym": protocol["acronym"],
        "title": protocol["title"],
        "synthetic": protocol["synthetic"],
        "planned": protocol["design"]["planned_n"],
        "cutoff": protocol["data_cutoff"],
        "n": next((str(r["formatted"]) for r in rows if r["statistic"] == "n" and r["dataset"] == "adsl"), ""),
        "reported": len(reported),
        "outcomes": len(outcomes),
        "primary": [
            (o["title"], headline([r for r in rows if r["outcome"] == o["id"]], o["headline"])) for o in primary
        ],
    }


def _is_reported(rows: list[Row]) -> bool:
    return any(r["value"] is not None for r in rows) and not any(r["note"] == NOT_DONE for r in rows)
