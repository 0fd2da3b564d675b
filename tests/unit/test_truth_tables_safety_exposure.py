"""Adverse events, populations and infusions: a row of a truth table per branch, run through the configured trials.

Expected values are by hand from the source that each row names. A patient is written as ``milestone=date`` (``?``: on
an unknown day, ``milestone:WORD=date``: a record of something else) and ``VARIABLE=value`` of ADSL or dm.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from helpers.analyse_frames import outcome
from helpers.analyse_frames import run as analysed
from helpers.derive_case import adsl_of, day, domain, filled, trial_protocol

from trialpipe.analyse.adverse_events import LINES
from trialpipe.config.protocol import Protocol
from trialpipe.derive.exposure import COURSE
from trialpipe.derive.run import derive

DATA = Path(__file__).parent / "data"
Row = dict[str, str]
Records = dict[str, list[dict[str, object]]]


def table(name: str) -> list[Row]:
    return list(csv.DictReader((DATA / f"{name}_truth.csv").open(encoding="utf-8", newline="")))


def named(row: Row) -> str:
    return " ".join(part for part in (row.get("trial"), row["case"]) if part)


WINDOWS, ATTRIBUTES, WORST = table("ae_windows"), table("ae_attributes"), table("ae_worst_grade")
POPULATIONS, INFUSIONS = table("populations"), table("dli_feasibility")
_PROTOCOLS: dict[str, Protocol] = {}


def protocol(trial: str) -> Protocol:
    if trial not in _PROTOCOLS:
        _PROTOCOLS[trial] = trial_protocol(trial)
    return _PROTOCOLS[trial]


def pairs(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split())


def records(plan: Protocol, text: str) -> Records:
    """Rows per domain of the one patient."""
    milestones = {m.id: m for m in plan.milestones}
    variables = {v.name: v for v in plan.subject_variables}
    person: dict[str, object] = {"id": "1", "key": "dm"}
    found: Records = {}
    for name, value in pairs(text).items():
        code, _, other = name.partition(":")
        if code in milestones:
            entry = milestones[code]
            row: dict[str, object] = {k: other or v[0] for k, v in entry.where.items()}
            row[entry.date] = None if value == "?" else value
            home = entry.domain
        elif code in variables:
            source = variables[code]
            row, home = {k: v[0] for k, v in source.where.items()} | {source.column: value}, source.domain
        else:
            assert code == "ARMCD", f"{code} is neither a milestone nor a variable"
            row, home = {code: value}, "dm"
        if home == "dm":
            person |= row
        else:
            found.setdefault(home, []).append({"id": "1", **row})
    return found | {"dm": [person]}


def tables(plan: Protocol, rows: Mapping[str, list[dict[str, object]]]) -> dict[str, pd.DataFrame]:
    return filled(plan, {name: domain(name, own) for name, own in rows.items()})


def iso(value: object) -> str:
    return "" if pd.isna(value) else pd.Timestamp(value).strftime("%Y-%m-%d")  # type: ignore[arg-type]


def adae(plan: Protocol, rows: Records) -> tuple[pd.DataFrame, pd.DataFrame]:
    clean = tables(plan, rows)
    adsl = adsl_of(plan, clean)
    return adsl, derive("adae", plan, (), clean, {"adsl": adsl})


@pytest.mark.parametrize("row", WINDOWS, ids=named)
def test_adverse_event_counts_in_the_windows(row: Row) -> None:
    plan = protocol(row["trial"])
    rows = records(plan, row["patient"])
    rows["ae"] = [{"id": "1", "AETERM": "Fever", "AESTDTC": row["start"] or None, "AEENDTC": row["end"] or None}]
    _, found = adae(plan, rows)
    if not row["flags"]:
        assert found.empty
        return
    event = found.iloc[0]
    spec = next(d for d in plan.datasets if d.id == "adae")
    assert {w.variable: event[w.variable] for w in spec.windows} == pairs(row["flags"])  # type: ignore[union-attr]
    assert (iso(event["ASTDT"]), event["ASTDTF"] or "") == (row["onset"], row["part"])


def counted(events: list[dict[str, object]], display: str) -> dict[str, int]:
    """Patients per category of a display, of one treated patient with these events on the day after the first dose."""
    plan = protocol("c-hlh")
    rows = records(plan, "first_dose=2018-01-15")
    rows["ae"] = [{"id": "1", "AETERM": "Fever", "AESTDTC": "2018-01-16", **event} for event in events]
    adsl, found = adae(plan, rows)
    spec = {"window": "until_hsct", "displays": [display], "lines": list(LINES)}
    given = outcome("adverse_events", {"kind": "adverse_events", "dataset": "adae"}, spec, section="safety")
    results, _ = analysed(given, {"adsl": adsl, "adae": found}, plan)
    counts = results[results["statistic"] == "n"]
    return {category: int(n) for category, n in zip(counts["category"], counts["value"], strict=True)}


@pytest.mark.parametrize("row", ATTRIBUTES, ids=named)
def test_attributes_decide_the_lines_of_the_overview(row: Row) -> None:
    event = {name: row[name] or None for name in ("AESER", "AEREL", "AETOXGR", "AESEV", "AEOUT")}
    found = counted([event], "overview")
    assert {name for name, line in LINES.items() if found[line.label]} == set(row["lines"].split())


@pytest.mark.parametrize("row", WORST, ids=named)
def test_worst_grade_of_a_patient(row: Row) -> None:
    events: list[dict[str, object]] = [{"AETOXGR": None if g == "?" else g} for g in row["grades"].split()]
    found = counted(events, "worst_grade")
    assert {category for category, n in found.items() if n} == {row["worst"]}


@pytest.mark.parametrize("row", POPULATIONS, ids=named)
def test_populations(row: Row) -> None:
    plan = protocol(row["trial"])
    adsl = adsl_of(plan, tables(plan, records(plan, row["patient"])))
    person = adsl.iloc[0]
    assert {p.variable: person[p.variable] for p in plan.populations} == pairs(row["flags"])


def infusions(text: str, randomised: str) -> list[dict[str, object]]:
    """Records of ``number@day:cells[:unit]``; a day counts from randomisation or is a date, cells ``!`` not done."""
    rows: list[dict[str, object]] = []
    for part in filter(None, text.split("; ")):
        number, _, rest = part.partition("@")
        when, cells, *unit = rest.split(":")
        date = day(int(when), randomised) if when.lstrip("-").isdigit() else None if when == "?" else when
        row: dict[str, object] = {"id": "1", "EXTRT": "DLI", "EXSTDTC": date, "EXDOSU": unit[0] if unit else "10*6/kg"}
        row |= {"EXNUM": None if number == "-" else float(number), "EXSTAT": "NOT DONE" if cells == "!" else None}
        rows.append(row | {"EXDOSE": None if cells in "?!" else float(cells)})
    return rows


def reasons(text: str) -> list[dict[str, object]]:
    parts = [part.split(":") for part in filter(None, text.split("; "))]
    numbers = [None if number == "-" else float(number) for number, _ in parts]
    row: dict[str, object] = {"id": "1", "DSDECOD": "DLI NOT GIVEN", "DSSTDTC": None}
    return [row | {"DSTERM": why, "DSNUM": n} for (_, why), n in zip(parts, numbers, strict=True)]


@pytest.mark.parametrize("row", INFUSIONS, ids=named)
def test_feasibility_of_infusions(row: Row) -> None:
    plan = protocol("elit-aml01")
    rows = records(plan, row["patient"])
    rows["ex"] = infusions(row["doses"], pairs(row["patient"]).get("randomisation", ""))
    rows["ds"] = [*rows.get("ds", []), *reasons(row["reasons"])]
    clean = tables(plan, rows)
    found = derive("adex", plan, (), clean, {"adsl": adsl_of(plan, clean)})
    if not row["given"]:
        assert found.empty
        return

    def each(code: str, between: str = " ") -> str:
        return between.join(found.loc[found["PARAMCD"] == code, "AVALC"])

    assert (each("GIVEN"), each("DAYS"), each("DOSE")) == (row["given"], row["days"], row["cells"])
    assert each("REASON", "|") == row["why"]
    whole = found[found["AVISIT"] == COURSE].set_index("PARAMCD")["AVALC"]
    assert (whole["NGIVEN"], whole["CUMDOSE"] or "") == (row["number"], row["total"])


@pytest.mark.parametrize("name", ["ae_windows", "ae_attributes", "ae_worst_grade", "populations", "dli_feasibility"])
def test_every_row_has_a_case_and_a_source(name: str) -> None:
    rows = table(name)
    assert all(row["case"] and row["source"] for row in rows)
    assert len({named(row) for row in rows}) == len(rows)


def test_every_window_and_population_has_rows_inside_and_outside() -> None:
    """A window or population that is added to a configured trial needs its rows here."""
    seen = {(r["trial"], *pair) for r in (*WINDOWS, *POPULATIONS) for pair in pairs(r["flags"]).items()}
    missing = []
    for path in sorted((DATA.parents[2] / "config" / "trials").glob("*/protocol.yaml")):
        plan = protocol(path.parent.name)
        windows = [w.variable for d in plan.datasets if d.kind == "adverse_events" for w in d.windows]
        limited = [p.variable for p in plan.populations if p.require or p.where]
        wanted = [(name, flag) for name in (*windows, *limited) for flag in "YN"]
        wanted += [(p.variable, "Y") for p in plan.populations]
        missing += [(plan.trial, *pair) for pair in wanted if (plan.trial, *pair) not in seen]
    assert not missing
