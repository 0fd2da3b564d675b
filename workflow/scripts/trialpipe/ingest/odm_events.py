"""Elements of an ODM-XML file in document order, streamed in bounded memory, with the hostile ones refused.

The parser is expat, fed piece by piece; nothing that the XML names (entity, schema, style sheet) is ever opened.
odmlib was not taken: it builds the whole tree in memory with ElementTree, and takes DTDs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from trialpipe.io.errors import DataError

START, END, TEXT = "start", "end", "text"
Event = tuple[str, str, dict[str, str], int]
"""(START, element name, attributes, line), (END, element name, {}, 0) or (TEXT, text, {}, line)."""
DEPTH = 64
TOKEN = 8 << 20
_CHUNK = 1 << 16
_CDISC = "http://www.cdisc.org/ns/odm/"
_CUT = frozenset(["no element found", "unclosed token", "partial character", "unclosed CDATA section"])
_STARTS = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_BINARY = {b"\x1f\x8b": "is compressed with gzip", b"PK": "is a zip archive", b"BZh": "is compressed with bzip2"}


def events(path: Path, rel: str) -> Iterator[Event]:
    """Every start, end and text of an ODM file, in document order.

    Elements and attributes of ODM (any version, or without a namespace) come by their local name; those of a
    vendor as ``namespace name``, with a space. Comments and processing instructions are passed over.
    Raises DataError, naming file and line: no XML, no ODM, malformed or cut off, a DOCTYPE, elements nested
    deeper than 64, or one tag of more than 8 MiB.
    """
    feed = _Feed(rel)
    with Path(path).open("rb") as stream:
        first = True
        while chunk := stream.read(feed.wanted):
            if first:
                _check_start(chunk, rel)
                first = False
            feed.parse(chunk)
            yield from feed.take()
    if first:
        raise DataError(rel, None, None, None, "file is empty", "export it again")
    feed.parse(b"", last=True)
    yield from feed.take()


def local(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition(" ")[2]


def _check_start(chunk: bytes, rel: str) -> None:
    if chunk.lstrip(b" \t\r\n").startswith(_STARTS):
        return
    what = next((text for magic, text in _BINARY.items() if chunk.startswith(magic)), "is no XML file")
    raise DataError(rel, None, None, None, what, "give the plain ODM-XML file")


class _Feed:
    """The parser and the events it has told since they were last taken."""

    def __init__(self, rel: str) -> None:
        self._rel = rel
        self._found: list[Event] = []
        self._depth = 0
        self._space = ""
        self._names: dict[str, str] = {}
        self._fed = 0
        self._done = False
        self.wanted = _CHUNK
        parser = self._parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        # newer expat puts off a long token until twice as much has come; `wanted` sees to that already
        if hasattr(parser, "SetReparseDeferralEnabled"):
            parser.SetReparseDeferralEnabled(False)

    def parse(self, chunk: bytes, last: bool = False) -> None:
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise self._malformed(error, last) from None
        except (LookupError, ValueError) as error:
            cure = "export it as UTF-8"
            raise DataError(self._rel, 1, None, None, f"encoding cannot be read: {error}", cure) from None
        self._fed += len(chunk)
        waiting = self._fed - max(self._parser.CurrentByteIndex, 0)
        if waiting > TOKEN and not last:
            message = f"one tag, comment or text without end is longer than {TOKEN >> 20} MiB"
            cure = "export it again; files do not belong into an attribute"
            raise DataError(self._rel, self._line, None, None, message, cure)
        # twice the text each time, so that a long tag is not scanned again for every chunk
        self.wanted = min(max(_CHUNK, waiting), TOKEN - waiting + 1)

    def take(self) -> list[Event]:
        found, self._found = self._found, []
        return found

    @property
    def _line(self) -> int:
        return int(self._parser.CurrentLineNumber)

    def _malformed(self, error: expat.ExpatError, last: bool) -> DataError:
        reason = expat.ErrorString(error.code) or "malformed"
        if last and reason in _CUT and not self._done:
            cure = "it was cut off; export it again"
            return DataError(self._rel, error.lineno, None, None, "file ends before </ODM>", cure)
        return DataError(self._rel, error.lineno, None, None, f"is no well-formed XML: {reason}", "export it again")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self._root(name)
        elif self._depth > DEPTH:
            message = f"elements are nested deeper than {DEPTH}"
            raise DataError(self._rel, self._line, None, None, message, "no ODM file is; export it again")
        for key in attributes:
            if " " in key:
                attributes = {self._name(key): value for key, value in attributes.items()}
                break
        self._found.append((START, self._name(name), attributes, self._line))

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._done = self._depth == 0
        self._found.append((END, self._name(name), {}, 0))

    def _text(self, text: str) -> None:
        self._found.append((TEXT, text, {}, self._line))

    def _root(self, name: str) -> None:
        self._space = name.rpartition(" ")[0]
        if local(name) != "ODM":
            message = f"root element is <{local(name)}>, not <ODM>"
            raise DataError(self._rel, self._line, None, None, message, "give an ODM-XML 1.3 export")

    def _name(self, name: str) -> str:
        known = self._names.get(name)
        if known is None:
            space, _, bare = name.rpartition(" ")
            own = space in ("", self._space) or space.startswith(_CDISC)
            known = self._names[name] = bare if own else name
        return known

    def _doctype(self, *_: str | int | None) -> None:
        # before any of its declarations is looked at; without one there are no entities but the five of XML
        message = "has a DOCTYPE; entities are not read"
        raise DataError(self._rel, self._line, None, None, message, "export it without a DTD")
