"""Base model and text types of the configuration.

Values arrive as text from ``yaml_strict`` and as numbers from ``model_dump``; every type here reads both,
so a dump validates again to the same model. Messages of refused values show the value and an example.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator
from pydantic_core.core_schema import no_info_before_validator_function

from trialpipe.config.errors import shown

T = TypeVar("T")

MAX_DAYS = 99_999
_UNITS = r"(?P<unit>day|week|month|year)s?"
_DURATION = re.compile(rf"(?P<number>[0-9]{{1,5}}) {_UNITS}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ID = r"[a-z0-9]+(-[a-z0-9]+)*"
_TEST_CODE = r"[A-Z][A-Z0-9_]{0,7}"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def days_of(number: int, unit: str) -> int:
    """Days in ``number`` of ``unit`` (day, week, month, year).

    A week is 7 days, a year 365, a month the twelfth of a year rounded half up; so 4, 6, 12 and 24 months are
    122, 183, 365 and 730 days for every kind of endpoint. Whole numbers only: no float decides a horizon.
    """
    if unit == "month":
        return (2 * 365 * number + 12) // 24
    return number * {"day": 1, "week": 7, "year": 365}[unit]


def parse_duration(value: object) -> int:
    """Whole days of a text such as ``8 weeks``, or of a number of days from a dump. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_DAYS:
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    days = days_of(int(match["number"]), match["unit"]) if match else None
    if days is None or days > MAX_DAYS:
        raise ValueError(f"{shown(value)} is not a duration, e.g. '8 weeks'")
    return days


def parse_probability(value: object) -> float:
    """Number strictly between 0 and 1, from text or number. Raises ValueError."""
    text = "" if isinstance(value, bool) else str(value).strip()
    if not _NUMBER.fullmatch(text) or not 0 < float(text) < 1:
        raise ValueError(f"{shown(value)} is not a number between 0 and 1, e.g. 0.95")
    return float(text)


def parse_date(value: object) -> str:
    """A calendar day as ``YYYY-MM-DD``, from such a text or a date. Raises ValueError."""
    text = value.isoformat() if type(value) is date else value
    if isinstance(text, str) and re.fullmatch(_DATE, text.strip()):
        try:
            return date.fromisoformat(text.strip()).isoformat()
        except ValueError:
            raise ValueError(f"{shown(value)} is not a day of the calendar") from None
    raise ValueError(f"{shown(value)} is not a date, e.g. '2024-01-31'")


def parse_path(value: object) -> str:
    """A relative path with forward slashes that stays in its folder. Raises ValueError."""
    text = value.strip() if isinstance(value, str) else ""
    parts = text.split("/")
    if "\\" in text or re.match(r"[A-Za-z]:", text) or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{shown(value)} is not a relative path without '..' and '\\', e.g. 'data/lab.csv'")
    return text


def parse_text(value: object) -> str:
    """Text that is not empty, without outer white space. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not a text")
    if not value.strip():
        raise ValueError(f"{shown(value.strip())} is empty; text is needed")
    return value.strip()


def _matching(pattern: str, what: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        raise ValueError(f"{shown(value)} is not {what}")

    return parse


def parse_flag(value: object) -> bool:
    """``true`` or ``false``; ``yes``, ``on`` and ``1`` are refused. Raises ValueError."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError(f"{shown(value)} is neither true nor false")


def as_list(value: object) -> object:
    """A value that stands without brackets as a list of one; lists and None stay."""
    return value if value is None or isinstance(value, (list, tuple)) else [value]


class _OneOrMany:
    """Marks a tuple field in which a single value may stand without brackets, also for editors."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return no_info_before_validator_function(as_list, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


OneOrMany = Annotated[tuple[T, ...], _OneOrMany()]

Flag = Annotated[bool, BeforeValidator(parse_flag)]
"""Boolean inside a list or mapping; a plain ``bool`` field of a ``Strict`` model is read the same way."""

Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9]{1,5} (day|week|month|year)s?$",
            "examples": ["56 days", "8 weeks", "6 months", "2 years"],
            "description": "duration with its unit; a year has 365 days, a month the twelfth of a year",
        }
    ),
]
"""Whole days. YAML has text with a unit, a dump has the number of days."""

Id = Annotated[
    str,
    BeforeValidator(_matching(_ID, "an id of lower-case letters, digits and hyphens, e.g. 'by-day-56'")),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_ID}$",
            "examples": ["by-day-56"],
            "description": "id of lower-case letters, digits and hyphens",
        }
    ),
]

TestCode = Annotated[
    str,
    BeforeValidator(_matching(_TEST_CODE, "a test code of at most 8 capitals and digits, e.g. 'FERRITIN'")),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_TEST_CODE}$",
            "examples": ["FERRITIN"],
            "description": "SDTM test code, at most 8 characters",
        }
    ),
]

Probability = Annotated[
    float,
    BeforeValidator(parse_probability),
    WithJsonSchema(
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
            "examples": [0.95],
            "description": "number between 0 and 1, both excluded",
        }
    ),
]

RelPath = Annotated[
    str,
    BeforeValidator(parse_path),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(?!/)(?![A-Za-z]:)(?!.*\\)(?!.*(^|/)\.{0,2}(/|$)).+$",
            "examples": ["data/lab.csv"],
            "description": "relative path with forward slashes, without '..'",
        }
    ),
]

Text = Annotated[
    str,
    BeforeValidator(parse_text),
    WithJsonSchema({"type": "string", "pattern": r"\S", "description": "text, not empty"}),
]

DateText = Annotated[
    str,
    BeforeValidator(parse_date),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date",
            "pattern": f"^{_DATE}$",
            "examples": ["2024-01-31"],
            "description": "calendar day, YYYY-MM-DD",
        }
    ),
]


class Strict(BaseModel):
    """Base of all configuration models: unknown keys refused, frozen, texts typed without guessing.

    Pydantic would read ``yes``, ``on`` and ``1`` as true and would not read the text ``0`` for
    ``Literal[0, 1]``; fields of these two kinds are therefore read here. Infinite numbers and NaN are
    refused, since no JSON dump could hold them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        return {k: _read_plain(fields[k].annotation, v) if k in fields else v for k, v in data.items()}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            if not set(_kinds(field.annotation)) & {bool} and _hides_bool(field.annotation):
                raise TypeError(f"{cls.__name__}.{name}: inside a list or mapping write Flag for bool")


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of an annotation, ``X | None`` being X and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(kind for arg in get_args(annotation) for kind in _kinds(arg))
    return (annotation,)


def _hides_bool(annotation: Any) -> bool:
    return annotation is bool or (annotation != Flag and any(map(_hides_bool, get_args(annotation))))


def _read_plain(annotation: Any, value: Any) -> Any:
    """Text of a plain ``bool`` or whole-number ``Literal`` field as its value; anything else as it is."""
    if not isinstance(value, (str, int, float)):
        return value
    kinds = [kind for kind in _kinds(annotation) if kind is not type(None)]
    if kinds == [bool] and not isinstance(value, bool):
        # in a tuple, pydantic refuses what it would otherwise read as true or false, and names the field
        return {"true": True, "false": False}.get(str(value), (value,))
    if len(kinds) == 1 and get_origin(kinds[0]) is Literal and isinstance(value, str):
        numbers = {str(arg): arg for arg in get_args(kinds[0]) if type(arg) is int}
        return numbers.get(value, value)
    return value
