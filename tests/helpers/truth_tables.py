"""Clean tables of a simulated trial built from its true values, so that only derivation is judged.

What the truth does not list record by record (medication, PCRs) comes from the raw form with the planted defects put
back, through the mapping of the clean stage.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pandas as pd
from helpers.clean_case import trial
from helpers.derive_case import derive_all, domain, trial_outcomes, trial_protocol
from helpers.truth_case import Row, TruthCase

from trialpipe.clean.context import context_from
from trialpipe.clean.run import clean
from trialpipe.config.trial import as_json
from trialpipe.provenance.identity import clean_spec

DRUG = {"c-hlh": "ALEMTUZUMAB", "r-hlh": "RUXOLITINIB"}
HOME = {"TEMP": "vs", "WEIGHT": "vs", "HEIGHT": "vs", "SPLENO": "pe", "SPLEEN": "pe", "CNS": "pe", "NEUROSEQ": "qs"}
HOME |= {"HEPATO": "pe", "LIVER": "pe"}
DIAGNOSIS = ("hemophag", "nk", "hladr", "immsup", "priortrt")
CODES = {"nk": "NKACT"}
RESTORED = {"c-hlh": ("cm",), "r-hlh": ("cm", "mb")}
Short = dict[str, Any]


def restored(case: TruthCase, name: str) -> pd.DataFrame:
    """A clean domain of the raw forms it reads, with every planted cell as it was and added rows taken out."""
    configured = trial(case.trial, case.root)
    mapping = next(entry for entry in configured.extracts.domains if entry.domain == name)
    context = context_from(json.loads(as_json(clean_spec(configured))))
    forms = {rows.form: _put_back(case, case.clean.forms[rows.form]) for rows in mapping.rows}
    return clean(mapping, forms, context).table


def _put_back(case: TruthCase, form: pd.DataFrame) -> pd.DataFrame:
    form = form.copy()
    sheets = form["source_sheet"].fillna("")
    for cell in case.cells:
        here = (form["source_file"] == cell["file"]) & (sheets == cell["sheet"])
        here &= form["source_row"].astype(str) == cell["row"]
        if cell["kind"].startswith(("duplicate", "subject_not_included")):
            form, sheets = form[~here], sheets[~here]
        elif cell["item"] in form.columns:
            form.loc[here, cell["item"]] = cell["original"] or None
    return form


def tables(case: TruthCase) -> dict[str, pd.DataFrame]:
    """Clean tables by domain."""
    rows: dict[str, list[Short]] = {name: [] for name in ("dm", "ds", "ex", "pr", "ae", "lb", "vs", "pe", "sc", "pc")}
    for p in case.rows("patients"):
        _patient(p, rows)
    for d in case.rows("doses"):
        dose = {"id": d["subject"], "EXTRT": DRUG[case.trial], "EXSTDTC": d["start"], "EXENDTC": d["end"]}
        rows["ex"].append(dose)
    for a in case.rows("ae"):
        event = {"id": a["subject"], "AETERM": a["term"], "AEDECOD": a["pt"], "AESTDTC": a["onset"]}
        rows["ae"].append(event | {"key": f"{a['number']}/1"})
    for f in case.rows("findings"):
        if f["measured"] == "yes" and HOME.get(f["test"]) != "qs":
            entry = {"id": f["subject"], "test": f["test"], "value": value(f), "date": f["datetime"]}
            rows[HOME.get(f["test"], "lb")].append(entry | {"specimen": f["specimen"]})
    for c in case.rows("pk") if case.trial == "r-hlh" else ():
        rows["pc"].append(_concentration(c))
    made = {name: domain(name, entries, trial=case.trial) for name, entries in rows.items()}
    made["lb"]["LBSPEC"] = [row["specimen"] for row in rows["lb"]]
    return made | {name: restored(case, name) for name in RESTORED[case.trial]}


def _patient(p: Row, rows: dict[str, list[Short]]) -> None:
    who: Short = {"id": p["subject"]}
    person = {"RFICDTC": p["consent"], "DMDTC": p["inclusion"], "SEX": p["sex"], "NEONATE": p["neonate"]}
    rows["dm"].append(who | person | {"AGE": float(p["age_years"])})
    rows["ds"].append(who | {"DSDECOD": "LAST CONTACT", "DSSTDTC": p["last_alive"]})
    if p["death"]:
        rows["ds"].append(who | {"DSDECOD": "DEATH", "DSSTDTC": p["death"]})
    for name in ("conditioning", "hsct"):
        if p[name]:
            rows["pr"].append(who | {"PRDECOD": name.upper(), "PRSTDTC": p[name]})
    if "gene" not in p:
        return
    told = {"GENE": p["gene"], "FAMHIST": p["family_history"]}
    told |= {CODES.get(item, item.upper()): p[item].upper() for item in DIAGNOSIS}
    rows["sc"] += [who | {"test": code, "value": text, "date": p["inclusion"]} for code, text in told.items() if text]


def _concentration(c: Row) -> Short:
    sample = {"id": c["subject"], "test": "RUXO", "date": c["datetime"], "PCSPEC": c["matrix"].upper()}
    sample |= {"PCREFID": c["sample"], "PCRFTDTC": c["last_dose"] or None, "key": f"RUXO/{c['sample']}/1"}
    bound = {"below": "<0.5", "above": ">500"}.get(c["limit"])
    if c["measured"] == "no":
        return sample | {"value": None, "stat": "NOT DONE"}
    return sample | {"value": bound or float(c["value"])}


def value(f: Row) -> object:
    """A true finding as a number, a text, or ``<x`` and ``>x`` beyond a limit."""
    sign = {"below": "<", "above": ">"}.get(f["limit"], "")
    return f["text"] or (f"{sign}{f['value']}" if sign else float(f["value"]))


@cache
def derived(case: TruthCase) -> dict[str, pd.DataFrame]:
    """Every dataset of the trial from true values."""
    return derive_all(trial_protocol(case.trial), trial_outcomes(case.trial), tables(case))
