"""The e-CRF export of primary HLH trials: a table per form, French headings, still without defects."""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate import raw
from trialpipe.simulate.measures import CSF, LABS
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Finding, Patient
from trialpipe.simulate.raw import Table
from trialpipe.simulate.rng import stream

LAB_ITEMS = {
    "HGB": "HB", "PLAT": "PLQ", "WBC": "GB", "NEUT": "PNN", "FERRITIN": "FERRITINE", "TRIG": "TG", "FIBRINO": "FIBRINO",
    "CD25S": "CD25S", "DDIMER": "DDIMERES", "ALT": "ALAT", "AST": "ASAT", "BILI": "BILI", "CREAT": "CREAT",
}  # fmt: skip
WITH_UNIT = ("HGB", "PLAT", "WBC", "NEUT", "FERRITIN", "TRIG", "FIBRINO", "CD25S", "DDIMER")
CSF_ITEMS = {"WBC": "LCR_CELLULES", "PROT": "LCR_PROTEINES", "NEOPT": "LCR_NEOPTERINE"}
CLINIC_ITEMS = {
    "TEMP": "TEMPERATURE", "WEIGHT": "POIDS", "HEIGHT": "TAILLE", "SPLENO": "RATE_PALPABLE", "SPLEEN": "RATE_CM",
    "HEPATO": "FOIE_PALPABLE", "LIVER": "FOIE_CM", "CNS": "SIGNES_NEURO",
}  # fmt: skip
COLUMNS = {
    "INCLUSION": "NUMINC CENTRE NOM PRENOM DDN NIR IPP TEL SEXE DATE_CONSENTEMENT DATE_INCLUSION COMMENTAIRE",
    "DIAGNOSTIC": "NUMINC DATE_DIAGNOSTIC GENE ANTECEDENT_FAMILIAL ATTEINTE_SNC HEMOPHAGOCYTOSE ACTIVITE_NK",
    "BIOLOGIE": "NUMINC VISITE DATE_PRELEVEMENT "
    + " ".join(f"{item} {item}_UNITE" if test in WITH_UNIT else item for test, item in LAB_ITEMS.items()),
    "CLINIQUE": "NUMINC VISITE DATE_EXAMEN " + " ".join(CLINIC_ITEMS.values()) + " COMMENTAIRE",
    "TRAITEMENT": "NUMINC CURE DATE_PERFUSION HEURE_DEBUT HEURE_FIN DATE_FIN DOSE_MG POIDS_KG",
    "CONCOMITANT": "NUMINC CATEGORIE MEDICAMENT DATE_DEBUT DATE_FIN EN_COURS DOSE COMMENTAIRE",
    "PONCTION_LOMBAIRE": "NUMINC VISITE DATE_PL PL_FAITE LCR_CELLULES LCR_PROTEINES LCR_NEOPTERINE",
    "GREFFE": "NUMINC DATE_CONDITIONNEMENT REGIME GREFFE_FAITE DATE_GREFFE HEURE_GREFFE DONNEUR SOURCE_CSH",
    "EVENEMENTS_IND": "NUMINC NUM_EI TERME TERME_PT SOC DATE_DEBUT DATE_FIN EN_COURS GRADE GRAVE IMPUTABILITE "
    "EVOLUTION COMMENTAIRE",
    "EVALUATION": "NUMINC VISITE DATE_EVALUATION REPONSE",
    "SUIVI": "NUMINC VISITE DATE_SUIVI STATUT",
    "FIN_ETUDE": "NUMINC DATE_DERNIERES_NOUVELLES STATUT DATE_DECES HEURE_DECES CAUSE_DECES COMMENTAIRE",
    "SEQUELLES": "NUMINC VISITE DATE_VISITE SEQUELLES_NEURO DETAIL",
    "PRELEVEMENTS": "REF_ECHANTILLON NUMINC TYPE VISITE DATE_PRELEVEMENT HEURE_PRELEVEMENT MATRICE",
}
YES_NO = {"Y": "Oui", "N": "Non", True: "Oui", False: "Non"}
MEDICATION = {
    "steroid": "Corticoïdes", "ciclosporin": "Ciclosporine", "rescue": "2e ligne", "red_cells": "Transfusion CGR",
    "platelets": "Transfusion plaquettes", "gcsf": "G-CSF",
}  # fmt: skip
OUTCOME = {"recovered": "Résolu", "ongoing": "En cours", "fatal": "Fatal"}
RESPONSE = {"CR": "RC", "PR": "RP", "NR": "Absence de réponse"}
BLANKS = ("NSP", "non fait", "NF", "hémolysé")


def forms(p: Parameters, seed: int, patients: list[Patient]) -> dict[str, Table]:
    """All forms, rows by patient in order of inclusion, then by date as entered."""
    tables = {name: Table(f"ecrf/{name}.csv", tuple(columns.split())) for name, columns in COLUMNS.items()}
    for patient in patients:
        rng = stream(seed, "forms", patient.traits.index)
        for fill in (_inclusion, _laboratory, _clinic, _treatment, _puncture, _graft, _events, _end, _sequelae):
            fill(p, rng, patient, tables)
    return tables


def _inclusion(p: Parameters, rng: np.random.Generator, patient: Patient, tables: dict[str, Table]) -> None:
    traits = patient.traits
    birth = patient.inclusion - dt.timedelta(days=traits.age_days)
    names, surnames = p.words["names"], p.words["surnames"]
    cells = {
        "NUMINC": patient.number,
        "CENTRE": f"{traits.site:02d}",
        "NOM": surnames[int(rng.integers(len(surnames)))],
        "PRENOM": names[int(rng.integers(len(names)))],
        "DDN": raw.date(birth),
        "NIR": nir(traits.sex, birth, int(rng.integers(1, 999))),
        "IPP": f"80{int(rng.integers(10**7, 10**8))}",
        "TEL": phone(rng),
        "SEXE": traits.sex,
        "DATE_CONSENTEMENT": raw.date(patient.consent),
        "DATE_INCLUSION": raw.date(patient.inclusion),
    }
    tables["INCLUSION"].add(patient.number, cells, birth=birth, names=cells["NOM"])
    cells = {
        "NUMINC": patient.number,
        "DATE_DIAGNOSTIC": raw.date(patient.inclusion - dt.timedelta(days=int(rng.integers(0, 6)))),
        "GENE": "En attente" if traits.gene == "unknown" else traits.gene,
        "ANTECEDENT_FAMILIAL": YES_NO[traits.family],
        "ATTEINTE_SNC": YES_NO[traits.cns],
        "HEMOPHAGOCYTOSE": ("Oui", "Oui", "Non", "NSP")[int(rng.integers(0, 4))],
        "ACTIVITE_NK": ("Absente", "Diminuée", "Diminuée", "non fait")[int(rng.integers(0, 4))],
    }
    tables["DIAGNOSTIC"].add(patient.number, cells)


def nir(sex: str, birth: dt.date, order: int) -> str:
    """A NIR with a valid key that nobody has: department and commune 99 999 do not exist."""
    digits = f"{1 if sex == 'M' else 2}{birth:%y%m}99999{order:03d}"
    return f"{digits}{97 - int(digits) % 97:02d}"


def phone(rng: np.random.Generator) -> str:
    """From the range 06 39 98 that the French numbering plan keeps for fiction."""
    last = int(rng.integers(0, 10000))
    return f"06 39 98 {last // 100:02d} {last % 100:02d}"


def _groups(patient: Patient, tests: dict[str, str], spec: str) -> list[list[Finding]]:
    """Findings of a form by visit, in order."""
    found: dict[str, list[Finding]] = {}
    for finding in patient.findings:
        if finding.test in tests and finding.spec == spec:
            found.setdefault(finding.visit, []).append(finding)
    return list(found.values())


def _laboratory(p: Parameters, rng: np.random.Generator, patient: Patient, tables: dict[str, Table]) -> None:
    for group in _groups(patient, LAB_ITEMS, "BLOOD"):
        cells = {}
        for finding in group:
            item = LAB_ITEMS[finding.test]
            blank = rng.random() < p.number("raw_missing_word")
            word = BLANKS[int(rng.integers(0, len(BLANKS)))]
            cells[item] = printed(finding) if finding.measured else word if blank else ""
            if finding.test in WITH_UNIT and finding.measured:
                cells[f"{item}_UNITE"] = finding.printed_unit
        if any(finding.measured for finding in group):
            _visit(tables["BIOLOGIE"], patient, group, "DATE_PRELEVEMENT", cells)


def printed(finding: Finding) -> str:
    """The result as a French form shows it, ``<0,5`` and ``> 100 000`` included."""
    text = raw.number(str(finding.printed))
    return f"<{text}" if finding.limit == "below" else f"> {text}" if finding.limit == "above" else text


def _visit(table: Table, patient: Patient, group: list[Finding], item: str, cells: dict[str, str]) -> None:
    when = group[0].when
    head = {"NUMINC": patient.number, "VISITE": group[0].visit, item: raw.date(when)}
    table.add(patient.number, {**head, **cells}, visit=group[0].visit, date=when.date(), findings=group)


def _clinic(p: Parameters, rng: np.random.Generator, patient: Patient, tables: dict[str, Table]) -> None:
    for group in _groups(patient, CLINIC_ITEMS, ""):
        cells = {}
        for finding in group:
            blank = rng.random() < p.number("raw_missing_word")
            shown = YES_NO[finding.text] if finding.text else printed(finding)
            word = "NSP" if finding.text else "non fait"
            cells[CLINIC_ITEMS[finding.test]] = shown if finding.measured else word if blank else ""
        if any(finding.measured for finding in group):
            _visit(tables["CLINIQUE"], patient, group, "DATE_EXAMEN", cells)


def _treatment(p: Parameters, rng: np.random.Generator, patient: Patient, tables: dict[str, Table]) -> None:
    for dose in patient.doses:
        cells = {
            "NUMINC": patient.number,
            "CURE": str(dose.course),
            "DATE_PERFUSION": raw.date(dose.start),
            "HEURE_DEBUT": raw.clock(dose.start),
            "HEURE_FIN": raw.clock(dose.end),
            "DATE_FIN": raw.date(dose.end),
            "DOSE_MG": raw.number(f"{dose.mg:.2f}"),
            "POIDS_KG": raw.number(f"{patient.traits.weight:.1f}"),
        }
        tables["TRAITEMENT"].add(patient.number, cells, date=dose.start.date())
    for medication in sorted(patient.medications, key=lambda m: (m.start, m.category)):
        cells = {
            "NUMINC": patient.number,
            "CATEGORIE": MEDICATION[medication.category],
            "MEDICAMENT": medication.name,
            "DATE_DEBUT": raw.date(medication.start),
            "DATE_FIN": raw.date(medication.end),
            "EN_COURS": YES_NO[medication.end is None],
            "DOSE": medication.dose,
        }
        tables["CONCOMITANT"].add(patient.number, cells, date=medication.start, category=medication.category)


def _puncture(p: Parameters, rng: np.random.Generator, patient: Patient, tables: dict[str, Table]) -> None:
    for group in _groups(patient, dict.fromkeys(CSF, ""), "CSF"):
        done = group[0].measured
        cells = {CSF_ITEMS[f.test]: printed(f) for f in group if done}
        cells |= {
            "NUMINC": patient.number,
            "VISITE": group[0].visit,
            "DATE_PL": raw.date(group[0].when) if done else "",
            "PL_FAITE": YES_NO[done],
        }
        tables["PONCTION_LOMBAIRE"].add(patient.number, cells, date=group[0].when.date(), done=done)
    for visit, when, verdict in patient.evaluations:
        cells = {"NUMINC": patient.number, "VISITE": visit, "DATE_EVALUATION": raw.date(when)}
        cells["REPONSE"] = RESPONSE[verdict]
        tables["EVALUATION"].add(patient.number, cells, date=when)


def _graft(p: Parameters, rng: np.random.Generator, patient: Patient, tables: dict[str, Table]) -> None:
    if patient.conditioning is None:
        return
    done = patient.hsct is not None
    donors = ("Géno-identique", "Non apparenté 10/10", "Haplo-identique")
    cells = {
        "NUMINC": patient.number,
        "DATE_CONDITIONNEMENT": raw.date(patient.conditioning),
        "REGIME": "Fludarabine-melphalan",
        "GREFFE_FAITE": YES_NO[done],
        "DATE_GREFFE": raw.date(patient.hsct),
        "HEURE_GREFFE": raw.clock(patient.hsct),
        "DONNEUR": donors[int(rng.integers(0, 3))],
        "SOURCE_CSH": ("Moelle", "CSP")[int(rng.integers(0, 2))] if done else "",
    }
    tables["GREFFE"].add(patient.number, cells, state=patient.state)


def _events(p: Parameters, rng: np.random.Generator, patient: Patient, tables: dict[str, Table]) -> None:
    for number, event in enumerate(patient.events, start=1):
        cells = {
            "NUMINC": patient.number,
            "NUM_EI": str(number),
            "TERME": event.term,
            "TERME_PT": event.pt,
            "SOC": event.soc,
            "DATE_DEBUT": raw.date(event.start),
            "DATE_FIN": raw.date(event.end),
            "EN_COURS": YES_NO[event.end is None],
            "GRADE": str(event.grade),
            "GRAVE": YES_NO[event.serious],
            "IMPUTABILITE": "Lié" if event.related else "Non lié",
            "EVOLUTION": OUTCOME[event.outcome],
        }
        tables["EVENEMENTS_IND"].add(patient.number, cells, event=event, date=event.start)


def _end(p: Parameters, rng: np.random.Generator, patient: Patient, tables: dict[str, Table]) -> None:
    for visit, when in patient.follow_up:
        cells = {"NUMINC": patient.number, "VISITE": visit, "DATE_SUIVI": raw.date(when), "STATUT": "Vivant"}
        tables["SUIVI"].add(patient.number, cells, date=when)
    cells = {
        "NUMINC": patient.number,
        "DATE_DERNIERES_NOUVELLES": raw.date(patient.last_alive),
        "STATUT": "Décédé" if patient.death else "Perdu de vue" if patient.lost else "Vivant",
        "DATE_DECES": raw.date(patient.death),
        "HEURE_DECES": raw.clock(patient.death),
        "CAUSE_DECES": patient.cause or "",
    }
    tables["FIN_ETUDE"].add(patient.number, cells, patient=patient)
    for sample in sorted(patient.samples, key=lambda s: (s.when, s.id)):
        cells = {
            "REF_ECHANTILLON": sample.id,
            "NUMINC": patient.number,
            "TYPE": "Biobanque" if sample.kind == "biobank" else "PK",
            "VISITE": sample.visit,
            "DATE_PRELEVEMENT": raw.date(sample.when),
            "HEURE_PRELEVEMENT": raw.clock(sample.when),
            "MATRICE": "Plasma EDTA" if sample.kind == "biobank" else "Sérum",
        }
        tables["PRELEVEMENTS"].add(patient.number, cells, sample=sample)


def _sequelae(p: Parameters, rng: np.random.Generator, patient: Patient, tables: dict[str, Table]) -> None:
    for sequelae in (f for f in patient.findings if f.test == "NEUROSEQ" and f.measured):
        cells = {
            "NUMINC": patient.number,
            "VISITE": sequelae.visit,
            "DATE_VISITE": raw.date(sequelae.when),
            "SEQUELLES_NEURO": YES_NO[sequelae.text or "N"],
            "DETAIL": "Retard psychomoteur" if sequelae.text == "Y" else "",
        }
        tables["SEQUELLES"].add(patient.number, cells, date=sequelae.when.date())


assert set(LAB_ITEMS) == set(LABS)
