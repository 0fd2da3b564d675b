"""The clinical data and the metadata of an ODM file, from its stream of elements.

What a vendor added (discrepancy notes, audit logs, item details) is passed over with all it holds, so that
nothing in it can be taken for a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trialpipe.ingest.odm_events import START, TEXT, TOKEN, events
from trialpipe.io.errors import DataError

OPEN, ITEM, AUDIT, SITE, ROOT = "open", "item", "audit", "site", "root"
KEYS = (
    "SubjectKey", "StudyEventOID", "StudyEventRepeatKey", "FormOID", "FormRepeatKey", "ItemGroupOID",
    "ItemGroupRepeatKey",
)  # fmt: skip
LEVELS = {
    "SubjectData": (0, ("SubjectKey",)),
    "StudyEventData": (1, ("StudyEventOID", "StudyEventRepeatKey")),
    "FormData": (3, ("FormOID", "FormRepeatKey")),
    "ItemGroupData": (5, ("ItemGroupOID", "ItemGroupRepeatKey")),
}
"""Element -> (number of key parts of its ancestors, its own)."""
SUBJECT_ID = "StudySubjectID"
_AUDITED = {"DateTimeStamp": "DATETIME", "ReasonForChange": "REASON", "SourceID": "SOURCEID"}
_REFERRED = {"UserRef": ("USER", "UserOID"), "LocationRef": ("LOCATION", "LocationOID")}
Key = tuple[str | None, ...]


@dataclass(slots=True)
class Node:
    """An element of the data, from SubjectData down to ItemData.

    ``key``: the parts of `KEYS` down to this element; ``given``: its own TransactionType, ``transaction`` the one
    in force (set by whoever applies it); ``audit``: what its AuditRecord says.
    """

    name: str
    attrs: dict[str, str]
    parent: Node | None
    line: int
    key: Key
    value: str | None = None
    unit: str | None = None
    site: str | None = None
    audit: dict[str, str] | None = None
    transaction: str = ""
    removed: bool = False

    @property
    def given(self) -> str | None:
        return self.attrs.get("TransactionType")

    @property
    def subject_id(self) -> str | None:
        """OpenClinica's number of the subject, whatever the vendor's namespace is called."""
        return next((v for k, v in self.attrs.items() if k.rpartition(" ")[2] == SUBJECT_ID), None)

    @property
    def subject(self) -> Node:
        return self if self.parent is None else self.parent.subject


@dataclass
class ItemDef:
    name: str | None = None
    data_type: str | None = None
    codelist: str | None = None
    units: dict[str, None] = field(default_factory=dict)


@dataclass
class Metadata:
    """Definitions by OID, over all the studies and versions of the files walked.

    ``groups``: item OIDs of an ItemGroupDef, in order; ``lines``: line of its first definition; ``units``: name of
    a MeasurementUnit (its symbol if it has none); ``codelists``: coded value -> text; ``audits``: AuditRecords that
    stand apart and are referred to by ID.
    """

    groups: dict[str, dict[str, None]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    items: dict[str, ItemDef] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    codelists: dict[str, dict[str, str]] = field(default_factory=dict)
    audits: dict[str, dict[str, str]] = field(default_factory=dict)


Told = tuple[str, Node]


def walk(path: Path, rel: str, meta: Metadata) -> Iterator[Told]:
    """Data elements in document order; definitions met on the way are added to ``meta``.

    Yields (ROOT, the ODM element), (OPEN, element) at the start of SubjectData ... ItemGroupData, (SITE, subject)
    at its SiteRef, (ITEM, item) at the end of ItemData or ItemDataString etc., (AUDIT, element) at the end of its
    AuditRecord. Raises DataError as `odm_events.events`.
    """
    walker = _Walker(rel, meta)
    foreign = 0
    for kind, name, attrs, line in events(path, rel):
        if kind == TEXT:
            if not foreign:
                walker.text(name, line)
        elif kind == START:
            if foreign or " " in name:
                foreign += 1
            else:
                yield from walker.start(name, attrs, line)
        elif foreign:
            foreign -= 1
        else:
            yield from walker.end(name)


class _Walker:
    def __init__(self, rel: str, meta: Metadata) -> None:
        self._rel = rel
        self._meta = meta
        self._stack: list[str] = [""]
        self._nodes: list[Node] = []
        self._text: list[str] | None = None
        self._text_at = 0
        self._size = 0
        self._audit: dict[str, str] | None = None
        self._audit_id: str | None = None
        self._definition = self._coded = self._group = ""

    def start(self, name: str, attrs: dict[str, str], line: int) -> tuple[Told, ...]:
        parent = self._stack[-1]
        self._stack.append(name)
        if name in LEVELS or is_item(name):
            node = self._node(name, attrs, line)
            self._nodes.append(node)
            if name in LEVELS:
                return ((OPEN, node),)
            if name != "ItemData":
                self._capture()
        elif name == "SiteRef" and parent == "SubjectData":
            self._nodes[-1].site = attrs.get("LocationOID")
            return ((SITE, self._nodes[-1]),)
        elif name == "MeasurementUnitRef":
            self._unit_ref(parent, attrs.get("MeasurementUnitOID"))
        elif name == "AuditRecord" or parent == "AuditRecord":
            self._audit_start(name, parent, attrs)
        elif name == "ODM":
            return ((ROOT, Node(name, attrs, None, line, ())),)
        else:
            self._define(name, parent, attrs, line)
        return ()

    def end(self, name: str) -> tuple[Told, ...]:
        text = self._captured()
        self._stack.pop()
        parent = self._stack[-1]
        if is_item(name):
            node = self._nodes.pop()
            if name != "ItemData":
                node.value = text if name == "ItemDataString" else (text or "").strip()
            return ((ITEM, node), (AUDIT, node)) if "AuditRecordID" in node.attrs else ((ITEM, node),)
        if name in LEVELS:
            self._nodes.pop()
        elif name == "AuditRecord":
            return self._audit_end(parent)
        elif parent == "AuditRecord" and name in _AUDITED and self._audit is not None and text is not None:
            self._audit[_AUDITED[name]] = text.strip()
        elif name == "TranslatedText" and text is not None:
            self._translated(parent, text.strip())
        return ()

    def text(self, text: str, line: int) -> None:
        if self._text is not None and len(self._stack) == self._text_at:
            self._text.append(text)
            self._size += len(text)
            if self._size > TOKEN:
                message = f"text is longer than {TOKEN >> 20} MiB"
                raise DataError(self._rel, line, None, None, message, "export it without embedded files")

    def _node(self, name: str, attrs: dict[str, str], line: int) -> Node:
        parent = self._nodes[-1] if self._nodes else None
        above = parent.key if parent else ()
        if name in LEVELS:
            depth, own = LEVELS[name]
        else:
            depth, own = len(KEYS), ("ItemOID",)
        key = (*above, *(None,) * (depth - len(above)), *(attrs.get(part) or None for part in own))
        return Node(name, attrs, parent, line, key, value=attrs.get("Value"), unit=attrs.get("MeasurementUnitOID"))

    def _capture(self) -> None:
        self._text, self._text_at, self._size = [], len(self._stack), 0

    def _captured(self) -> str | None:
        if self._text is None or len(self._stack) != self._text_at:
            return None
        text, self._text = "".join(self._text), None
        return text

    def _unit_ref(self, parent: str, oid: str | None) -> None:
        if oid and parent == "ItemDef":
            self._meta.items[self._definition].units[oid] = None
        elif oid and is_item(parent):
            self._nodes[-1].unit = oid

    def _audit_start(self, name: str, parent: str, attrs: dict[str, str]) -> None:
        if name == "AuditRecord":
            self._audit, self._audit_id = {}, attrs.get("ID")
        elif self._audit is not None and name in _REFERRED:
            column, attribute = _REFERRED[name]
            self._audit[column] = attrs.get(attribute, "")
        elif name in _AUDITED:
            self._capture()

    def _audit_end(self, parent: str) -> tuple[Told, ...]:
        audit, self._audit = self._audit, None
        if parent == "AuditRecords":
            if self._audit_id and audit is not None:
                self._meta.audits[self._audit_id] = audit
        elif self._nodes and (parent in LEVELS or is_item(parent)):
            self._nodes[-1].audit = audit
            return ((AUDIT, self._nodes[-1]),)
        return ()

    def _define(self, name: str, parent: str, attrs: dict[str, str], line: int) -> None:
        oid = attrs.get("OID", "")
        if name == "ItemGroupDef":
            self._group = oid
            self._meta.groups.setdefault(oid, {})
            self._meta.lines.setdefault(oid, line)
        elif name == "ItemRef" and parent == "ItemGroupDef":
            self._meta.groups[self._group][attrs.get("ItemOID", "")] = None
        elif name == "ItemDef":
            self._definition = oid
            item = self._meta.items.setdefault(oid, ItemDef())
            item.name, item.data_type = attrs.get("Name"), attrs.get("DataType")
        elif name == "CodeListRef" and parent == "ItemDef":
            self._meta.items[self._definition].codelist = attrs.get("CodeListOID")
        elif name == "MeasurementUnit":
            self._definition = oid
            if attrs.get("Name"):
                self._name_unit(oid, attrs["Name"], line)
        elif name == "CodeList":
            self._definition = oid
            self._meta.codelists.setdefault(oid, {})
        elif name in ("CodeListItem", "EnumeratedItem") and parent == "CodeList":
            self._coded = attrs.get("CodedValue", "")
            self._meta.codelists[self._definition].setdefault(self._coded, self._coded)
        elif name == "TranslatedText" and parent in ("Symbol", "Decode"):
            self._capture()

    def _name_unit(self, oid: str, name: str, line: int) -> None:
        before = self._meta.units.setdefault(oid, name)
        if before != name:
            message = f"measurement unit is '{before}' in one definition and here another"
            raise DataError(self._rel, line, oid, name, message, "have the export use one OID per unit")

    def _translated(self, parent: str, text: str) -> None:
        if parent == "Symbol" and self._stack[-2] == "MeasurementUnit":
            self._meta.units.setdefault(self._definition, text)
        elif parent == "Decode" and self._stack[-2] == "CodeListItem":
            codes = self._meta.codelists[self._definition]
            if codes.get(self._coded) == self._coded:
                codes[self._coded] = text


def is_item(name: str) -> bool:
    """Whether an element is ItemData or one of its typed forms, ItemDataString, ItemDataDate ..."""
    return name.startswith("ItemData")
