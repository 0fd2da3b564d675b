"""Multiplex plates of the biobank samples: wells, standard curves and flags as the instrument program writes them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Patient, Sample
from trialpipe.simulate.raw import Table
from trialpipe.simulate.rng import stream

SHEETS = {
    "IFNG": "IFN-g (21)", "TNFA": "TNF-a (36)", "IL1B": "IL-1b (39)", "IL2": "IL-2 (38)", "IL6": "IL-6 (19)",
    "IL10": "IL-10 (56)", "IL18": "IL-18 (42)", "CXCL9": "MIG (14)",
}  # fmt: skip
COLUMNS = (
    "Type", "Well", "Outlier", "Description", "FI", "FI - Bkgd", "Std Dev", "%CV", "Obs Conc", "Exp Conc",
    "(Obs/Exp) * 100", "Conc in Range", "Dilution",
)  # fmt: skip
STANDARDS, BLANK_FI, TOP_FI, SLOPE = 8, 22.0, 27000.0, 0.95


@dataclass(frozen=True)
class Curve:
    """Standard curve of an analyte on a plate. ``low`` and ``high``: observed lowest and highest valid standard."""

    expected: tuple[float, ...]
    observed: tuple[tuple[float, float], ...]
    low: float
    high: float

    def signal(self, concentration: float) -> float:
        """Four-parameter logistic forward: fluorescence of an undiluted concentration."""
        middle = (self.expected[0] * self.expected[-1]) ** 0.5
        return BLANK_FI + (TOP_FI - BLANK_FI) / (1 + (middle / max(concentration, 1e-6)) ** SLOPE)


def plain(value: float) -> str:
    """The figure as a workbook cell reads: at most two decimals, none that is zero."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def plates(p: Parameters, seed: int, patients: list[Patient]) -> list[Table]:
    """A table per plate and analyte. The last sample of a plate is repeated as first of the next one."""
    samples = [(patient, s) for patient in patients for s in patient.samples if s.kind == "biobank"]
    size = int(p.number("cyt_per_plate"))
    tables = []
    for number, start in enumerate(range(0, len(samples), size), start=1):
        on_plate = samples[start : start + size]
        repeated = samples[start - 1 : start] if start else []
        for analyte in SHEETS:
            tables.append(_sheet(p, seed, number, analyte, [*repeated, *on_plate]))
    return tables


def truth_level(p: Parameters, seed: int, patient: Patient, sample: Sample, analyte: str) -> float:
    """Concentration in the patient's plasma, pg/mL."""
    base, slope, sd, _, _ = p.numbers(f"cyt_{analyte}")
    between = stream(seed, "cytokine", patient.traits.index, analyte).normal()
    within = stream(seed, "cytokine", sample.id, analyte).normal()
    level = patient.course.at("activity", patient.day(sample.when))
    return base * float(np.exp(slope * level + sd * (0.8 * between + 0.6 * within)))


def _curve(p: Parameters, rng: np.random.Generator, analyte: str) -> Curve:
    low, high = p.numbers(f"cyt_{analyte}")[3:]
    sd, excess = p.numbers("cyt_recovery")
    expected = tuple(float(v) for v in np.geomspace(high, low, STANDARDS))
    spread = [sd + excess * (k in (0, STANDARDS - 1)) for k in range(STANDARDS)]
    shifts = rng.normal(size=STANDARDS) * spread
    observed = []
    for value, shift in zip(expected, shifts, strict=True):
        twins = rng.normal(size=2) * 0.02
        first, second = (round(value * float(np.exp(shift + twin)), 2) for twin in twins)
        observed.append((first, second))
    means = [(a + b) / 2 for a, b in observed]
    valid = [mean for mean, value in zip(means, expected, strict=True) if 0.7 <= mean / value <= 1.3]
    return Curve(expected, tuple(observed), min(valid), max(valid))


def _sheet(p: Parameters, seed: int, number: int, analyte: str, samples: list[tuple[Patient, Sample]]) -> Table:
    rng = stream(seed, "plate", number, analyte)
    curve = _curve(p, rng, analyte)
    last = max(sample.when for _, sample in samples) + dt.timedelta(days=40)
    head = (
        ("File Name", f"plate_{number}.rbx"),
        ("Acquisition Date", f"{last:%Y-%m-%d} 14:{number:02d}"),
        ("Reader Serial Number", f"LX{10007 + number}"),
        ("Plate ID", f"P{number}"),
        ("User", "C. Roussel"),
        ("Units", "pg/mL"),
        ("Obs Conc", "dilution factor included"),
    )
    foot = ("Standards with recovery between 70-130% are valid",)
    table = Table(f"cytokines/plate_{number}.xlsx", COLUMNS, [], SHEETS[analyte], len(head) + 3, head, foot)
    wells = [f"{letter}{column}" for column in range(1, 13) for letter in "ABCDEFGH"]
    order = [f"{letter}{column}" for letter in "ABCDEFGH" for column in (1, 2)]
    _standards(table, rng, curve, order)
    _controls(table, rng, curve, wells[16:22])
    free = wells[22:]
    for k, (patient, sample) in enumerate(samples):
        level = truth_level(p, seed, patient, sample, analyte)
        _unknown(p, table, rng, curve, (f"X{k + 1}", free[2 * k : 2 * k + 2]), patient, sample, analyte, level)
    return table


def _row(curve: Curve, kind: str, well: str, description: str, signals: list[float], k: int) -> dict[str, str]:
    mean = sum(signals) / len(signals)
    sd = abs(signals[0] - signals[-1]) / 2**0.5
    return {
        "Type": kind,
        "Well": well,
        "Description": description,
        "FI": plain(signals[k]),
        "FI - Bkgd": plain(signals[k] - BLANK_FI),
        "Std Dev": plain(sd),
        "%CV": plain(100 * sd / mean),
    }


def _standards(table: Table, rng: np.random.Generator, curve: Curve, wells: list[str]) -> None:
    for level, (expected, twins) in enumerate(zip(curve.expected, curve.observed, strict=True)):
        signals = [curve.signal(value) for value in twins]
        for k in range(2):
            cells = _row(curve, f"S{level + 1}", wells[2 * level + k], "", signals, k)
            cells |= {
                "Obs Conc": plain(twins[k]),
                "Exp Conc": plain(expected),
                "(Obs/Exp) * 100": plain(100 * twins[k] / expected),
                "Conc in Range": plain(twins[k]),
                "Dilution": "1",
            }
            table.add("", cells, kind="standard")


def _controls(table: Table, rng: np.random.Generator, curve: Curve, wells: list[str]) -> None:
    for k in range(2):
        cells = _row(curve, "B", wells[k], "", [BLANK_FI + k, BLANK_FI - k], k)
        table.add("", {**cells, "Obs Conc": "OOR <", "Dilution": "1"}, kind="blank")
    for level, share in enumerate((0.25, 0.75), start=1):
        nominal = curve.expected[-1] ** (1 - share) * curve.expected[0] ** share
        twins = nominal * np.exp(rng.normal(size=2) * 0.06)
        signals = [curve.signal(float(value)) for value in twins]
        for k in range(2):
            cells = _row(curve, f"C{level}", wells[2 * level + k], f"Control {level}", signals, k)
            shown = plain(float(twins[k]))
            recovery = plain(100 * float(twins[k]) / nominal)
            extra = {"Obs Conc": shown, "Exp Conc": plain(nominal), "(Obs/Exp) * 100": recovery, "Conc in Range": shown}
            table.add("", {**cells, **extra, "Dilution": "1"}, kind="control")


def _unknown(
    p: Parameters,
    table: Table,
    rng: np.random.Generator,
    curve: Curve,
    place: tuple[str, list[str]],
    patient: Patient,
    sample: Sample,
    analyte: str,
    level: float,
) -> None:
    dilution = p.number("cyt_dilution")
    twins = level / dilution * np.exp(rng.normal(size=2) * p.number("cyt_cv"))
    signals = [curve.signal(float(value)) for value in twins]
    kind, wells = place
    for k in range(2):
        text = reported(curve, float(twins[k]), dilution)
        cells = _row(curve, kind, wells[k], sample.id, signals, k)
        inside = text if text[0] not in "*O" else "***"
        table.add(
            patient.number,
            {**cells, "Obs Conc": text, "Conc in Range": inside, "Dilution": plain(dilution)},
            kind="unknown",
            sample=sample,
            analyte=analyte,
            level=level,
            bounds=(curve.low * dilution, curve.high * dilution),
            replicate=k + 1,
        )


def reported(curve: Curve, value: float, dilution: float) -> str:
    """Obs Conc of a well: the figure, ``*`` before it when barely out of range, ``OOR <`` or ``OOR >`` beyond."""
    shown = plain(value * dilution)
    if value < curve.low:
        return f"*{shown}" if value >= 0.5 * curve.low and shown != "0" else "OOR <"
    if value > curve.high:
        return f"*{shown}" if value <= 1.5 * curve.high else "OOR >"
    return shown
