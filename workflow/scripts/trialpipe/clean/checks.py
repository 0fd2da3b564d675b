"""Checks of records: what one record, or the records of one sample, contradict in themselves.

The kinds that readers apply cell by cell (date_invalid, unit_missing ...) are called where the cell is read; the
kinds here look at finished records. Both are worded by the table of checks. `cross` looks across domains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from trialpipe.clean.cross import cross
from trialpipe.clean.record import Record
from trialpipe.clean.rules import Log, Rule
from trialpipe.io.sdtm import prefix

__all__ = ["check", "cross"]


def check(records: Sequence[Record], log: Log) -> None:
    """Apply every record rule of the domain that has a kind in `KINDS`."""
    for rule in log.rules.of("record", KINDS):
        if rule.covers(log.domain):
            KINDS[rule.kind](rule, records, log)


def date_order(rule: Rule, records: Sequence[Record], log: Log) -> None:
    """``first`` after ``last`` in any reading of the two dates."""
    stem = prefix(log.domain)
    first, last = (rule.parameters[name].replace("--", stem) for name in ("first", "last"))
    for record in records:
        start, end = record.day(first), record.day(last)
        if start is not None and end is not None and start.surely_after(end):
            # the later entry of the two is named first: it is the one that breaks the order
            _put(rule, log, record, (last, first), {"first": start.text, "last": end.text})


def time_missing(rule: Rule, records: Sequence[Record], log: Log) -> None:
    """An exact date without a clock time, for a record that has a result."""
    variable = rule.parameters["variable"]
    for record in records:
        day = record.day(variable)
        done = record.values.get(f"{prefix(log.domain)}STAT") != "NOT DONE"
        if day is not None and day.exact and day.time is None and done:
            _put(rule, log, record, (variable,), {})


def pair_above(rule: Rule, records: Sequence[Record], log: Log) -> None:
    """A part (neutrophils) above its whole (leukocytes) in the same raw row, or on the same date and specimen."""
    stem = prefix(log.domain)
    part, whole, tolerance = rule.parameters["part"], rule.parameters["whole"], rule.number("tolerance")
    wholes: dict[tuple[str | None, ...], list[Record]] = {}
    for record in records:
        if record.values.get(f"{stem}TESTCD") == whole and record.values.get(f"{stem}STRESN") is not None:
            for key in _sample_keys(record, stem):
                wholes.setdefault(key, []).append(record)
    for record in records:
        value = record.values.get(f"{stem}STRESN")
        if record.values.get(f"{stem}TESTCD") != part or not isinstance(value, float):
            continue
        partners = next((wholes[key] for key in _sample_keys(record, stem) if key in wholes), [])
        highest = max((float(str(p.values[f"{stem}STRESN"])) for p in partners), default=None)
        if highest is not None and value > highest * (1 + tolerance):
            words = {"part": record.text(f"{stem}STRESN"), "whole": f"{highest:.10g}"}
            _put(rule, log, record, (f"{stem}ORRES",), words, [c for p in partners for c in p.cells[f"{stem}ORRES"]])


def _sample_keys(record: Record, stem: str) -> list[tuple[str | None, ...]]:
    day = record.day(f"{stem}DTC")
    spec = record.text(f"{stem}SPEC")
    keys: list[tuple[str | None, ...]] = [("row", record.raw.row, spec)]
    if day is not None and day.exact:
        keys.append(("date", record.subject, day.text, spec))
    return keys


def implies(rule: Rule, records: Sequence[Record], log: Log) -> None:
    """``when`` holds and ``then`` is known to differ; a null on either side says nothing."""
    when, values = rule.parameters["when"].split(":")
    then, wanted = rule.parameters["then"].split(":")
    for record in records:
        found, other = record.text(when), record.text(then)
        if found in values.split("|") and other is not None and other not in wanted.split("|"):
            _put(rule, log, record, (then, when), {"when": found, "then": other})


def marked(rule: Rule, records: Sequence[Record], log: Log) -> None:
    """A variable holds one of the ``values`` that ask for more."""
    variable = rule.parameters["variable"].replace("--", prefix(log.domain))
    for record in records:
        if record.text(variable) in rule.options("values"):
            _put(rule, log, record, (variable,), {})


def contradicts(rule: Rule, records: Sequence[Record], log: Log) -> None:
    """Findings ``when`` and ``never`` (test and result in words) of one raw row, which cannot both hold."""
    stem = prefix(log.domain)
    rows: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        said = f"{record.text(f'{stem}TESTCD')}:{record.text(f'{stem}STRESC')}"
        rows.setdefault(record.raw.row, {}).setdefault(said, []).append(record)
    for found in rows.values():
        others = found.get(rule.parameters["never"], [])
        for record in found.get(rule.parameters["when"], []) if others else []:
            words = {"when": record.text(f"{stem}TEST"), "never": others[0].text(f"{stem}TEST")}
            cells = [cell for other in others for cell in other.cells[f"{stem}ORRES"]]
            _put(rule, log, record, (f"{stem}ORRES",), words, cells)


def repeats(rule: Rule, records: Sequence[Record], log: Log) -> None:
    """Records of one patient and ``within`` with the same ``variable`` (a number that should count them)."""
    variable, within = rule.parameters["variable"], rule.parameters["within"]
    groups: dict[tuple[str, str | None, str], list[Record]] = {}
    for record in records:
        if (number := record.text(variable)) is not None:
            groups.setdefault((record.subject, record.text(within), number), []).append(record)
    for (_, _, number), group in groups.items():
        if len(group) > 1:
            more = [cell for other in group[:-1] for cell in other.cells.get(variable, ())]
            _put(rule, log, group[-1], (variable,), {"n": len(group), "number": number}, more)


def stage_bounds(rule: Rule, records: Sequence[Record], log: Log) -> None:
    """A measure below the least one of the stage in the same raw row; ``bounds`` are stage:least in its unit."""
    stem = prefix(log.domain)
    pairs = (part.split(":") for part in rule.options("bounds"))
    bounds = {stage: float(least) for stage, least in pairs}
    stages = {r.raw.row: r for r in records if r.values.get(f"{stem}TESTCD") == rule.parameters["stage"]}
    for record in records:
        value, staged = record.values.get(f"{stem}STRESN"), stages.get(record.raw.row)
        if record.values.get(f"{stem}TESTCD") != rule.parameters["measure"] or staged is None:
            continue
        stage = staged.text(f"{stem}STRESN") or ""
        if stage in bounds and isinstance(value, float) and value < bounds[stage]:
            words = {"stage": stage, "least": f"{bounds[stage]:g}", "unit": record.text(f"{stem}STRESU")}
            _put(rule, log, record, (f"{stem}ORRES",), words, staged.cells[f"{stem}ORRES"])


def _put(
    rule: Rule,
    log: Log,
    record: Record,
    variables: Iterable[str],
    words: Mapping[str, object],
    more: Sequence[str] = (),
) -> None:
    names = list(variables)
    cells = [*(cell for name in names for cell in record.cells.get(name, ())), *more]
    cells = cells or record.origin()
    value = record.shown.get(names[0]) or record.text(names[0])
    columns = {
        "subject": record.subject,
        "form": record.raw.form,
        "visit": record.visit,
        "item": cells[0].rsplit(":", 1)[-1],
        "value": value,
    }
    log.put(rule, [*cells, *record.cells.get("USUBJID", ())], {**columns, **words}, **columns)


KINDS: dict[str, Callable[[Rule, Sequence[Record], Log], None]] = {
    "date_order": date_order,
    "time_missing": time_missing,
    "pair_above": pair_above,
    "implies": implies,
    "marked": marked,
    "contradicts": contradicts,
    "repeats": repeats,
    "stage_bounds": stage_bounds,
}
