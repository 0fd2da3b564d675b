"""Errors of the configuration as lines a person can act on: ``path:line key.path: message``.

``validate`` types a document by a model and turns each complaint of pydantic into such a line. Unions of
models are told apart by the key ``kind`` everywhere in the configuration; the messages rely on that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic_core import ValidationError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from trialpipe.config.yaml_strict import Document, KeyPath

M = TypeVar("M", bound="BaseModel")

MOST = 20
TAG = "kind"

_WANTED = {
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is not a whole number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_parsing": "is not a number, e.g. 0.5",
    "float_type": "is not a number, e.g. 0.5",
    "finite_number": "is not a finite number",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "string_type": "is not a text",
    "tuple_type": "is not a list; write it in [ ]",
    "list_type": "is not a list; write it in [ ]",
    "dict_type": "is not a mapping of keys to values",
    "model_type": "is not a mapping of keys to values",
    "model_attributes_type": "is not a mapping of keys to values",
    "greater_than_equal": "is too small; at least {ge} is needed",
    "greater_than": "is too small; more than {gt} is needed",
    "less_than_equal": "is too large; at most {le} is allowed",
    "less_than": "is too large; less than {lt} is needed",
    "string_too_short": "is too short; at least {min_length} characters are needed",
    "string_too_long": "is too long; at most {max_length} characters are allowed",
    "too_short": "has {actual_length} items; at least {min_length} are needed",
    "too_long": "has more than {max_length} items",
    "string_pattern_mismatch": "does not match {pattern}",
}
"""What is wrong with a value, by pydantic's type of error; the value stands before it."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: ``path`` as shown, ``line`` from 1 or None, ``key`` as shown or empty."""

    path: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        if self.key:
            return f"{place} {self.key}: {self.message}"
        return f"{place} {self.message}" if self.line is not None else f"{place}: {self.message}"


class ConfigError(Exception):
    """A configuration that cannot be used.

    From problems: a line each, sorted by place, at most 20. From text: that text, with no ``problems``.
    """

    problems: tuple[Problem, ...] = ()
    for_user = True

    def __init__(self, problems: str | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            super().__init__(problems)
            return
        found = set(problems)
        self.problems = tuple(sorted(found, key=lambda p: (p.path, p.line or 0, p.key, p.message)))
        lines = [str(problem) for problem in self.problems[:MOST]]
        if len(self.problems) > MOST:
            lines.append(f"and {len(self.problems) - MOST} more")
        super().__init__("\n".join(lines))


def validate(document: Document, model: type[M], display_path: str | Path | None = None) -> M:
    """The document as an instance of ``model``. Raises ``ConfigError`` with every problem found."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        problems = _merged([_problem(document, model, dict(detail)) for detail in details])
        name = document.path if display_path is None else Path(display_path).as_posix()
        raise ConfigError([Problem(name, *rest) for rest in problems]) from None


def problem_at(document: Document, path: Sequence[str | int], message: str) -> Problem:
    """A problem found after typing (say a name that exists nowhere), at the place of its key path."""
    known = _known(document, tuple(path))
    return Problem(document.path, _line(document, known), key_text(document.data, known), message)


def shown(value: object) -> str:
    """A value as it stands in a message: text in quotes, shortened; a list or mapping by its kind."""
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if value is None:
        return "no value"
    text = " ".join(str(value).split())
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"


def did_you_mean(value: object, choices: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the choice that is closest to the value, or nothing."""
    close = get_close_matches(str(value), list(choices), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def key_text(data: Any, path: Sequence[str | int]) -> str:
    """A key path for people: ``outcomes[os].endpoint.horizon``, an item by its id or its number from 1."""
    text, node = "", data
    for step in path:
        node = _get(node, step)
        if isinstance(step, int):
            label = node.get("id") if isinstance(node, dict) else None
            text += f"[{label if isinstance(label, str) else step + 1}]"
        else:
            text += f".{step}" if text else step
    return text


Located = tuple[int, str, str]


def _merged(problems: list[Located]) -> list[Located]:
    """One problem per place: what the members of a union say about one value, joined."""
    messages: dict[tuple[int, str], list[str]] = {}
    for line, key, message in problems:
        said = messages.setdefault((line, key), [])
        if message not in said:
            said.append(message)
    return [(line, key, "; ".join(said)) for (line, key), said in messages.items()]


def _problem(document: Document, model: Any, detail: dict[str, Any]) -> Located:
    data, kind, context = document.data, detail["type"], detail.get("ctx", {})
    place = _place(model, data, detail["loc"])
    path = place.path
    if kind == "missing" and isinstance(path[-1], str):
        path, message = path[:-1], f"key '{path[-1]}' is missing"
    elif kind == "missing":
        path, message = path[:-1], "has too few items"
    elif kind == "extra_forbidden":
        return document.key_marks[path], key_text(data, path), _unknown_key(path[-1], place.owner)
    elif place.is_key:
        message = "key " + _wrong_value(path[-1], kind, detail["msg"], context, place.hint)
        return document.key_marks[path], key_text(data, path), message
    elif kind == "union_tag_not_found":
        message = f"key '{TAG}' is missing"
    elif kind == "union_tag_invalid":
        path = (*path, TAG)
        message = _not_one_of(_value(data, path), context["expected_tags"])
    else:
        path = _known(document, path)
        message = _wrong_value(_value(data, path), kind, detail["msg"], context, place.hint)
    return _line(document, path), key_text(data, path), message


def _unknown_key(key: str | int, owner: Any) -> str:
    fields = list(owner.model_fields) if owner is not None else []
    return "unknown key" + (did_you_mean(key, fields) or f"; known are {', '.join(fields)}")


def _not_one_of(value: object, expected: str) -> str:
    """``expected`` is pydantic's list, such as ``'a', 'b' or 'c'``."""
    choices = re.findall(r"'((?:[^'\\]|\\.)*)'|(-?\d+)", expected)
    texts = [text or number for text, number in choices]
    listed = ", ".join(text if re.search(r"\w", text) else shown(text) for text in texts)
    return f"{shown(value)} is not one of {listed}{did_you_mean(value, texts)}"


def _wrong_value(value: Any, kind: str, text: str, context: dict[str, Any], hint: str | None) -> str:
    if value is None:
        return "has no value; give one or leave the key out"
    if kind == "literal_error":
        return _not_one_of(value, context["expected"])
    if kind in ("value_error", "assertion_error"):
        message = str(context["error"])
        told = isinstance(value, (dict, list)) or shown(value) in message
        return message if told else f"{shown(value)}: {message}"
    if kind not in _WANTED:
        return f"{shown(value)}: {text}"
    note = f" ({hint})" if hint and kind == "string_pattern_mismatch" else ""
    return f"{shown(value)} {_WANTED[kind].format(**context)}{note}"


class _Place(NamedTuple):
    path: KeyPath
    """Keys of the document, without the labels that pydantic puts in for members of unions."""
    owner: Any
    """The model that has or lacks the last key."""
    hint: str | None
    """Description of the last field."""
    is_key: bool
    """The key itself is wrong, not its value."""


def _place(model: Any, data: Any, loc: Sequence[str | int]) -> _Place:
    """Follow pydantic's location through the model and the data side by side.

    Beside keys and item numbers a location holds the tag of each member of a union, and ``[key]`` at its end
    for a key of a mapping. A label that the model does not explain is left out if the document has no
    such key.
    """
    path: list[str | int] = []
    annotation, node, owner, hint = model, data, None, None
    todo = list(loc)
    while todo:
        annotation, described = _bare(annotation)
        hint = described or hint
        member = _member(annotation, todo[0])
        step = todo.pop(0)
        if member is not None:
            annotation = member
            continue
        if annotation is None and _get(node, step) is None and todo:
            continue
        if todo == ["[key]"]:
            return _Place((*path, step), None, _bare(get_args(annotation)[0])[1], True)
        annotation, owner, hint = _inside(annotation, step)
        path.append(step)
        node = _get(node, step)
    return _Place(tuple(path), owner, _bare(annotation)[1] or hint, False)


def _bare(annotation: Any) -> tuple[Any, str | None]:
    """Annotation without ``Annotated`` and ``None``, and the description found on the way."""
    hint = None
    while True:
        args = get_args(annotation)
        if get_origin(annotation) is Annotated:
            hint = next((note.description for note in args[1:] if getattr(note, "description", None)), hint)
            annotation = args[0]
        elif get_origin(annotation) in (Union, UnionType) and type(None) in args and len(args) == 2:
            annotation = next(arg for arg in args if arg is not type(None))
        else:
            return annotation, hint


def _member(annotation: Any, tag: str | int) -> Any:
    """The member of a union of models whose ``kind`` is the tag."""
    if get_origin(annotation) not in (Union, UnionType):
        return None
    for arg in get_args(annotation):
        member = _bare(arg)[0]
        fields = getattr(member, "model_fields", {})
        if TAG in fields and tag in get_args(fields[TAG].annotation):
            return member
    return None


def _inside(annotation: Any, step: str | int) -> tuple[Any, Any, str | None]:
    """Annotation of a key or item, the model it belongs to, and its description."""
    if hasattr(annotation, "model_fields"):
        field = annotation.model_fields.get(step)
        return (field.annotation, annotation, field.description) if field else (None, annotation, None)
    args = get_args(annotation)
    if get_origin(annotation) is dict:
        return args[1], None, None
    if get_origin(annotation) in (tuple, list) and isinstance(step, int):
        return args[step] if step < len(args) and Ellipsis not in args else args[0], None, None
    return None, None, None


def _get(node: Any, step: str | int) -> Any:
    if isinstance(node, dict):
        return node.get(step)
    if isinstance(node, list) and isinstance(step, int) and step < len(node):
        return node[step]
    return None


def _value(data: Any, path: KeyPath) -> Any:
    for step in path:
        data = _get(data, step)
    return data


def _known(document: Document, path: KeyPath) -> KeyPath:
    """The part of a path that stands in the document; a single value read as a list of one has no item 0."""
    while path not in document.marks:
        path = path[:-1]
    return path


def _line(document: Document, path: KeyPath) -> int:
    """Line of a scalar's value, or of the key that holds a list or mapping."""
    path = _known(document, path)
    if path in document.key_marks and isinstance(_value(document.data, path), (dict, list)):
        return document.key_marks[path]
    return document.marks[path]
