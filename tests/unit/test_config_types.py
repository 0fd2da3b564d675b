"""Types of the configuration and their JSON Schemas: what is read, what is refused, dumps validate again."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Literal

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from trialpipe.config import schemas
from trialpipe.config.errors import ConfigError, validate
from trialpipe.config.types import (
    MAX_DAYS,
    DateText,
    Duration,
    Flag,
    Id,
    OneOrMany,
    Probability,
    RelPath,
    Strict,
    TestCode,
    Text,
    days_of,
)
from trialpipe.config.yaml_strict import loads

TYPES = {
    "duration": Duration,
    "id": Id,
    "test_code": TestCode,
    "probability": Probability,
    "path": RelPath,
    "text": Text,
    "date": DateText,
    "flag": Flag,
}
ADAPTERS = {name: TypeAdapter(kind) for name, kind in TYPES.items()}


class Everything(Strict):
    duration: Duration
    id: Id
    test_code: TestCode
    probability: Probability
    path: RelPath
    text: Text
    date: DateText
    flag: bool
    first_day: Literal[0, 1]
    maybe: bool | None = None
    number: float = 0.0
    whole: int = Field(0, ge=0)
    many: OneOrMany[Duration] = ()
    flags: tuple[Flag, ...] = ()


# Rulings, item 2: one table of horizons for all kinds of endpoint; weeks and days are arithmetic
DAYS = {
    "8 weeks": 56, "4 months": 122, "6 months": 183, "12 months": 365, "24 months": 730,
    "1 day": 1, "56 days": 56, "28 days": 28, "0 days": 0, "1 week": 7, "1 year": 365, "2 years": 730,
}  # fmt: skip


@pytest.mark.parametrize(("text", "days"), DAYS.items())
def test_horizons_of_the_rulings(text: str, days: int) -> None:
    assert ADAPTERS["duration"].validate_python(text) == days


@given(st.integers(0, 3000))
def test_a_month_is_the_nearest_day_to_a_twelfth_of_a_year(months: int) -> None:
    exact = Fraction(365 * months, 12)
    assert abs(days_of(months, "month") - exact) <= Fraction(1, 2)
    assert days_of(12 * months, "month") == days_of(months, "year")
    assert days_of(months, "month") <= days_of(months + 1, "month")


GOOD = [
    ("id", "death-by-day-56", "death-by-day-56"),
    ("id", "4t", "4t"),
    ("test_code", "FERRITIN", "FERRITIN"),
    ("test_code", "CD25_S", "CD25_S"),
    ("probability", "0.95", 0.95),
    ("probability", ".5", 0.5),
    ("probability", "1e-3", 0.001),
    ("probability", 0.1, 0.1),
    ("path", "data/lab 2.csv", "data/lab 2.csv"),
    ("path", "a..b/.hidden", "a..b/.hidden"),
    ("text", "  é: x \n", "é: x"),
    ("date", " 2024-02-29", "2024-02-29"),
    ("date", date(2024, 1, 31), "2024-01-31"),
    ("flag", "true", True),
    ("flag", "false", False),
    ("flag", False, False),
]


@pytest.mark.parametrize(("kind", "given", "expected"), GOOD)
def test_read(kind: str, given: object, expected: object) -> None:
    value = ADAPTERS[kind].validate_python(given)
    assert value == expected
    assert type(value) is type(expected)


DURATION = "is not a duration, e.g. '8 weeks'"
ID = "is not an id of lower-case letters, digits and hyphens, e.g. 'by-day-56'"
CODE = "is not a test code of at most 8 capitals and digits, e.g. 'FERRITIN'"
PROBABILITY = "is not a number between 0 and 1, e.g. 0.95"
PATH = "is not a relative path without '..' and '\\', e.g. 'data/lab.csv'"
DATE = "is not a date, e.g. '2024-01-31'"
FLAG = "is neither true nor false"
BAD = [
    *[("duration", text, f"'{text}' {DURATION}") for text in (
        "8 wekks", "56", "8weeks", "-1 days", "1.5 years", "8 Weeks", "123456 days", "300 years", "",
        "٣ days",
    )],
    ("duration", True, f"'True' {DURATION}"),
    ("duration", -1, f"'-1' {DURATION}"),
    ("duration", 56.0, f"'56.0' {DURATION}"),
    ("duration", MAX_DAYS + 1, f"'100000' {DURATION}"),
    ("duration", None, f"no value {DURATION}"),
    ("duration", ["8 weeks"], f"a list {DURATION}"),
    *[("id", text, f"'{text}' {ID}") for text in ("Death", "a_b", "-a", "a-", "a--b", "", "é")],
    ("id", "a\n", f"'a' {ID}"),
    *[("test_code", text, f"'{text}' {CODE}") for text in ("ferritin", "1AB", "ABCDEFGHI", "", "A-B")],
    *[("probability", text, f"'{text}' {PROBABILITY}") for text in (
        "0", "1", "0,95", "95%", "nan", "inf", "0.9_5", "", "-0.5", "1e-400",
    )],
    ("probability", True, f"'True' {PROBABILITY}"),
    ("probability", float("nan"), f"'nan' {PROBABILITY}"),
    *[("path", text, f"'{text}' {PATH}") for text in (
        "/etc/x", "../x", "a/../b", "a\\b", "C:/x", "c:x", "", ".", "./a", "a//b", "a/",
    )],
    ("text", "", "'' is empty; text is needed"),
    ("text", " \n", "'' is empty; text is needed"),
    ("text", 3, "'3' is not a text"),
    *[("date", text, f"'{text}' {DATE}") for text in (
        "31/01/2024", "2024-1-31", "20240131", "2024-01", "2024-01-31T10:00", "",
    )],
    ("date", "2023-02-29", "'2023-02-29' is not a day of the calendar"),
    *[("flag", text, f"'{text}' {FLAG}") for text in (
        "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0", "True", "TRUE", "Oui", "",
    )],
    ("flag", 1, f"'1' {FLAG}"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given", "expected"), BAD)
def test_refused(kind: str, given: object, expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTERS[kind].validate_python(given)
    assert str(caught.value.errors()[0]["ctx"]["error"]) == expected


UNITS = st.sampled_from(["day", "days", "week", "weeks", "month", "months", "year", "years"])
SLUG = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
VALID = st.fixed_dictionaries(
    {
        "duration": st.builds("{} {}".format, st.integers(0, 270), UNITS),
        "id": SLUG,
        "test_code": st.from_regex(r"[A-Z][A-Z0-9_]{0,7}", fullmatch=True),
        "probability": st.floats(0, 1, exclude_min=True, exclude_max=True).map(repr),
        "path": st.lists(SLUG, min_size=1, max_size=4).map("/".join),
        "text": WORDS.filter(str.strip),
        "date": st.dates(date(1, 1, 1)).map(date.isoformat),
        "flag": st.sampled_from(["true", "false"]),
        "first_day": st.sampled_from(["0", "1"]),
    },
    optional={
        "maybe": st.sampled_from(["true", "false", None]),
        "number": st.floats(allow_nan=False, allow_infinity=False).map(repr),
        "whole": st.integers(0, 10**12).map(str),
        "many": st.just("8 weeks") | st.lists(st.just("2 years"), max_size=3),
        "flags": st.lists(st.sampled_from(["true", "false"]), max_size=3),
    },
)


@given(VALID)
def test_a_dump_validates_again_to_the_same_model_and_the_same_bytes(texts: dict) -> None:
    model = Everything.model_validate(texts)
    dump = json.dumps(model.model_dump(mode="json"), sort_keys=True)
    again = Everything.model_validate(json.loads(dump))
    assert again == model
    assert json.dumps(again.model_dump(mode="json"), sort_keys=True) == dump
    assert Everything.model_validate_json(model.model_dump_json()) == model
    assert model.flag is (texts["flag"] == "true")
    assert model.first_day == int(texts["first_day"])
    assert model.probability == float(texts["probability"])


@given(st.dates())
def test_dates_are_kept(day: date) -> None:
    assert ADAPTERS["date"].validate_python(day.isoformat()) == day.isoformat()
    assert date.fromisoformat(ADAPTERS["date"].validate_python(day)) - day == timedelta(0)


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind not in ("probability", "flag")])
@given(WORDS | SLUG | st.builds("{} {}".format, st.integers(0, 999), UNITS))
def test_the_schema_pattern_agrees_with_the_reader(kind: str, text: str) -> None:
    """On text without outer white space: what the reader takes the editor takes; and the converse, save for
    limits that a pattern cannot say (longest duration, days of the calendar)."""
    schema = ADAPTERS[kind].json_schema()
    text = text.strip()
    by_pattern = re.search(schema["pattern"], text) is not None and "\n" not in text
    try:
        ADAPTERS[kind].validate_python(text)
    except ValidationError:
        assert not by_pattern or kind in ("duration", "date")
    else:
        assert by_pattern or "\n" in text


def test_schemas_describe_each_type() -> None:
    properties = Everything.model_json_schema()["properties"]
    for name in ("duration", "id", "test_code", "path", "text", "date"):
        assert properties[name]["type"] == "string"
        assert properties[name]["description"]
        assert all(re.search(properties[name]["pattern"], text) for text in properties[name].get("examples", []))
    assert properties["probability"]["type"] == "number"
    assert properties["flag"]["type"] == "boolean"
    assert properties["first_day"]["enum"] == [0, 1]
    assert Everything.model_json_schema()["additionalProperties"] is False


TABLE = {"toy": f"{__name__}:Everything", "small": f"{__name__}:Small"}


class Small(Strict):
    name: Text


def test_schema_files_are_stable_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "schemas"
    assert schemas.main(["--check", "--folder", str(folder)], TABLE) == 1
    assert schemas.main(["--folder", str(folder)], TABLE) == 0
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(first) == ["small.schema.json", "toy.schema.json"]
    for raw in first.values():
        again = json.dumps(json.loads(raw), indent=2, sort_keys=True, ensure_ascii=False)
        assert raw.decode() == again + "\n"
    assert schemas.main(["--check", "--folder", str(folder)], TABLE) == 0
    (folder / "toy.schema.json").write_text("{}\n")
    (folder / "old.schema.json").write_text("{}\n")
    capsys.readouterr()
    assert schemas.main(["--check", "--folder", str(folder)], TABLE) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{folder.as_posix()}/toy.schema.json is stale - run python -m trialpipe.config.schemas",
        f"{folder.as_posix()}/old.schema.json has no model - delete it",
    ]


FILE = """\
duration: 8 weeks
id: by-day-56
test_code: FERRITIN
probability: 0.95
path: data/lab.csv
text: Ferritin
date: '2024-01-31'
flag: true
first_day: 0
"""
EXTRA = ("maybe: false", "number: 1.5", "whole: 3", "many: 8 weeks", "many: [8 weeks]", "flags: [true]")
FALSE = ("maybe: 'no'", "number: x", "whole: -1", "many: 8 wekks", "flags: ['yes']", "unknown: 1")


def test_editor_and_loader_agree() -> None:
    """Editors type YAML scalars before the schema sees them, the loader does not; both take the same files."""
    schema = json.loads(schemas.schema_text(TABLE["toy"]))
    checker = jsonschema.Draft202012Validator(schema)
    checker.check_schema(schema)
    for extra in EXTRA:
        assert [error.message for error in checker.iter_errors(yaml.safe_load(FILE + extra))] == []
        validate(loads(FILE + extra, "t.yaml"), Everything)
    for extra in FALSE:
        assert list(checker.iter_errors(yaml.safe_load(FILE + extra))), extra
        with pytest.raises(ConfigError):
            validate(loads(FILE + extra, "t.yaml"), Everything)


class TestStrict:
    def test_frozen_and_closed(self) -> None:
        class Toy(Strict):
            a: int = 0

        toy = Toy.model_validate({"a": "1"})
        with pytest.raises(ValidationError, match="frozen"):
            toy.a = 2
        with pytest.raises(ValidationError, match="Extra inputs"):
            Toy.model_validate({"b": "1"})
        assert hash(toy) == hash(Toy(a=1))

    @pytest.mark.parametrize("word", ["yes", "no", "on", "off", "y", "n", "t", "f", "1", "0", "True", "Oui", "", 1, 0])
    def test_no_word_becomes_a_boolean(self, word: object) -> None:
        class Toy(Strict):
            a: bool = False
            b: bool | None = None

        for name in ("a", "b"):
            with pytest.raises(ValidationError) as caught:
                Toy.model_validate({name: word})
            assert [error["loc"] for error in caught.value.errors()] == [(name,)]

    @pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999"])
    def test_no_infinite_numbers(self, text: str) -> None:
        class Toy(Strict):
            a: float

        with pytest.raises(ValidationError):
            Toy.model_validate({"a": text})

    def test_input_is_left_alone(self) -> None:
        class Toy(Strict):
            a: bool

        data = {"a": "true"}
        Toy.model_validate(data)
        assert data == {"a": "true"}

    def test_plain_bool_inside_a_container_is_a_programming_error(self) -> None:
        with pytest.raises(TypeError, match=r"Toy\.a: inside a list or mapping write Flag for bool"):
            type("Toy", (Strict,), {"__annotations__": {"a": tuple[bool, ...]}, "__module__": __name__})

    def test_one_or_many(self) -> None:
        class Toy(Strict):
            a: OneOrMany[Id] = ()

        assert Toy.model_validate({"a": "x"}).a == ("x",)
        assert Toy.model_validate({"a": ["x", "y"]}).a == ("x", "y")
        with pytest.raises(ValidationError):
            Toy.model_validate({"a": None})
        kinds = [choice["type"] for choice in Toy.model_json_schema()["properties"]["a"]["anyOf"]]
        assert kinds == ["string", "array"]
