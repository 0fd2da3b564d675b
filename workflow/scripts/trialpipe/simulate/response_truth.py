"""Response by the published rule-sets, straight from the true measured values. Written apart from the pipeline.

Assumed here and stated in ``truth/README.md``: visit windows and item age as in `WINDOWS` and `MAX_AGE`; a value
beyond a reporting limit is an interval; items that were not measured are unknown. Three-valued logic: a rule of
which an item fails is false, else unknown if an item is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from operator import ge, gt, le, lt

from trialpipe.simulate.patient import Finding, Patient

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
ITEMS = (
    "TEMP",
    "SPLENO",
    "CNS",
    "HGB",
    "NEUT",
    "PLAT",
    "FERRITIN",
    "FIBRINO",
    "DDIMER",
    "CD25S",
    "TRIG",
    "ALT",
    "CSFWBC",
)
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


def assess(patient: Patient) -> list[dict[str, object]]:
    """One row per visit, rule-set, level and reading of the item age; ``holds`` is true, false or unknown."""
    rows = []
    for visit, window in WINDOWS.items():
        status = _status(patient, window)
        for reading in ("window", "carried"):
            base = _values(patient, (BASELINE[0], BASELINE[1], BASELINE[1]), None)
            now = _values(patient, window, MAX_AGE if reading == "carried" else None)
            supported = _supported(patient, now)
            levels = _levels(patient, base, now, supported) if status == "assessed" else {}
            for rule_set, level in LEVELS:
                holds = levels.get((rule_set, level), "")
                word = {True: "true", False: "false", None: "unknown", "": ""}[holds]
                row: dict[str, object] = {
                    "subject": patient.number,
                    "visit": visit,
                    "rule_set": rule_set,
                    "level": level,
                }
                rows.append({**row, "reading": reading, "status": status, "holds": word})
    return rows


LEVELS = (("NI-0501-04", "CR"), ("NI-0501-04", "PR"), ("HLH-2004", "CR"), ("DEP", "CR"), ("DEP", "PR"))


def _usable(patient: Patient) -> list[Finding]:
    """Measured findings before the day on which conditioning starts."""
    stop = patient.day(patient.conditioning) if patient.conditioning else 10**6
    return [f for f in patient.findings if f.measured and patient.day(f.when) < stop]


def _status(patient: Patient, window: tuple[int, int, int]) -> str:
    low, _, high = window
    if any(_item(f) in ITEMS[:-1] and low <= patient.day(f.when) <= high for f in _usable(patient)):
        return "assessed"
    if patient.conditioning and patient.day(patient.conditioning) <= high:
        return "conditioned"
    return "dead" if patient.death and patient.day(patient.death) <= high else "not_evaluable"


def _values(patient: Patient, window: tuple[int, int, int], max_age: int | None) -> Values:
    """Value of every item nearest to the target in the window (ties: the earlier), else the last within ``max_age``
    days before the visit's assessment (the latest item found in the window)."""
    low, target, high = window
    found: dict[str, list[tuple[int, Finding]]] = {}
    for finding in _usable(patient):
        if _item(finding) in ITEMS:
            found.setdefault(_item(finding), []).append((patient.day(finding.when), finding))
    inside = {test: [r for r in rows if low <= r[0] <= high] for test, rows in found.items()}
    chosen = {test: min(rows, key=lambda r: (abs(r[0] - target), r[0])) for test, rows in inside.items() if rows}
    assessed = max((day for day, _ in chosen.values()), default=None)
    values: Values = {}
    for test in ITEMS:
        row = chosen.get(test)
        if row is None and max_age is not None and assessed is not None:
            older = [r for r in found.get(test, []) if assessed - max_age <= r[0] < low]
            row = max(older, key=lambda r: r[0], default=None)
        values[test] = None if row is None else (row[1].text or _range(row[1]), row[0])
    return values


def _item(finding: Finding) -> str:
    return f"CSF{finding.test}" if finding.spec == "CSF" else finding.test


def _range(finding: Finding) -> Range:
    value = finding.value or 0.0
    return (value, inf) if finding.limit == "above" else (0.0, value) if finding.limit == "below" else (value, value)


def _supported(patient: Patient, now: Values) -> set[str]:
    """Counts that are supported: G-CSF or platelets on the day of the count or in the 3 days before it."""
    found = set()
    for test, categories in SUPPORTED.items():
        measured = now[test]
        for medication in patient.medications if measured else ():
            first, last = patient.day(medication.start), patient.day(medication.end or medication.start)
            day = measured[1] if measured else 0
            if medication.category in categories and first <= day < last + FREE_OF_SUPPORT:
                found.add(test)
    return found


def _levels(patient: Patient, base: Values, now: Values, supported: set[str]) -> dict[tuple[str, str], Tri]:
    return {
        ("NI-0501-04", "CR"): _ni_cr(base, now, supported),
        ("NI-0501-04", "PR"): _ni_pr(base, now, supported),
        ("HLH-2004", "CR"): _hlh_cr(patient, base, now),
        ("DEP", "CR"): all_of([meets(now[item], sign, limit) for item, sign, limit in DEP_CR]),
        ("DEP", "PR"): _dep_pr(base, now),
    }


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
    days = [(patient.day(f.when), f.value or 0) for f in _usable(patient) if _item(f) == "CSFWBC"]
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
    if before is None or after is None:
        return None
    start, end = before[0], after[0]
    goal = 0.5 if start < 0.5 else 2.0
    return start <= 2.0 and end >= 2 * start and end > goal
