"""The strict YAML loader and located error messages."""

from __future__ import annotations

import json
import string
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from trialpipe.config import yaml_strict
from trialpipe.config.errors import MOST, ConfigError, Problem, did_you_mean, problem_at, validate
from trialpipe.config.types import Duration, Flag, Id, OneOrMany, Probability, Strict, Text
from trialpipe.config.yaml_strict import MAX_DEPTH, load, loads

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for folder in ("config", "resources") for path in (ROOT / folder).glob("**/*.yaml"))
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower-case name, e.g. first_dose")]


class State(Strict):
    kind: Literal["state_at_horizon"]
    origin: Name
    horizon: Duration


class TimeToEvent(Strict):
    kind: Literal["time_to_event"]
    origin: Name
    event: OneOrMany[Name]
    labels: dict[Name, Text] = {}


Endpoint = Annotated[State | TimeToEvent, Field(discriminator="kind")]


class Window(Strict):
    low: int
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> Window:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Outcome(Strict):
    id: Id
    title: Text
    endpoint: Endpoint
    more: tuple[Endpoint, ...] = ()
    window: Window | None = None
    range: tuple[int, int] = (0, 1)
    level: Probability = 0.95
    rho: float = 0.0
    planned: int = Field(1, ge=1)
    first_day: Literal[0, 1] = 0
    role: Literal["primary", "secondary"] = "primary"
    decimal: Literal[".", ","] = "."
    exact: bool = False
    printed: bool | None = None
    flags: tuple[Flag, ...] = ()


class Outcomes(Strict):
    outcomes: tuple[Outcome, ...]


GOOD = """\
# a comment
outcomes:
  - id: death
    title: Death
    endpoint:
      kind: time_to_event
      origin: first_dose
      event: death
"""


def message(text: str, model: type = Outcomes) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(loads(text, "t.yaml"), model)
    return str(caught.value)


# ---- loader: what is read ----------------------------------------------------


def test_scalars_stay_text_and_only_plain_nothing_is_none() -> None:
    text = "a: 1\nb: yes\nc: 2024-01-31\nd: 0.50\ne: 12:30\nf: null\ng: ~\nh:\n"
    text += "i: 'null'\nj: \"~\"\nk: ''\nl: NULL\n"
    assert loads(text, "t.yaml").data == {
        "a": "1", "b": "yes", "c": "2024-01-31", "d": "0.50", "e": "12:30", "f": None, "g": None, "h": None,
        "i": "null", "j": "~", "k": "", "l": "NULL",
    }  # fmt: skip


def test_keys_stay_text() -> None:
    assert list(loads("1: a\nnull: b\nyes: c\n", "t.yaml").data) == ["1", "null", "yes"]


def test_marks_give_the_line_of_every_value_and_key() -> None:
    document = loads("# head\na:\n  - x: 1\n    y: [p,\n        q]\n  - >-\n    folded\nb: {c: null}\n", "t.yaml")
    assert document.marks == {
        (): 2, ("a",): 3, ("a", 0): 3, ("a", 0, "x"): 3, ("a", 0, "y"): 4, ("a", 0, "y", 0): 4,
        ("a", 0, "y", 1): 5, ("a", 1): 6, ("b",): 8, ("b", "c"): 8,
    }  # fmt: skip
    assert document.key_marks[("a",)] == 2
    assert set(document.key_marks) == set(document.marks) - {()}


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\nb: 2\r\n")
    document = load(path, Path("config/x.yaml"))
    assert document.data == {"a": "é", "b": "2"}
    assert (document.path, document.marks[("b",)]) == ("config/x.yaml", 2)


TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12)
KEYS = TEXTS.filter(bool)
TREES = st.recursive(
    st.none() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=4), st.booleans())
def test_what_a_yaml_writer_wrote_is_read_back(tree: dict, flow: bool) -> None:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    text = yaml.dump(tree, Dumper=Plain, allow_unicode=True, sort_keys=False, default_flow_style=flow)
    assert loads(text, "t.yaml").data == tree


@given(TREES, st.integers(0, 5))
def test_every_place_has_a_mark_on_a_line_of_the_file(tree: object, blank: int) -> None:
    text = "\n" * blank + json.dumps({"a": tree}, ensure_ascii=False, indent=1)
    document = loads(text, "t.yaml")
    lines = text.count("\n") + 1

    def places(node: object, path: tuple = ()) -> set:
        inner = enumerate(node) if isinstance(node, list) else node.items() if isinstance(node, dict) else ()
        return {path}.union(*(places(value, (*path, key)) for key, value in inner))

    assert set(document.marks) == places(document.data)
    assert all(blank < line <= lines for line in document.marks.values())


# ---- loader: what is refused -------------------------------------------------

REFUSED = [
    ("", "1 file is empty"),
    ("# only a comment\n", "1 file is empty"),
    ("---\n", "1 file is empty"),
    ("a: 1\nb: 2\na: 3\n", "3 key 'a' stands twice, first on line 1"),
    ("a:\n  x: {p: 1, q: 2,\n    p: 3}\n", "3 key 'p' stands twice, first on line 2"),
    ("1: a\n'1': b\n", "2 key '1' stands twice, first on line 1"),
    ("a: 1\n---\nb: 2\n", "2 a second document starts here; a file holds one"),
    ("a: &x 1\n", "1 anchor '&x' is refused; leave it out, or quote text that begins so"),
    ("a: 1\nb: *x\n", "2 alias '*x' is refused; write the value out, or quote text that begins so"),
    ("a: 1\n*x : 2\n", "2 alias '*x' is refused; write the value out, or quote text that begins so"),
    ("b:\n  <<: {a: 1}\n", "2 merge key '<<' is refused; write the values out"),
    ("a: !!str 1\n", "1 tag 'tag:yaml.org,2002:str' is refused; leave it out, or quote text that begins so"),
    ("a: !x\n  b: 1\n", "1 tag '!x' is refused; leave it out, or quote text that begins so"),
    ("? [a]\n: b\n", "1 a key must be text, not a list or mapping"),
    ("'': b\n", "1 a key is empty"),
    ("a:\n\tb: 1\n", "2 a tab stands where only spaces may; indent with spaces"),
    ("a: b: c\n", "1 unexpected ':' (wrong indentation, or ': ' in text without quotes)"),
    ("a: 1\n  b: 2\n", "2 unexpected ':' (wrong indentation, or ': ' in text without quotes)"),
    ('a: "x\nb: 1\n', "1 quotes opened here are not closed"),
    ("a: {x: 1\n", "1 '{' opened here is not closed"),
    ("b: 1\na: [1, 2\n", "2 '[' opened here is not closed"),
    ("a:\n  - b\n - c\n", "3 wrong indentation, or text after a closing quote or bracket"),
    ("a: 'x' y\n", "1 wrong indentation, or text after a closing quote or bracket"),
    ("a: 1\nkey\n", "2 key without ':' after it"),
    ("a: @x\n", "1 text cannot start with '@'; put it in quotes"),
    ("a: 1\nb: %x\n", "2 text cannot start with '%'; put it in quotes"),
    ('a: "\\q"\n', "1 not YAML: found unknown escape character 'q' while scanning a double-quoted scalar"),
    ("a: 1\nb: \x07\n", "2 character U+0007 is not allowed in YAML"),
    ("a: " + "[" * 60 + "]" * 60, f"1 nested more than {MAX_DEPTH} levels deep"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_refused_yaml(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text, "config/t.yaml")
    assert str(caught.value) == f"config/t.yaml:{expected}"


def test_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\nb: d\xe9c\xe8s\n")
    with pytest.raises(ConfigError) as caught:
        load(path, "x.yaml")
    assert str(caught.value) == "x.yaml:2 byte 0xe9 is not UTF-8; save the file as UTF-8"


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "absent.yaml", "absent.yaml")
    assert str(caught.value) == "absent.yaml: cannot be read: No such file or directory"


@given(st.text(st.characters(codec="utf-8"), max_size=40) | st.text(string.punctuation + "ab \n\t", max_size=40))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        loads(text, "t.yaml")
    except ConfigError as error:
        place, _, rest = str(error).partition(" ")
        assert place.startswith("t.yaml:")
        assert rest
        assert "\n" not in rest


# ---- validation messages -----------------------------------------------------


def test_good_file_is_typed() -> None:
    text = GOOD + "    exact: true\n    planned: 12\n    first_day: 1\n    rho: .5\n"
    text += "    range: [1, 2]\n    flags: [false]\n"
    outcome = validate(loads(text, "t.yaml"), Outcomes).outcomes[0]
    assert (outcome.exact, outcome.planned, outcome.first_day, outcome.rho) == (True, 12, 1, 0.5)
    assert (outcome.range, outcome.flags) == ((1, 2), (False,))
    assert isinstance(outcome.endpoint, TimeToEvent)
    assert outcome.endpoint.event == ("death",)


def test_the_line_of_the_design() -> None:
    text = GOOD.replace("time_to_event", "state_at_horizon").replace("event: death", "horizon: 8 wekks")
    assert message(text) == "t.yaml:8 outcomes[death].endpoint.horizon: '8 wekks' is not a duration, e.g. '8 weeks'"
    with pytest.raises(ConfigError, match="^config/trials/x/o.yaml:8 "):
        validate(loads(text, "t.yaml"), Outcomes, Path("config/trials/x/o.yaml"))


ADDED = [  # lines put after the good outcome, from line 9
    ("exakt: true", "t.yaml:9 outcomes[death].exakt: unknown key; did you mean 'exact'?"),
    ("exact: yes", "t.yaml:9 outcomes[death].exact: 'yes' is neither true nor false"),
    ("exact: 'True'", "t.yaml:9 outcomes[death].exact: 'True' is neither true nor false"),
    ("printed: Oui", "t.yaml:9 outcomes[death].printed: 'Oui' is neither true nor false"),
    ("flags: [true, y]", "t.yaml:9 outcomes[death].flags[2]: 'y' is neither true nor false"),
    ("flags: true", "t.yaml:9 outcomes[death].flags: 'true' is not a list; write it in [ ]"),
    ("exact:", "t.yaml:9 outcomes[death].exact: has no value; give one or leave the key out"),
    ("planned: 0", "t.yaml:9 outcomes[death].planned: '0' is too small; at least 1 is needed"),
    ("planned: many", "t.yaml:9 outcomes[death].planned: 'many' is not a whole number"),
    ("planned: 1.5", "t.yaml:9 outcomes[death].planned: '1.5' is not a whole number"),
    ("planned: [1]", "t.yaml:9 outcomes[death].planned: a list is not a whole number"),
    ("rho: 0,5", "t.yaml:9 outcomes[death].rho: '0,5' is not a number, e.g. 0.5"),
    ("rho: nan", "t.yaml:9 outcomes[death].rho: 'nan' is not a finite number"),
    ("level: 95", "t.yaml:9 outcomes[death].level: '95' is not a number between 0 and 1, e.g. 0.95"),
    ("first_day: 2", "t.yaml:9 outcomes[death].first_day: '2' is not one of 0, 1"),
    (
        "role: primry",
        "t.yaml:9 outcomes[death].role: 'primry' is not one of primary, secondary; did you mean 'primary'?",
    ),
    (
        "more: [{kind: [x]}]",
        "t.yaml:9 outcomes[death].more[1].kind: a list is not one of state_at_horizon, time_to_event",
    ),
    ("decimal: x", "t.yaml:9 outcomes[death].decimal: 'x' is not one of '.', ','"),
    ("range: [1]", "t.yaml:9 outcomes[death].range: has too few items"),
    ("range: [1, 2, 3]", "t.yaml:9 outcomes[death].range: a list has more than 2 items"),
    ("window: 3", "t.yaml:9 outcomes[death].window: '3' is not a mapping of keys to values"),
    ("window:\n      low: 3\n      high: 2", "t.yaml:9 outcomes[death].window: low 3 is above high 2"),
    (
        "window: {low: 3, top: 2}",
        "t.yaml:9 outcomes[death].window: key 'high' is missing\n"
        "t.yaml:9 outcomes[death].window.top: unknown key; known are low, high",
    ),
    (
        "more:\n      - {kind: state_at_horizon, horizon: 8 weeks}",
        "t.yaml:10 outcomes[death].more[1]: key 'origin' is missing",
    ),
    (
        "more:\n      - kind: time_to_event\n        origin: x\n        event: [x, Y]",
        "t.yaml:12 outcomes[death].more[1].event[2]: 'Y' does not match ^[a-z][a-z0-9_]*$"
        " (lower-case name, e.g. first_dose)",
    ),
    (
        "more:\n      - kind: time_to_event\n        origin: x\n        event: Y",
        "t.yaml:12 outcomes[death].more[1].event: 'Y' does not match ^[a-z][a-z0-9_]*$"
        " (lower-case name, e.g. first_dose)",
    ),
    (
        "more: [{kind: time_to_event, origin: x, event: y, labels: {B: c}}]",
        "t.yaml:9 outcomes[death].more[1].labels.B: key 'B' does not match ^[a-z][a-z0-9_]*$"
        " (lower-case name, e.g. first_dose)",
    ),
    (
        "more: [{kind: time_to_event, origin: x, event: y, labels: {b: ' '}}]",
        "t.yaml:9 outcomes[death].more[1].labels.b: '' is empty; text is needed",
    ),
    (
        "more: [{kind: time_to_event, origin: x, event: y, time_to_event: z}]",
        "t.yaml:9 outcomes[death].more[1].time_to_event: unknown key; known are kind, origin, event, labels",
    ),
    ("more: [x]", "t.yaml:9 outcomes[death].more[1]: 'x' is not a mapping of keys to values"),
    ("more: [{origin: x}]", "t.yaml:9 outcomes[death].more[1]: key 'kind' is missing"),
]


@pytest.mark.parametrize(("added", "expected"), ADDED)
def test_message(added: str, expected: str) -> None:
    assert message(GOOD + f"    {added}\n") == expected


def test_misspelt_kind() -> None:
    assert message(GOOD.replace("kind: time_to_event", "kind: time_to_evnt")) == (
        "t.yaml:6 outcomes[death].endpoint.kind: 'time_to_evnt' is not one of state_at_horizon,"
        " time_to_event; did you mean 'time_to_event'?"
    )


def test_missing_keys_stand_at_the_parent() -> None:
    assert message("# c\nother: 1\n") == (
        "t.yaml:2 key 'outcomes' is missing\nt.yaml:2 other: unknown key; known are outcomes"
    )
    assert message(GOOD.replace("      origin: first_dose\n", "")) == (
        "t.yaml:5 outcomes[death].endpoint: key 'origin' is missing"
    )


def test_item_without_id_is_counted_from_one() -> None:
    assert message(GOOD + "  - title: x\n    endpoint: {kind: state_at_horizon, origin: a, horizon: 1 day}\n") == (
        "t.yaml:9 outcomes[2]: key 'id' is missing"
    )


@pytest.mark.parametrize("text", ["- 1\n", "just text\n"])
def test_top_level_must_be_a_mapping(text: str) -> None:
    shown = "a list" if text.startswith("-") else "'just text'"
    assert message(text) == f"t.yaml:1 {shown} is not a mapping of keys to values"


def test_sorted_by_line_and_cut_at_twenty() -> None:
    text = "".join(f"k{number}: 1\n" for number in range(30)) + "low: 1\nhigh: 2\n"
    lines = message(text, Window).splitlines()
    assert len(lines) == MOST + 1
    assert [line.split()[0] for line in lines[:MOST]] == [f"t.yaml:{number}" for number in range(1, 21)]
    assert lines[-1] == "and 10 more"


def test_long_values_are_shortened_to_one_line() -> None:
    line = message(GOOD + '    planned: "' + "x\\n" * 200 + '"\n')
    assert "\n" not in line
    assert len(line) < 140


def test_problem_found_after_typing_is_located() -> None:
    document = loads(GOOD, "t.yaml")
    problem = problem_at(document, ("outcomes", 0, "endpoint", "event", 0), "'death' is no milestone")
    assert str(problem) == "t.yaml:8 outcomes[death].endpoint.event: 'death' is no milestone"
    assert str(ConfigError([problem, problem])) == str(problem)
    assert str(ConfigError("one line")) == "one line"
    assert str(Problem("t.yaml", None, "", "absent")) == "t.yaml: absent"


def test_did_you_mean() -> None:
    assert [did_you_mean(word, ["horizon"]) for word in ("horzion", "zzz")] == ["; did you mean 'horizon'?", ""]


LEAVES = st.sampled_from(["x", "yes", "1", "", "time_to_event", "state_at_horizon", None, [], {}, ["a"], {"kind": "x"}])
FIELDS = st.sampled_from([*Outcome.model_fields, "kind", "origin", "event", "horizon", "labels", "low", "zzz"])
ODD = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5))


@given(st.dictionaries(FIELDS, ODD, max_size=8))
def test_every_complaint_becomes_located_lines(tree: dict) -> None:
    text = json.dumps({"outcomes": [tree]}, indent=1)
    try:
        validate(loads(text, "t.yaml"), Outcomes)
    except ConfigError as error:
        for problem in error.problems:
            assert problem.line is not None
            assert 1 <= problem.line <= text.count("\n") + 1
            assert "Input should" not in problem.message


# ---- cost --------------------------------------------------------------------


def test_no_heavy_imports() -> None:
    code = (
        "import sys, trialpipe.config.types, trialpipe.config.errors, trialpipe.config.yaml_strict\n"
        "print(sorted({'pandas', 'numpy', 'scipy', 'pyarrow', 'email_validator'} & set(sys.modules)))"
    )
    scripts = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
    done = subprocess.run([sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_both_parsers_read_the_same(path):
    """libyaml, which is fast, and the Python parser, which explains errors: data and line numbers."""
    text = path.read_text(encoding="utf-8")
    fast, slow = (yaml_strict._read(text, path.name, loader) for loader in (yaml.CSafeLoader, yaml.SafeLoader))
    assert (fast.data, fast.marks, fast.key_marks) == (slow.data, slow.marks, slow.key_marks)
