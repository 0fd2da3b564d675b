"""Values behind the grading of graft-versus-host disease: the tests of each assessment day, by parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import GvhdDataset
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days
from trialpipe.derive.at_visit import UNDATED
from trialpipe.derive.errors import config_error
from trialpipe.derive.gvhd_tables import System, Tables
from trialpipe.derive.milestones import cutoff_day
from trialpipe.derive.records import not_done, usable
from trialpipe.derive.rules import Measured
from trialpipe.io.sdtm import date_columns, prefix


@dataclass(frozen=True)
class Day:
    """An assessment: bounds of its day, tests recorded on it, every value that counts, and its clean rows."""

    low: int | None
    high: int | None
    tests: frozenset[str]
    now: Mapping[str, Measured]
    rows: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The date, or its bounds, as part of a row id."""
        if self.low is not None and self.low == self.high:
            return days.iso(self.low)
        return "..".join("" if bound is None else days.iso(bound) for bound in (self.low, self.high))


class Result(NamedTuple):
    """One result of a test, its parameter chosen by the unit."""

    test: str
    low: int | None
    high: int | None
    value: Measured


def assessments(
    spec: GvhdDataset,
    protocol: Protocol,
    known: Tables,
    systems: Sequence[System],
    clean: Mapping[str, pd.DataFrame],
    adsl: pd.DataFrame,
) -> dict[str, list[Day]]:
    """Assessments of each patient in time order. Raises DataError for an assumed value of an unknown test."""
    wanted = known.read(systems) | {test for system in systems for test in known.tests[system.family]}
    assumed = _assumed(spec, wanted)
    cutoff = cutoff_day(protocol)
    first, *others = ([*_results(clean[name], name, known, wanted, cutoff)] for name in spec.domains)
    own = _by_subject(first)
    helping = _by_subject(result for results in others for result in results)
    fixed = _variables(adsl, wanted)
    found: dict[str, list[Day]] = {}
    for usubjid in sorted(own):
        found[usubjid] = [
            _day(bounds, results, helping.get(usubjid, []), fixed.get(usubjid, {}), assumed, spec.max_age, known)
            for bounds, results in _by_day(own[usubjid])
        ]
    return found


def _assumed(spec: GvhdDataset, wanted: set[str]) -> dict[str, Measured]:
    for name in spec.assume:
        if name not in wanted:
            item = f"datasets[{spec.id}].assume.{name}"
            raise config_error(item, name, "is no test of the named systems", "name a test they read, e.g. SKINBULL")
    found = {}
    for name, text in spec.assume.items():
        number = float(text) if text.replace(".", "", 1).isdigit() else None
        found[name] = Measured(UNDATED, "", number, text)
    return found


def _results(
    frame: pd.DataFrame, domain: str, known: Tables, wanted: set[str], cutoff: int
) -> Iterable[tuple[str, Result]]:
    """(patient, result) of every wanted test with a result and a date, partial or exact."""
    stem = prefix(domain)
    rows = usable(frame, f"{stem}DTC", cutoff)
    rows = rows[~not_done(rows, domain)]
    names = date_columns(f"{stem}DTC")
    low, high = days.days(days.column(rows, names.low)), days.days(days.column(rows, names.high))
    text = {c: days.texts(days.column(rows, f"{stem}{c}")) for c in ("TESTCD", "STRESC", "STRESU", "CENS")}
    number = {c: days.numbers(days.column(rows, f"{stem}{c}")) for c in ("STRESN", "LLOQ", "ULOQ")}
    for i, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        test, censored = text["TESTCD"][i], text["CENS"][i]
        if test not in wanted or (low[i] is None and high[i] is None):
            continue
        assert test is not None
        below = number["LLOQ"][i] if censored == "left" else None
        above = number["ULOQ"][i] if censored == "right" else None
        if number["STRESN"][i] is None and text["STRESC"][i] is None and below is None and above is None:
            continue
        name = known.units[test].get(text["STRESU"][i] or "") if test in known.units else test
        if name is not None:
            value = Measured(low[i] or UNDATED, row_id, number["STRESN"][i], text["STRESC"][i], below, above)
            yield usubjid, Result(name, low[i], high[i], value)


def _by_subject(results: Iterable[tuple[str, Result]]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for usubjid, result in results:
        found.setdefault(usubjid, []).append(result)
    return found


def _by_day(results: Sequence[Result]) -> list[tuple[tuple[int | None, int | None], list[Result]]]:
    """Results by date in time order: by first, then last possible day."""
    found: dict[tuple[int | None, int | None], list[Result]] = {}
    for result in results:
        found.setdefault((result.low, result.high), []).append(result)
    return sorted(found.items(), key=lambda item: tuple(UNDATED if b is None else b for b in item[0]))


def _day(
    bounds: tuple[int | None, int | None],
    results: Sequence[Result],
    helping: Sequence[Result],
    fixed: Mapping[str, Measured],
    assumed: Mapping[str, Measured],
    max_age: int,
    known: Tables,
) -> Day:
    low, high = bounds
    now, notes = _worst(results, known)
    near = [r for r in helping if r.low is not None and r.low == r.high and low == high and low is not None]
    near = [r for r in near if low - max_age <= r.low <= low and r.test not in now]  # type: ignore[operator]
    latest = {name: max(r.low for r in near if r.test == name) for name in {r.test for r in near}}  # type: ignore[type-var]
    more, told = _worst([r for r in near if r.low == latest[r.test]], known)
    now = {**assumed, **fixed, **more, **now}
    for code, numerator, denominator in known.computed:
        if code not in now and numerator in now and denominator in now:
            ratio = _ratio(now[numerator], now[denominator])
            now |= {code: ratio} if ratio is not None else {}
    tests = {r.test for r in results}
    tests |= {test for test, units in known.units.items() if tests & set(units.values())}
    return Day(low, high, frozenset(tests), now, tuple(r.value.row_id for r in results), (*notes, *told))


def _worst(results: Sequence[Result], known: Tables) -> tuple[dict[str, Measured], list[str]]:
    """One value per parameter: the worst of several different ones."""
    by_name: dict[str, list[Measured]] = {}
    for result in sorted(results, key=lambda r: (r.test, r.value.row_id)):
        by_name.setdefault(result.test, []).append(result.value)
    found, notes = {}, []
    for name, values in by_name.items():
        found[name] = max(values, key=lambda v: _badness(v, name in known.least))
        if len({value[2:] for value in values}) > 1:
            notes.append(f"{len(values)} values of {name} on one day: the worst counts")
    return found, notes


def _badness(value: Measured, least: bool) -> tuple[float, int, str]:
    """What is below a limit is less than the limit itself, what is above is more."""
    number = next((n for n in (value.number, value.above, value.below) if n is not None), 0.0)
    side = 0 if value.number is not None else 1 if value.above is not None else -1 if value.below is not None else 0
    return (-number, -side, value.text or "") if least else (number, side, value.text or "")


def _ratio(over: Measured, under: Measured) -> Measured | None:
    if over.number is None or not under.number:
        return None
    return Measured(over.day, f"{over.row_id} {under.row_id}", over.number / under.number)


def _variables(adsl: pd.DataFrame, wanted: set[str]) -> dict[str, dict[str, Measured]]:
    """ADSL variables that a system reads, by patient."""
    found: dict[str, dict[str, Measured]] = {}
    for name in sorted(wanted & set(adsl.columns)):
        numeric = pd.api.types.is_numeric_dtype(adsl[name])
        values: list = days.numbers(adsl[name]) if numeric else days.texts(adsl[name])
        for usubjid, row_id, value in zip(adsl["USUBJID"], adsl["row_id"], values, strict=True):
            if value is not None:
                measured = Measured(UNDATED, row_id, *((value, None) if numeric else (None, value)))
                found.setdefault(usubjid, {})[name] = measured
    return found
