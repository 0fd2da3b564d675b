"""Observations of an organ failure score from clean domains: what was recorded of a patient at one time.

A record without a clock time counts for the whole day of its date; a record without an exact date cannot be placed and
is left out. Times are minutes since 1970-01-01, days are days of the intensive care clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from trialpipe.config.icu import SofaDataset, SofaMeasure, SofaRate
from trialpipe.derive.days import column, days, numbers, texts
from trialpipe.derive.records import matching, not_done, usable
from trialpipe.derive.rules import Measured
from trialpipe.derive.sofa_definition import Measure, Rates, Score, Unit
from trialpipe.io.sdtm import date_columns, prefix

DAY = 1440


class Clock(NamedTuple):
    """The intensive care day: it starts ``start`` minutes after midnight and is named by the date it starts on."""

    start: int

    def day(self, minute: int) -> int:
        return (minute - self.start) // DAY

    def bounds(self, day: int) -> tuple[int, int]:
        """First minute of the day and of the next one."""
        return day * DAY + self.start, (day + 1) * DAY + self.start

    def minute(self, day: int, time: str | None) -> int:
        """A time of a calendar day; without one the middle of the intensive care day of that date."""
        return day * DAY + self.start + DAY // 2 if time is None else day * DAY + minutes(time)


class Observation(NamedTuple):
    """``values`` by parameter at ``start``, or from then to ``end``; ``aside``: parameters a flag sets aside."""

    start: int
    end: int
    timed: bool
    row_ids: tuple[str, ...]
    values: Mapping[str, Measured]
    notes: tuple[str, ...] = ()
    aside: frozenset[str] = frozenset()


class Record(NamedTuple):
    """A result; ``value`` None: it could not be read, ``note`` says why. ``flag``: a text as it is."""

    code: str
    day: int
    time: str | None
    row_id: str
    parameter: str | None
    value: Measured | None
    note: str | None
    group: str | None


def minutes(time: str) -> int:
    """Minutes since midnight of HH:MM."""
    hours, rest = time.split(":")[:2]
    return int(hours) * 60 + int(rest)


def observations(
    spec: SofaDataset, score: Score, clean: Mapping[str, pd.DataFrame], cutoff: int, clock: Clock
) -> dict[str, list[Observation]]:
    """Observations by patient in time order; what a switched-off measure delivers is left out."""
    off = {code for switch, code in score.switches.items() if not getattr(spec, switch)}
    results: dict[str, list[Record]] = {}
    for item in spec.measures:
        if item.code not in off:
            for usubjid, record in _records(item, score.measures[item.code], clean[item.domain], cutoff):
                results.setdefault(usubjid, []).append(record)
    found = {usubjid: _patient(records, score, clock) for usubjid, records in results.items()}
    weights = {usubjid: _weights(records, score) for usubjid, records in results.items()}
    for rate in spec.rates:
        for usubjid, observation in _rates(rate, score.rates, clean[rate.domain], cutoff, clock, weights):
            found.setdefault(usubjid, []).append(observation)
    return {usubjid: sorted(rows, key=lambda o: (o.start, o.end, o.row_ids)) for usubjid, rows in found.items()}


def _records(item: SofaMeasure, measure: Measure, frame: pd.DataFrame, cutoff: int) -> list[tuple[str, Record]]:
    """Results of one measure with an exact date."""
    stem = prefix(item.domain)
    names = date_columns(f"{stem}DTC")
    rows = usable(frame, names.dtc, cutoff)
    rows = matching(rows[~not_done(rows, item.domain)], item.where)
    low, high = days(column(rows, names.low)), days(column(rows, names.high))
    times, groups = texts(column(rows, names.time)), texts(column(rows, f"{stem}GRPID"))
    text = {c: texts(column(rows, f"{stem}{c}")) for c in ("STRESC", "STRESU", "ORRES", "ORRESU", "CENS")}
    number = {c: numbers(column(rows, f"{stem}{c}")) for c in ("STRESN", "LLOQ", "ULOQ")}
    found = []
    for i, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        day = low[i]
        if day is None or day != high[i]:
            continue
        own = {c: values[i] for c, values in text.items()}
        parameter, value, note = _value(measure, own, {c: v[i] for c, v in number.items()}, day, row_id)
        found.append((usubjid, Record(item.code, day, times[i], row_id, parameter, value, note, groups[i])))
    return found


def _value(
    measure: Measure, text: Mapping[str, str | None], number: Mapping[str, float | None], day: int, row_id: str
) -> tuple[str | None, Measured | None, str | None]:
    """(parameter, value, note) of a result: in the unit it was reported in where that has its own bands."""
    if measure.text is not None:
        word = (text["STRESC"] or "").strip().upper()
        return (measure.text, Measured(day, row_id, text=word), None) if word else (None, None, None)
    given, original = _unit(measure, text["STRESU"]), _unit(measure, text["ORRESU"])
    # a figure that cleaning set aside, or that is a limit, has no standard value
    reported = _decimal(text["ORRES"]) if text["ORRESU"] and number["STRESN"] is not None else None
    if original is not None and reported is not None and (given is None or original.parameter != given.parameter):
        return original.parameter, Measured(day, row_id, _round(reported * original.factor)), None
    if given is None:
        return None, None, f"{measure.code}: no bands for unit {text['STRESU'] or 'none'}"
    factor = given.factor
    scaled = {name: None if value is None else _round(value * factor) for name, value in number.items()}
    side = text["CENS"]
    below = scaled["LLOQ"] if side == "left" else None
    above = scaled["ULOQ"] if side == "right" else None
    exact = None if side in ("left", "right") else scaled["STRESN"]
    if exact is None and below is None and above is None:
        return None, None, f"{measure.code}: no result"
    return given.parameter, Measured(day, row_id, exact, None, below, above), None


def _unit(measure: Measure, unit: str | None) -> Unit | None:
    """The measure's unit of that name, else the one that differs by case only."""
    name = unit or "none"
    folded = {known.lower(): given for known, given in measure.units.items()}
    return measure.units.get(name) or folded.get(name.replace(" ", "").lower())


def _decimal(text: str | None) -> float | None:
    try:
        return float((text or "").strip().replace(",", "."))
    except ValueError:
        return None


def _round(value: float) -> float:
    """12 significant digits, so that a value converted to a limit equals it."""
    return float(f"{value:.12g}")


def _patient(records: Sequence[Record], score: Score, clock: Clock) -> list[Observation]:
    """Single results and ratios of one patient."""
    ratio, unless = score.ratio, score.unless
    aside = frozenset(u.parameter for code in unless.measures for u in score.measures[code].units.values())
    standing = _standing(records, score, clock)
    found = []
    for record in records:
        if record.code in (ratio.numerator, ratio.denominator, ratio.flag, score.rates.weight):
            continue
        minute = clock.minute(record.day, record.time)
        base = Observation(minute, minute, record.time is not None, (record.row_id,), {})
        if record.parameter is None or record.value is None:
            found += [base._replace(notes=(record.note,))] if record.note else []
        elif record.code == unless.flag:
            found += [base._replace(aside=aside)] if record.value.text == unless.value else []
        elif record.code in unless.measures and _flag(records, unless.flag, record, clock)[0] == unless.value:
            found.append(base._replace(aside=aside))
        elif record.code == unless.instead and clock.day(minute) in standing:
            found.append(base._replace(notes=(f"{record.code}: nothing to stand for on this day",)))
        elif record.parameter == ratio.parameter:
            found.append(_supported(record, record.value, (record.row_id,), records, score, clock))
        else:
            notes = (f"{record.parameter} assumed",) if record.code == unless.instead else ()
            found.append(base._replace(values={record.parameter: record.value}, notes=notes))
    return found + _ratios(records, score, clock)


def _standing(records: Sequence[Record], score: Score, clock: Clock) -> set[int]:
    """Days on which a measure that the flag would set aside stands and no flag is raised: nothing takes its place."""
    unless, kept, raised = score.unless, set(), set()
    for record in records:
        day = clock.day(clock.minute(record.day, record.time))
        if record.value is not None and record.code == unless.flag and record.value.text == unless.value:
            raised.add(day)
        elif record.value is not None and record.code in unless.measures:
            kept.add(day)
    return kept - raised


def _flag(records: Sequence[Record], code: str, of: Record, clock: Clock) -> tuple[str | None, tuple[str, ...]]:
    """A flag at the time of a record, else the one of its day without a time; Y wins over N. With its rows."""
    own = [r for r in records if r.code == code and r.value is not None]
    here = [r for r in own if (r.day, r.time) == (of.day, of.time)]
    if not here and of.time is not None:
        day = clock.day(clock.minute(of.day, of.time))
        here = [r for r in own if r.time is None and r.day == day]
    said = sorted((r.value.text or "", r.row_id) for r in here if r.value is not None)
    return (said[-1][0], (said[-1][1],)) if said else (None, ())


def _ratios(records: Sequence[Record], score: Score, clock: Clock) -> list[Observation]:
    """A ratio for every numerator and denominator of one time (and of one group, where both have one)."""
    ratio, found = score.ratio, []
    below = [r for r in records if r.code == ratio.denominator]
    for top in (r for r in records if r.code == ratio.numerator):
        for low in below:
            together = (top.day, top.time) == (low.day, low.time)
            if not together or (top.group and low.group and top.group != low.group):
                continue
            if top.value is None or low.value is None or top.value.number is None or low.value.number is None:
                continue
            if not 0 < low.value.number <= 1:
                minute = clock.minute(top.day, top.time)
                note = f"{ratio.denominator}: {low.value.number:g} is no fraction"
                found.append(Observation(minute, minute, top.time is not None, (low.row_id,), {}, (note,)))
                continue
            value = Measured(top.day, top.row_id, _round(top.value.number / low.value.number))
            found.append(_supported(top, value, (top.row_id, low.row_id), records, score, clock))
    return found


def _supported(
    record: Record, value: Measured, row_ids: tuple[str, ...], records: Sequence[Record], score: Score, clock: Clock
) -> Observation:
    """A ratio with the support of its time."""
    minute = clock.minute(record.day, record.time)
    word, rows = _flag(records, score.ratio.flag, record, clock)
    values = {score.ratio.parameter: value}
    if word is not None:
        values[score.ratio.flag] = Measured(record.day, rows[0], text=word)
    notes = () if word is not None else ("respiratory support unknown: read as none",)
    return Observation(minute, minute, record.time is not None, (*row_ids, *rows), values, notes)


def _weights(records: Sequence[Record], score: Score) -> list[tuple[int, str, float, str]]:
    """Body weights in time order: day, time, kg, row."""
    code = score.rates.weight
    own = [r for r in records if r.code == code and r.value is not None and r.value.number]
    return sorted((r.day, r.time or "", r.value.number, r.row_id) for r in own if r.value and r.value.number)


def _rates(
    item: SofaRate,
    rates: Rates,
    frame: pd.DataFrame,
    cutoff: int,
    clock: Clock,
    weights: Mapping[str, list[tuple[int, str, float, str]]],
) -> list[tuple[str, Observation]]:
    """Rates of one vasopressor as observations from start to end."""
    rows = matching(usable(frame, item.start, cutoff), item.where)
    first = _exact(rows, item.start)
    last = _exact(rows, item.end) if item.end else [None] * len(rows)
    dose, unit = numbers(column(rows, item.dose)), texts(column(rows, item.unit))
    salt = texts(column(rows, item.salt)) if item.salt else [None] * len(rows)
    received = texts(column(rows, f"{prefix(item.domain)}ORRES"))
    found = []
    for i, (usubjid, row_id) in enumerate(zip(rows["USUBJID"], rows["row_id"], strict=True)):
        begin = first[i]
        if begin is None:
            continue
        start, end, timed = _span(begin, last[i], clock)
        base = Observation(start, end, timed, (row_id,), {})
        if item.code in rates.noted:
            found.append((usubjid, base._replace(notes=(f"{item.code} given, no part of the score",))))
            continue
        if timed and last[i] is not None and last[i][1] is not None and end - start < rates.min_minutes:  # type: ignore[index]
            found.append((usubjid, base._replace(notes=(f"{item.code}: less than {rates.min_minutes} minutes",))))
            continue
        weight = _weight(weights.get(usubjid, ()), begin)
        value, used, notes = _rate(item, rates, dose[i], _spelled(unit[i]), salt[i], weight)
        if value is not None and value > 0:
            measured = Measured(begin[0], row_id, _round(value))
            base = base._replace(values={item.code: measured}, row_ids=(row_id, *used))
        elif value is None and (dose[i] or _decimal(received[i]) or 0) > 0:
            # a figure without unit or with a comma is set aside in clean and is yet more than none
            base = base._replace(values={item.code: Measured(begin[0], row_id, above=0.0)})
        if base.values or notes:
            found.append((usubjid, base._replace(notes=notes)))
    return found


def _spelled(unit: str | None) -> str | None:
    """A unit of rate without spaces, with u for the micro sign."""
    return None if unit is None else "".join(unit.split()).replace("\u00b5", "u").replace("\u03bc", "u")


def _exact(rows: pd.DataFrame, variable: str) -> list[tuple[int, str | None] | None]:
    """(day, time) of exact dates, else None."""
    names = date_columns(variable)
    low, high = days(column(rows, names.low)), days(column(rows, names.high))
    times = texts(column(rows, names.time))
    return [
        (day, time) if day is not None and day == last else None
        for day, last, time in zip(low, high, times, strict=True)
    ]


def _span(begin: tuple[int, str | None], end: tuple[int, str | None] | None, clock: Clock) -> tuple[int, int, bool]:
    """First and last minute of a rate and whether its start has a time; without an end it is of its time."""
    start = clock.minute(*begin)
    if end is None:
        return start, start, begin[1] is not None
    if begin[1] is None:
        start = clock.bounds(begin[0])[0]
    stop = clock.bounds(end[0])[1] - 1 if end[1] is None else clock.minute(*end)
    return start, max(start, stop), begin[1] is not None


def _weight(weights: Sequence[tuple[int, str, float, str]], at: tuple[int, str | None]) -> tuple[float, str] | None:
    """The last weight up to a time, else the first after it."""
    earlier = [w for w in weights if (w[0], w[1]) <= (at[0], at[1] or "24:00")]
    chosen = earlier[-1] if earlier else weights[0] if weights else None
    return None if chosen is None else (chosen[2], chosen[3])


def _rate(
    item: SofaRate,
    rates: Rates,
    dose: float | None,
    unit: str | None,
    salt: str | None,
    weight: tuple[float, str] | None,
) -> tuple[float | None, tuple[str, ...], tuple[str, ...]]:
    """(rate of base in ug/kg/min, rows used beside the record, notes); a rate of 0 has no note.

    A dose above 0 that cannot be converted is some rate above 0: it has the least points any rate of the drug gives.
    """
    if dose is None:
        return None, (), (f"{item.code}: rate missing",)
    share, notes = 1.0, tuple[str, ...]()
    if item.code in rates.salted:
        word = (salt or "").strip().upper() or item.salt_default
        if word not in rates.salts:
            return None, (), (f"{item.code}: salt {word} unknown",)
        share = rates.salts[word]
        notes = () if salt or dose == 0 else (f"{item.code}: salt not recorded, read as {word.lower()}",)
    if unit is not None and unit in rates.units:
        return dose * rates.units[unit] * share, (), notes
    if unit is None or unit not in rates.per_weight:
        return None, (), (f"{item.code}: unit {unit or 'none'} unknown",)
    if weight is None:
        return None, (), () if dose == 0 else (f"{item.code}: no body weight",)
    return dose * rates.per_weight[unit] / weight[0] * share, (weight[1],), notes
