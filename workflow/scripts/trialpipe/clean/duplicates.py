"""Repeated rows and repeated records.

* A raw row that repeats another cell by cell is set aside (`exact`).
* Records of one natural key with equal values become one record that names the cells of all of them.
* Records of one natural key with different values are all kept, numbered in the order of the extract, flagged
  DUPLICATE and queried. Derivations use the first. Which one is right only the site can say.
* A key whose date is partial or unknown, or that is empty, proves no repetition; neither do records that carry
  different numbers of their own (--REFID, --SPID) or stand under different visits. Such records are only numbered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.record import Record
from trialpipe.clean.rows import POSITION, Raw
from trialpipe.clean.rules import Log
from trialpipe.io.sdtm import prefix


def exact(raws: Iterable[Raw], subject: str, log: Log, ledger: Ledger) -> list[Raw]:
    """Rows without those that repeat an earlier one; where the line is the patient nothing is a repetition."""
    seen: dict[tuple[str | None, ...], Raw] = {}
    kept = []
    for raw in raws:
        key = tuple(raw.cells.values())
        first = seen.setdefault(key, raw)
        if first is raw or subject == POSITION or raw.prepared:
            kept.append(raw)
            continue
        ledger.set_aside(raw.form, raw.lines, "repeats another row")
        number = (raw.text(subject) or "").strip() or None
        place = {"subject": number, "form": raw.form, "item": subject, "value": number}
        log.add("duplicate_exact", raw.origin(subject), **place, other=first.row)
    return kept


def resolve(records: Sequence[Record], key: Sequence[str], log: Log) -> list[Record]:
    """Records by patient and natural key with occurrence numbers; see the module for what is merged and flagged."""
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in sorted(records, key=lambda r: r.order):
        identity = (record.subject, *(record.text(name) or "" for name in key))
        groups.setdefault(identity, []).append(record)
    found: list[Record] = []
    twins: list[tuple[Record, Record]] = []
    for identity, group in groups.items():
        kept = _merge(group, twins) if len(group) > 1 else group
        for number, record in enumerate(kept, start=1):
            record.occurrence = number
        if len(kept) > 1 and _proves(kept[0], key) and not _told_apart(kept, log.domain):
            _conflict(kept, identity, log)
        found += kept
    _merged(twins, {record.raw.row for record in found}, log)
    return found


def _merge(group: list[Record], twins: list[tuple[Record, Record]]) -> list[Record]:
    kept: list[Record] = []
    for record in group:
        twin = next((other for other in kept if other.values == record.values), None)
        if twin is None:
            kept.append(record)
            continue
        twin.extra_origin = tuple(dict.fromkeys([*twin.extra_origin, *record.origin()]))
        twin.flags |= record.flags
        twins.append((record, twin))
    return kept


def _merged(twins: list[tuple[Record, Record]], standing: set[str], log: Log) -> None:
    """One query per raw row that says nothing of its own: all its records are those of other rows of its form."""
    for record, twin in twins:
        raw = record.raw
        if raw.row in standing or raw.form != twin.raw.form or not record.cells.get("USUBJID"):
            continue
        cells = record.cells["USUBJID"]
        item = cells[0].rsplit(":", 1)[-1]
        place = {"subject": record.subject, "form": raw.form, "visit": record.visit, "item": item}
        log.add("duplicate_merged", cells, **place, value=record.subject, other=twin.raw.row)


def _proves(record: Record, key: Sequence[str]) -> bool:
    """Whether equal keys mean the same thing: every date of the key exact, and something in the key."""
    dates = [name for name in key if name.endswith("DTC")]
    exact = all((day := record.day(name)) is not None and day.exact for name in dates)
    return exact and (not key or any(record.values.get(name) is not None for name in key))


def _told_apart(group: list[Record], domain: str) -> bool:
    """Whether each record carries a number of its own (of the sample, or the sponsor's) or a visit of its own."""
    for name in (f"{prefix(domain)}REFID", f"{prefix(domain)}SPID", "VISIT"):
        numbers = [record.text(name) for record in group]
        if None not in numbers and len(set(numbers)) == len(numbers):
            return True
    return False


def _conflict(group: list[Record], identity: tuple[str, ...], log: Log) -> None:
    first = group[0]
    names = [name for name in first.values if len({record.text(name) for record in group}) > 1]
    for record in group:
        record.flags.add("DUPLICATE")
    shown = [name for name in names if not name.endswith(("STRESC", "STRESN", "_LO", "_HI", "_TM"))] or names
    values = "; ".join(f"{name} {' / '.join(record.text(name) or 'none' for record in group)}" for name in shown)
    cells = [cell for record in reversed(group) for name in shown for cell in record.cells.get(name, ())]
    cells += [cell for record in group for cell in record.origin()]
    label = " ".join(part for part in identity if part)
    log.add(
        "duplicate_conflict",
        cells,
        subject=first.subject,
        form=first.raw.form,
        visit=first.visit,
        item=cells[0].rsplit(":", 1)[-1],
        value=values,
        n=len(group),
        key=label,
    )
