"""Reader of ODM-XML 1.3 (CDISC operational data model): one item group, a row per ItemGroupData.

Columns after those of every ingested table: `KEYS` (always all of them, null where a file has none), then per item of
the group its coded value as it stands under its ItemOID, and under ``<ItemOID>__UNIT`` the name of its measurement unit
where its definition or its data know one. ``source_row`` is the line of the ItemGroupData that touched the row last,
``source_sheet`` the ItemGroupOID.

Files are applied in order, a snapshot before its transactions. Transaction types, at every level:

* Insert: the element must not be there yet; Update, Remove: it must be; Upsert: either; Context: no change of its own.
* Absent: that of the parent, where Update and Context count as Upsert (a child of an updated form may be new);
  absent everywhere: Upsert in a transactional file; in a snapshot an item group and its items are inserted.
* Update of an item group changes the items it holds and leaves the others; Remove takes all below away.
* Without a repeat key an element is another one than with the key "1". A snapshot that holds an item group twice
  under one key keeps both rows if that key has no repeat key (their lines tell them apart), else it is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from trialpipe.ingest import odm_walk as walking
from trialpipe.ingest.common import ORIGIN, Dialect, check_columns, integers, items, nearest, place, strings
from trialpipe.ingest.odm_events import START, events, local
from trialpipe.ingest.odm_store import Row, Store, value_of, written
from trialpipe.ingest.odm_walk import SUBJECT_ID, Key, Metadata, Node
from trialpipe.io.errors import DataError

KEYS = ("SubjectKey", SUBJECT_ID, "LocationOID", *(key for key in walking.KEYS[1:] if key != "ItemGroupOID"))
AUDIT_FORM = "AuditRecord"
AUDIT = ("TRANSACTION", "VALUE", "USER", "LOCATION", "DATETIME", "REASON", "SOURCEID")
LONG = (
    "SubjectKey", SUBJECT_ID, *walking.KEYS[1:], "ItemOID", "Value", "IsNull", "TransactionType",
)  # fmt: skip
UNIT = "__UNIT"
_COUNTED = (
    "SubjectData", "StudyEventData", "FormData", "ItemGroupData", "ItemData", "StudyEventDef", "FormDef",
    "ItemGroupDef", "ItemDef", "CodeList", "CodeListItem", "EnumeratedItem", "MeasurementUnit", "AuditRecord",
    "MultiSelectList", "MetaDataVersion", "Study", "ClinicalData",
)  # fmt: skip


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """As `read_all`, of one file."""
    return read_all([path], [rel], dialect)


def read_all(paths: Sequence[Path], rels: Sequence[str], dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Apply ODM files in order and return one item group as an ingested table (see the module).

    Dialect keys: ``sheet`` (ItemGroupOID; ``AuditRecord`` for `audit`; None: the only group), ``expected`` (items
    that the definition or the data must have), ``ignore``. Raises DataError for a file that `odm_events.events`
    refuses, an unknown item group, columns that do not agree, and transactions that do not fit what is there.
    """
    form = Dialect.of(dialect)
    if form.sheet == AUDIT_FORM:
        return audit(paths, rels, form)
    store = Store(form.sheet)
    for path, rel in zip(paths, rels, strict=True):
        store.apply(Path(path), rel)
    group = _group(form.sheet, store, rels[-1])
    rows = [row for row in store.rows.values() if row.key[5] == group]
    columns = _columns(store, group, rows)
    where = place(rels[0], group)
    line = store.meta.lines.get(group) or (rows[0].line if rows else 1)
    _check(columns, form, where, line)
    return _table(store, group, rows, columns)


def audit(paths: Sequence[Path], rels: Sequence[str], form: Dialect) -> pa.Table:
    """A row per element that has an AuditRecord, in document order: its keys, ItemOID and what the record says.

    TRANSACTION is the TransactionType in force as written (its own or the nearest above), VALUE the item's.
    """
    meta = Metadata()
    names = (*walking.KEYS, "ItemOID", *AUDIT)
    origin: list[tuple[str, int]] = []
    nodes: list[tuple[Key, str | None, str | None, dict[str, str] | str]] = []
    for path, rel in zip(paths, rels, strict=True):
        start = len(nodes)
        for kind, node in walking.walk(Path(path), rel, meta):
            if kind == walking.AUDIT:
                said = node.audit if node.audit is not None else node.attrs.get("AuditRecordID", "")
                nodes.append((node.key, written(node), value_of(node), said))
                origin.append((rel, node.line))
        # IDs hold within a file, and the records that bear them follow the data
        nodes[start:] = [
            (key, kind, value, meta.audits.get(said, {}) if isinstance(said, str) else said)
            for key, kind, value, said in nodes[start:]
        ]
        meta.audits.clear()
    rows = []
    for key, transaction, value, said in nodes:
        known = {"TRANSACTION": transaction, "VALUE": value, **(said if isinstance(said, dict) else {})}
        rows.append([*key, *(None,) * (len(walking.KEYS) + 1 - len(key)), *map(known.get, AUDIT)])
    if form.expected is not None:
        check_columns(names, Dialect(expected=form.expected, ignore=(*names, *form.ignore)), rels[0], 1)
    cells = {name: [row[position] for row in rows] for position, name in enumerate(names)}
    return _assemble(origin, AUDIT_FORM, cells)


def long(path: Path, rel: str | None = None) -> Iterator[dict[str, str | None]]:
    """Every ItemData of a file in document order as a dict of `LONG`, as written; None for what is absent."""
    subject: Node | None = None
    subject_id = None
    for kind, node in walking.walk(Path(path), rel or Path(path).name, Metadata()):
        if kind == walking.ITEM:
            if node.subject is not subject:
                subject, subject_id = node.subject, node.subject.subject_id
            values = (node.key[0], subject_id, *node.key[1:], node.value, node.attrs.get("IsNull"), node.given)
            yield dict(zip(LONG, values, strict=True))


def counts(path: Path, rel: str | None = None) -> dict[str, int | str | None]:
    """How many elements of each kind a file has, with its version, type and OID, subjects and items."""
    number: Counter[str] = Counter()
    root: dict[str, str] = {}
    for kind, name, attrs, _ in events(Path(path), rel or Path(path).name):
        if kind == START:
            number[local(name)] += 1
            root = root or attrs
    subjects: set[str | None] = set()
    oids: set[str | None] = set()
    rows = 0
    for kind, node in walking.walk(Path(path), rel or Path(path).name, Metadata()):
        if kind == walking.ITEM:
            rows += 1
            oids.add(node.key[-1])
        elif kind == walking.OPEN and node.name == "SubjectData":
            subjects.add(node.key[0])
    return {
        **{name: number[name] for name in _COUNTED},
        **{name: root.get(name) for name in ("ODMVersion", "FileType", "FileOID")},
        "subjects": len(subjects),
        "long_rows": rows,
        "distinct_item_oids_with_data": len(oids),
    }


def metadata(path: Path, rel: str | None = None) -> Metadata:
    """The definitions of a file: groups, items, code lists and measurement units."""
    meta = Metadata()
    for _ in walking.walk(Path(path), rel or Path(path).name, meta):
        pass
    return meta


def _group(sheet: str | None, store: Store, rel: str) -> str:
    known = list(dict.fromkeys([*store.meta.groups, *store.groups]))
    if sheet is None and len(known) == 1:
        return known[0]
    if sheet is not None and sheet in known:
        return sheet
    listed = ", ".join(f"'{oid}'" for oid in known[:20]) + (" ..." if len(known) > 20 else "")
    if sheet is None:
        raise DataError(rel, None, None, None, f"item groups are {listed or 'none'}", "name one under sheet")
    near = nearest(sheet, known)
    cure = "correct sheet in extracts.yaml" + (f", nearest is '{near}'" if near else f"; there are {listed or 'none'}")
    raise DataError(rel, None, "ItemGroupOID", sheet, "no such item group", cure)


def _columns(store: Store, group: str, rows: Sequence[Row]) -> list[tuple[str, bool]]:
    """(ItemOID, False) in the order of the definition, then of the data, each before (ItemOID, True) for its unit."""
    carried = {oid for row in rows for oid, (_, unit) in row.items.items() if unit}
    met = [oid for of, oid in store.items if of == group]
    columns = []
    for oid in dict.fromkeys([*store.meta.groups.get(group, ()), *met]):
        columns.append((oid, False))
        definition = store.meta.items.get(oid)
        if oid in carried or (definition and definition.units):
            columns.append((oid, True))
    return columns


def _check(columns: Sequence[tuple[str, bool]], form: Dialect, where: str, line: int) -> None:
    names = items([_name(column) for column in columns], where, line, KEYS)
    if form.expected is None:
        return
    units = [_name(column) for column in columns if column[1] and _name(column) not in form.expected]
    expected = tuple(name for name in form.expected if name not in KEYS)
    check_columns(names, Dialect(expected=expected, ignore=(*form.ignore, *units)), where, line)


def _name(column: tuple[str, bool]) -> str:
    return column[0] + UNIT if column[1] else column[0]


def _table(store: Store, group: str, rows: Sequence[Row], columns: Sequence[tuple[str, bool]]) -> pa.Table:
    cells: dict[str, list[str | None]] = {name: [row.key[at] for row in rows] for at, name in enumerate(walking.KEYS)}
    cells[SUBJECT_ID] = [store.subject_ids.get(row.key[0]) for row in rows]
    cells["LocationOID"] = [store.sites.get(row.key[0]) for row in rows]
    cells = {name: cells[name] for name in KEYS}
    nothing = (None, None)
    for oid, unit in columns:
        values = _units(store.meta, oid, rows) if unit else [row.items.get(oid, nothing)[0] for row in rows]
        cells[_name((oid, unit))] = values
    return _assemble([(row.file, row.line) for row in rows], group, cells)


def _units(meta: Metadata, oid: str, rows: Sequence[Row]) -> list[str | None]:
    definition = meta.items.get(oid)
    defined = list(definition.units) if definition else []
    only = defined[0] if len(defined) == 1 else None
    found = []
    for row in rows:
        value, given = row.items.get(oid, (None, None))
        unit = None if value is None else given or only
        found.append(meta.units.get(unit, unit) if unit else None)
    return found


def _assemble(origin: Sequence[tuple[str, int]], sheet: str, cells: Mapping[str, Sequence[str | None]]) -> pa.Table:
    arrays = [strings([file for file, _ in origin]), integers([line for _, line in origin])]
    arrays += [strings([sheet] * len(origin)), *(strings([cell or None for cell in cells[name]]) for name in cells)]
    schema = pa.schema([*ORIGIN, *((name, pa.string()) for name in cells)])
    return pa.Table.from_arrays(arrays, schema=schema)
