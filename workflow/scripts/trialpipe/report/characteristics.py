"""Operating characteristics as tables: a page beside the report, and Markdown. Formats, never computes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from trialpipe.config.analyses import AnyAnalysis
from trialpipe.config.characteristics import Characteristics, name_of
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.report.run import TEMPLATES, environment

Row = dict[str, Any]
REJECTIONS = ("type I error", "power", "rejection")
COLUMNS = {
    "stop after stage 1": "Stops after stage 1",
    "patients": "Patients",
    "bias": "Bias",
    "empirical standard error": "SD of estimates",
    "mean model standard error": "Mean standard error",
    "coverage": "Coverage",
    "mean width": "Mean width",
    "undefined": "Undefined",
}
"""Quantity to the head of its column, in their order; a rejection stands in a column of its own before them."""
DECIMALS = {"percent": 2, "probability": 4, "log hazard ratio": 3, "patients": 2}
UNITS = {"percent": "percentage points", "probability": "probability", "log hazard ratio": "log hazard ratio"}
NOTHING = "-"
READING = (
    "A simulated number has its Monte Carlo standard error in brackets. SD of estimates: what the standard errors of "
    "the analysis should be. Coverage and width are those of the interval."
)


@dataclass(frozen=True)
class Table:
    """One measure of one analysis: a line per scenario; a cell is a list of lines."""

    title: str
    caption: str
    head: tuple[str, ...]
    body: tuple[tuple[tuple[str, ...], ...], ...]


def tables(protocol: Protocol, outcome: Outcome, spec: Characteristics, rows: list[Row]) -> list[Table]:
    """A table per analysis and measure in the order of the file; ``rows`` are of ``characteristics.parquet``."""
    analyses = {name_of(analysis): analysis for analysis in outcome.analyses}
    found = []
    for name in spec.analyses:
        mine = sorted((row for row in rows if row["analysis"] == name), key=lambda row: row["order"])
        for measure in dict.fromkeys(row["measure"] for row in mine):
            chosen = [row for row in mine if row["measure"] == measure]
            found.append(_table(protocol, analyses[name], name, measure, spec, chosen))
    return found


def _table(
    protocol: Protocol, analysis: AnyAnalysis, name: str, measure: str, spec: Characteristics, rows: list[Row]
) -> Table:
    quantities = {row["quantity"] for row in rows}
    shown = [key for key in COLUMNS if key in quantities]
    tested = any(key in quantities for key in REJECTIONS)
    estimated = "mean estimate" in quantities
    head = ["Truth", *(["True value"] if estimated else []), *(["A rejection is", "Rejects"] if tested else [])]
    body = []
    for scenario in spec.scenarios:
        own = [row for row in rows if row["scenario"] == scenario.id]
        cells: list[tuple[str, ...]] = [(scenario.label,)]
        if estimated:
            truth = next((row for row in own if row["quantity"] == "mean estimate"), None)
            cells.append((_number(truth["truth"], truth["unit"]) if truth else NOTHING,))
        if tested:
            word = {"null": "type I error", "alternative": "power", "other": "rejection"}[scenario.role]
            cells += [(word,), tuple(_values(own, word))]
        body.append((*cells, *(tuple(_values(own, key)) for key in shown)))
    title = analysis.title or name.replace("_", " ").replace(".", ", ").capitalize()
    title += f": {measure}" if measure not in ("test", "proportion") else ""
    return Table(
        title, _caption(protocol, analysis, spec.level, rows), (*head, *(COLUMNS[k] for k in shown)), tuple(body)
    )


def _values(rows: list[Row], quantity: str) -> list[str]:
    """Exact value and simulated one with its Monte Carlo standard error, a line each."""
    lines = []
    for row in rows:
        if row["quantity"] != quantity:
            continue
        value = _number(row["value"], row["unit"])
        if quantity == "undefined" and row["value"] and float(value) == 0:
            value = f"<{10 ** -DECIMALS[row['unit']]:g}"
        lines.append(f"{value} exact" if row["method"] == "exact" else f"{value} ({_number(row['mcse'], row['unit'])})")
    return lines or [NOTHING]


def _number(value: float | None, unit: str) -> str:
    """A value in the decimals of its unit; never a negative zero."""
    if value is None or math.isnan(value):
        return NOTHING
    text = f"{value:.{DECIMALS[unit]}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _caption(protocol: Protocol, analysis: AnyAnalysis, default: float, rows: list[Row]) -> str:
    """What a rejection is, the level of the interval, the unit; ``default`` level of a test that names none."""
    said = []
    quantities = {row["quantity"] for row in rows}
    simon = protocol.design.simon
    level = getattr(analysis, "conf_level", None)
    if analysis.kind == "simon_two_stage" and simon is not None:
        level = round(1 - 2 * simon.alpha, 12)
        if quantities & set(REJECTIONS):
            words = f"{simon.r1}/{simon.n1}, then {simon.r}/{simon.n}"
            said.append(f"Rejects where the rule of the design ({words}) rejects p0 = {simon.p0:g}.")
    elif quantities & set(REJECTIONS):
        said.append(_rejection(analysis, level, default))
    if "coverage" in quantities and level is not None:
        said.append(f"Interval of nominal level {100 * level:g} %.")
    unit = next((row["unit"] for row in rows if row["quantity"] == "mean estimate"), None)
    if unit is not None:
        said.append(f"Unit of bias, standard errors and width: {UNITS[unit]}.")
    return " ".join(said)


def _rejection(analysis: AnyAnalysis, level: float | None, default: float) -> str:
    alternative = getattr(analysis, "alternative", "two-sided")
    if level is None:
        return f"Rejects where the two-sided p-value is at most {default:g}."
    if alternative == "two-sided":
        return f"Rejects where the two-sided p-value is at most {1 - level:.4g}."
    null = getattr(analysis, "null_value", None)
    return f"Rejects {null:g} where the one-sided p-value is at most {(1 - level) / 2:.4g}."


def facts(protocol: Protocol, outcome: Outcome, spec: Characteristics, rows: list[Row]) -> list[tuple[str, str]]:
    """What was done, in a line each."""
    counts = sorted({int(row["replicates"]) for row in rows if row["method"] == "simulated"})
    listed = any(row["method"] == "exact" for row in rows)
    simon = any(name.startswith("simon_two_stage") for name in spec.analyses)
    n = protocol.design.simon.n if simon and protocol.design.simon else spec.patients or protocol.design.planned_n
    made = {
        "state_at_horizon": "dates of origin, death, terminal event and last news",
        "sofa_response": "dates of origin and death, score at baseline and at the visit",
        "time_to_event": "dates of randomisation, first event and last assessment, strata, arm",
    }[outcome.endpoint.kind]
    found = [
        ("Outcome", f"{outcome.title}; {outcome.estimand.variable}"),
        ("Patients", f"{n}" + (", fewer if the design stops after stage 1" if simon else "")),
        ("Replicates", f"{', '.join(map(str, counts))} of each truth, seed {spec.seed}"),
        ("Inside", f"{made} are drawn; the endpoint is derived from them and the declared analyses are run on it by "
                   "the code and with the parameters of the trial's report"),
        ("Outside", "reading and cleaning of raw extracts, subject-level dates with errors, scores from their "
                    "components, intercurrent events: these are compared with the simulator's truth by the tests"),
    ]  # fmt: skip
    if listed:
        words = (
            "every result that the trial can have is run through the same code once and weighted by its binomial "
            "probability; truths with losses are simulated alone"
        )
        found.append(("Exact", words))
    return found


def sources(spec: Characteristics) -> list[tuple[str, str]]:
    """Label and source of every truth."""
    return [(scenario.label, scenario.source) for scenario in spec.scenarios]


def page(protocol: Protocol, outcome: Outcome, spec: Characteristics, rows: list[Row]) -> str:
    """The characteristics of one trial as one HTML page without any outside reference."""
    return (
        environment()
        .get_template("characteristics.html.j2")
        .render(
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
            protocol=protocol,
            facts=facts(protocol, outcome, spec, rows),
            notes=spec.notes,
            tables=tables(protocol, outcome, spec, rows),
            sources=sources(spec),
            reading=READING,
        )
    )


def markdown(protocol: Protocol, outcome: Outcome, spec: Characteristics, rows: list[Row], command: str) -> str:
    """The same as a page of the documentation; ``command`` made it."""
    lines = [
        f"# {protocol.acronym}: operating characteristics",
        "",
        f"Made by `{command}`; not to be edited. How it is done: [characteristics.md](../characteristics.md).",
        "",
        *(f"* **{name}**: {words}" for name, words in facts(protocol, outcome, spec, rows)),
        "",
        READING,
        "",
        *(line for note in spec.notes for line in (note, "")),
    ]
    for table in tables(protocol, outcome, spec, rows):
        lines += [f"## {table.title}", "", table.caption, ""]
        cells = [[cell] for cell in table.head], [list(row) for row in table.body]
        lines += [
            "| " + " | ".join(cell[0] for cell in cells[0]) + " |",
            "| " + " | ".join("---" for _ in cells[0]) + " |",
        ]
        lines += ["| " + " | ".join("<br>".join(cell) for cell in row) + " |" for row in cells[1]]
        lines.append("")
    lines += ["## Where the truths are from", "", "| Truth | Source |", "| --- | --- |"]
    lines += [f"| {label} | {source} |" for label, source in sources(spec)]
    return "\n".join(lines) + "\n"
