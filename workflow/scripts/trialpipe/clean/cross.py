"""Checks across domains: patients, order of milestones, death, samples against the sampling form.

Only what is wrong under every reading of the dates is queried. A rule whose domains the trial does not have is
passed over.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from trialpipe.clean import subjects
from trialpipe.clean.context import CleanContext
from trialpipe.clean.record import Day
from trialpipe.clean.rules import Log, Rule
from trialpipe.io.contracts import QUERIES
from trialpipe.io.sdtm import date_columns
from trialpipe.io.store import empty


@dataclass(frozen=True)
class Row:
    """A clean row: patient number and values by variable."""

    domain: str
    subject: str
    values: Mapping[str, Any]

    def text(self, variable: str) -> str | None:
        value = self.values.get(variable)
        return value if isinstance(value, str) else None

    def day(self, variable: str) -> Day | None:
        names = date_columns(variable)
        low, high = self.values.get(names.low), self.values.get(names.high)
        if low is None or high is None or pd.isna(low) or pd.isna(high):
            return None
        return Day(low.date(), high.date(), self.text(names.time), self.text(variable) or "")

    @property
    def origin(self) -> list[str]:
        return list(self.values["origin"])

    @property
    def late(self) -> bool:
        return "AFTER_CUTOFF" in self.values["flags"]

    def days(self) -> list[tuple[str, Day]]:
        """Every known date of the row by variable."""
        found = ((name, self.day(name)) for name in self.values if name.endswith("DTC"))
        return [(name, day) for name, day in found if day is not None]


Tables = dict[str, list[Row]]


def cross(domains: Mapping[str, pd.DataFrame], context: CleanContext) -> pd.DataFrame:
    """Queries (contract queries) of every cross rule over the clean domains of a trial."""
    own = context.usubjid("")
    tables = {name: _rows(name, frame, own) for name, frame in sorted(domains.items())}
    log = Log(context.rules, "")
    for rule in context.rules.of("cross", KINDS):
        KINDS[rule.kind](rule, tables, log)
    rows = log.rows()
    return pd.DataFrame(rows, columns=[c.name for c in QUERIES.columns]) if rows else empty(QUERIES)


def _rows(domain: str, frame: pd.DataFrame, trial: str) -> list[Row]:
    ordered = frame.sort_values("row_id", kind="stable")
    return [Row(domain, r["USUBJID"].removeprefix(trial), r) for r in ordered.to_dict("records")]


def _put(
    rule: Rule, log: Log, rows: Iterable[Row], item: str, value: str | None, words: Mapping[str, object] | None = None
) -> None:
    """One query on rows, named by the first cell of the first row."""
    listed = list(rows)
    columns = {
        "subject": listed[0].subject,
        "domain": ", ".join(sorted({row.domain for row in listed})),
        "visit": listed[0].text("VISIT"),
        "item": item,
        "value": value,
    }
    log.put(rule, [cell for row in listed for cell in row.origin], {**columns, **(words or {})}, **columns)


def subject_unknown(rule: Rule, tables: Tables, log: Log) -> None:
    """Patients with records and no row in dm; one query per number."""
    if "dm" not in tables:
        return
    known = {row.subject for row in tables["dm"]}
    strangers: dict[str, list[Row]] = {}
    for row in _all(tables):
        if row.subject not in known:
            strangers.setdefault(row.subject, []).append(row)
    for number, rows in sorted(strangers.items()):
        words = {"where": ", ".join(sorted({row.domain for row in rows})), "near": _nearest(number, known)}
        _put(rule, log, rows, "USUBJID", number, words)


def _nearest(number: str, known: Iterable[str]) -> str:
    """The known numbers of equal length that differ in one character, in words."""
    same = [k for k in sorted(known) if len(k) == len(number)]
    alike = [k for k in same if sum(a != b for a, b in zip(k, number, strict=True)) == 1]
    return f" (one character from {', '.join(alike[:3])})" if alike else ""


def subject_near(rule: Rule, tables: Tables, log: Log) -> None:
    """Patients of dm whose numbers differ by look-alike characters or leading zeros only."""
    rows = {row.subject: row for row in tables.get("dm", [])}
    for first, second in subjects.near(rows):
        _put(rule, log, [rows[first], rows[second]], "USUBJID", first, {"other": second})


def subject_without(rule: Rule, tables: Tables, log: Log) -> None:
    """Patients of dm without a record in another domain."""
    other = rule.parameters["domain"]
    if other not in tables:
        return
    present = {row.subject for row in tables[other]}
    for row in tables.get("dm", []):
        if row.subject not in present:
            _put(rule, log, [row], "USUBJID", row.subject)


def order(rule: Rule, tables: Tables, log: Log) -> None:
    """``last`` surely before ``first``: the earliest ``last`` against the earliest ``first`` of a patient."""
    firsts, lasts = (_earliest(tables, rule, name) for name in ("first", "last"))
    variable = rule.parameters["last"].split(".")[1]
    for subject, (row, day) in sorted(lasts.items()):
        if subject in firsts and firsts[subject][1].surely_after(day):
            first = firsts[subject]
            _put(rule, log, [first[0], row], variable, day.text, {"first": first[1].text, "last": day.text})


def _earliest(tables: Tables, rule: Rule, name: str) -> dict[str, tuple[Row, Day]]:
    domain, variable = rule.parameters[name].split(".")
    where = rule.parameters.get(f"{name}_where")
    found: dict[str, tuple[Row, Day]] = {}
    for row in tables.get(domain, []):
        day = row.day(variable)
        if day is None or (where is not None and not _meets(row, where)):
            continue
        known = found.get(row.subject)
        if known is None or (day.high, day.time or "24") < (known[1].high, known[1].time or "24"):
            found[row.subject] = (row, day)
    return found


def _meets(row: Row, condition: str) -> bool:
    variable, _, value = condition.partition(":")
    return row.text(variable) == value


def long_before(rule: Rule, tables: Tables, log: Log) -> None:
    """Records dated long before the patient's anchor date: mostly a year mistyped."""
    anchors = _earliest(tables, rule, "anchor")
    days = int(rule.number("days"))
    for row in _all(tables):
        if row.domain not in rule.domains or row.subject not in anchors:
            continue
        anchor = anchors[row.subject][1]
        for variable, day in row.days():
            if day.high < anchor.low - dt.timedelta(days=days):
                _put(rule, log, [row], variable, day.text, {"first": anchor.text, "days": days})


def after_death(rule: Rule, tables: Tables, log: Log) -> None:
    """Records surely after the death of their patient; one query per patient lists them."""
    deaths: dict[str, tuple[Row, Day]] = {}
    for row in tables.get("ds", []):
        day = row.day("DSSTDTC")
        if _meets(row, rule.parameters["where"]) and day is not None:
            known = deaths.get(row.subject)
            if known is None or day.high > known[1].high:
                deaths[row.subject] = (row, day)
    found: dict[str, list[tuple[Row, str, Day]]] = {}
    for row in _all(tables):
        if row.subject not in deaths or row.late or row is deaths[row.subject][0]:
            continue
        later = [(row, name, day) for name, day in row.days() if _outlives(name, day, deaths[row.subject][1])]
        found.setdefault(row.subject, []).extend(later[:1])
    for subject, later in sorted(found.items()):
        if not later:
            continue
        row, day = deaths[subject]
        shown = [f"{other.domain} {name} {date.text}" for other, name, date in later]
        value = ", ".join(dict.fromkeys(shown[:5])) + (" ..." if len(shown) > 5 else "")
        rows = [row, *(other for other, _, _ in later)]
        _put(rule, log, rows, "DSSTDTC", value, {"n": len(later), "first": day.text})


def _outlives(variable: str, day: Day, death: Day) -> bool:
    """Surely after the death; the hour of an end on the day of death is often the planned one and proves nothing."""
    return day.low > death.high if variable.endswith("ENDTC") else day.surely_after(death)


def needs(rule: Rule, tables: Tables, log: Log) -> None:
    """Records that call for another record of the same patient which is not there.

    The query names the patient's other rows of the domain that should hold it. ``recorded=yes``: the rule is silent
    in a trial that records the other thing of nobody.
    """
    wanted = rule.options("needs")
    names = dict.fromkeys(option.split(".")[0] for option in wanted)
    served = {row.subject for option in wanted for row in _matching(tables, option)}
    if any(name not in tables for name in names) or ("recorded" in rule.parameters and not served):
        return
    for option in rule.options("when"):
        for row in _matching(tables, option):
            if row.subject not in served:
                variable, _, value = option.split(".")[1].partition(":")
                others = [other for name in names for other in tables[name] if other.subject == row.subject]
                _put(rule, log, [row, *(other for other in others if other is not row)], variable, value)


def excludes(rule: Rule, tables: Tables, log: Log) -> None:
    """Records ``when`` of a patient who also has one ``without``."""
    barred: dict[str, Row] = {}
    for option in rule.options("without"):
        for row in _matching(tables, option):
            barred.setdefault(row.subject, row)
    for option in rule.options("when"):
        variable, _, value = option.split(".")[1].partition(":")
        for row in (row for row in _matching(tables, option) if row.subject in barred):
            _put(rule, log, [row, barred[row.subject]], variable, value)


def differ(rule: Rule, tables: Tables, log: Log) -> None:
    """``first`` and ``second`` of a patient, both known and surely different: texts, or days whose bounds do not meet.

    ``first_where`` and ``second_where`` select records; of several the first in row order counts.
    """
    firsts, seconds = (_known(tables, rule, name) for name in ("first", "second"))
    names = [rule.parameters[name].split(".")[1] for name in ("first", "second")]
    for subject in sorted(firsts.keys() & seconds.keys()):
        pair = [firsts[subject], seconds[subject]]
        one, other = (row.day(name) for row, name in zip(pair, names, strict=True))
        texts = [row.text(name) for row, name in zip(pair, names, strict=True)]
        if one is not None and other is not None:
            wrong = one.low > other.high or other.low > one.high
        else:
            wrong = one is None and other is None and texts[0] != texts[1]
        if wrong:
            _put(rule, log, pair, names[0], texts[0], {"first": texts[0], "second": texts[1]})


def _known(tables: Tables, rule: Rule, name: str) -> dict[str, Row]:
    """The first row of each patient in which a variable is known."""
    domain, variable = rule.parameters[name].split(".")
    where = rule.parameters.get(f"{name}_where")
    found: dict[str, Row] = {}
    for row in tables.get(domain, []):
        if row.text(variable) is not None and (where is None or _meets(row, where)):
            found.setdefault(row.subject, row)
    return found


def _matching(tables: Tables, option: str) -> list[Row]:
    domain, condition = option.split(".")
    return [row for row in tables.get(domain, []) if _meets(row, condition)]


def _samples(rule: Rule, tables: Tables) -> tuple[dict[str, list[Row]] | None, list[tuple[str, str, list[Row]]]]:
    """(rows of the sampling form by sample, samples of the result files as (variable, sample, rows)).

    The first is None where the trial has no sampling form.
    """
    domain, variable = rule.parameters["manifest"].split(".")
    manifest: dict[str, list[Row]] = {}
    for row in tables.get(domain, []):
        if row.text(variable) is not None:
            manifest.setdefault(str(row.text(variable)), []).append(row)
    found = []
    for option in rule.options("samples"):
        other, name = option.split(".")
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in tables.get(other, []):
            if row.text(name) is not None:
                groups.setdefault((str(row.text(name)), row.subject), []).append(row)
        found += [(name, sample, rows) for (sample, _), rows in sorted(groups.items())]
    return (manifest or None), found


def sample_unknown(rule: Rule, tables: Tables, log: Log) -> None:
    """Results of a sample that the sampling form does not have."""
    manifest, samples = _samples(rule, tables)
    for variable, sample, rows in samples:
        if manifest is not None and sample not in manifest:
            _put(rule, log, rows, variable, sample)


def sample_subject(rule: Rule, tables: Tables, log: Log) -> None:
    """Results of a sample under another patient than in the sampling form."""
    manifest, samples = _samples(rule, tables)
    for variable, sample, rows in samples:
        owners = {row.subject for row in (manifest or {}).get(sample, [])}
        if owners and rows[0].subject not in owners:
            words = {"other": ", ".join(sorted(owners))}
            _put(rule, log, [*rows, *(manifest or {})[sample]], variable, sample, words)


def sample_date(rule: Rule, tables: Tables, log: Log) -> None:
    """Results of a sample on another day than in the sampling form."""
    manifest, samples = _samples(rule, tables)
    start = f"{rule.parameters['manifest'].split('.')[1][:2]}STDTC"
    for variable, sample, rows in samples:
        partner = next(iter((manifest or {}).get(sample, [])), None)
        here = rows[0].day(f"{variable[:2]}DTC")
        there = partner.day(start) if partner is not None else None
        if partner is None or here is None or there is None or partner.subject != rows[0].subject:
            continue
        if here.low > there.high or there.low > here.high:
            _put(rule, log, [*rows, partner], variable, sample, {"first": there.text, "last": here.text})


def after_contact(rule: Rule, tables: Tables, log: Log) -> None:
    """Samples after everything else that is known of the patient."""
    without = set(rule.options("except"))
    last: dict[str, Day] = {}
    for row in _all(tables):
        if row.domain in without or row.late:
            continue
        for _, day in row.days():
            if row.subject not in last or day.high > last[row.subject].high:
                last[row.subject] = day
    for option in rule.options("samples"):
        domain, variable = option.split(".")
        for row in tables.get(domain, []):
            found = row.day(variable)
            if found is not None and not row.late and row.subject in last and found.low > last[row.subject].high:
                _put(rule, log, [row], variable, found.text, {"first": last[row.subject].text})


def _all(tables: Tables) -> Iterable[Row]:
    return (row for name in sorted(tables) for row in tables[name])


KINDS: dict[str, Callable[[Rule, Tables, Log], None]] = {
    "subject_unknown": subject_unknown,
    "subject_near": subject_near,
    "subject_without": subject_without,
    "order": order,
    "long_before": long_before,
    "after_death": after_death,
    "needs": needs,
    "excludes": excludes,
    "differ": differ,
    "sample_unknown": sample_unknown,
    "sample_subject": sample_subject,
    "sample_date": sample_date,
    "after_contact": after_contact,
}
