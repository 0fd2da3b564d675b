"""Truth tables: what is true of the simulated patients, written before any defect is planted. CSV, UTF-8."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from trialpipe.simulate import pk, response_truth
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Patient
from trialpipe.simulate.raw import Table

Rows = list[dict[str, object]]
STATES = ("reached", "alive", "dead", "lost")


def tables(p: Parameters, patients: list[Patient], raw_tables: Iterable[Table]) -> dict[str, Rows]:
    """Truth tables by file name without ``.csv``; `outcomes` counts what the others list."""
    sheets = list(raw_tables)
    horizon = int(p.number("horizon"))
    subjects = [subject(patient, horizon) for patient in patients]
    response = [row for patient in patients for row in response_truth.assess(patient)]
    return {
        "patients": subjects,
        "findings": [row for patient in patients for row in findings(patient)],
        "response": response,
        "response_rules": rules(),
        "ae": [row for patient in patients for row in _events(patient, horizon)],
        "doses": [row for patient in patients for row in _doses(patient)],
        "pk": _pk([sheet for sheet in sheets if sheet.path == pk.PATH]),
        "cytokines": _cytokines(p, [sheet for sheet in sheets if sheet.sheet]),
        "outcomes": _outcomes(subjects, response),
    }


def write(name: str, rows: Rows, folder: Path) -> None:
    """Write one truth table; None is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    (folder / f"{name}.csv").write_bytes(buffer.getvalue().encode("utf-8"))


def iso(value: object) -> str:
    """ISO date, or date and time to the minute."""
    if value is None:
        return ""
    return value.strftime("%Y-%m-%dT%H:%M") if hasattr(value, "hour") else value.isoformat()  # type: ignore[attr-defined]


def subject(patient: Patient, horizon: int) -> dict[str, object]:
    hsct = patient.day(patient.hsct) if patient.hsct else None
    death = patient.day(patient.death) if patient.death else None
    end = {
        "reached": hsct,
        "dead": death,
        "alive": horizon,
        "lost": patient.day(patient.ends()),
    }[patient.state]
    return {
        "subject": patient.number,
        "fate": patient.fate,
        "sex": patient.traits.sex,
        "age_years": patient.traits.age_days // 365,
        "neonate": "Y" if patient.traits.age_days < 28 else "N",
        "cns": "Y" if patient.traits.cns else "N",
        "consent": iso(patient.consent),
        "inclusion": iso(patient.inclusion),
        "first_dose": iso(patient.first_dose),
        "last_dose": iso(patient.doses[-1].start),
        "rescue": iso(patient.rescue),
        "conditioning": iso(patient.conditioning),
        "hsct": iso(patient.hsct),
        "death": iso(patient.death),
        "cause": patient.cause or "",
        "last_alive": iso(patient.last_alive),
        "lost": "Y" if patient.lost else "N",
        "state": patient.state,
        "success": int(patient.state in ("reached", "alive")),
        "state_day": end,
        "hsct_day": hsct,
        "death_day": death,
        "last_day": patient.day(patient.ends()),
    }


def findings(patient: Patient) -> Rows:
    return [
        {
            "subject": patient.number,
            "test": finding.test,
            "specimen": finding.spec,
            "visit": finding.visit,
            "datetime": iso(finding.when),
            "day": patient.day(finding.when),
            "measured": "yes" if finding.measured else "no",
            "value": "" if finding.value is None or not finding.measured else f"{finding.value:.10g}",
            "text": (finding.text or "") if finding.measured else "",
            "unit": finding.unit,
            "limit": finding.limit if finding.measured else "",
        }
        for finding in sorted(patient.findings, key=lambda f: (f.when, f.spec, f.test))
    ]


def _events(patient: Patient, horizon: int) -> Rows:
    stop = min(patient.day(patient.hsct) if patient.hsct else horizon, horizon)
    rows: Rows = []
    for number, event in enumerate(patient.events, start=1):
        rows.append(
            {
                "subject": patient.number,
                "number": number,
                "term": event.term,
                "pt": event.pt,
                "soc": event.soc,
                "onset": iso(event.start),
                "day": patient.day(event.start),
                "end": iso(event.end),
                "grade": event.grade,
                "serious": "Y" if event.serious else "N",
                "related": "Y" if event.related else "N",
                "outcome": event.outcome,
                "by_hsct_or_horizon": "Y" if 0 <= patient.day(event.start) <= stop else "N",
            }
        )
    return rows


def _doses(patient: Patient) -> Rows:
    return [
        {"subject": patient.number, "course": d.course, "start": iso(d.start), "end": iso(d.end), "mg": d.mg}
        for d in patient.doses
    ]


def _pk(sheets: list[Table]) -> Rows:
    rows: Rows = []
    for row in (row for sheet in sheets for row in sheet.rows):
        sample = row.tags["sample"]
        rows.append(
            {
                "subject": row.subject,
                "sample": sample.id,
                "visit": sample.visit,
                "datetime": iso(sample.when),
                "last_dose": iso(sample.last_dose),
                "measured": "yes" if row.tags["measured"] else "no",
                "limit": row.tags["limit"] if row.tags["measured"] else "",
                "value": _number(row.tags["value"]) if row.tags["measured"] else "",
                "unit": "ug/mL",
                "latent": f"{row.tags['latent']:.6g}",
            }
        )
    return rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _cytokines(p: Parameters, sheets: list[Table]) -> Rows:
    """One row per sample, analyte and plate: the two wells as printed, the plate's bounds, the true concentration."""
    rows: Rows = []
    for sheet in sheets:
        wells = [row for row in sheet.rows if row.tags["kind"] == "unknown"]
        for first, second in zip(wells[::2], wells[1::2], strict=True):
            texts = [row.cells["Obs Conc"] for row in (first, second)]
            plain = [float(text) for text in texts if text[0] not in "*O"]
            low, high = first.tags["bounds"]
            sample = first.tags["sample"]
            rows.append(
                {
                    "subject": first.subject,
                    "sample": sample.id,
                    "visit": sample.visit,
                    "datetime": iso(sample.when),
                    "analyte": first.tags["analyte"],
                    "file": sheet.path,
                    "sheet": sheet.sheet,
                    "well_1": texts[0],
                    "well_2": texts[1],
                    "both_in_range": "yes" if len(plain) == 2 else "no",
                    "mean": _number(sum(plain) / 2) if len(plain) == 2 else "",
                    "lloq": _number(low),
                    "uloq": _number(high),
                    "true": f"{first.tags['level']:.6g}",
                    "true_limit": _limit(first.tags["level"], low, high),
                    "unit": "pg/mL",
                }
            )
    return rows


def _limit(level: float, low: float, high: float) -> str:
    return "below" if level < low else "above" if level > high else "none"


def rules() -> Rows:
    listed = (("NI-0501-04", response_truth.NI_CR), ("HLH-2004", response_truth.HLH_CR), ("DEP", response_truth.DEP_CR))
    return [
        {"rule_set": name, "level": "CR", "item": item, "comparison": sign, "limit": limit}
        for name, rules in listed
        for item, sign, limit in rules
    ]


def _outcomes(subjects: list[dict[str, object]], response: Rows) -> Rows:
    n = len(subjects)
    rows: Rows = [{"outcome": "survival-to-hsct", "item": "n", "visit": "", "count": n, "of": n}]
    for state in STATES:
        count = sum(s["state"] == state for s in subjects)
        rows.append({"outcome": "survival-to-hsct", "item": state, "visit": "", "count": count, "of": n})
    success = sum(int(str(s["success"])) for s in subjects)
    rows.append({"outcome": "survival-to-hsct", "item": "success", "visit": "", "count": success, "of": n})
    levels = [(name, level) for name, own in response_truth.LEVELS.items() for level in own]
    for rule_set, level in levels:
        for visit in response_truth.WINDOWS:
            wanted: Mapping[str, str] = {"rule_set": rule_set, "level": level, "visit": visit, "reading": "carried"}
            met = [r for r in response if r["holds"] == "true" and all(r[k] == v for k, v in wanted.items())]
            rows.append(
                {"outcome": "response", "item": f"{rule_set} {level}", "visit": visit, "count": len(met), "of": n}
            )
    return rows
