"""Response by the published rule-sets, straight from the true measured values. Written apart from the pipeline.

Assumed here and stated in ``truth/README.md``: visit windows and item age as in `WINDOWS` and `MAX_AGE`; a value
beyond a reporting limit is an interval; items that were not measured are unknown. Three-valued logic: a rule of
which an item fails is false, else unknown if an item is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from operator import ge, gt, le, lt

from trialpipe.simulate.patient import Finding, Patient

Window = tuple[int, int, int]
# protocol visit: first, target and last elapsed day
WINDOWS = {"D14": (10, 13, 16), "D21": (17, 20, 23), "D28": (24, 27, 34)}
BASELINE = (-14, 0)
MAX_AGE = 7
FREE_OF_SUPPORT = 4
Tri = bool | None
Range = tuple[float, float]
# value of an item (text, or lowest and highest number it can be) and the day it was measured; None: not measured
Values = dict[str, tuple[str | Range, int] | None]

# rule-set, level, item, comparison, limit; documented in truth/response_rules.csv
NI_CR = (
    ("TEMP", "<", 37.5), ("SPLENO", "=", "N"), ("NEUT", ">", 1.0), ("PLAT", ">", 100.0), ("FERRITIN", "<", 2000.0),
    ("FIBRINO", ">", 1.5), ("DDIMER", "<", 500.0), ("CNS", "=", "N"),
)  # fmt: skip
HLH_CR = (
    ("TEMP", "<", 38.5), ("SPLENO", "=", "N"), ("HGB", ">=", 90.0), ("PLAT", ">=", 100.0), ("NEUT", ">=", 0.5),
    ("FERRITIN", "<", 500.0),
)  # fmt: skip
DEP_CR = (
    ("CD25S", "<", 2400.0), ("FERRITIN", "<", 500.0), ("TRIG", "<", 3.0), ("HGB", ">=", 90.0), ("NEUT", ">=", 1.0),
    ("PLAT", ">=", 100.0), ("ALT", "<=", 40.0),
)  # fmt: skip
ITEMS = {
    "NI-0501-04": (*(rule[0] for rule in NI_CR), "CD25S"),
    "HLH-2004": (*(rule[0] for rule in HLH_CR), "FIBRINO", "CD25S", "CSFWBC"),
    "DEP": (*(rule[0] for rule in DEP_CR), "TEMP"),
}
SUPPORTED = {"NEUT": ("gcsf",), "PLAT": ("platelets",)}
# whether a comparison holds of a number, by the sign
COMPARE: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def all_of(parts: Sequence[Tri]) -> Tri:
    """False if any part is, else unknown if any part is, else true."""
    return False if False in parts else None if None in parts else True


def at_least(n: int, parts: Sequence[Tri]) -> Tri:
    """Whether at least ``n`` parts hold."""
    met, open_ = sum(part is True for part in parts), sum(part is None for part in parts)
    return True if met >= n else None if met + open_ >= n else False


def meets(found: tuple[str | Range, int] | None, comparison: str, limit: float | str) -> Tri:
    """Whether an item's value compares as asked; unknown if it is missing or its interval spans the limit."""
    if found is None:
        return None
    value = found[0]
    if isinstance(value, str):
        return value == limit
    ends = {COMPARE[comparison](end, float(limit)) for end in value}
    return ends.pop() if len(ends) == 1 else None


def known(values: Values, item: str) -> Range | None:
    found = values[item]
    return None if found is None or isinstance(found[0], str) else found[0]


def assess(patient: Patient, windows: Mapping[str, Window] = WINDOWS) -> list[dict[str, object]]:
    """One row per visit, rule-set, level and reading of the item age; ``holds`` is true, false or unknown."""
    rows = []
    for visit, window in windows.items():
        for reading, max_age in (("window", None), ("carried", MAX_AGE)):
            for rule_set, items in ITEMS.items():
                status = status_at(patient, window, items)
                levels = levels_at(patient, window, max_age, rule_set) if status == "assessed" else {}
                for level in LEVELS[rule_set]:
                    word = {True: "true", False: "false", None: "unknown"}[levels[level]] if levels else ""
                    row: dict[str, object] = {"subject": patient.number, "visit": visit, "rule_set": rule_set}
                    rows.append({**row, "level": level, "reading": reading, "status": status, "holds": word})
    return rows


BETTER = "CR or PR"
LEVELS = {"NI-0501-04": ("CR", "PR", BETTER), "HLH-2004": ("CR",), "DEP": ("CR", "PR", BETTER)}


def usable(patient: Patient) -> list[Finding]:
    """Measured findings before the day on which conditioning starts."""
    stop = patient.day(patient.conditioning) if patient.conditioning else 10**6
    return [f for f in patient.findings if f.measured and patient.day(f.when) < stop]


def status_at(patient: Patient, window: Window, items: Sequence[str]) -> str:
    low, _, high = window
    if any(item_of(f) in items and low <= patient.day(f.when) <= high for f in usable(patient)):
        return "assessed"
    if patient.conditioning and patient.day(patient.conditioning) <= high:
        return "conditioned"
    return "dead" if patient.death and patient.day(patient.death) <= high else "not_evaluable"


def values_at(patient: Patient, window: Window, max_age: int | None, items: Sequence[str]) -> Values:
    """Value of every item nearest to the target in the window (ties: the earlier).

    With ``max_age``, an item that is missing there or older than that at the assessment (the day of the latest item
    in the window) takes its last value of those days, after the day of the first dose.
    """
    low, target, high = window
    found: dict[str, list[tuple[int, Finding]]] = {item: [] for item in items}
    for finding in usable(patient):
        if item_of(finding) in found:
            found[item_of(finding)].append((patient.day(finding.when), finding))
    chosen: dict[str, tuple[int, Finding] | None] = {}
    for item, rows in found.items():
        inside = [row for row in rows if low <= row[0] <= high]
        chosen[item] = min(inside, key=lambda row: (abs(row[0] - target), row[0]), default=None)
    assessed = max((row[0] for row in chosen.values() if row), default=low)
    for item, row in chosen.items():
        if max_age is not None and (row is None or assessed - row[0] > max_age):
            first = max(assessed - max_age, 1)
            recent = [other for other in found[item] if first <= other[0] <= assessed]
            chosen[item] = max(recent, key=lambda other: other[0], default=None)
    return {item: row and (row[1].text or range_of(row[1]), row[0]) for item, row in chosen.items()}


def item_of(finding: Finding) -> str:
    return f"CSF{finding.test}" if finding.spec == "CSF" else finding.test


def range_of(finding: Finding) -> Range:
    value = finding.value or 0.0
    return (value, inf) if finding.limit == "above" else (0.0, value) if finding.limit == "below" else (value, value)


def _supported(patient: Patient, now: Values) -> set[str]:
    """Counts that are supported: G-CSF or platelets on the day of the count or in the 3 days before it."""
    found = set()
    for test, categories in SUPPORTED.items():
        measured = now.get(test)
        for medication in patient.medications if measured else ():
            first, last = patient.day(medication.start), patient.day(medication.end or medication.start)
            day = measured[1] if measured else 0
            if medication.category in categories and first <= day < last + FREE_OF_SUPPORT:
                found.add(test)
    return found


def levels_at(patient: Patient, window: Window, max_age: int | None, rule_set: str) -> dict[str, Tri]:
    """Whether each level of a rule-set is met at an assessed visit."""
    items = ITEMS[rule_set]
    base = values_at(patient, (BASELINE[0], BASELINE[1], BASELINE[1]), None, items)
    now = values_at(patient, window, max_age, items)
    if rule_set == "HLH-2004":
        return {"CR": _hlh_cr(patient, base, now)}
    if rule_set == "DEP":
        levels = {"CR": all_of([meets(now[item], sign, limit) for item, sign, limit in DEP_CR])}
        levels["PR"] = _dep_pr(base, now)
    else:
        supported = _supported(patient, now)
        levels = {"CR": _ni_cr(base, now, supported), "PR": _ni_pr(base, now, supported)}
    return {**levels, BETTER: at_least(1, [levels["CR"], levels["PR"]])}


def _ni_item(now: Values, supported: set[str], item: str, sign: str, limit: float | str) -> Tri:
    return False if item in supported else meets(now[item], sign, limit)


def _ratio(base: Values, now: Values, item: str) -> Range | None:
    """Lowest and highest quotient of the value now and at baseline."""
    before, after = known(base, item), known(now, item)
    if before is None or after is None or before[0] <= 0:
        return None
    return after[0] / before[1], after[1] / before[0]


def _below(ratio: Range | None, limit: float) -> Tri:
    return None if ratio is None else meets((ratio, 0), "<=", limit)


def _ni_cr(base: Values, now: Values, supported: set[str]) -> Tri:
    parts = [_ni_item(now, supported, *rule) for rule in NI_CR]
    return all_of([*parts, _below(_ratio(base, now, "CD25S"), 2.0)])


def _ni_pr(base: Values, now: Values, supported: set[str]) -> Tri:
    """At least 3 items abnormal at baseline meet the CR criterion."""
    parts: list[Tri] = []
    for item, sign, limit in NI_CR:
        normal_before = meets(base[item], sign, limit)
        abnormal = None if normal_before is None else not normal_before
        parts.append(all_of([abnormal, _ni_item(now, supported, item, sign, limit)]))
    return at_least(3, parts)


def _hlh_cr(patient: Patient, base: Values, now: Values) -> Tri:
    parts = [meets(now[item], sign, limit) for item, sign, limit in HLH_CR]
    ratio = _ratio(base, now, "CD25S")
    decreased = None if ratio is None else meets((ratio, 0), "<", 1)
    return all_of([*parts, decreased, _csf_normal(patient, now)])


def _csf_normal(patient: Patient, now: Values) -> Tri:
    """True if CSF was normal at inclusion (at most 5 cells/uL) or is now; unknown if that was not measured."""
    days = [(patient.day(f.when), f.value or 0) for f in usable(patient) if item_of(f) == "CSFWBC"]
    before = [value for day, value in days if day <= 2]
    if before and before[0] <= 5:
        return True
    after = meets(now["CSFWBC"], "<=", 5)
    return after if before or after else None


def _dep_pr(base: Values, now: Values) -> Tri:
    """At least 2 of: sCD25 down by a third, ferritin and triglycerides down by a quarter, neutrophils, ALT, fever."""
    fever = meets(base["TEMP"], ">=", 38.5)
    return at_least(
        2,
        [
            _below(_ratio(base, now, "CD25S"), 1 / 1.5),
            all_of([_below(_ratio(base, now, "FERRITIN"), 0.75), _below(_ratio(base, now, "TRIG"), 0.75)]),
            _dep_neutrophils(known(base, "NEUT"), known(now, "NEUT")),
            all_of([meets(base["ALT"], ">", 400.0), _below(_ratio(base, now, "ALT"), 0.5)]),
            all_of([fever, meets(now["TEMP"], "<", 38.5)]),
        ],
    )


def _dep_neutrophils(before: Range | None, after: Range | None) -> Tri:
    """Doubled and above 0.5 from below 0.5, or above 2.0 from 0.5 to 2.0; counts have no reporting limit."""
    if (before and before[0] > 2.0) or (after and after[0] <= 0.5):
        return False
    if before is None or after is None:
        return None
    start, end = before[0], after[0]
    return end >= 2 * start and end > (0.5 if start < 0.5 else 2.0)
