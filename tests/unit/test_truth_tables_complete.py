"""Every branch of every clinical definition is exercised by a row of its truth table.

A branch is a comparison in a definition's rules. Each must be seen true and false while the rows run through the real
derivation, and a limit that is a number must be met by a value that lies exactly on it, because only there ``lt`` and
``le`` differ. A new comparison without such rows fails here.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import test_derive_criteria
import test_derive_gvhd
import test_derive_reactivation
import test_derive_rules
import test_derive_sofa
from helpers import gvhd_case

from trialpipe.config.yaml_strict import load
from trialpipe.derive import criteria, definitions, gvhd_tables, rules, sofa_definition
from trialpipe.io.reference import REFERENCE

DATA = Path(__file__).parent / "data"
NUMBERS = ("lt", "le", "gt", "ge")
LEAVES = (*NUMBERS, "in", "free_of")
Node = Mapping[str, Any]


class Branch(NamedTuple):
    """A comparison: where it stands, and the comparison itself."""

    place: str
    node: Node


def leaves(node: object, place: str = "") -> Iterator[Branch]:
    """Every comparison below a part of a definition; codes and ids name the way to it."""
    if isinstance(node, Mapping):
        own = str(node.get("id") or node.get("code") or "")
        here = f"{place}/{own}" if own else place
        if any(key in node for key in LEAVES):
            yield Branch(here, node)
            return
        for key, value in node.items():
            named = key if key in ("abnormal", "normal", "improved", "when", "none_if", "some_if", "or") else ""
            yield from leaves(value, f"{here}.{named}" if named else here)
    elif isinstance(node, list):
        for part in node:
            yield from leaves(part, place)


def predicates(node: object) -> Iterator[tuple[str, str]]:
    """(predicate, item) of the rules of levels."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in ("met", "abnormal", "resolved", "improved") and isinstance(value, str):
                yield key, value
            else:
                yield from predicates(value)
    elif isinstance(node, list):
        for part in node:
            yield from predicates(part)


READS = {
    "met": ("met",),
    "abnormal": ("abnormal",),
    "resolved": ("abnormal", "normal"),
    "improved": ("abnormal", "normal", "improved"),
}
"""Predicate to the parts of an item that it reads; without ``abnormal`` or ``normal`` an item has ``met``."""


def of_items(entry: Node) -> Iterator[Branch]:
    """Comparisons of a rule-set that its levels read: some items have parts for predicates that no level uses."""
    used = set(predicates([level["rule"] for level in entry["levels"]]))
    for item in entry["items"]:
        parts = {part for name, code in used if code == item["code"] for part in READS[name]}
        read = {part if part in item else "met" for part in parts if part in item or part != "improved"}
        for part in sorted(read):
            yield from leaves(item[part], f"{entry['id']}/{item['code']}.{part}")


def response() -> None:
    for rule_set, case in test_derive_rules.cases():
        test_derive_rules.test_truth_table(rule_set, case)


def reactivation() -> None:
    for case in test_derive_reactivation.TRUTH:
        test_derive_reactivation.test_truth(case)


def diagnosis() -> None:
    for case in test_derive_criteria.table("criteria_truth_hlh_2004"):
        test_derive_criteria.test_criterion(case)
    for case in test_derive_criteria.table("criteria_diagnosis_hlh_2004"):
        test_derive_criteria.test_diagnosis(case)
    for case in test_derive_criteria.table("criteria_truth_hscore"):
        test_derive_criteria.test_points(case)


def gvhd() -> None:
    for case in test_derive_gvhd.STAGES:
        test_derive_gvhd.test_stage(case)
    for case in test_derive_gvhd.GRADES:
        test_derive_gvhd.test_grade(case)
    for case in test_derive_gvhd.ASSESSED:
        test_derive_gvhd.test_event_of_an_assessment(case)


def sofa() -> None:
    for case in test_derive_sofa.table("sofa_points_truth"):
        test_derive_sofa.test_points(case)


class Family(NamedTuple):
    """A document of definitions: its modules, the part that holds rules, and what runs its truth tables."""

    table: str
    branches: Callable[[Node], Iterator[Branch]]
    run: Callable[[], None]


FAMILIES = {
    "response": Family("response_rules.yaml", lambda d: (b for e in d["rule_sets"] for b in of_items(e)), response),
    "reactivation": Family(
        "response_rules.yaml", lambda d: (b for e in d["reactivation"] for b in of_items(e)), reactivation
    ),
    "criteria": Family("criteria.yaml", lambda d: leaves(d["definitions"]), diagnosis),
    "gvhd": Family("gvhd.yaml", lambda d: leaves(d["systems"]), gvhd),
    "sofa": Family("sofa.yaml", lambda d: leaves(d["definitions"][0]["components"]), sofa),
}


UNREACHED = {
    ("/MAGIC/MAGLGI", "LGIPAIN", True): "an earlier source gives stage 4",
    ("/MAGIC/MAGLGI", "LGIBLD", True): "an earlier source gives stage 4",
    ("/GLUCKSBERG-1995/GLUGUT", "LGIPAIN", True): "an earlier source gives stage 4",
    ("/NIH-2014.some_if", "CGVHD", False): "none_if decides first",
    ("HLH-2004/HAEMOPH.met", None, True): "no configured trial collects it after inclusion, so that it is left out",
    ("HLH-2004/HAEMOPH.met", None, False): "no configured trial collects it after inclusion, so that it is left out",
}
"""(place, parameter, truth) of comparisons that no row can make so, with the reason."""


class Seen(NamedTuple):
    """What a comparison gave, and whether a value lay on its limit."""

    truths: set[bool | None]
    on_limit: list[bool]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Callable[[Family], tuple[list[Branch], dict[int, Seen]]]:
    """Run a family's truth tables on one copy of its document and note what every comparison gave."""

    def run(family: Family) -> tuple[list[Branch], dict[int, Seen]]:
        document = load(REFERENCE / family.table, family.table)
        branches = list(family.branches(document.data))
        seen = {id(branch.node): Seen(set(), []) for branch in branches}
        compared, whole = rules._compared, rules._truth

        def note(node: Node, truth: bool | None) -> bool | None:
            if id(node) in seen:
                seen[id(node)].truths.add(truth)
            return truth

        def watched(name: str, node: Node, item: rules.Item, facts: rules.Facts) -> bool | None:
            if id(node) in seen and name in NUMBERS:
                at = facts.baseline if node.get("at") == "baseline" else facts.visit
                value, base = (held.get(node.get("parameter", item.parameter)) for held in (at, facts.baseline))
                limit = (
                    None if value is None else rules._limit(float(node[name]), node.get("times", "value"), value, base)
                )
                on = limit is not None and value is not None and value.number is not None
                seen[id(node)].on_limit.append(on and rules._range(value) == limit)
            return note(node, compared(name, node, item, facts))

        def truth(node: Node, rule_set: rules.RuleSet, item: rules.Item | None, facts: rules.Facts) -> bool | None:
            found = whole(node, rule_set, item, facts)
            return note(node, found) if "free_of" in node else found

        def cached(path: Path, *rest: str) -> Any:
            return document if path.name == family.table else load(path, *rest)

        monkeypatch.setattr(rules, "_compared", watched)
        monkeypatch.setattr(rules, "_truth", truth)
        for module in (rules, definitions, gvhd_tables, sofa_definition):
            monkeypatch.setattr(module, "load", cached)
        if family.table == "gvhd.yaml":
            monkeypatch.setattr(gvhd_case, "TABLES", gvhd_tables.tables())
        if family.table == "sofa.yaml":
            own = sofa_definition.scores()["SOFA-1"].components
            monkeypatch.setattr(test_derive_sofa, "ORGANS", {organ.code: organ for organ in own})
        family.run()
        return branches, seen

    return run


@pytest.mark.parametrize("name", FAMILIES)
def test_every_comparison_is_true_and_false_in_some_row(name: str, recorded: Any) -> None:
    branches, seen = recorded(FAMILIES[name])
    assert branches
    missing = [
        f"{branch.place}: {dict(branch.node)} never {word}"
        for branch in branches
        for truth, word in ((True, "true"), (False, "false"))
        if truth not in seen[id(branch.node)].truths
        and (branch.place, branch.node.get("parameter"), truth) not in UNREACHED
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_limit_has_a_row_on_it(name: str, recorded: Any) -> None:
    branches, seen = recorded(FAMILIES[name])
    missing = [
        f"{branch.place}: {dict(branch.node)}"
        for branch in branches
        if any(key in branch.node for key in NUMBERS) and not any(seen[id(branch.node)].on_limit)
    ]
    assert not missing, "\n".join(missing)


def test_a_comparison_without_rows_is_found(recorded: Any) -> None:
    """The check itself: a definition with one comparison more than its table has rows for."""
    family = FAMILIES["criteria"]

    def more(document: Node) -> Iterator[Branch]:
        extra = {"parameter": "TEMP", "ge": "41"}
        document["definitions"][0]["items"].append({"code": "EXTRA", "label": "Extra", "met": extra})
        yield Branch("EXTRA", extra)

    branches, seen = recorded(family._replace(branches=more, run=lambda: None))
    assert [seen[id(branch.node)].truths for branch in branches] == [set()]


SOURCES = sorted(path.name for path in DATA.glob("*_truth*.csv"))


@pytest.mark.parametrize("name", SOURCES)
def test_rows_of_truth_tables_are_distinct(name: str) -> None:
    """No row stands twice under one name; every table can be read as text by a person."""
    rows = list(csv.DictReader((DATA / name).open(encoding="utf-8", newline="")))
    keys = [key for key in rows[0] if key not in ("source", "note", "why")]
    found = [tuple(row[key] for key in keys) for row in rows]
    assert len(set(found)) == len(found)
    assert all(None not in row and None not in row.values() for row in rows), "a row with too few or too many cells"


def test_points_are_read_by_the_module_that_the_table_runs() -> None:
    assert criteria.rules is rules
