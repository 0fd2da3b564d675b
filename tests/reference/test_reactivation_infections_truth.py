"""Reactivation and viral infections of R-HLH against the simulator's truth, which was written apart from derivation.

For reactivation the clean tables are built from the true values, so that only derivation is judged; medication and PCRs
come from the e-CRF through the reader and the mapping. Patients with a planted defect in their PCRs are left out.
"""

from __future__ import annotations

import csv
import json
from functools import cache

import pandas as pd
import pytest
from helpers.clean_case import trial
from helpers.derive_case import ROOT, domain, filled, trial_outcomes, trial_protocol

from trialpipe.clean.context import context_from
from trialpipe.clean.run import clean
from trialpipe.config.trial import as_json
from trialpipe.derive.run import derive
from trialpipe.ingest.run import ingest
from trialpipe.io import store
from trialpipe.provenance.identity import clean_spec, ingest_spec

TRIAL = "r-hlh"
EXTRACTS = ROOT / "resources" / "extracts" / TRIAL
HOME = {"TEMP": "vs", "WEIGHT": "vs", "HEIGHT": "vs", "SPLENO": "pe", "SPLEEN": "pe", "CNS": "pe"}
HOME |= {"HEPATO": "pe", "LIVER": "pe"}


def read(name: str) -> list[dict[str, str]]:
    path = EXTRACTS / "truth" / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{path.name} of the simulated trial is not there: make simulate")
    return list(csv.DictReader(path.open(encoding="utf-8")))


def events() -> dict[str, list[dict[str, object]]]:
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in ("dm", "ds", "ex", "pr")}
    for p in read("patients"):
        who: dict[str, object] = {"id": p["subject"]}
        rows["dm"].append(who | {"RFICDTC": p["consent"]})
        rows["ds"].append(who | {"DSDECOD": "LAST CONTACT", "DSSTDTC": p["last_alive"]})
        if p["death"]:
            rows["ds"].append(who | {"DSDECOD": "DEATH", "DSSTDTC": p["death"]})
        for name in ("conditioning", "hsct"):
            if p[name]:
                rows["pr"].append(who | {"PRDECOD": name.upper(), "PRSTDTC": p[name]})
    for d in read("doses"):
        rows["ex"].append({"id": d["subject"], "EXTRT": "RUXOLITINIB", "EXSTDTC": d["start"], "EXENDTC": d["end"]})
    return rows


def tables() -> dict[str, pd.DataFrame]:
    rows = events() | {name: [] for name in ("lb", "vs", "pe")}
    for f in read("findings"):
        if f["measured"] == "yes":
            sign = {"below": "<", "above": ">"}.get(f["limit"], "")
            value: object = f["text"] or (f"{sign}{f['value']}" if sign else float(f["value"]))
            entry = {"id": f["subject"], "test": f["test"], "value": value, "date": f["datetime"]}
            rows[HOME.get(f["test"], "lb")].append(entry | {"specimen": f["specimen"]})
    found = {name: domain(name, entries, trial=TRIAL) for name, entries in rows.items()}
    found["lb"]["LBSPEC"] = [row["specimen"] for row in rows["lb"]]
    return found | {"cm": mapped("cm")}


def mapped(name: str) -> pd.DataFrame:
    """A domain of the one form of its name, from the raw e-CRF."""
    configured = trial(TRIAL)
    table, _ = ingest(json.loads(as_json(ingest_spec(configured, "ecrf", name))), configured.root, name)
    mapping = next(entry for entry in configured.extracts.domains if entry.domain == name)
    context = context_from(json.loads(as_json(clean_spec(configured))))
    return clean(mapping, {f"ecrf.{name}": store.frame(table)}, context).table


def made(clean_tables: dict[str, pd.DataFrame], names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    protocol = trial_protocol(TRIAL)
    domains = filled(protocol, clean_tables)
    derived: dict[str, pd.DataFrame] = {}
    for name in names:
        derived[name] = derive(name, protocol, trial_outcomes(TRIAL), domains, derived)
    return derived


@cache
def reactivation() -> pd.DataFrame:
    found = made(tables(), ("adsl", "adlb", "advs", "adpe", "adcsf", "adrs", "adtrea"))["adtrea"]
    return found[found["PARAMCD"] == found["PARAMCD"].iloc[0]].set_index("USUBJID")


def test_responders_are_the_rows():
    assert sorted(reactivation().index) == sorted(f"{TRIAL}/{r['subject']}" for r in read("reactivation"))


def test_first_response_and_reactivation():
    for truth in read("reactivation"):
        row = reactivation().loc[f"{TRIAL}/{truth['subject']}"]
        assert str(row["STARTDT"].date()) == truth["response"], truth
        note = row["NOTE"] or ""
        assert ("partial response" in note) == (truth["level"] == "PR"), truth
        assert (row["CNSR"] == 0) == (truth["status"] == "reactivated"), truth
        if truth["status"] == "reactivated":
            assert str(row["ADT"].date()) == truth["reactivation"], truth
        opened = int(truth["undetermined"])
        assert (f"undetermined on {opened} " in note) if opened else ("undetermined" not in note), truth


@cache
def infections() -> pd.DataFrame:
    rest = {name: domain(name, entries, trial=TRIAL) for name, entries in events().items()}
    return made({**rest, "mb": mapped("mb")}, ("adsl", "adinf"))["adinf"].set_index(["USUBJID", "PARAMCD"])


def test_class_and_day_of_infections():
    """The truth calls every patient without a PCR at inclusion unclassifiable; here only one who was positive later."""
    spoilt = {d["subject"] for d in read("defects") if d["sheet"] == "IG.MB"}
    found, seen = infections(), set()
    for truth in read("virus"):
        key = (f"{TRIAL}/{truth['subject']}", truth["virus"])
        seen.add(key)
        if truth["subject"] in spoilt:
            continue
        row = found.loc[key]
        never = truth["class"] == "unclassifiable" and truth["positive_after"] == "0"
        assert row["CLASS"] == ("none" if never else truth["class"]), truth
        assert row["BASESTAT"] == {"missing": "none"}.get(truth["baseline"], truth["baseline"]), truth
        assert row["NTEST"] == int(truth["tests_after"]) + (row["BASESTAT"] != "none"), truth
        if truth["class"] in ("de novo", "worsening"):
            assert (row["CNSR"], row["AVAL"]) == (0, float(truth["day"])), truth
    tested = found[(found["CLASS"] != "not tested") & (found.index.get_level_values(1) != "ANYVIR")]
    assert set(tested.index) == seen
