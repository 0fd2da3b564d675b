"""The rows of an ODM item group while files are applied to it: what each transaction type demands and does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from trialpipe.ingest import odm_walk as walking
from trialpipe.ingest.odm_walk import LEVELS, Key, Metadata, Node
from trialpipe.io.errors import DataError

TYPES = ("Insert", "Update", "Upsert", "Remove", "Context")
_INHERITED = {"Update": "Upsert", "Context": "Upsert"}


@dataclass(slots=True)
class Row:
    """An item group: where it was touched last, and per item (value, OID of its unit).

    ``repeated``: it shares its key, that has no repeat key, with an earlier row of the file number ``source``.
    """

    key: Key
    file: str
    line: int
    source: int
    repeated: bool = False
    items: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)


class Store:
    """The rows of one item group (of all if ``group`` is None) after the files applied so far."""

    def __init__(self, group: str | None) -> None:
        self.meta = Metadata()
        self.rows: dict[Key, Row] = {}
        self.groups: dict[str, None] = {}
        self.items: dict[tuple[str, str], None] = {}
        self.sites: dict[str | None, str] = {}
        self.subject_ids: dict[str | None, str] = {}
        self._group = group
        self._known: set[Key] = set()
        self._rel = ""
        self._source = 0
        self._snapshot = True
        self._row: Row | None = None

    def apply(self, path: Path, rel: str) -> None:
        """Bring one file in. Raises DataError as `read_all`."""
        self._rel = rel
        self._source += 1
        for kind, node in walking.walk(path, rel, self.meta):
            if kind == walking.ITEM:
                if node.parent is not None and self._wanted(node.parent):
                    self._item(node)
            elif kind == walking.OPEN:
                self._open(node)
            elif kind == walking.SITE and node.site:
                self.sites[node.key[0]] = node.site
            elif kind == walking.ROOT:
                self._file_type(node)

    def _file_type(self, root: Node) -> None:
        declared = root.attrs.get("FileType", "Snapshot")
        if declared not in ("Snapshot", "Transactional"):
            cure = "FileType is Snapshot or Transactional"
            raise DataError(self._rel, root.line, "FileType", declared, "is no type of ODM file", cure)
        self._snapshot = declared == "Snapshot"

    def _wanted(self, group: Node) -> bool:
        return group.name == "ItemGroupData" and (self._group is None or group.key[5] == self._group)

    def _open(self, node: Node) -> None:
        required = LEVELS[node.name][1][0]
        if not node.attrs.get(required):
            raise self._error(node, f"{node.name} has no {required}", "export it again")
        self._resolve(node)
        if node.name == "SubjectData" and node.subject_id:
            self.subject_ids[node.key[0]] = node.subject_id
        group = node.name == "ItemGroupData"
        if group:
            self.groups[node.key[5] or ""] = None
            self._row = None
        if node.removed or (group and not self._wanted(node)):
            self._know(node)
            return
        if group:
            self._open_group(node)
        else:
            self._fits(node, node.key in self._known)
        if node.transaction == "Remove":
            self._remove(node)
        self._know(node)

    def _know(self, node: Node) -> None:
        """Whatever is written stands in something that is there, be it only given as context."""
        if node.removed or node.transaction in ("Context", "Remove"):
            return
        above: Node | None = node
        while above is not None:
            if above.name != "ItemGroupData":
                self._known.add(above.key)
            above = above.parent

    def _open_group(self, node: Node) -> None:
        key, row = node.key, self.rows.get(node.key)
        lenient = self._snapshot and node.transaction == "Insert" and key[6] is None
        if row is not None and lenient and row.source == self._source:
            row.repeated = True
            key, row = (*key, str(node.line)), None
        self._fits(node, row is not None)
        if row is None and node.transaction in ("Insert", "Upsert"):
            row = self.rows[key] = Row(node.key, self._rel, node.line, self._source)
        elif row is not None and node.transaction in ("Update", "Upsert"):
            self._touch(row, node)
        self._row = row

    def _touch(self, row: Row, group: Node) -> None:
        if row.repeated:
            raise self._error(group, "stands for several rows without a repeat key", "export with ItemGroupRepeatKey")
        row.file, row.line = self._rel, group.line

    def _remove(self, node: Node) -> None:
        size = len(node.key)
        for key in [key for key in self.rows if key[:size] == node.key]:
            del self.rows[key]
        self._known = {key for key in self._known if key[:size] != node.key}
        node.removed, self._row = True, None

    def _item(self, node: Node) -> None:
        group = node.parent
        assert group is not None
        oid = node.attrs.get("ItemOID")
        if not oid:
            raise self._error(node, f"{node.name} has no ItemOID", "export it again")
        self._resolve(node)
        self.items[(group.key[5] or "", oid)] = None
        if node.removed or node.transaction == "Context":
            return
        row = self._row
        if row is None:
            cure = "mark its item group Insert or Upsert, or apply the file that has it first"
            raise self._error(node, "its item group is context, but not there", cure)
        if group.transaction == "Context":
            self._touch(row, group)
        self._fits(node, oid in row.items)
        if node.transaction == "Remove":
            del row.items[oid]
        else:
            row.items[oid] = (value_of(node), node.unit)

    def _resolve(self, node: Node) -> None:
        """Set the transaction in force and whether the element stands in one that was removed."""
        given, parent = node.given, node.parent
        if given is not None and given not in TYPES:
            raise self._error(node, f"TransactionType '{given}' is none of {', '.join(TYPES)}", "export it again")
        if parent is not None and parent.removed:
            if given not in (None, "Remove", "Context"):
                message = f"{given} inside a {parent.name} that is removed"
                raise self._error(node, message, "have the export put it after the removal")
            node.removed = True
        inserted = self._snapshot and (node.name == "ItemGroupData" or node.name not in LEVELS)
        above = written(parent)
        default = "Insert" if inserted else "Upsert"
        node.transaction = given or (_INHERITED.get(above, above) if above else default)

    def _fits(self, node: Node, there: bool) -> None:
        kind = node.transaction
        if kind == "Insert" and there:
            cure = "give the file once, or have the export write Update or Upsert, or a repeat key"
            raise self._error(node, "Insert of what is there already", cure)
        if kind in ("Update", "Remove") and not there:
            cure = "give the files in order, snapshot first, or have the export write Insert or Upsert"
            raise self._error(node, f"{kind} of what is not there", cure)

    def _error(self, node: Node, message: str, cure: str) -> DataError:
        key = "/".join(part or "" for part in node.key)
        return DataError(self._rel, node.line, node.name, key, message, cure)


def written(node: Node | None) -> str | None:
    """The TransactionType of an element, or of the nearest above that has one."""
    while node is not None:
        if node.given:
            return node.given
        node = node.parent
    return None


def value_of(node: Node) -> str | None:
    """The value of an item; None for IsNull and for empty text."""
    return None if node.attrs.get("IsNull") == "Yes" else node.value or None
