"""ADSL: one row per patient of dm with milestone dates, last known alive, variables, formulas and populations."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Population, Protocol, SubjectVariable
from trialpipe.derive import days, formula
from trialpipe.derive.errors import config_error
from trialpipe.derive.milestones import Timeline, cutoff_day, timelines
from trialpipe.derive.records import matching, usable
from trialpipe.derive.subjects import LAST_ALIVE
from trialpipe.io.contracts import ADSL, Column, Contract
from trialpipe.io.sdtm import date_columns, prefix


def contract(protocol: Protocol) -> Contract:
    """ADSL with the columns the protocol declares."""
    columns: list[Column] = []
    for milestone in protocol.milestones:
        name, label = milestone.variable, milestone.label
        columns += [
            Column(name, "date", label),
            Column(f"{name}_LO", "date", f"{label}, first possible day"),
            Column(f"{name}_HI", "date", f"{label}, last possible day"),
            Column(f"{name}F", "text", f"{label}, unknown part of the date: D, M or Y"),
            Column(f"{name}_TM", "text", f"{label}, clock time"),
        ]
    columns.append(Column(protocol.last_alive.variable, "date", "Last known alive"))
    for variable in protocol.subject_variables:
        columns.append(Column(variable.name, "float" if variable.type == "number" else "text", variable.label))
    columns += [Column(entry.name, "float", entry.label) for entry in protocol.formulas]
    columns += [Column(entry.name, "text", entry.label) for entry in protocol.groupings]
    columns += [Column(entry.variable, "text", entry.label, nullable=False) for entry in protocol.populations]
    return ADSL.with_columns(*columns)


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADSL. Raises DataError for a formula that is no arithmetic or a value outside a variable's levels."""
    cutoff = cutoff_day(protocol)
    people = usable(clean["dm"], None, cutoff).drop_duplicates("USUBJID", keep="first")
    lines = timelines(protocol, clean)
    variables = [(v, _read(v, clean[v.domain], cutoff)) for v in protocol.subject_variables]
    arms = {arm.id: arm.label for arm in protocol.arms}
    sites, codes = days.texts(days.column(people, "SITEID")), days.texts(days.column(people, "ARMCD"))
    rows = []
    for index, (usubjid, row_id) in enumerate(zip(people["USUBJID"], people["row_id"], strict=True)):
        arm = codes[index] or (protocol.arms[0].id if len(protocol.arms) == 1 else None)
        row: dict[str, object] = {
            "row_id": f"{dataset}:{usubjid}",
            "USUBJID": usubjid,
            "SUBJID": usubjid.rpartition("/")[2],
            "SITEID": sites[index],
            "ARMCD": arm,
            "ARM": arms.get(arm) if arm is not None else None,
        }
        sources = [row_id, *_add_milestones(row, protocol, lines.get(usubjid, Timeline({}, None, None)))]
        for variable, values in variables:
            value, source = values.get(usubjid, (None, None))
            row[variable.name] = value
            sources += [source] if source is not None else []
        row["from"] = list(dict.fromkeys(sources))
        rows.append(row)
    _add_formulas(rows, protocol)
    _add_groupings(rows, protocol)
    for row in rows:
        for population in protocol.populations:
            row[population.variable] = "Y" if _member(row, population, protocol) else "N"
    return days.frame(rows, contract(protocol))


def _add_milestones(row: dict[str, object], protocol: Protocol, line: Timeline) -> list[str]:
    """Put the dates of a patient into the row; returns the rows they are from."""
    sources: list[str] = []
    for milestone in protocol.milestones:
        found = line.found.get(milestone.id)
        if found is None:
            continue
        name = milestone.variable
        row[name] = days.date(found.high if found.exact else None)
        row[f"{name}_LO"], row[f"{name}_HI"] = days.date(found.low), days.date(found.high)
        row[f"{name}F"] = days.imputation_flag(found.low, found.high)
        row[f"{name}_TM"] = found.time if found.exact else None
        sources += found.rows
    row[protocol.last_alive.variable] = days.date(line.last_alive)
    return sources + ([line.alive_row] if line.alive_row is not None else [])


def _read(variable: SubjectVariable, frame: pd.DataFrame, cutoff: int) -> dict[str, tuple[object, str]]:
    """(value, row id) per patient: the first record with a value, by date, then row_id."""
    rows = matching(usable(frame, None, cutoff), variable.where)
    raw = days.column(rows, variable.column)
    values: list[object] = list(days.numbers(raw) if variable.type == "number" else days.texts(raw))
    dated = days.days(days.column(rows, date_columns(f"{prefix(variable.domain)}DTC").low))
    order = sorted(range(len(rows)), key=lambda i: (dated[i] is None, dated[i] or 0))
    usubjids, row_ids = list(rows["USUBJID"]), list(rows["row_id"])
    found: dict[str, tuple[object, str]] = {}
    for i in order:
        if values[i] is None:
            continue
        if variable.levels is not None and str(values[i]) not in variable.levels:
            raise config_error(
                f"{usubjids[i]} {variable.name}",
                str(values[i]),
                f"is not one of the levels {', '.join(variable.levels)}",
                "add it to subject_variables.levels in protocol.yaml or correct the code list",
            )
        found.setdefault(usubjids[i], (values[i], row_ids[i]))
    return found


def _add_formulas(rows: list[dict[str, object]], protocol: Protocol) -> None:
    known = {c.name for c in contract(protocol).all}
    for entry in protocol.formulas:
        tree = formula.parse(entry.expression)
        unknown = [name for name in formula.names(entry.expression) if name not in known]
        if unknown:
            raise config_error(
                f"formulas.{entry.name}",
                unknown[0],
                "is no variable of ADSL",
                "declare it under subject_variables or as an earlier formula",
            )
        for row in rows:
            row[entry.name] = formula.evaluate(tree, _Plain(row))


def _add_groupings(rows: list[dict[str, object]], protocol: Protocol) -> None:
    for entry in protocol.groupings:
        for row in rows:
            value = row.get(entry.of)
            known = isinstance(value, float) and value == value
            row[entry.name] = next((b.label for b in entry.bands if known and b.holds(value)), None)  # type: ignore[arg-type]


class _Plain(dict[str, formula.Value]):
    """A row as a formula sees it: numbers, text, dates as day numbers, missing as None."""

    def __init__(self, row: Mapping[str, object]) -> None:
        super().__init__()
        self._row = row

    def __missing__(self, name: str) -> formula.Value:
        value = self._row.get(name)
        if isinstance(value, pd.Timestamp):
            number = days.day(value)
            return None if number is None else float(number)
        return value if isinstance(value, (int, float, str)) else None


def _member(row: Mapping[str, object], population: Population, protocol: Protocol) -> bool:
    """All required milestones happened (known date or not) and every ``where`` variable holds a listed value."""
    upper = {m.id: f"{m.variable}_HI" for m in protocol.milestones} | {LAST_ALIVE: protocol.last_alive.variable}
    happened = all(days.day(row.get(upper[name])) is not None for name in population.require)
    return happened and all(_text(row.get(name)) in values for name, values in population.where.items())


def _text(value: object) -> str | None:
    if isinstance(value, float):
        return None if value != value else f"{value:g}"
    return value if isinstance(value, str) else None
