"""Multiplex plates of the biobank samples as MSD Discovery Workbench exports them: one file per plate, a row per spot.

A plate holds seven standards and a blank (``S``), three controls (``C``) and the unknowns, all in duplicate. Calc.
Concentration holds the dilution. Detection Range says whether a spot lies within the lowest and highest standard
(In, Below, Above Detection Range) or so far out that the curve gives no figure (Below, Above Fit Curve Range: NaN).
The last sample of a plate is repeated as first of the next one; what is on the later plate counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trialpipe.simulate.icu_patient import IcuPatient
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Sample
from trialpipe.simulate.raw import Row, Table
from trialpipe.simulate.rng import stream
from trialpipe.simulate.truth import Rows, iso

COLUMNS = (
    "Sample", "Assay", "Well", "Spot", "Fit Statistic: RSquared", "Detection Range", "Dilution", "Concentration",
    "Signal", "Adjusted Signal", "Mean", "Adj. Sig. Mean", "CV", "% Recovery", "% Recovery Mean", "Calc. Concentration",
    "Calc. Conc. Mean",
)  # fmt: skip
ASSAYS = {
    "IL2": "IL-2", "IL6": "IL-6", "IL10": "IL-10", "IL12P70": "IL-12p70", "GMCSF": "GM-CSF", "IFNG": "IFN-γ",
    "TNFA": "TNF-α",
}  # fmt: skip
STANDARDS, STEP, CONTROLS, BLANK, TOP = 7, 4, (0.02, 0.1, 0.5), 180.0, 1.4e6
IN, BELOW, ABOVE = "In Detection Range", "Below Detection Range", "Above Detection Range"
BELOW_FIT, ABOVE_FIT, NO_FIGURE = "Below Fit Curve Range", "Above Fit Curve Range", "NaN"
CALC, MEAN, RANGE = "Calc. Concentration", "Calc. Conc. Mean", "Detection Range"
Taken = tuple[IcuPatient, Sample]


@dataclass
class Plate(Table):
    """One plate; its name stands on the first line of the file, the header on the second."""

    number: int = 0
    name: str = ""


@dataclass(frozen=True)
class Pair:
    """Two wells with the same content. ``expected`` by analyte: nominal concentration of a standard or control."""

    name: str
    kind: str
    wells: tuple[str, str]
    taken: Taken | None = None
    expected: dict[str, float] = field(default_factory=dict)


def printed(value: float) -> str:
    """Ten significant figures, as the program prints."""
    return f"{value:.10g}"


def bounds(p: Parameters, analyte: str) -> tuple[float, float]:
    """Lowest and highest standard, undiluted."""
    top = p.numbers(f"cyt_{analyte}")[3]
    return float(printed(top / STEP ** (STANDARDS - 1))), top


def level(p: Parameters, seed: int, patient: IcuPatient, sample: Sample, analyte: str) -> float:
    """Concentration in the patient's plasma, pg/mL."""
    base, slope, sd, _ = p.numbers(f"cyt_{analyte}")
    between = stream(seed, "cytokine", patient.traits.index, analyte).normal()
    within = stream(seed, "cytokine", sample.id, analyte).normal()
    active = patient.activity(patient.day(sample.when))
    return base * float(np.exp(slope * active + sd * (0.8 * between + 0.6 * within)))


def plates(p: Parameters, seed: int, patients: list[IcuPatient]) -> list[Plate]:
    """All plates in their order."""
    order = sorted(((s.when, s.id, patient, s) for patient in patients for s in patient.samples), key=lambda x: x[:2])
    samples = [(patient, sample) for _, _, patient, sample in order]
    size = int(p.number("cyt_per_plate"))
    found = []
    for number, start in enumerate(range(0, len(samples), size), start=1):
        found.append(_plate(p, seed, number, samples[max(start - 1, 0) : start + size]))
    last: dict[str, int] = {}
    for plate in found:
        last.update({row.cells["Sample"]: plate.number for row in plate.rows})
    for plate in found:
        for row in plate.rows:
            row.tags["last"] = last[row.cells["Sample"]] == plate.number
    return found


def _plate(p: Parameters, seed: int, number: int, samples: list[Taken]) -> Plate:
    plate = Plate(p.words["msd_folder"][0] + f"/plate_{number}.csv", COLUMNS, [], None, 3)
    plate.number, plate.name = number, f"Plate_2BO40AW{280 + number}"
    for pair in _layout(p, samples):
        for spot, analyte in enumerate(ASSAYS, start=1):
            _spots(p, seed, plate, pair, spot, analyte)
    return plate


def _layout(p: Parameters, samples: list[Taken]) -> list[Pair]:
    def wells(rank: int) -> tuple[str, str]:
        letter, column = "ABCDEFGH"[rank % 8], 2 * (rank // 8)
        return f"{letter}{column + 1:02d}", f"{letter}{column + 2:02d}"

    pairs = []
    for k in range(STANDARDS + 1):
        expected = {a: 0.0 if k == STANDARDS else float(printed(bounds(p, a)[1] / STEP**k)) for a in ASSAYS}
        pairs.append(Pair(f"S{k + 1:03d}", "standard", wells(k), None, expected))
    for k, share in enumerate(CONTROLS, start=1):
        expected = {a: float(f"{share * bounds(p, a)[1]:.3g}") for a in ASSAYS}
        pairs.append(Pair(f"C{k:03d}", "control", wells(STANDARDS + k), None, expected))
    first = STANDARDS + 1 + len(CONTROLS)
    return pairs + [Pair(t[1].id, "unknown", wells(first + k), t) for k, t in enumerate(samples)]


def _spots(p: Parameters, seed: int, plate: Plate, pair: Pair, spot: int, analyte: str) -> None:
    """The two rows of an analyte in a pair of wells."""
    rng = stream(seed, "msd", plate.number, pair.name, analyte)
    low, high = bounds(p, analyte)
    dilution = p.number("cyt_dilution") if pair.taken else 1.0
    true = level(p, seed, *pair.taken, analyte) / dilution if pair.taken else pair.expected[analyte]
    common = float(np.exp(rng.normal() * p.number("cyt_recovery"))) if pair.kind == "control" else 1.0
    values = [true * common * float(np.exp(rng.normal() * p.number("cyt_cv"))) for _ in range(2)]
    signals = [round(BLANK * float(np.exp(rng.normal() * 0.05)) + _signal(value, low, high)) for value in values]
    words = [_word(value, low, high) for value in values]
    texts = [NO_FIGURE if "Fit" in w else printed(v * dilution) for w, v in zip(words, values, strict=True)]
    fit = stream(seed, "msd", plate.number, "fit", analyte).uniform(0.9955, 0.9998)
    mean, sd = sum(signals) / 2, abs(signals[0] - signals[1]) / 2**0.5
    for well, signal, word, text in zip(pair.wells, signals, words, texts, strict=True):
        cells = {
            "Sample": pair.name, "Assay": ASSAYS[analyte], "Well": well, "Spot": str(spot),
            "Fit Statistic: RSquared": f"{fit:.10f}", RANGE: word, "Dilution": f"{dilution:g}" if pair.taken else "",
            "Signal": str(signal), "Adjusted Signal": str(signal), "Mean": printed(mean),
            "Adj. Sig. Mean": printed(mean), "CV": printed(100 * sd / mean), CALC: text, MEAN: average(texts),
        }  # fmt: skip
        if pair.taken is None:
            cells |= {
                "Concentration": printed(pair.expected[analyte]),
                **_recovery(texts, text, pair.expected[analyte]),
            }
        subject = pair.taken[0].number if pair.taken else ""
        plate.add(subject, cells, kind=pair.kind, taken=pair.taken, analyte=analyte, last=False)


def _recovery(texts: list[str], own: str, expected: float) -> dict[str, str]:
    def share(text: str) -> str:
        return NO_FIGURE if text == NO_FIGURE or not expected else printed(100 * float(text) / expected)

    return {"% Recovery": share(own), "% Recovery Mean": share(average(texts))}


def _signal(value: float, low: float, high: float) -> float:
    """Four-parameter logistic forward."""
    middle = high * 3
    return TOP / (1 + (middle / max(value, low * 1e-4)) ** 1.02)


def _word(value: float, low: float, high: float) -> str:
    if value < low:
        return BELOW if value > 0.3 * low else BELOW_FIT
    if value > high:
        return ABOVE if value < 1.5 * high else ABOVE_FIT
    return IN


def average(texts: list[str]) -> str:
    """Mean of two figures; NaN if there are not two."""
    return NO_FIGURE if NO_FIGURE in texts else printed(sum(float(text) for text in texts) / 2)


def pairs(plate: Plate) -> list[tuple[Row, Row]]:
    """The two spots of every unknown and analyte."""
    unknown = [row for row in plate.rows if row.tags["kind"] == "unknown"]
    return list(zip(unknown[::2], unknown[1::2], strict=True))


def truth(p: Parameters, seed: int, tables: list[Plate]) -> Rows:
    """One row per sample, analyte and plate, in file order.

    ``result``: mean of both wells, or the bound if one of them is outside the detection range (``cens`` left, right).
    """
    rows: Rows = []
    for plate in tables:
        for first, second in pairs(plate):
            patient, sample = first.tags["taken"]
            analyte = first.tags["analyte"]
            low, high = (p.number("cyt_dilution") * bound for bound in bounds(p, analyte))
            words = [row.cells[RANGE] for row in (first, second)]
            below, above = (any(side in word for word in words) for side in ("Below", "Above"))
            cens = "left" if below else "right" if above else "none"
            value = {"left": low, "right": high}.get(cens) or sum(float(r.cells[CALC]) for r in (first, second)) / 2
            true = level(p, seed, patient, sample, analyte)
            rows.append(
                {
                    "subject": patient.number,
                    "sample": sample.id,
                    "visit": sample.visit,
                    "datetime": iso(sample.when),
                    "analyte": analyte,
                    "file": plate.path,
                    "plate": plate.number,
                    "last": "yes" if first.tags["last"] else "no",
                    "well_1": first.cells[CALC],
                    "well_2": second.cells[CALC],
                    "range_1": words[0],
                    "range_2": words[1],
                    "result": printed(value),
                    "cens": cens,
                    "lloq": printed(low),
                    "uloq": printed(high),
                    "true": f"{true:.6g}",
                    "true_limit": "below" if true < low else "above" if true > high else "none",
                    "unit": "pg/mL",
                }
            )
    return rows
