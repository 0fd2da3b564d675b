"""Rules over measured values in Kleene's three-valued logic: True, False, or None for unknown.

The rules are data (``resources/reference/response_rules.yaml``, where their grammar is written down); this module
reads and evaluates them and knows no disease. ``all_of`` is False if a part is False, else unknown if a part is;
``at_least k`` is True if k parts are, False if too few could be. A censored value is the range it may lie in, and a
comparison is unknown where the range crosses the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from trialpipe.config.yaml_strict import load
from trialpipe.derive.errors import config_error
from trialpipe.io.reference import REFERENCE

TABLE = "response_rules.yaml"
Truth = bool | None


class Measured(NamedTuple):
    """A value of a parameter: number, or text, or the limit it is beyond; ``day`` it was taken; ``uln`` its own."""

    day: int
    row_id: str
    number: float | None = None
    text: str | None = None
    below: float | None = None
    above: float | None = None
    uln: float | None = None


class Range(NamedTuple):
    """Where a number may lie; an open end is not itself possible."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of a patient at a visit: values by parameter, at the visit and at baseline.

    ``free_of(terms, days, day)`` tells whether none of the medications was given in the ``days`` up to ``day``.
    """

    visit: Mapping[str, Measured]
    baseline: Mapping[str, Measured]
    free_of: Callable[[Sequence[str], int, int], Truth]


@dataclass(frozen=True)
class Item:
    code: str
    label: str
    parameter: str
    met: Mapping[str, Any]
    abnormal: Mapping[str, Any] | None = None
    normal: Mapping[str, Any] | None = None
    improved: Mapping[str, Any] | None = None
    optional: bool = False


@dataclass(frozen=True)
class Level:
    code: str
    label: str
    rule: Mapping[str, Any]
    needs: int = 0


@dataclass(frozen=True)
class RuleSet:
    """Items by code in table order and levels from best to worst."""

    id: str
    version: str
    items: Mapping[str, Item]
    levels: tuple[Level, ...]


def rule_sets(document: Mapping[str, Any] | None = None, part: str = "rule_sets") -> dict[str, RuleSet]:
    """Rule-sets by id, from the reference table or a document of its form. Raises DataError if it is malformed."""
    data = load(REFERENCE / TABLE, TABLE).data if document is None else document
    return {entry["id"]: _rule_set(entry) for entry in data[part]}


def collected(rule_set: RuleSet, parameters: set[str]) -> RuleSet:
    """The rule-set without optional items whose parameter the trial does not declare."""
    dropped = {i.code for i in rule_set.items.values() if i.optional and i.parameter not in parameters}
    items = {code: item for code, item in rule_set.items.items() if code not in dropped}
    levels = tuple(Level(v.code, v.label, _without(v.rule, dropped) or {}, v.needs) for v in rule_set.levels)
    return RuleSet(rule_set.id, rule_set.version, items, levels)


def level_truth(rule_set: RuleSet, level: Level, facts: Facts) -> Truth:
    """Whether the level's own rule holds."""
    return _truth(level.rule, rule_set, None, facts)


def item_truth(rule_set: RuleSet, code: str, facts: Facts) -> Truth:
    """Whether an item's criterion is met at the visit."""
    return _met(rule_set, rule_set.items[code], facts)


def attainable(rule_set: RuleSet, level: Level, facts: Facts) -> tuple[bool, int]:
    """(whether enough items may be abnormal at baseline for the level, number that certainly are)."""
    found = [_abnormal(rule_set, rule_set.items[code], facts) for code in _codes(level.rule)]
    certain = sum(value is True for value in found)
    return certain + sum(value is None for value in found) >= level.needs, certain


def parameters(rule_set: RuleSet) -> list[str]:
    """Every parameter a rule-set reads, sorted."""
    found = {item.parameter for item in rule_set.items.values()}
    for item in rule_set.items.values():
        for node in (item.met, item.abnormal, item.normal, item.improved):
            found |= set(_named(node))
    return sorted(found)


def truth(node: Mapping[str, Any], facts: Facts) -> Truth:
    """Whether a rule without items holds: every comparison names its parameter, see ``comparisons``."""
    return _truth(node, RuleSet("", "", {}, ()), Item("", "", "", node), facts)


def comparisons(node: object) -> list[Mapping[str, Any]]:
    """Every comparison of a rule without items, in order. Raises DataError for a node that is none or not complete."""
    if not isinstance(node, Mapping):
        raise config_error(TABLE, str(node), "is no rule", "write a comparison, e.g. {parameter: TEMP, ge: 38.5}")
    name = _operator(node)
    if name == "not":
        return comparisons(node["not"])
    if name in ("all_of", "any_of", "at_least"):
        parts = node.get("of" if name == "at_least" else name)
        if not isinstance(parts, list) or (name == "at_least" and not str(node[name]).isdigit()):
            raise config_error(TABLE, str(dict(node)), "has no list of rules", "write e.g. at_least: 2 with of: [..]")
        return [found for part in parts for found in comparisons(part)]
    if name not in (*_COMPARE, "in") or "parameter" not in node or "baseline" in (node.get("at"), node.get("times")):
        message = "does not compare a value of the visit with a limit"
        raise config_error(TABLE, str(dict(node)), message, "name the parameter, e.g. {parameter: TEMP, ge: 38.5}")
    if not (isinstance(node["in"], list) if name == "in" else _is_number(node[name])):
        raise config_error(TABLE, str(dict(node)), "has no limit", "give a number, or a list of texts after in")
    return [node]


def _is_number(text: object) -> bool:
    try:
        return abs(float(str(text))) < float("inf")
    except ValueError:
        return False


def all_of(parts: Sequence[Truth]) -> Truth:
    """Kleene conjunction; True of nothing."""
    return at_least(len(parts), parts)


def any_of(parts: Sequence[Truth]) -> Truth:
    """Kleene disjunction; False of nothing."""
    return at_least(1, parts)


def at_least(count: int, parts: Sequence[Truth]) -> Truth:
    """True if ``count`` parts are True, False if they cannot be, else unknown."""
    true = sum(part is True for part in parts)
    if true >= count:
        return True
    return None if true + sum(part is None for part in parts) >= count else False


def negate(part: Truth) -> Truth:
    """Kleene negation."""
    return None if part is None else not part


_KEYS = {
    "all_of": set(),
    "any_of": set(),
    "at_least": {"of"},
    "not": set(),
    "met": set(),
    "abnormal": set(),
    "resolved": set(),
    "improved": set(),
    "free_of": {"days"},
    "lt": {"parameter", "times", "at"},
    "le": {"parameter", "times", "at"},
    "gt": {"parameter", "times", "at"},
    "ge": {"parameter", "times", "at"},
    "in": {"parameter", "at"},
}
"""Operators and the keys that may stand beside each."""


def _operator(node: Mapping[str, Any]) -> str:
    """The one operator of a node. Raises DataError for none, several or an unknown key."""
    found = [key for key in node if key in _KEYS]
    extra = [key for key in node if key not in _KEYS and (not found or key not in _KEYS[found[0]])]
    if len(found) != 1 or extra:
        message = "is no rule: one operator is needed, with the keys that belong to it"
        raise config_error(TABLE, str(dict(node)), message, f"use one of {', '.join(_KEYS)}")
    return found[0]


def _truth(node: Mapping[str, Any], rule_set: RuleSet, item: Item | None, facts: Facts) -> Truth:
    name = _operator(node)
    if name in ("all_of", "any_of", "at_least"):
        parts = [_truth(part, rule_set, item, facts) for part in node["of" if name == "at_least" else name]]
        if name == "at_least":
            return at_least(int(node["at_least"]), parts)
        return all_of(parts) if name == "all_of" else any_of(parts)
    if name == "not":
        return negate(_truth(node["not"], rule_set, item, facts))
    if name in _PREDICATES:
        return _PREDICATES[name](rule_set, rule_set.items[node[name]], facts)
    if item is None:
        raise config_error(TABLE, str(dict(node)), "compares without an item", "put the comparison into an item")
    if name == "free_of":
        value = facts.visit.get(item.parameter)
        return None if value is None else facts.free_of(node["free_of"], int(node["days"]), value.day)
    return _compared(name, node, item, facts)


def _met(rule_set: RuleSet, item: Item, facts: Facts) -> Truth:
    return _truth(item.met, rule_set, item, facts)


def _abnormal(rule_set: RuleSet, item: Item, facts: Facts) -> Truth:
    if item.abnormal is not None:
        return _truth(item.abnormal, rule_set, item, facts)
    return negate(_truth(item.met, rule_set, item, Facts(facts.baseline, facts.baseline, facts.free_of)))


def _normal(rule_set: RuleSet, item: Item, facts: Facts) -> Truth:
    return _truth(item.normal if item.normal is not None else item.met, rule_set, item, facts)


def _resolved(rule_set: RuleSet, item: Item, facts: Facts) -> Truth:
    return all_of([_abnormal(rule_set, item, facts), _normal(rule_set, item, facts)])


def _improved(rule_set: RuleSet, item: Item, facts: Facts) -> Truth:
    better = [_normal(rule_set, item, facts)]
    if item.improved is not None:
        better.append(_truth(item.improved, rule_set, item, facts))
    return all_of([_abnormal(rule_set, item, facts), any_of(better)])


_PREDICATES: dict[str, Callable[[RuleSet, Item, Facts], Truth]] = {
    "met": _met,
    "abnormal": _abnormal,
    "resolved": _resolved,
    "improved": _improved,
}


def _compared(name: str, node: Mapping[str, Any], item: Item, facts: Facts) -> Truth:
    parameter = node.get("parameter", item.parameter)
    value = (facts.baseline if node.get("at") == "baseline" else facts.visit).get(parameter)
    if value is None:
        return None
    if name == "in":
        return None if value.text is None else value.text in node["in"]
    limit = _limit(float(node[name]), node.get("times", "value"), value, facts.baseline.get(parameter))
    own = _range(value)
    return None if own is None or limit is None else _COMPARE[name](own, limit)


def _limit(factor: float, times: str, value: Measured, baseline: Measured | None) -> Range | None:
    if times == "value":
        return Range(factor, factor)
    if times == "uln":
        return None if value.uln is None else Range(_round(factor * value.uln), _round(factor * value.uln))
    base = _range(baseline) if baseline is not None else None
    if base is None:
        return None
    return Range(_round(factor * base.low), _round(factor * base.high), base.low_open, base.high_open)


def _range(value: Measured) -> Range | None:
    """The range of a value; measured quantities are not negative."""
    if value.number is not None:
        return Range(_round(value.number), _round(value.number))
    if value.below is not None:
        return Range(0.0, value.below, high_open=True)
    if value.above is not None:
        return Range(value.above, float("inf"), low_open=True)
    return None


def _round(number: float) -> float:
    """12 significant digits, so that 0.75 * 400.2 and 300.15 are equal."""
    return float(f"{number:.12g}")


def less(a: Range, b: Range) -> Truth:
    """a < b for every, no, or some pair of possible values."""
    if a.high < b.low or (a.high == b.low and (a.high_open or b.low_open)):
        return True
    return False if a.low >= b.high else None


_COMPARE: dict[str, Callable[[Range, Range], Truth]] = {
    "lt": less,
    "ge": lambda a, b: negate(less(a, b)),
    "gt": lambda a, b: less(b, a),
    "le": lambda a, b: negate(less(b, a)),
}


def _codes(node: Mapping[str, Any]) -> list[str]:
    """Items a rule counts, in order."""
    name = _operator(node)
    if name in _PREDICATES:
        return [node[name]]
    if name == "not":
        return _codes(node["not"])
    parts = node["of" if name == "at_least" else name] if name in ("all_of", "any_of", "at_least") else []
    return [code for part in parts for code in _codes(part)]


def _named(node: Mapping[str, Any] | None) -> list[str]:
    """Parameters that stand in a rule."""
    if node is None:
        return []
    name = _operator(node)
    if name == "not":
        return _named(node["not"])
    if name in ("all_of", "any_of", "at_least"):
        return [found for part in node["of" if name == "at_least" else name] for found in _named(part)]
    return [node["parameter"]] if "parameter" in node else []


def _without(node: Mapping[str, Any], dropped: set[str]) -> dict[str, Any] | None:
    """The rule without predicates of dropped items; None if nothing is left."""
    name = _operator(node)
    if name in _PREDICATES:
        return None if node[name] in dropped else dict(node)
    if name == "not":
        inner = _without(node["not"], dropped)
        return None if inner is None else {"not": inner}
    key = "of" if name == "at_least" else name
    if key not in ("of", "all_of", "any_of"):
        return dict(node)
    parts = [part for part in (_without(part, dropped) for part in node[key]) if part is not None]
    return {**node, key: parts} if parts else None


def _rule_set(entry: Mapping[str, Any]) -> RuleSet:
    items = {i["code"]: _item(i) for i in entry["items"]}
    levels = tuple(Level(v["code"], v["label"], v["rule"], int(v.get("needs", 0))) for v in entry["levels"])
    for item in items.values():
        for node in (item.met, item.abnormal, item.normal, item.improved):
            _named(node)
    for level in levels:
        for code in _codes(level.rule):
            if code not in items:
                raise config_error(TABLE, code, f"is no item of rule-set {entry['id']}", "declare it under items")
    return RuleSet(entry["id"], entry["version"], items, levels)


def _item(entry: Mapping[str, Any]) -> Item:
    rules = {key: entry.get(key) for key in ("abnormal", "normal", "improved")}
    optional = entry.get("optional") == "true"
    return Item(entry["code"], entry["label"], entry["parameter"], entry["met"], optional=optional, **rules)
