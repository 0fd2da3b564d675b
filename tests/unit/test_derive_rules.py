"""Three-valued rules: the engine by Kleene's tables, each published rule-set by its truth table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialpipe.derive import rules, support
from trialpipe.derive.rules import Facts, Measured
from trialpipe.io.errors import DataError

DATA = Path(__file__).parent / "data"
SICK = {
    "TEMP": "39", "SPLENO": "Y", "SPLEEN": "4", "NEUT": "0.4", "PLAT": "40", "HGB": "70", "FERRITIN": "9000",
    "FIBRINO": "1.0", "DDIMER": "2000", "CNS": "N", "CD25S": "5000", "TRIG": "5", "ALT": "500", "CSFWBC": "3",
}  # fmt: skip
WELL = {
    "TEMP": "36.8", "SPLENO": "N", "SPLEEN": "0", "NEUT": "2.5", "PLAT": "250", "HGB": "110", "FERRITIN": "300",
    "FIBRINO": "2.5", "DDIMER": "200", "CNS": "N", "CD25S": "900", "TRIG": "1.2", "ALT": "30", "CSFWBC": "2",
}  # fmt: skip
TEXT = ("SPLENO", "CNS")
TABLES = {"NI-0501-04": "ni_0501_04", "HLH-2004": "hlh_2004", "DEP": "dep"}
WORDS = {True: "true", False: "false", None: "unknown"}
VISIT_DAY = 13
VALUES: list[bool | None] = [True, False, None]


def cases() -> list[tuple[str, dict[str, str]]]:
    return [
        (rule_set, row)
        for rule_set, name in TABLES.items()
        for row in csv.DictReader((DATA / f"response_truth_{name}.csv").open(encoding="utf-8"))
    ]


def measured(code: str, text: str, day: int) -> Measured | None:
    if not text:
        return None
    if code in TEXT:
        return Measured(day, f"{code}@{day}", text=text)
    if text[0] == "<":
        return Measured(day, f"{code}@{day}", below=float(text[1:]))
    if text[0] == ">":
        return Measured(day, f"{code}@{day}", above=float(text[1:]))
    return Measured(day, f"{code}@{day}", number=float(text))


def changed(start: Mapping[str, str], changes: str) -> tuple[dict[str, str], list[support.Course]]:
    values, given_ = dict(start), []
    for part in filter(None, changes.split(";")):
        code, _, text = part.partition("=")
        if code == "cm":
            term, _, offset = text.partition("@")
            day = VISIT_DAY + int(offset)
            given_.append(support.Course(term, day, day, day, day))
        else:
            values[code] = text
    return values, given_


def facts(base: str, visit: str) -> Facts:
    before, _ = changed(SICK, base)
    after, given_ = changed(WELL, visit)
    at = {c: m for c, t in after.items() if (m := measured(c, t, VISIT_DAY)) is not None}
    baseline = {c: m for c, t in before.items() if (m := measured(c, t, 0)) is not None}
    return Facts(at, baseline, support.free_of(given_))


@pytest.mark.parametrize(("rule_set", "case"), cases(), ids=[f"{r}: {c['case']}" for r, c in cases()])
def test_truth_table(rule_set, case):
    known = rules.rule_sets()[rule_set]
    found = facts(case["base"], case["visit"])
    own = [rules.level_truth(known, level, found) for level in known.levels]
    for place, level in enumerate(known.levels):
        assert WORDS[rules.any_of(own[: place + 1])] == case[level.code.lower()], level.code
    met = [level.code for level, truth in zip(known.levels, own, strict=True) if truth is True]
    assert (met[0] if met else "NE" if None in own else "NR") == case["overall"]


def test_every_level_is_true_false_and_unknown_somewhere():
    for rule_set in TABLES:
        rows = [case for name, case in cases() if name == rule_set]
        for level in rules.rule_sets()[rule_set].levels:
            assert {row[level.code.lower()] for row in rows} >= {"true", "false"}
        assert any("unknown" in row.values() for row in rows)


def test_attainable():
    known = rules.rule_sets()["NI-0501-04"]
    partial = known.levels[1]
    assert rules.attainable(known, partial, facts("", "")) == (True, 7)
    few = "TEMP=37;SPLENO=N;NEUT=3;FIBRINO=2;DDIMER=100;FERRITIN=300"
    assert rules.attainable(known, partial, facts(few, "")) == (False, 1)
    assert rules.attainable(known, partial, facts(few + ";TEMP=;CNS=", "")) == (True, 1)


def test_optional_items_leave_when_not_collected():
    known = rules.rule_sets()["NI-0501-04"]
    found = facts("", "DDIMER=")
    assert rules.level_truth(known, known.levels[0], found) is None
    without = rules.collected(known, set(rules.parameters(known)) - {"DDIMER"})
    assert "DDIMER" not in without.items
    assert rules.level_truth(without, without.levels[0], found) is True
    assert rules.collected(known, set(rules.parameters(known))).items == known.items


def test_reactivation_is_at_least_three_or_new_neurological_symptoms():
    known = rules.rule_sets(part="reactivation")["HLH-2004"]
    level = known.levels[0]
    well = ";".join(f"{code}={text}" for code, text in WELL.items())
    for visit, expected in [
        ("", False),
        ("CNS=Y", True),
        ("TEMP=38.5;PLAT=99;TRIG=3.0", True),
        ("TEMP=38.5;PLAT=99", None),  # haemophagocytosis not looked for
        ("TEMP=38.5", False),
        ("FERRITIN=500;CD25S=2400;FIBRINO=1.5", True),
    ]:
        assert rules.level_truth(known, level, facts(well, visit)) is expected, visit


# -- engine


def test_kleene_tables():
    """Kleene's strong logic: unknown is a value that may be either."""
    for a, b in product(VALUES, VALUES):
        worlds = [
            (x, y) for x in ([a] if a is not None else [True, False]) for y in ([b] if b is not None else [True, False])
        ]
        for combine, python in ((rules.all_of, all), (rules.any_of, any)):
            possible = {python(world) for world in worlds}
            assert combine([a, b]) is (possible.pop() if len(possible) == 1 else None)
    assert [rules.negate(v) for v in VALUES] == [False, True, None]
    assert rules.all_of([]) is True
    assert rules.any_of([]) is False


@given(st.lists(st.sampled_from(VALUES), max_size=7), st.integers(0, 8))
def test_at_least_is_what_all_completions_agree_on(parts, count):
    worlds = product(*([[p] if p is not None else [True, False] for p in parts]))
    possible = {sum(world) >= count for world in worlds}
    assert rules.at_least(count, parts) is (possible.pop() if len(possible) == 1 else None)


RULE = st.recursive(
    st.sampled_from([{"met": "A"}, {"met": "B"}, {"met": "C"}]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all_of": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any_of": parts}),
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: {"at_least": "2", "of": parts}),
    ),
    max_leaves=8,
)
STATE = st.sampled_from(["2", "0", ""])


def logic(rule: Mapping[str, object], states: Sequence[str]) -> bool | None:
    items = [{"code": c, "label": c, "parameter": c, "met": {"gt": "1"}} for c in "ABC"]
    document = {
        "rule_sets": [
            {"id": "X", "version": "1", "items": items, "levels": [{"code": "L", "label": "L", "rule": rule}]}
        ]
    }
    known = rules.rule_sets(document)["X"]
    at = {c: m for c, t in zip("ABC", states, strict=True) if (m := measured(c, t, 0)) is not None}
    return rules.level_truth(known, known.levels[0], Facts(at, {}, support.free_of([])))


@given(RULE, st.tuples(STATE, STATE, STATE), st.integers(0, 2))
def test_monotone_in_knowledge_and_in_truth(rule, states, place):
    """Learning a value never reverses a known answer; making an item true never makes a rule without `not` false."""
    order = {False: 0, None: 1, True: 2}
    answer = logic(rule, states)
    changed_states = [*states[:place], "2", *states[place + 1 :]]
    if states[place] == "":
        for value in ("0", "2"):
            learned = logic(rule, [*states[:place], value, *states[place + 1 :]])
            assert answer is None or learned is answer
    assert order[logic(rule, changed_states)] >= order[answer]


@pytest.mark.parametrize(
    ("value", "rule", "expected"),
    [
        # censored values are ranges: below 5 lies in [0, 5), above 100 in (100, inf)
        ("<5", {"lt": "5"}, True),
        ("<5", {"le": "5"}, True),
        ("<5", {"ge": "5"}, False),
        ("<5", {"lt": "4"}, None),
        ("<5", {"ge": "0"}, True),
        ("<5", {"lt": "0"}, False),
        (">100", {"gt": "100"}, True),
        (">100", {"le": "100"}, False),
        (">100", {"lt": "100"}, False),
        (">100", {"gt": "101"}, None),
        ("5", {"le": "5"}, True),
        ("5", {"lt": "5"}, False),
        ("", {"lt": "5"}, None),
        ("5", {"not": {"lt": "5"}}, True),
        ("6", {"ge": "1.5", "times": "baseline"}, True),  # baseline 4
        ("5.9", {"ge": "1.5", "times": "baseline"}, False),
        ("<5", {"le": "2", "times": "baseline"}, True),
        ("<5", {"le": "1", "times": "baseline"}, None),
        (">100", {"le": "2", "times": "baseline"}, False),
        ("300.15", {"le": "0.75", "times": "baseline"}, False),
        ("5", {"lt": "1", "times": "uln"}, None),
    ],
)
def test_comparisons(value, rule, expected):
    items = [{"code": "A", "label": "A", "parameter": "A", "met": rule}]
    document = {"rule_sets": [{"id": "X", "version": "1", "items": items, "levels": []}]}
    known = rules.rule_sets(document)["X"]
    at = measured("A", value, 3)
    found = Facts({"A": at} if at else {}, {"A": Measured(0, "b", number=4.0)}, support.free_of(None))
    assert rules.item_truth(known, "A", found) is expected


def test_ratio_to_a_censored_baseline_and_to_the_upper_limit():
    items = [{"code": "A", "label": "A", "parameter": "A", "met": {"le": "0.5", "times": "baseline"}}]
    items.append({"code": "B", "label": "B", "parameter": "B", "met": {"le": "2", "times": "uln"}})
    known = rules.rule_sets({"rule_sets": [{"id": "X", "version": "1", "items": items, "levels": []}]})["X"]
    for value, expected in (("40", True), ("60", None)):
        at = {"A": measured("A", value, 3), "B": Measured(3, "b", number=80.0, uln=40.0)}
        found = Facts(at, {"A": Measured(0, "a", above=100.0)}, support.free_of([]))  # type: ignore[arg-type]
        assert rules.item_truth(known, "A", found) is expected
        assert rules.item_truth(known, "B", found) is True
    # ties of products that binary floats miss
    at = {"A": Measured(3, "a", number=0.15)}
    assert rules.item_truth(known, "A", Facts(at, {"A": Measured(0, "a", number=0.3)}, support.free_of([]))) is True


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((5, 5, 5, 5), True),  # 4 days before day 9: not within
        ((6, 6, 6, 6), False),
        ((9, 9, 9, 9), False),
        ((10, 10, 10, 10), True),
        ((1, 1, 7, 7), False),
        ((1, 8, 1, 8), None),
        ((1, 12, 1, 12), None),
    ],
)
def test_free_of(bounds, expected):
    answer = support.free_of([support.Course("G-CSF", *bounds)])
    assert answer(["G-CSF"], 4, 9) is expected
    assert answer(["OTHER"], 4, 9) is True
    assert support.free_of(None)(["G-CSF"], 4, 9) is None


@pytest.mark.parametrize(
    "node", [{"lt": "1", "gt": "2"}, {"less": "1"}, {"lt": "1", "tims": "baseline"}, {}, {"all_of": [{"nope": "1"}]}]
)
def test_malformed_rules_are_refused(node):
    items = [{"code": "A", "label": "A", "parameter": "A", "met": node}]
    with pytest.raises(DataError, match="response_rules.yaml"):
        rules.rule_sets({"rule_sets": [{"id": "X", "version": "1", "items": items, "levels": []}]})


def test_unknown_item_of_a_level_is_refused():
    entry = {"id": "X", "version": "1", "items": [], "levels": [{"code": "L", "label": "L", "rule": {"met": "Q"}}]}
    with pytest.raises(DataError, match="'Q' is no item of rule-set X"):
        rules.rule_sets({"rule_sets": [entry]})
