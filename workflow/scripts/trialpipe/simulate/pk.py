"""Result file of the laboratory that measures the drug: one row per sample, French headings."""

from __future__ import annotations

from trialpipe.simulate import raw
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Patient, Sample
from trialpipe.simulate.raw import Table
from trialpipe.simulate.rng import stream

PATH = "pk/alemtuzumab.csv"
SAMPLE, SUBJECT, ANALYTE, CYCLE, DAY = "réf. échantillon", "N° patient", "analyte", "cure", "jour nominal"
TAKEN, LAST_DOSE = "date et heure de prélèvement", "date et heure de la dernière perfusion"
RESULT, UNIT, LOW, HIGH = "résultat", "unité", "LIQ", "LSQ"
DILUTION, RUN, COMMENT = "dilution", "série", "commentaire"
COLUMNS = (SAMPLE, SUBJECT, ANALYTE, CYCLE, DAY, TAKEN, LAST_DOSE, RESULT, UNIT, LOW, HIGH, DILUTION, RUN, COMMENT)
PER_RUN = 60
NANOGRAM_RUN = 3
NO_RESULT = (("NR", "échantillon non reçu"), ("QNS", "volume insuffisant"))


def results(p: Parameters, seed: int, patients: list[Patient]) -> Table:
    """All PK samples in the order of patients; one run is reported in ng/mL. Tags carry the truth of a row."""
    table = Table(PATH, COLUMNS)
    for patient in patients:
        for sample in patient.samples:
            if sample.kind == "pk":
                _add(p, seed, table, patient, sample)
    return table


def _add(p: Parameters, seed: int, table: Table, patient: Patient, sample: Sample) -> None:
    rng = stream(seed, "pk result", sample.id)
    run = len(table.rows) // PER_RUN + 1
    factor, decimals, unit = (1000.0, 0, "ng/mL") if run == NANOGRAM_RUN else (1.0, 3, "µg/mL")
    lloq, uloq = p.number("pk_lloq") * factor, p.number("pk_uloq") * factor
    value = patient.pk[sample.id] * factor
    shown = f"{value:.{decimals}f}"
    limit = "below" if value < lloq else "above" if value > uloq else "none"
    bound = {"below": f"<{raw.number(_plain(lloq))}", "above": f">{raw.number(_plain(uloq))}"}
    text, comment = bound.get(limit, raw.number(shown)), ""
    measured = rng.random() >= 0.03
    if not measured:
        text, comment = NO_RESULT[int(rng.integers(0, 2))]
    elapsed = 0 if sample.last_dose is None else patient.day(sample.last_dose)
    cells = {
        SAMPLE: sample.id,
        SUBJECT: patient.number,
        ANALYTE: "alemtuzumab",
        CYCLE: str(1 + (elapsed > 10) + (elapsed > 18)),
        DAY: sample.visit,
        TAKEN: raw.moment(sample.when),
        LAST_DOSE: raw.moment(sample.last_dose),
        RESULT: text,
        UNIT: unit,
        LOW: raw.number(_plain(lloq)),
        HIGH: raw.number(_plain(uloq)),
        DILUTION: "1" if value < 5 * factor else "4",
        RUN: f"S{run:02d}",
        COMMENT: comment,
    }
    printed = None if limit != "none" else round(float(shown) / factor, 6)
    latent = patient.pk[sample.id]
    table.add(patient.number, cells, sample=sample, value=printed, limit=limit, measured=measured, latent=latent)


def _plain(value: float) -> str:
    return f"{value:g}"
