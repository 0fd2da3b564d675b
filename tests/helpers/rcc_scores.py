"""Interferon scores from RCC archives with numpy, written apart from the pipeline after the guideline MAN-C0011.

Factors of a lane are the mean over the lanes of the geometric means over its own: first positive controls A to E, then
housekeeping genes. The limit of detection of a lane is mean + 2 SD of its negative controls, at least one count.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trialpipe.simulate.nanostring import GENES, HOUSEKEEPING, ISG6, ISG28, NEGATIVE

POSITIVE = ("POS_A(128)", "POS_B(32)", "POS_C(8)", "POS_D(2)", "POS_E(0.5)")
FMOL = (128, 32, 8, 2, 0.5)


@dataclass
class Lane:
    member: str
    sample: str
    order: tuple[str, str, int]
    fields: float
    density: float
    counts: dict[str, float]

    def values(self, names: Iterable[str]) -> np.ndarray:
        return np.array([self.counts[name] for name in names])

    @property
    def limit(self) -> float:
        negatives = self.values(NEGATIVE)
        return max(negatives.mean() + 2 * negatives.std(ddof=1), 1.0)


def read(folder: Path) -> list[Lane]:
    """Every lane of every archive of a folder."""
    lanes = []
    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            lanes += [_lane(name, archive.read(name).decode()) for name in sorted(archive.namelist())]
    return lanes


def _lane(member: str, text: str) -> Lane:
    parts = {tag: body.split() for tag, body in re.findall(r"<(\w+)>\s*(.*?)\s*</\1>", text, re.DOTALL)}
    told = {tag: dict(re.findall(r"^(\w+),(.*)$", "\n".join(lines), re.MULTILINE)) for tag, lines in parts.items()}
    sample, lane = told["Sample_Attributes"], told["Lane_Attributes"]
    lines = [line.split(",") for line in parts["Code_Summary"][1:]]
    order = (sample["Date"], lane["CartridgeID"], int(lane["ID"]))
    counts = {name: float(count) for _, name, _, count in lines}
    share = float(lane["FovCounted"]) / float(lane["FovCount"])
    return Lane(member, sample["ID"], order, share, float(lane["BindingDensity"]), counts)


def fails(lane: Lane) -> bool:
    """Imaging below 75 %, binding density outside 0.1 to 2.25, R2 of the positives below 0.95, POS_E not detected."""
    logs = np.log2(lane.values(POSITIVE))
    r2 = np.corrcoef(np.log2(FMOL), logs)[0, 1] ** 2
    negatives = lane.values(NEGATIVE)
    seen = lane.counts[POSITIVE[-1]] > negatives.mean() + 2 * negatives.std(ddof=1)
    return lane.fields < 0.75 or not 0.1 <= lane.density <= 2.25 or r2 < 0.95 or not seen


def normalised(lanes: list[Lane]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lowest and highest normalised count of every gene, by sample number; the last lane of a sample counts."""
    kept = [lane for lane in lanes if not fails(lane)]
    factors = np.ones(len(kept))
    for names, low, high in ((POSITIVE, 0.3, 3.0), (HOUSEKEEPING, 0.1, 10.0)):
        means = factors * np.array([np.exp(np.log(lane.values(names)).mean()) for lane in kept])
        factor = means.mean() / means
        assert ((factor >= low) & (factor <= high)).all()
        factors = factors * factor
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for lane, factor in sorted(zip(kept, factors, strict=True), key=lambda pair: pair[0].order):
        counts = lane.values(GENES)
        below = counts < lane.limit
        found[lane.sample] = factor * np.where(below, 0, counts), factor * np.where(below, lane.limit, counts)
    return found


def scores(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, dict[str, tuple[float, float] | None]]:
    """Lowest and highest score by sample and name; None where half of the controls and more say nothing of a gene."""
    genes = list(GENES)
    low = np.array([pair[0] for name, pair in sorted(found.items()) if name.startswith("CTRL-")])
    high = np.array([pair[1] for name, pair in sorted(found.items()) if name.startswith("CTRL-")])
    logs = np.log2(high)
    center, spread = logs.mean(axis=0), logs.std(axis=0, ddof=1)
    six, all28 = [genes.index(g) for g in ISG6], [genes.index(g) for g in ISG28]
    silent = ((low != high).mean(axis=0) > 0.5)[all28].any()
    made: dict[str, dict[str, tuple[float, float] | None]] = {}
    with np.errstate(divide="ignore"):
        for sample, (least, most) in found.items():
            folds = least / np.median(high, axis=0), most / np.median(low, axis=0)
            away = [(np.log2(ends) - center) / spread for ends in (least, most)]
            made[sample] = {
                "ISG6": (float(np.median(folds[0][six])), float(np.median(folds[1][six]))),
                "CXCL9FC": (float(folds[0][genes.index("CXCL9")]), float(folds[1][genes.index("CXCL9")])),
                "ISG28": None if silent else (float(away[0][all28].sum()), float(away[1][all28].sum())),
            }
    return made
