"""Result files of the laboratory that measures an oral drug: plasma and cerebrospinal fluid, one row per sample."""

from __future__ import annotations

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Patient, Sample
from trialpipe.simulate.raw import Table
from trialpipe.simulate.rng import stream

SAMPLE, SUBJECT, VISIT, TAKEN, LAST_DOSE = (
    "Sample ID", "Subject", "Visit", "Collection date/time", "Last dose date/time",
)  # fmt: skip
RESULT, UNIT, COMMENT = "Result", "Unit", "Comment"
COLUMNS = (
    "Study", SUBJECT, SAMPLE, "Matrix", "Analyte", VISIT, "Nominal time (h)", TAKEN, LAST_DOSE, "Last dose (mg)",
    RESULT, UNIT, "LLOQ", "ULOQ", "Dilution", "Run ID", COMMENT,
)  # fmt: skip
# kind of sample: file of ``words.pk_files``, matrix, prefix of its runs
KINDS = {"pk": (0, "Plasma", "P"), "pkcsf": (1, "CSF", "C")}
VISITS = {"CONDM8": "D-8"}
PER_RUN = 45
NO_RESULT = (("NR", "sample not received"), ("QNS", "volume insufficient"))
MOMENT = "%Y-%m-%d %H:%M"


def results(p: Parameters, seed: int, patients: list[Patient]) -> dict[str, Table]:
    """A table per kind of sample, rows in the order of patients. Tags carry the truth of a row."""
    tables = {}
    for kind, (number, _, _) in KINDS.items():
        tables[kind] = Table(p.words["pk_files"][number], COLUMNS)
        for patient in patients:
            for sample in sorted(patient.samples, key=lambda s: (s.when, s.id)):
                if sample.kind == kind:
                    _add(p, seed, tables[kind], patient, sample)
    return tables


def _add(p: Parameters, seed: int, table: Table, patient: Patient, sample: Sample) -> None:
    rng = stream(seed, "pk result", sample.id)
    _, matrix, prefix = KINDS[sample.kind]
    run = len(table.rows) // PER_RUN + 1
    molar = sample.kind == "pk" and run == int(p.number("pk_molar_run"))
    factor, unit = (p.number("pk_molar"), "nM") if molar else (1.0, "ng/mL")
    lloq, uloq = (round(p.number(name) * factor, 3) for name in ("pk_lloq", "pk_uloq"))
    value = patient.pk[sample.id] * factor
    shown = f"{value:.3g}" if value < 100 else f"{value:.1f}"
    limit = "below" if float(shown) < lloq else "above" if float(shown) > uloq else "none"
    word = "BLQ" if rng.random() < 0.6 else f"<{lloq:g}"
    text, comment = {"below": word, "above": f">{uloq:g}"}.get(limit, shown), ""
    measured = rng.random() >= 0.03
    if not measured:
        text, comment = NO_RESULT[int(rng.integers(0, 2))]
    last_mg = next((mg for when, mg in patient.intakes if when == sample.last_dose), None)
    cells = {
        "Study": p.words["study"][2],
        SUBJECT: patient.number,
        SAMPLE: sample.id,
        "Matrix": matrix,
        "Analyte": p.words["drug"][0],
        VISIT: VISITS.get(sample.visit, sample.visit),
        "Nominal time (h)": _nominal(sample),
        TAKEN: f"{sample.when:{MOMENT}}",
        LAST_DOSE: f"{sample.last_dose:{MOMENT}}" if sample.last_dose else "",
        "Last dose (mg)": "" if last_mg is None else f"{last_mg:g}",
        RESULT: text,
        UNIT: unit,
        "LLOQ": f"{lloq:g}",
        "ULOQ": f"{uloq:g}",
        "Dilution": "1" if value < 200 * factor else "5",
        "Run ID": f"{prefix}{run:02d}",
        COMMENT: comment,
    }
    printed = None if limit != "none" else float(shown) * (p.number("pk_mass") if molar else 1.0)
    tags = {"sample": sample, "mg": last_mg, "value": printed, "limit": limit, "measured": measured}
    table.add(patient.number, cells, **tags, latent=patient.pk[sample.id], matrix=matrix)


def hours(sample: Sample) -> float | None:
    """Hours since the last dose."""
    return (sample.when - sample.last_dose).total_seconds() / 3600 if sample.last_dose else None


def _nominal(sample: Sample) -> str:
    since = hours(sample)
    if sample.kind == "pkcsf":
        return ""
    return "0" if since is None else "1.5" if since <= 3 else "12"


def truth(tables: dict[str, Table]) -> list[dict[str, object]]:
    """One row per sample received: printed value in ng/mL, limit, hours since the last dose, latent concentration."""
    rows: list[dict[str, object]] = []
    for table in tables.values():
        for row in table.rows:
            sample, value = row.tags["sample"], row.tags["value"]
            since = hours(sample)
            rows.append(
                {
                    "subject": row.subject,
                    "sample": sample.id,
                    "matrix": row.tags["matrix"],
                    "visit": sample.visit,
                    "datetime": f"{sample.when:%Y-%m-%dT%H:%M}",
                    "last_dose": f"{sample.last_dose:%Y-%m-%dT%H:%M}" if sample.last_dose else "",
                    "last_mg": "" if row.tags["mg"] is None else f"{row.tags['mg']:g}",
                    "hours": "" if since is None else f"{since:.6g}",
                    "measured": "yes" if row.tags["measured"] else "no",
                    "limit": row.tags["limit"] if row.tags["measured"] else "",
                    "value": f"{value:.10g}" if row.tags["measured"] and value is not None else "",
                    "unit": "ng/mL",
                    "latent": f"{row.tags['latent']:.6g}",
                }
            )
    return rows


def pairs(tables: dict[str, Table]) -> list[dict[str, object]]:
    """CSF samples with the nearest plasma sample of the patient, if any: minutes between them and printed ratio."""
    rows: list[dict[str, object]] = []
    for row in tables["pkcsf"].rows:
        sample = row.tags["sample"]
        others = [other for other in tables["pk"].rows if other.subject == row.subject]
        near = min(others, key=lambda o: (abs(o.tags["sample"].when - sample.when), o.tags["sample"].id), default=None)
        if near is None:
            continue
        apart = abs(near.tags["sample"].when - sample.when).total_seconds() / 60
        figures = [r.tags["value"] for r in (row, near) if r.tags["measured"] and r.tags["value"] is not None]
        ratio = f"{figures[0] / figures[1]:.6g}" if len(figures) == 2 else ""
        rows.append(
            {
                "subject": row.subject,
                "csf": sample.id,
                "plasma": near.tags["sample"].id,
                "minutes": f"{apart:.0f}",
                "within_1h": "Y" if apart <= 60 else "N",
                "csf_limit": row.tags["limit"] if row.tags["measured"] else "not measured",
                "plasma_limit": near.tags["limit"] if near.tags["measured"] else "not measured",
                "ratio": ratio,
            }
        )
    return rows
