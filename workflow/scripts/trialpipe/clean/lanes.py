"""NanoString lanes: reading, acceptance and normalisation.

* A lane gives no result, with a query and a reason in the reconciliation, if too few fields of view were counted, its
  binding density is out of bounds, its positive controls are not linear, POS_E is not above the limit of detection,
  it lacks what normalisation needs, or one of its two factors is out of bounds. A rule that is switched off does not
  judge; a lane that lacks something is left out in any case.
* Factor of a lane: arithmetic mean over the lanes of the geometric means / geometric mean of the lane; first of the
  positive controls, over all lanes of the form that passed until then, then of the housekeeping genes after the first,
  over the lanes whose first factor is in bounds. A lane lacking a housekeeping gene of another lane is incomplete.
* Of a sample on several lanes the last accepted one counts (date, cartridge, lane), of a healthy control too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from trialpipe.clean import assay, expression, numbers
from trialpipe.clean.codes import fold
from trialpipe.clean.expression import Definitions, Range
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log, Rule
from trialpipe.config.extracts import Dialect

SAMPLE, COUNT = "SAMPLE_ID", "COUNT"
PROBES = {"lane_linearity": "positive", "lane_positive": "positive", "lane_housekeeping": "housekeeping"}
"""Code class of the probes that a check judges."""
_POSITIVE = re.compile(r"POS_(?P<letter>[A-Z])\s*\((?P<conc>[0-9.]+)\)")
_DAY = re.compile(r"[0-9]{8}")


@dataclass(frozen=True)
class Lane:
    """One lane. ``counts`` by class (folded) and probe; ``bound`` is its limit of detection, as counted.

    ``factor`` brings counts to normalised counts.
    """

    rows: tuple[Raw, ...]
    sample: str
    order: tuple[str, str, int, str]
    counts: Mapping[str, Mapping[str, float]]
    concentrations: Mapping[str, float]
    bound: float = 0.0
    factor: float = 1.0

    @property
    def first(self) -> Raw:
        return self.rows[0]

    def cited(self, check: str) -> tuple[Raw, ...]:
        """The rows a failed check is about: those of the probes, else the first, which holds the attributes."""
        probes = PROBES.get(check)
        found = tuple(row for row in self.rows if probes and fold(row.cells.get("CODE_CLASS") or "") == probes)
        return found or self.rows[:1]

    def is_control(self, table: Definitions) -> bool:
        """Whether the lane is one of a healthy control."""
        return self.sample.upper().startswith(table.controls)

    def geometric_mean(self, kind: str, names: Iterable[str]) -> float:
        return expression.geometric_mean([self.counts[kind][name] for name in sorted(names)])

    def genes(self, wanted: Iterable[str]) -> dict[str, Range]:
        """Normalised counts of the genes that the lane has."""
        found = {}
        for gene in sorted(wanted):
            count = self.counts.get("endogenous", {}).get(gene)
            if count is not None:
                low, high = (0.0, self.bound) if count < self.bound else (count, count)
                found[gene] = Range(low * self.factor, high * self.factor)
        return found


def accepted(raws: Sequence[Raw], table: Definitions, log: Log, ledger: Ledger, dialect: Dialect) -> list[Lane]:
    """The lane that counts of each sample and control that has one, sorted by sample, with its factor."""
    files: dict[str, list[Raw]] = {}
    for raw in sorted(raws, key=lambda raw: (raw.file, raw.line)):
        files.setdefault(raw.file, []).append(raw)
    read = [_lane(rows, table, dialect) for _, rows in sorted(files.items())]
    return _last(_passed(read, table, log, ledger), log, ledger)


def _lane(rows: list[Raw], table: Definitions, dialect: Dialect) -> Lane:
    first = rows[0]
    counts: dict[str, dict[str, float]] = {}
    concentrations = {}
    for raw in rows:
        count = assay.figure(raw, COUNT, dialect)
        kind, name = fold(raw.text("CODE_CLASS") or ""), (raw.text("NAME") or "").strip()
        match = _POSITIVE.fullmatch(name) if kind == "positive" else None
        if match:
            name = match["letter"]
            concentrations[name] = float(match["conc"])
        if count is not None:
            counts.setdefault(kind, {}).setdefault(name, count)
    number = assay.figure(first, "LANE_ID", dialect)
    order = (_day(first, dialect), (first.cells.get("CARTRIDGE_ID") or "").strip(), int(number or 0), first.file)
    return Lane(tuple(rows), (first.text(SAMPLE) or "").strip(), order, counts, concentrations)


def _day(raw: Raw, dialect: Dialect) -> str:
    """The date of a lane as sortable text; RCC files have 20240603."""
    text = (raw.cells.get("DATE") or "").strip()
    return assay.moment(f"{text[:4]}-{text[4:6]}-{text[6:]}" if _DAY.fullmatch(text) else text, dialect)


def set_aside(lane: Lane, reason: str, ledger: Ledger) -> None:
    """All lines of a lane make no record."""
    ledger.set_aside(lane.first.form, [line for raw in lane.rows for line in raw.lines], reason)


def _passed(lanes: list[Lane], table: Definitions, log: Log, ledger: Ledger) -> list[Lane]:
    """Lanes that pass, with their limit of detection and their factor."""
    named = []
    for lane in lanes:
        if lane.sample:
            named.append(lane)
        else:
            set_aside(lane, "lane without a sample number", ledger)
    genes = sorted({gene for lane in named for gene in lane.counts.get("housekeeping", {})})
    passed = []
    for lane in named:
        missing = _missing(lane, genes, table)
        if missing:
            _fail(lane, "lane_incomplete", SAMPLE, ", ".join(missing), log, ledger, reason="incomplete")
            continue
        bound = expression.detection(_values(lane, "negative"), table.deviations)
        if _measured(lane, bound, table, log, ledger):
            passed.append(replace(lane, bound=max(bound, table.least)))
    passed = _normalised(passed, "positive", table.positives, log, ledger)
    return _normalised(passed, "housekeeping", genes, log, ledger)


def _values(lane: Lane, kind: str) -> list[float]:
    return [count for _, count in sorted(lane.counts.get(kind, {}).items())]


def _missing(lane: Lane, genes: Sequence[str], table: Definitions) -> list[str]:
    """What quality and normalisation need and the lane lacks: controls, counts above zero, imaging."""
    positives, housekeeping = lane.counts.get("positive", {}), lane.counts.get("housekeeping", {})
    lacks = [f"POS_{name}" for name in table.positives if positives.get(name, 0) <= 0]
    lacks += [f"concentration of POS_{n}" for n in table.positives if lane.concentrations.get(n, 0) <= 0]
    lacks += [gene for gene in genes if housekeeping.get(gene, 0) <= 0] or ([] if genes else ["housekeeping genes"])
    lacks += [] if len(_values(lane, "negative")) > 1 else ["negative controls"]
    return lacks


def _measured(lane: Lane, bound: float, table: Definitions, log: Log, ledger: Ledger) -> bool:
    """Whether imaging, binding density and positive controls of a lane pass; each failure is queried."""
    checks: tuple[tuple[str, str, str, Callable[[Rule], tuple[bool, str, dict[str, str]]]], ...] = (
        ("lane_fov", "FOV_COUNTED", "fields of view", lambda rule: _fov(lane, rule)),
        ("lane_density", "BINDING_DENSITY", "binding density", lambda rule: _density(lane, rule)),
        ("lane_linearity", COUNT, "positive controls not linear", lambda rule: _linear(lane, rule, table)),
        ("lane_detection", COUNT, "limit of detection", lambda rule: _detects(lane, bound, table)),
    )
    passes = True
    for kind, item, reason, judge in checks:
        rule = log.rules.find(kind, log.domain)
        if rule is None:
            continue
        good, shown, words = judge(rule)
        if not good:
            passes = False
            _fail(lane, kind, item, shown, log, ledger, reason=reason, **words)
    return passes


def _fov(lane: Lane, rule: Rule) -> tuple[bool, str, dict[str, str]]:
    counted, all_ = _number(lane.first, "FOV_COUNTED"), _number(lane.first, "FOV_COUNT")
    if counted is None or not all_:
        return False, "?", {}
    percent = 100 * counted / all_
    return percent >= rule.number("least"), f"{percent:.3g}", {}


def _density(lane: Lane, rule: Rule) -> tuple[bool, str, dict[str, str]]:
    kind = "sprint_" if _sprint(lane.first) else ""
    low, high = rule.number(f"{kind}low"), rule.number(f"{kind}high")
    density = _number(lane.first, "BINDING_DENSITY")
    words = {"low": numbers.shown(low), "high": numbers.shown(high)}
    good = density is not None and low <= density <= high
    return good, lane.first.cells.get("BINDING_DENSITY") or "?", words


def _sprint(raw: Raw) -> bool:
    """Whether the instrument says that it is a SPRINT; its scanner numbers have a P in fifth place."""
    scanner = (raw.cells.get("SCANNER_ID") or "").strip().upper()
    system = (raw.cells.get("SYSTEM_TYPE") or "").upper()
    return "SPRINT" in system or "SPRINT" in scanner or scanner[4:5] == "P"


def _linear(lane: Lane, rule: Rule, table: Definitions) -> tuple[bool, str, dict[str, str]]:
    counts = [lane.counts["positive"][name] for name in table.positives]
    r2 = expression.linearity([lane.concentrations[name] for name in table.positives], counts)
    return r2 >= rule.number("least"), f"{r2:.3f}", {}


def _detects(lane: Lane, bound: float, table: Definitions) -> tuple[bool, str, dict[str, str]]:
    count = lane.counts["positive"][table.positives[-1]]
    return count > bound, numbers.shown(count), {"bound": f"{bound:.4g}"}


def _normalised(lanes: list[Lane], kind: str, names: Sequence[str], log: Log, ledger: Ledger) -> list[Lane]:
    """Lanes with the factor of their controls of a kind multiplied in; those out of bounds are left out."""
    if not lanes:
        return []
    means = [lane.factor * lane.geometric_mean(kind, names) for lane in lanes]
    mean = sum(means) / len(means)
    check = {"positive": "lane_positive", "housekeeping": "lane_housekeeping"}[kind]
    rule = log.rules.find(check, log.domain)
    found = []
    for lane, own in zip(lanes, means, strict=True):
        factor = mean / own
        if rule is None or rule.number("low") <= factor <= rule.number("high"):
            found.append(replace(lane, factor=lane.factor * factor))
            continue
        words = {name: rule.parameters[name] for name in ("low", "high")}
        _fail(lane, check, COUNT, f"{factor:.3g}", log, ledger, reason=f"{kind} factor", **words)
    return found


def _fail(lane: Lane, kind: str, item: str, value: str, log: Log, ledger: Ledger, reason: str, **words: str) -> None:
    cells = [cell for row in lane.cited(kind) for cell in row.origin(item)]
    log.add(kind, cells, form=lane.first.form, item=item, value=value, sample=lane.sample, **words)
    set_aside(lane, f"lane failed: {reason}", ledger)


def _number(raw: Raw, item: str) -> float | None:
    """Figures of the lane's attributes have a point whatever the locale of the counts."""
    found = numbers.parse(raw.cells.get(item))
    return found.value if found.status == "number" and found.cens == "none" else None


def _last(lanes: list[Lane], log: Log, ledger: Ledger) -> list[Lane]:
    """The last lane of each sample, sorted by sample; the others are set aside."""
    by_sample: dict[str, list[Lane]] = {}
    for lane in lanes:
        by_sample.setdefault(lane.sample, []).append(lane)
    found = []
    for sample, own in sorted(by_sample.items()):
        ordered = sorted(own, key=lambda lane: lane.order)
        undated = next((lane.first for lane in ordered if not lane.order[0]), None)
        if len(ordered) > 1 and undated is not None:
            words = {"form": undated.form, "item": "DATE", "value": undated.cells.get("DATE")}
            log.add("lane_undated", undated.origin("DATE"), **words)
        for other in ordered[:-1]:
            place = ordered[-1].first.file
            words = {"form": other.first.form, "item": SAMPLE, "value": sample, "sample": sample}
            log.add("lane_repeat", other.first.origin(SAMPLE), other=place, **words)
            set_aside(other, "repeated on another lane", ledger)
        found.append(ordered[-1])
    return found
