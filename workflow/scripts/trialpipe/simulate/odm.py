"""The e-CRF as ODM 1.3.2 text: a snapshot and the transactions after it, one start tag of an item group per line.

The tables hold what is true in the end. Tags of a row tell how it got there: ``late`` (moment) - entered after the
snapshot; ``before`` (item -> text in the snapshot) with ``corrected`` (moment) - corrected after it. `Study.gone` are
rows of the snapshot that a transaction takes away.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from trialpipe.simulate import odm_metadata
from trialpipe.simulate.odm_items import EVENTS, GROUPS, UNITS, oid
from trialpipe.simulate.raw import Row, Table

SUBJECT, EVENT, EVENT_KEY, FORM_KEY, KEY = (
    "SubjectKey", "StudyEventOID", "StudyEventRepeatKey", "FormRepeatKey", "ItemGroupRepeatKey",
)  # fmt: skip
KEYS = (SUBJECT, EVENT, EVENT_KEY, FORM_KEY, KEY)
UNIT = "__UNIT"
SNAPSHOT, TRANSACTIONS = "snapshot", "transactions"
_RANK = {name: number for number, name in enumerate(EVENTS)}
_GROUP_RANK = {name: number for number, name in enumerate(GROUPS)}
REASONS = ("Erreur de saisie", "Donnée source corrigée", "Réponse à une demande de précision")


@dataclass
class Study:
    """All tables of the e-CRF and where they are written. ``made``: moment of the snapshot and of the transactions."""

    names: tuple[str, ...]
    files: dict[str, str]
    made: dict[str, dt.datetime]
    tables: list[OdmTable] = field(default_factory=list)
    gone: list[tuple[OdmTable, Row]] = field(default_factory=list)
    settled: dict[int, tuple[str, int]] = field(default_factory=dict)

    def lines(self, name: str) -> list[tuple[str, Row | None]]:
        """Lines of a file; the start tag of an item group comes with its row."""
        content = _snapshot(self) if name == SNAPSHOT else _transactions(self)
        head = odm_metadata.head(self.names, name, self.made, [table.rows for table in self.tables])
        return [*((line, None) for line in head), *content, ("</ODM>", None)]

    def places(self) -> dict[int, tuple[str, int]]:
        """(file, line) of every row by its ``id``."""
        found: dict[int, tuple[str, int]] = {}
        for name, path in self.files.items():
            for number, (_, row) in enumerate(self.lines(name), start=1):
                if row is not None:
                    found.setdefault(id(row), (path, number))
        return found


@dataclass
class OdmTable(Table):
    """Rows of one item group; cells are the keys, the items by OID and their units."""

    study: Study | None = None

    def settle(self) -> None:
        if self.study and not self.study.settled:
            self.study.settled = self.study.places()

    def file(self, row: Row) -> str:
        return self._place(row)[0]

    def line(self, row: Row) -> int:
        return self._place(row)[1]

    def _place(self, row: Row) -> tuple[str, int]:
        assert self.study
        return (self.study.settled or self.study.places())[id(row)]


def table(study: Study, group: str) -> OdmTable:
    """An empty table of an item group."""
    columns = [*KEYS]
    for item in GROUPS[group].items:
        columns += [oid(group, item.name)] + ([oid(group, item.name) + UNIT] if item.units else [])
    made = OdmTable(study.files[SNAPSHOT], tuple(columns), sheet=group, study=study)
    study.tables.append(made)
    return made


Entry = tuple[OdmTable, Row]


def _order(entry: Entry) -> tuple[str, int, int, int, int, int]:
    table, row = entry
    cells = row.cells
    numbers = [int(cells[key] or 0) for key in (EVENT_KEY, FORM_KEY, KEY)]
    return cells[SUBJECT], _RANK[cells[EVENT]], numbers[0], _GROUP_RANK[table.sheet or ""], numbers[1], numbers[2]


def _snapshot(study: Study) -> Iterator[tuple[str, Row | None]]:
    early = [(t, row) for t in study.tables for row in t.rows if "late" not in row.tags]
    yield f'  <ClinicalData StudyOID="{study.names[0]}" MetaDataVersionOID="MDV.1">', None
    for subject, entries in groupby(sorted([*early, *study.gone], key=_order), key=lambda e: e[1].cells[SUBJECT]):
        yield from _subject(subject, list(entries))
    yield "  </ClinicalData>", None


def _subject(subject: str, entries: list[Entry]) -> Iterator[tuple[str, Row | None]]:
    yield f"    <SubjectData SubjectKey={quoteattr(subject)}>", None
    yield f'      <SiteRef LocationOID="SITE.{subject[:2]}"/>', None
    for (event, key), inside in groupby(entries, key=lambda e: (e[1].cells[EVENT], e[1].cells[EVENT_KEY])):
        yield f'      <StudyEventData StudyEventOID="{event}"{_key(EVENT_KEY, key)}>', None
        for (group, form), rows in groupby(inside, key=lambda e: (e[0].sheet or "", e[1].cells[FORM_KEY])):
            yield f'        <FormData FormOID="{_form(group)}"{_key(FORM_KEY, form)}>', None
            for _, row in rows:
                texts = {**row.cells, **row.tags.get("before", {})}
                yield f'          <ItemGroupData ItemGroupOID="{group}"{_key(KEY, row.cells[KEY])}>', row
                yield from ((line, None) for line in _items(group, texts, row.tags.get("null", ()), " " * 12))
                yield "          </ItemGroupData>", None
            yield "        </FormData>", None
        yield "      </StudyEventData>", None
    yield "    </SubjectData>", None


def _form(group: str) -> str:
    return f"F.{group.removeprefix('IG.')}"


def _key(name: str, value: str) -> str:
    return f' {name}="{value}"' if value else ""


def _items(group: str, texts: dict[str, str], null: Iterable[str], indent: str, kind: str = "") -> Iterator[str]:
    """Lines of the filled items; those of ``null`` say that they are empty."""
    for item in GROUPS[group].items:
        name = oid(group, item.name)
        text, unit = texts.get(name, ""), texts.get(name + UNIT, "")
        if text and unit:
            reference = f'<MeasurementUnitRef MeasurementUnitOID="{UNITS.get(unit, unit)}"/>'
            yield f'{indent}<ItemData ItemOID="{name}" Value={quoteattr(text)}{kind}>{reference}</ItemData>'
        elif text:
            yield f'{indent}<ItemData ItemOID="{name}" Value={quoteattr(text)}{kind}/>'
        elif name in null:
            yield f'{indent}<ItemData ItemOID="{name}" IsNull="Yes"{kind}/>'


def _transactions(study: Study) -> Iterator[tuple[str, Row | None]]:
    """Late entries, corrections and removals in the order of their moments, each in a subject of its own."""
    late = [(row.tags["late"], t, row, "") for t in study.tables for row in t.rows if "late" in row.tags]
    fixed = [(row.tags["corrected"], t, row, "Update") for t in study.tables for row in t.rows if "before" in row.tags]
    gone = [(row.tags["removed"], t, row, "Remove") for t, row in study.gone]
    yield f'  <ClinicalData StudyOID="{study.names[0]}" MetaDataVersionOID="MDV.1">', None
    for number, (moment, t, row, kind) in enumerate(
        sorted([*late, *fixed, *gone], key=lambda e: (e[0], _order(e[1:3])))
    ):
        yield from _transaction(number, moment, t.sheet or "", row, kind)
    yield "  </ClinicalData>", None


def _transaction(number: int, moment: dt.datetime, group: str, row: Row, kind: str) -> Iterator[tuple[str, Row | None]]:
    cells = row.cells
    entered = kind or ("Upsert" if number % 11 == 7 else "Insert")
    # a late entry may be the first of its visit or patient
    within = "Context" if kind else "Upsert"
    yield f'    <SubjectData SubjectKey={quoteattr(cells[SUBJECT])} TransactionType="{within}">', None
    yield f'      <SiteRef LocationOID="SITE.{cells[SUBJECT][:2]}"/>', None
    event = f'StudyEventOID="{cells[EVENT]}"{_key(EVENT_KEY, cells[EVENT_KEY])} TransactionType="{within}"'
    yield f"      <StudyEventData {event}>", None
    form = f'FormOID="{_form(group)}"{_key(FORM_KEY, cells[FORM_KEY])} TransactionType="{within}"'
    yield f"        <FormData {form}>", None
    # a corrected row stands in the snapshot; its line there is its place
    opening = f'ItemGroupOID="{group}"{_key(KEY, cells[KEY])} TransactionType="{entered}"'
    yield f"          <ItemGroupData {opening}>", None if kind else row
    yield from ((line, None) for line in _audit(number, moment, kind, " " * 12))
    if kind == "Update":
        yield from ((line, None) for line in _changes(group, row))
    elif not kind:
        lines = _items(group, cells, row.tags.get("null", ()), " " * 12, f' TransactionType="{entered}"')
        yield from ((line, None) for line in lines)
    for line in ("          </ItemGroupData>", "        </FormData>", "      </StudyEventData>", "    </SubjectData>"):
        yield line, None


def _changes(group: str, row: Row) -> Iterator[str]:
    changed = {name.removesuffix(UNIT) for name in row.tags["before"]}
    texts = {name: text for name, text in row.cells.items() if name.removesuffix(UNIT) in changed}
    for name in sorted(changed):
        if not texts[name]:
            yield f'            <ItemData ItemOID="{name}" TransactionType="Remove"/>'
    for name in sorted(changed):
        kind = "Update" if row.tags["before"].get(name) else "Insert"
        own = {name: texts[name], name + UNIT: texts.get(name + UNIT, "")}
        yield from _items(group, own, (), " " * 12, f' TransactionType="{kind}"')


def _audit(number: int, moment: dt.datetime, kind: str, indent: str) -> Iterator[str]:
    """Who, where, when and why."""
    yield f"{indent}<AuditRecord>"
    yield f'{indent}  <UserRef UserOID="USR.{1 + number % 3}"/>'
    yield f'{indent}  <LocationRef LocationOID="SITE.00"/>'
    yield f"{indent}  <DateTimeStamp>{moment:%Y-%m-%dT%H:%M:%S}+00:00</DateTimeStamp>"
    if kind:
        reason = "Saisie par erreur" if kind == "Remove" else REASONS[number % len(REASONS)]
        yield f"{indent}  <ReasonForChange>{escape(reason)}</ReasonForChange>"
    yield f"{indent}</AuditRecord>"
