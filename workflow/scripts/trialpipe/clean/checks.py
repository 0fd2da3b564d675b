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
}
