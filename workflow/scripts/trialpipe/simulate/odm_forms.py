"""Forms of an ODM e-CRF filled from the patients: a table per item group, still without defects."""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate import odm_changes
from trialpipe.simulate.measures import CSF, LABS
from trialpipe.simulate.odm import EVENT, EVENT_KEY, KEY, SNAPSHOT, SUBJECT, TRANSACTIONS, UNIT, OdmTable, Study, table
from trialpipe.simulate.odm_items import FORMS, GROUPS, oid
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Finding, Patient
from trialpipe.simulate.raw import Row
from trialpipe.simulate.rng import stream

LAB_ITEMS = {
    "HGB": "HGB", "PLAT": "PLAT", "WBC": "WBC", "NEUT": "NEUT", "FERRITIN": "FERR", "TRIG": "TRIG", "FIBRINO": "FIB",
    "CD25S": "CD25", "DDIMER": "DDIM", "ALT": "ALT", "AST": "AST", "BILI": "BILI", "CREAT": "CREAT",
}  # fmt: skip
SIGNS = {"TEMP": "TEMP", "WEIGHT": "WEIGHT", "HEIGHT": "HEIGHT"}
ORGANS = {"SPLENO": "SPLENO", "SPLEEN": "SPLEEN", "HEPATO": "HEPATO", "LIVER": "LIVER", "CNS": "CNS"}
FLUID = {test: test for test in CSF}
YES = {"Y": "1", "N": "0", "": "", True: "1", False: "0"}
MEDICATION = {
    "steroid": "STEROID", "rescue": "RESCUE", "red_cells": "RBC", "platelets": "PLT", "gcsf": "GCSF", "azole": "AZOLE",
    "antiviral": "ANTIVIRAL",
}  # fmt: skip
OUTCOME = {"recovered": "1", "ongoing": "2", "fatal": "3"}
SAMPLE = {"biobank": "BIOBANK", "rna": "RNA", "pk": "PK", "pkcsf": "PKCSF"}
UNIT_TEXT = {"Cel": "°C"}
Tables = dict[str, OdmTable]


def study(p: Parameters, seed: int, patients: list[Patient]) -> Study:
    """The filled e-CRF: rows by patient in order of inclusion, then late entries, corrections and removals told."""
    names, files = p.words["study"], p.words["study_files"]
    made = {
        SNAPSHOT: dt.datetime.combine(p.date("snapshot"), dt.time(18)),
        TRANSACTIONS: dt.datetime.combine(p.date("data_cutoff"), dt.time(18)),
    }
    whole = Study(names, {SNAPSHOT: files[0], TRANSACTIONS: files[1]}, made)
    tables = {group.removeprefix("IG."): table(whole, group) for group in GROUPS}
    for patient in patients:
        rng = stream(seed, "forms", patient.traits.index)
        for fill in (_inclusion, _visits, _exposure, _medication, _graft, _events, _samples, _end):
            fill(p, rng, patient, tables)
    odm_changes.tell(p, seed, whole)
    return whole


def _add(tables: Tables, group: str, patient: Patient, place: str, texts: dict[str, str], **tags: object) -> Row:
    """A row; ``texts`` by item name, a study event as ``SE.FU/2`` has a repeat key."""
    made = tables[group]
    name, _, number = place.partition("/")
    cells = {SUBJECT: patient.number, EVENT: name, EVENT_KEY: number}
    if GROUPS[f"IG.{group}"].repeating:
        same = [row for row in made.rows if row.subject == patient.number and row.cells[EVENT] == name]
        cells[KEY] = str(len(same) + 1)
    for item, text in texts.items():
        item, _, unit = item.partition(UNIT)
        cells[oid(f"IG.{group}", item) + (UNIT if _ else "")] = text
    return made.add(patient.number, cells, **tags)


def day(value: dt.date | dt.datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d}"


def moment(value: dt.datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%dT%H:%M:%S}"


def _inclusion(p: Parameters, rng: np.random.Generator, patient: Patient, tables: Tables) -> None:
    traits = patient.traits
    birth = patient.inclusion - dt.timedelta(days=traits.age_days)
    names, surnames = p.words["names"], p.words["surnames"]
    initials = names[int(rng.integers(len(names)))][0] + surnames[int(rng.integers(len(surnames)))][0]
    texts = {
        "ICDT": day(patient.consent),
        "INCLDT": day(patient.inclusion),
        "BRTHDT": day(birth),
        "INITIALS": initials.replace("É", "E"),
        "SEX": "1" if traits.sex == "M" else "2",
    }
    _add(tables, "DM", patient, "SE.INCLUSION", texts, date=patient.inclusion)
    found = patient.diagnosis
    texts = {
        "DT": day(patient.inclusion - dt.timedelta(days=int(rng.integers(0, 6)))),
        "GENE": "UNKNOWN" if traits.gene == "unknown" else traits.gene,
        "FAMHIST": YES[traits.family],
        "CNS": YES[traits.cns],
        "NK": {"absent": "0", "decreased": "1", "normal": "2", "": ""}[found["NK"]],
        **{item: YES[found[item]] for item in ("HEMOPHAG", "HLADR", "IMMSUP", "PRIORTRT")},
    }
    _add(tables, "DX", patient, "SE.INCLUSION", texts, date=patient.inclusion)


def _visits(p: Parameters, rng: np.random.Generator, patient: Patient, tables: Tables) -> None:
    for group, items, spec in (("LB", LAB_ITEMS, "BLOOD"), ("VS", SIGNS, ""), ("PE", ORGANS, ""), ("LP", FLUID, "CSF")):
        by_visit: dict[str, list[Finding]] = {}
        for finding in patient.findings:
            if finding.test in items and finding.spec == spec:
                by_visit.setdefault(finding.visit, []).append(finding)
        for visit, found in by_visit.items():
            if group == "LP" or any(f.measured for f in found):
                _visit(p, rng, patient, tables, group, visit, found, items)
    for visit, when, verdict in patient.evaluations:
        texts = {"DT": day(when), "RESP": {"CR": "1", "PR": "2", "NR": "3"}[verdict]}
        _add(tables, "RS", patient, f"SE.{visit}", texts, date=when)
    for pcr in patient.pcrs:
        below = f"<{p.number('virus_limit'):g}"
        load = "NEG" if pcr.load is None else below if pcr.below else f"{pcr.load:.0f}"
        texts = {"DT": day(pcr.when), "VIRUS": pcr.virus, "RESULT": load, "UNIT": "" if load == "NEG" else pcr.unit}
        texts |= {"QUAL": YES[pcr.load is not None], "ORGAN": YES[pcr.organ]}
        _add(tables, "MB", patient, f"SE.{pcr.visit}", texts, date=pcr.when)


def _visit(
    p: Parameters,
    rng: np.random.Generator,
    patient: Patient,
    tables: Tables,
    group: str,
    visit: str,
    found: list[Finding],
    items: dict[str, str],
) -> None:
    texts, null = {}, []
    for finding in found:
        name = items[finding.test]
        empty = rng.random() < p.number("raw_missing_word")
        if not finding.measured:
            null += [oid(f"IG.{group}", name)] if empty else []
            continue
        texts[name] = YES[finding.text] if finding.text else printed(finding)
        if finding.printed_unit:
            texts[name + UNIT] = UNIT_TEXT.get(finding.printed_unit, finding.printed_unit)
    done = any(finding.measured for finding in found)
    texts["DT"] = day(found[0].when) if done else ""
    if group == "LP":
        texts["DONE"] = YES[done]
    event = f"SE.{visit}" + ("/1" if visit == "UNSCHED" else "")
    _add(tables, group, patient, event, texts, date=found[0].when.date(), visit=visit, findings=found, null=null)


def printed(finding: Finding) -> str:
    """The result as entered, ``<0.5`` and ``>100000`` included."""
    sign = {"below": "<", "above": ">"}.get(finding.limit, "")
    return f"{sign}{finding.printed}"


def _exposure(p: Parameters, rng: np.random.Generator, patient: Patient, tables: Tables) -> None:
    for dose in patient.doses:
        texts = {"STDTM": moment(dose.start), "ENDTM": moment(dose.end), "DOSE": f"{dose.mg:g}", "FREQ": "BID"}
        _add(tables, "EX", patient, "SE.COMMON", {**texts, "DOSE" + UNIT: "mg"}, date=dose.end.date())


def _medication(p: Parameters, rng: np.random.Generator, patient: Patient, tables: Tables) -> None:
    for medication in sorted(patient.medications, key=lambda m: (m.start, m.category)):
        texts = {
            "CAT": MEDICATION[medication.category],
            "TRT": medication.name,
            "STDT": day(medication.start),
            "ENDT": day(medication.end),
            "ONGO": YES[medication.end is None],
        }
        tags = {"date": medication.start, "until": medication.end, "category": medication.category}
        _add(tables, "CM", patient, "SE.COMMON", texts, **tags)


def _graft(p: Parameters, rng: np.random.Generator, patient: Patient, tables: Tables) -> None:
    if patient.conditioning is None:
        return
    donors = ("Géno-identique", "Non apparenté 10/10", "Haplo-identique")
    texts = {
        "CONDDT": day(patient.conditioning),
        "REGIMEN": "Fludarabine-tréosulfan",
        "HSCTYN": YES[patient.hsct is not None],
        "HSCTDTM": moment(patient.hsct),
        "DONOR": donors[int(rng.integers(0, 3))],
    }
    when = patient.hsct.date() if patient.hsct else patient.conditioning
    _add(tables, "PR", patient, "SE.HSCT", texts, date=when, state=patient.state)


def _events(p: Parameters, rng: np.random.Generator, patient: Patient, tables: Tables) -> None:
    for number, event in enumerate(patient.events, start=1):
        texts = {
            "SPID": str(number),
            "TERM": event.term,
            "PT": event.pt,
            "SOC": event.soc,
            "STDT": day(event.start),
            "ENDT": day(event.end),
            "ONGO": YES[event.end is None],
            "GRADE": str(event.grade),
            "SER": YES[event.serious],
            "REL": YES[event.related],
            "OUT": OUTCOME[event.outcome],
        }
        _add(tables, "AE", patient, "SE.COMMON", texts, date=event.start, until=event.end, event=event)


def _samples(p: Parameters, rng: np.random.Generator, patient: Patient, tables: Tables) -> None:
    for sample in sorted(patient.samples, key=lambda s: (s.when, s.id)):
        texts = {
            "ID": sample.id,
            "TYPE": SAMPLE[sample.kind],
            "VISIT": f"SE.{sample.visit}",
            "DTM": moment(sample.when),
        }
        _add(tables, "SAMP", patient, "SE.COMMON", texts, date=sample.when.date(), sample=sample)


def _end(p: Parameters, rng: np.random.Generator, patient: Patient, tables: Tables) -> None:
    for number, (_, when) in enumerate(patient.follow_up, start=1):
        _add(tables, "FU", patient, f"SE.FU/{number}", {"DT": day(when), "STATUS": "1"}, date=when)
    texts = {
        "STATUS": "2" if patient.death else "3" if patient.lost else "1",
        "LASTDT": day(patient.last_alive),
        "DTHDT": day(patient.death),
        "DTHTM": f"{patient.death:%H:%M:%S}" if patient.death else "",
        "CAUSE": patient.cause or "",
    }
    last = patient.ends().date()
    _add(tables, "EOS", patient, "SE.END", texts, date=last)


assert set(LAB_ITEMS) == set(LABS)
assert {name for forms in FORMS.values() for name in forms.split()} == {group.removeprefix("IG.") for group in GROUPS}
