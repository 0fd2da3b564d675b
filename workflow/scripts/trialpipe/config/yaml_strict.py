"""The one YAML reader: a plain subset of YAML, read without guessing, with the line of every key and value.

Accepted: one UTF-8 document of mappings with text keys, lists and scalars. A scalar stays text (``1``,
``yes``, ``2024-01-31``); only a plain ``null``, ``~`` or nothing is None. Refused: duplicate keys, anchors
and aliases, merge keys, tags, further documents. The model decides the type: a value means what its field
says.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from trialpipe.config.errors import ConfigError, Problem

KeyPath = tuple[str | int, ...]

MAX_DEPTH = 50
_NULLS = ("", "~", "null")


@dataclass(frozen=True)
class Document:
    """A file as read.

    ``data``: dict, list, str or None, nested. ``marks``: key path such as ``("outcomes", 3, "endpoint")`` to
    the line (from 1) on which its value starts; the document itself is ``()``. ``key_marks``: the same paths
    to the line of the key, or of the item in a list. ``path``: the file's name as it is shown in messages.
    """

    data: Any
    marks: Mapping[KeyPath, int] = field(repr=False)
    key_marks: Mapping[KeyPath, int] = field(repr=False)
    path: str


def load(path: str | Path, display_path: str | Path | None = None) -> Document:
    """Read a YAML file strictly.

    Raises ``ConfigError`` with one line ``display_path:line message`` for the first thing that is wrong.
    """
    name = Path(path if display_path is None else display_path).as_posix()
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError([Problem(name, None, "", f"cannot be read: {error.strerror}")]) from None
    return loads(_decode(raw, name), name)


def loads(text: str, name: str) -> Document:
    """Read YAML from text; ``name`` stands for the file in messages. Raises ``ConfigError``."""
    try:
        # libyaml reads the same events in a tenth of the time; the wording of errors is that of the Python parser
        return _read(text, name, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return _explained(text, name)


def _read(text: str, name: str, loader: Any) -> Document:
    reader = _Reader(name)
    return Document(reader.document(yaml.parse(text, Loader=loader)), reader.marks, reader.key_marks, name)


def _explained(text: str, name: str) -> Document:
    """Read by the Python parser, its errors in words."""
    reader = _Reader(name)
    try:
        return _read(text, name, yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise reader.error(line, f"character U+{error.character:04X} is not allowed in YAML") from None
    except yaml.MarkedYAMLError as error:
        raise reader.error(*_explain(error)) from None


def _decode(raw: bytes, name: str) -> str:
    raw = raw.removeprefix(BOM_UTF8)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigError([Problem(name, line, "", message)]) from None


class _Reader:
    """Builds data and marks from the parser's events; keeps the file's name for messages."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks: dict[KeyPath, int] = {}
        self.key_marks: dict[KeyPath, int] = {}

    def error(self, line: int, message: str) -> ConfigError:
        return ConfigError([Problem(self.name, line, "", message)])

    def document(self, events: Iterator[Any]) -> Any:
        next(events)
        if isinstance(next(events), yaml.StreamEndEvent):
            raise self.error(1, "file is empty")
        data = self.node(next(events), events, ())
        next(events)
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.error(_line(after), "a second document starts here; a file holds one")
        if data is None:
            raise self.error(1, "file is empty")
        return data

    def node(self, event: Any, events: Iterator[Any], path: KeyPath) -> Any:
        self.refuse(event)
        if len(path) > MAX_DEPTH:
            raise self.error(_line(event), f"nested more than {MAX_DEPTH} levels deep")
        self.marks[path] = _line(event)
        if isinstance(event, yaml.ScalarEvent):
            return None if not event.style and event.value in _NULLS else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(events, path)
        return self.mapping(events, path)

    def refuse(self, event: Any) -> None:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            message = f"alias '*{event.anchor}' is refused; write the value out, or quote text that begins so"
            raise self.error(line, message)
        if event.anchor is not None:
            message = f"anchor '&{event.anchor}' is refused; leave it out, or quote text that begins so"
            raise self.error(line, message)
        if event.tag is not None:
            message = f"tag '{event.tag}' is refused; leave it out, or quote text that begins so"
            raise self.error(line, message)

    def sequence(self, events: Iterator[Any], path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            here = (*path, len(items))
            self.key_marks[here] = _line(event)
            items.append(self.node(event, events, here))
        return items

    def mapping(self, events: Iterator[Any], path: KeyPath) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            here = (*path, self.key(event))
            if here in self.key_marks:
                first, line = self.key_marks[here], _line(event)
                raise self.error(line, f"key '{event.value}' stands twice, first on line {first}")
            self.key_marks[here] = _line(event)
            items[event.value] = self.node(next(events), events, here)
        return items

    def key(self, event: Any) -> str:
        self.refuse(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise self.error(_line(event), "a key must be text, not a list or mapping")
        if not event.style and event.value == "<<":
            raise self.error(_line(event), "merge key '<<' is refused; write the values out")
        if not event.value:
            raise self.error(_line(event), "a key is empty")
        return str(event.value)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _explain(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """Line and plain message of what the parser refused."""
    problem, context = error.problem or "", error.context or ""
    line = error.problem_mark.line + 1
    start = error.context_mark.line + 1 if error.context_mark else line
    if "'\\t'" in problem:
        return line, "a tab stands where only spaces may; indent with spaces"
    if problem.startswith("found character") and "cannot start any token" in problem:
        return line, f"text cannot start with {problem.split()[2]}; put it in quotes"
    if "quoted scalar" in context and "end of stream" in problem:
        return start, "quotes opened here are not closed"
    if "flow" in context and "<stream end>" in problem:
        return start, f"'{'[' if 'sequence' in context else '{'}' opened here is not closed"
    if problem == "mapping values are not allowed here":
        return line, "unexpected ':' (wrong indentation, or ': ' in text without quotes)"
    if context == "while scanning a simple key":
        return start, "key without ':' after it"
    if problem.startswith("expected <block end>"):
        return line, "wrong indentation, or text after a closing quote or bracket"
    return line, f"not YAML: {problem}" + (f" {context}" if context else "")
