"""Special-purpose, event and intervention domains: one record per mapped raw row."""

from __future__ import annotations

from trialpipe.clean.reader import Reader
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.record import Record
from trialpipe.clean.rows import Raw
from trialpipe.config.extracts import DomainMap, Mapping, Value
from trialpipe.io.sdtm import prefix


def record(
    reader: Reader, domain: DomainMap, mapping: Mapping, raw: Raw, subject: str, order: tuple[int, ...], ledger: Ledger
) -> list[Record]:
    """The record of a raw row, or none if no mapped item of it holds anything.

    A row that a filter selected, and any row of a special-purpose domain, is a record even if its items are empty:
    a death without a date is a death.
    """
    found = Record(raw, subject, order)
    reader.visit(found, mapping.visit)
    found.cells["USUBJID"] = raw.origin(mapping.subject)
    if mapping.site is not None:
        found.values["SITEID"] = (raw.text(mapping.site) or "").strip() or None
        found.cells["SITEID"] = raw.origin(mapping.site)
    from_items = any(spec.item is not None for spec in mapping.set.values())
    status = f"{prefix(domain.domain)}FORM"
    # the status of a form is no content of it
    filled = [reader.value(found, name, spec) and name != status for name, spec in _dates_last(mapping.set)]
    must = domain.observation == "special" or bool(mapping.where) or not from_items
    if not any(filled) and not must:
        ledger.set_aside(raw.form, raw.lines, "no value in the mapped items")
        return []
    ledger.keep(raw.form, raw.lines)
    return [found]


def _dates_last(variables: dict[str, Value]) -> list[tuple[str, Value]]:
    """Dates after the others: their queries name what the record is about."""
    return sorted(variables.items(), key=lambda pair: pair[1].type in ("date", "day"))
