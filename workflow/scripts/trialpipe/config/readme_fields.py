"""Words for the fields of the configuration models: what a value looks like, its default, its meaning."""

from __future__ import annotations

import types as python_types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from trialpipe.config import names, types

Link = Callable[[type[BaseModel]], str]
"""Model to the text that stands for it, a link to its table."""

PLAIN = ((bool, "`true` or `false`"), (int, "whole number"), (float, "number"), (str, "text"))
VALUES = (
    (names.Where, "filter", "ADSL or domain variables and the values they may have", "`{SEX: F, ARMCD: [A, B]}`"),
    (names.Names, "name or list of names", "", ""),
    (names.Name, "name", "lower-case letters, digits, underscores", "`first_dose`"),
    (names.Variable, "variable", "SDTM or ADaM name in capitals", "`LBTESTCD`"),
    (names.Domain, "domain", "name of a clean table, 2 to 4 letters", "`lb`"),
    (names.DatasetId, "dataset", "name of a derived dataset, begins with `ad`", "`adlb`"),
    (types.Id, "id", "lower-case letters, digits, hyphens", "`by-day-56`"),
    (types.Duration, "duration", "number and day, week, month or year; months are twelfths of 365 days", "`8 weeks`"),
    (types.DateText, "date", "calendar day", "`2024-01-31`"),
    (types.Probability, "probability", "number between 0 and 1, both excluded", "`0.95`"),
    (types.RelPath, "path", "relative, forward slashes, no `..`", "`ecrf/plate_*.csv`"),
    (types.Text, "text", "any text that is not empty", "`Alive at day 28`"),
    (types.Flag, "`true` or `false`", "", ""),
)
"""Kinds of values: type, word for it, what it is, example; those without description are only spelled out."""

BOUNDS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))


FEW = 4
"""Unions of more models than this are not spelled out: they have a chapter of their own."""


class Key(NamedTuple):
    """A line of a model's table."""

    name: str
    value: str
    default: str
    meaning: str


def own_fields(model: type[BaseModel], without: type[BaseModel] | None = None) -> Iterator[str]:
    """Fields of a model in the order of the code, without those of the base class ``without``."""
    base = without.model_fields if without is not None else {}
    return (name for name in model.model_fields if name not in base)


def keys(model: type[BaseModel], link: Link, without: type[BaseModel] | None = None) -> list[Key]:
    """A line per field; ``kind`` is left out, since its value names the model."""
    hints = get_type_hints(model, include_extras=True)
    return [
        Key(name, word(hints[name], link) + _bounds(field), _default(field, hints[name]), meaning(field, hints[name]))
        for name in own_fields(model, without)
        if name != "kind"
        for field in [model.model_fields[name]]
    ]


def meaning(field: FieldInfo, hint: Any) -> str:
    """Description of a field; empty if it has only the one of its type."""
    of_type = {getattr(extra, "description", None) for extra in _extras(hint)}
    return "" if field.description is None or field.description in of_type else field.description


def word(hint: Any, link: Link) -> str:
    """What a value looks like, in words."""
    known = next((value[1] for value in VALUES if hint is value[0] or hint == value[0]), None)
    if known is not None:
        return known
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner = word(args[0], link)
        return inner.replace("list of ", "one or several: ", 1) if types._OneOrMany in map(type, args[1:]) else inner
    if origin in (Union, python_types.UnionType):
        if len(list(models(hint))) > FEW:
            return "an entry by `kind`"
        return " or ".join(dict.fromkeys(word(arg, link) for arg in args if arg is not type(None)))
    if origin is Literal:
        return " \\| ".join(f"`{arg}`" for arg in args)
    if origin is tuple:
        inner = word(args[0], link)
        return (
            f"list of {inner.removeprefix('an entry ')}"
            if Ellipsis in args
            else f"[{', '.join(word(a, link) for a in args)}]"
        )
    if origin is dict:
        return f"mapping of {word(args[0], link)} to {word(args[1], link)}"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return link(hint)
    return next((text for kind, text in PLAIN if hint is kind), "any")


def models(hint: Any) -> Iterator[type[BaseModel]]:
    """The models that a type names, in its order."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for arg in get_args(hint):
        yield from models(arg)


def _extras(hint: Any) -> Iterator[Any]:
    """Metadata anywhere in a type: of ``Name | None`` those of ``Name``."""
    yield from getattr(hint, "__metadata__", ())
    for arg in get_args(hint):
        yield from _extras(arg)


def _bounds(field: FieldInfo) -> str:
    found = [f"{text} {getattr(m, key):g}" for m in field.metadata for key, text in BOUNDS if hasattr(m, key)]
    patterns = [m.pattern for m in field.metadata if getattr(m, "pattern", None)]
    clock = [" HH:MM" for pattern in patterns if pattern == r"^\d\d:\d\d$"]
    return (", " + ", ".join(found) if found else "") + "".join(clock)


def _default(field: FieldInfo, hint: Any) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "" if field.default_factory is not None else "**required**"
    if value is None or value in ((), {}, []):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int) and types.Duration in (hint, *get_args(hint)):
        return f"`{value} days`"
    if isinstance(value, tuple):
        return f"`[{', '.join(str(v) for v in value)}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
