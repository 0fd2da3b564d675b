"""The report of a trial and the front page: results, queries and figures laid out as HTML. Formats, never computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.config.scenarios import scenarios
from trialpipe.io.text import printed_unit
from trialpipe.report import captions, marks, sensitivity, text
from trialpipe.report.shells import SHELLS, layout
from trialpipe.report.tables import NOT_DONE, TOKEN, Row, Table, table

TEMPLATES = Path(__file__).parent / "templates"
MOST_QUERIES = 400
INTERCURRENT = "intercurrent_events"


def render(
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    tables: dict[str, list[Row]],
    figures: dict[str, str],
    verdicts: Mapping[str, str] | None = None,
) -> str:
    """The report of one trial as one HTML page without any outside reference.

    ``tables`` holds the rows of ``results``, ``laws``, ``queries``, ``reconciliation`` and ``redacted``; ``figures``
    the SVG text by name (``<outcome>.<analysis>``). Text of the extracts is escaped by the template engine.
    ``verdicts`` of the second derivation by ``result_id``: with them every table is marked.
    """
    results = sorted(tables["results"], key=lambda row: row["order"])
    sections = []
    for outcome in outcomes:
        own = [row for row in results if row["outcome"] == outcome.id]
        made = section(outcome, protocol, own, figures)
        sections.append(made if verdicts is None else marks.marked(made, own, verdicts))
    queries = tables["queries"]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
            protocol=protocol,
            allocation=text.ALLOCATIONS[protocol.design.allocation],
            clock=text.clock(protocol),
            descriptions=[
                s
                for s in sections
                if s["outcome"].registered is None and s["outcome"].section in ("flow", "populations", "baseline")
            ],
            outcomes=[
                s
                for s in sections
                if not (s["outcome"].registered is None and s["outcome"].section in ("flow", "populations", "baseline"))
            ],
            roles=text.ROLES,
            section_names=text.SECTIONS,
            assumptions=[(None, a) for a in protocol.assumptions] + [(o, a) for o in outcomes for a in o.assumptions],
            queries=queries[:MOST_QUERIES],
            query_total=len(queries),
            query_counts=_query_counts(queries),
            reconciliation=_reconciliation(tables["reconciliation"]),
            set_aside=[row for row in tables["reconciliation"] if row["status"] == "set_aside"],
            redacted=sorted(
                Counter((str(r["source_file"]), str(r["item"]), str(r["rule"])) for r in tables["redacted"]).items()
            ),
            confirmed=None if verdicts is None else marks.mark(results, verdicts),
            laws=tables["laws"],
            broken=[law for law in tables["laws"] if not law["holds"]],
            law_counts=_law_counts(tables["laws"]),
            methods=sorted({str(row["method"]) for row in results if row["method"]}),
            numbers=sum(not str(row["analysis"]).endswith("~curve") for row in results),
        )
    )


def section(outcome: Outcome, protocol: Protocol, rows: list[Row], figures: dict[str, str]) -> dict[str, Any]:
    """What the template needs of one outcome: words, tables by analysis, sensitivity analyses, figures, headline."""
    blocks = []
    asked = outcome.headline.model_dump(exclude_none=True) if outcome.headline else {}
    words = text.labels(outcome, protocol)
    sets = {p.id: p.label for p in protocol.populations}
    for analysis in outcome.analyses:
        name = f"{analysis.kind}.{analysis.id}" if analysis.id else analysis.kind
        mine = [row for row in rows if row["analysis"] == name]
        shown = []
        for scenario, changed in scenarios(outcome):
            chosen = [row for row in mine if row["scenario"] == scenario]
            if chosen:
                label = next((s.label for s in outcome.sensitivity if s.id == scenario), None)
                by = words.get(("variable", analysis.by), "group") if analysis.by else None
                own = words if changed is outcome else text.labels(changed, protocol)
                shown.append((label, split(chosen, layout(analysis), own, sets, by)))
        same = [label for label, tables in shown[1:] if sensitivity.alike(tables, shown[0][1])]
        figure = figures.get(f"{outcome.id}.{name}")
        primary = [row for row in rows if row["scenario"] == "primary"]
        curve = [row for row in primary if row["analysis"] == f"{name}~curve"]
        drawn = curve or [row for row in primary if row["analysis"] == name]
        blocks.append(
            {
                "analysis": analysis,
                "name": name,
                "scenarios": [(label, tables) for label, tables in shown if label not in same],
                "unchanged": same,
                "sensitivity": sensitivity.summary(outcome, name, analysis.kind, rows, words, sets),
                "figure": Markup(figure) if figure else None,
                "caption": captions.figure_caption(analysis.kind, drawn, sets, words) if figure else "",
                "mark": None,
            }
        )
    counted = [row for row in rows if row["analysis"] == INTERCURRENT]
    return {
        "outcome": outcome,
        "estimand": text.estimand(outcome, protocol),
        "intercurrent": split(counted, INTERCURRENT, words, sets, "arm") if counted else [],
        "blocks": blocks,
        "headline": _named(headline(rows, asked), asked, rows, words),
        "assumed": any(row["assumed"] for row in rows),
        "not_done": any(row["note"] == NOT_DONE for row in rows),
        "mark": None,
    }


def _named(line: str, asked: Mapping[str, Any], rows: list[Row], words: Mapping[tuple[str, str], str]) -> str:
    """A headline with the name of what was measured, where the outcome has several measures."""
    parameter = asked.get("parameter")
    several = len({row["parameter"] for row in rows if row["parameter"]}) > 1
    return f"{words.get(('parameter', parameter), parameter)}, {line}" if line and parameter and several else line


def split(
    rows: list[Row],
    kind: str,
    words: dict[tuple[str, str], str],
    sets: Mapping[str, str] | None = None,
    by: str | None = None,
) -> list[tuple[str, Table]]:
    """One table per display (column ``variable``) of a kind whose shell says so, else one table; with captions.

    ``sets``: labels of populations; ``by``: label of the variable that makes the groups.
    """

    def made(found: list[Row]) -> Table:
        return replace(table(found, kind, words), caption=captions.table_caption(kind, found, sets or {}, by))

    if kind not in SHELLS or not SHELLS[kind].displays:
        return [("", made(rows))]
    displays = list(dict.fromkeys(row["variable"] for row in rows))
    shown = [(name, [row for row in rows if row["variable"] == name]) for name in displays]
    return [(text.DISPLAYS.get(str(name), str(name)), made(found)) for name, found in shown]


def headline(rows: list[Row], asked: Mapping[str, Any]) -> str:
    """The main number of an outcome for the overview, at the last time that has one.

    ``asked``: values that columns of its row must have (``headline`` of outcomes.yaml). Of all patients together; where
    only groups have the number, of each group, and of a comparison with its p-value.
    """
    shown = [r for r in rows if r["scenario"] == "primary" and not r["analysis"].endswith("~curve")]
    # what happened on the way is not what was measured
    shown = [r for r in shown if r["analysis"] != INTERCURRENT]
    shown = [r for r in shown if r["value"] is not None]
    wanted = [r for r in shown if all(r[column] == value for column, value in asked.items())]
    whole = [r for r in wanted if r["group"] in (None, "Overall")]
    for statistic, pattern in HEADLINES:
        found = [r for r in whole if r["statistic"] == statistic] or _of_groups(wanted, statistic, asked)
        if len({r["parameter"] for r in found}) > 1:
            return ""
        found = [r for r in found if r["analysis"] == found[0]["analysis"] and r["category"] == found[0]["category"]]
        if found:
            groups = list(dict.fromkeys((r["group"], r["comparator"]) for r in found))
            parts = [
                _headline_of([r for r in found if (r["group"], r["comparator"]) == g], shown, pattern) for g in groups
            ]
            last = found[-1]
            place = (
                f"day {last['time']:g}: " if last["time"] is not None else f"{last['visit']}: " if last["visit"] else ""
            )
            return place + "; ".join(parts)
    return ""


def _of_groups(rows: list[Row], statistic: str, asked: Mapping[str, Any]) -> list[Row]:
    """Rows of groups and comparisons, only of an analysis that is asked for."""
    return [r for r in rows if r["statistic"] == statistic] if "analysis" in asked else []


def _headline_of(found: list[Row], shown: list[Row], patterns: str) -> str:
    row = max(enumerate(found), key=lambda pair: (pair[1]["time"] or 0.0, pair[0]))[1]
    members = [r for r in shown if r["cell_id"] == row["cell_id"]]
    cell = {r["statistic"]: r["formatted"] for r in members}
    levels = [r["conf_level"] for r in members if r["conf_level"] is not None]
    cell |= {"level": f"{100 * levels[0]:g} %"} if levels else {}
    unit = f" {printed_unit(row['unit'])}" if row["statistic"] == "median" and row["unit"] not in (None, "1") else ""
    group = (
        ""
        if row["group"] in (None, "Overall")
        else f"{row['group']} vs {row['comparator']}, "
        if row["comparator"]
        else f"{row['group']}, "
    )
    return group + next(p for p in patterns.split("|") if set(TOKEN.findall(p)) <= set(cell)).format(**cell) + unit


HEADLINES = (
    ("difference", "difference {difference} ({level} CI {lower} to {upper}; p {p})|difference {difference}"),
    (
        "percent",
        "{n}/{denominator} ({percent} %; {level} CI {lower} to {upper})|{n}/{denominator} ({percent} %)|{percent} %",
    ),
    ("mle", "estimate {mle} % ({level} CI {lower} to {upper})|estimate {mle} %"),
    ("survival", "probability {survival} ({level} CI {lower} to {upper})|probability {survival}"),
    ("cif", "cumulative incidence {cif} ({level} CI {lower} to {upper})|cumulative incidence {cif}"),
    ("hr", "hazard ratio {hr} ({level} CI {lower} to {upper}; p {p})|hazard ratio {hr}"),
    ("median", "median {median} (Q1 {q1}, Q3 {q3})|median {median}"),
)


def _law_counts(laws: list[Row]) -> list[tuple[str, int, int]]:
    """(law, places it was checked at, places where it is broken), in the order of the laws."""
    places, broken = (
        Counter(str(law["law"]) for law in laws),
        Counter(str(law["law"]) for law in laws if not law["holds"]),
    )
    return [(law, n, broken[law]) for law, n in places.items()]


def _query_counts(queries: list[Row]) -> list[tuple[str, str, int]]:
    counted = Counter((str(q["severity"]), str(q["rule"])) for q in queries)
    order = {"error": 0, "warning": 1, "note": 2}
    return [
        (severity, rule, n)
        for (severity, rule), n in sorted(counted.items(), key=lambda kv: (order.get(kv[0][0], 9), kv[0][1]))
    ]


def _reconciliation(rows: list[Row]) -> list[dict[str, object]]:
    places = list(dict.fromkeys((str(row["domain"]), str(row["form"] or "")) for row in rows))
    counts: dict[tuple[str, str, str], int] = Counter()
    for row in rows:
        counts[(str(row["domain"]), str(row["form"] or ""), str(row["status"]))] += int(row["rows"])
    return [
        {
            "domain": d,
            "form": f,
            "in": counts[(d, f, "in")],
            "set_aside": counts[(d, f, "set_aside")],
            "kept": counts[(d, f, "kept")],
        }
        for d, f in places
    ]


def render_index(trials: list[dict[str, object]]) -> str:
    """The front page: a line per trial, with the marks of the second derivation where the trials have them."""
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
            trials=trials,
            confirmed=any("mark" in trial for trial in trials),
            roles=text.ROLES,
        )
    )


def environment() -> Environment:
    """The template engine of all pages: text of the extracts is escaped, an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
