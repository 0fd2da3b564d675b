"""Gene expression of the RNA samples on nCounter cartridges: twelve lanes each, patients and healthy controls.

A lane's count is Poisson with extra gamma spread around gene level x RNA input x lane factor plus background; positive
controls follow the lane factor alone, negative controls are background. Interferon genes follow the patient's activity.
Each cartridge has two controls as long as ``rna_controls`` are not reached, one from then on; controls still missing
are run last on a cartridge of their own. The last sample of the first cartridge is repeated as first of the second one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Patient, Sample
from trialpipe.simulate.raw import Table
from trialpipe.simulate.rng import stream

Taken = tuple[Patient, Sample]
LANES = 12
COLUMNS = ("CodeClass", "Name", "Accession", "Count")
# name: reference sequence
GENES = {
    "CXCL10": "NM_001565", "CXCL9": "NM_002416", "DDX60": "NM_017631", "EPSTI1": "NM_033255", "GBP1": "NM_002053",
    "HERC5": "NM_016323", "HERC6": "NM_017912", "IFI27": "NM_005532", "IFI44": "NM_006417", "IFI44L": "NM_006820",
    "IFI6": "NM_002038", "IFIT1": "NM_001548", "IFIT2": "NM_001547", "IFIT3": "NM_001549", "IFIT5": "NM_012420",
    "ISG15": "NM_005101", "LAMP3": "NM_014398", "LY6E": "NM_002346", "MX1": "NM_002462", "OAS1": "NM_016816",
    "OAS2": "NM_016817", "OAS3": "NM_006187", "OASL": "NM_003733", "RSAD2": "NM_080657", "RTP4": "NM_022147",
    "SIGLEC1": "NM_023068", "SOCS1": "NM_003745", "SPATS2L": "NM_015535", "USP18": "NM_017414",
}  # fmt: skip
HOUSEKEEPING = {"ALAS1": "NM_000688", "HPRT1": "NM_000194", "TBP": "NM_003194", "TUBB": "NM_178014"}
POSITIVE = {
    "POS_A(128)": "ERCC_00117.1", "POS_B(32)": "ERCC_00112.1", "POS_C(8)": "ERCC_00002.1", "POS_D(2)": "ERCC_00092.1",
    "POS_E(0.5)": "ERCC_00035.1", "POS_F(0.125)": "ERCC_00034.1",
}  # fmt: skip
NEGATIVE = {
    "NEG_A": "ERCC_00096.1", "NEG_B": "ERCC_00041.1", "NEG_C": "ERCC_00019.1", "NEG_D": "ERCC_00076.1",
    "NEG_E": "ERCC_00098.1", "NEG_F": "ERCC_00126.1", "NEG_G": "ERCC_00144.1", "NEG_H": "ERCC_00154.1",
}  # fmt: skip
# scores whose true values are told
ISG6 = ("IFI27", "IFI44L", "IFIT1", "ISG15", "RSAD2", "SIGLEC1")
ISG28 = tuple(gene for gene in GENES if gene != "CXCL9")


@dataclass(frozen=True)
class Donor:
    """Whose RNA a lane holds: a patient's sample or a healthy control."""

    name: str
    taken: Taken | None


@dataclass
class Lane(Table):
    """One RCC file, member ``sheet`` of the archive ``path``; ``rows`` are its Code_Summary lines.

    ``sample`` and ``lane``: attributes as written, in order. An attribute is addressed at the first row's line under
    the name of its ingested item (`ADDRESS`).
    """

    sample: dict[str, str] = field(default_factory=dict)
    lane: dict[str, str] = field(default_factory=dict)
    donor: Donor = Donor("", None)
    cartridge: int = 0
    again: bool = False


# lane attribute: item of the ingested rows
ADDRESS = {"FovCounted": "FOV_COUNTED", "BindingDensity": "BINDING_DENSITY"}
HEADER = (("FileVersion", "1.7"), ("SoftwareVersion", "4.0.0.3"))


def lanes(p: Parameters, seed: int, patients: list[Patient]) -> list[Table]:
    """A table per lane, cartridge after cartridge."""
    taken = [(patient, s) for patient in patients for s in patient.samples if s.kind == "rna"]
    found: list[Table] = []
    last: dt.datetime | None = None
    seen: set[str] = set()
    for number, donors in enumerate(_cartridges(p, taken), start=1):
        times = [donor.taken[1].when for donor in donors if donor.taken]
        last = max([*times, *([last] if last else [])]) if times or last else dt.datetime(2000, 1, 1)
        day = (last + dt.timedelta(days=int(p.number("rna_delay")) + number % 2)).date()
        for rank, donor in enumerate(donors, start=1):
            found.append(_lane(p, seed, number, rank, donor, day, donor.name in seen))
        seen |= {donor.name for donor in donors}
    return found


def truth(p: Parameters, seed: int, patients: list[Patient], tables: list[Table]) -> list[dict[str, object]]:
    """One row per sample and item, controls included (subject and visit empty).

    ``item``: a gene (``value``: expected count in a lane of factor 1 and input 1) or a score of these true levels
    against all controls run: ISG6 and CXCL9FC (median of the fold changes over the controls' medians), ISG28 (sum of
    z-scores of log2 levels, SD with n - 1). ``lanes``: how often the sample was run.
    """
    runs: dict[str, int] = {}
    donors: dict[str, Donor] = {}
    for table in tables:
        if isinstance(table, Lane):
            donors[table.donor.name] = table.donor
            runs[table.donor.name] = runs.get(table.donor.name, 0) + 1
    levels = {name: {gene: level(p, seed, donor, gene) for gene in GENES} for name, donor in donors.items()}
    controls = [levels[name] for name, donor in donors.items() if donor.taken is None]
    rows: list[dict[str, object]] = []
    for name, donor in donors.items():
        patient, sample = donor.taken or (None, None)
        for item, value in {**levels[name], **_scores(levels[name], controls)}.items():
            rows.append(
                {
                    "subject": patient.number if patient else "",
                    "sample": name,
                    "visit": sample.visit if sample else "",
                    "datetime": f"{sample.when:%Y-%m-%dT%H:%M}" if sample else "",
                    "control": "no" if patient else "yes",
                    "lanes": runs[name],
                    "item": item,
                    "value": f"{value:.6g}",
                }
            )
    return rows


def level(p: Parameters, seed: int, donor: Donor, gene: str) -> float:
    """True level of a gene: expected count in a lane of factor 1 and input 1, background left out."""
    base, slope, sd = p.numbers(f"rna_{gene}")
    common_sd = p.numbers("rna_interferon")
    within = stream(seed, "rna", "sample", donor.name, gene).normal()
    if donor.taken is None:
        common = common_sd[1] * stream(seed, "rna", "interferon", donor.name).normal()
        between, activity = stream(seed, "rna", "person", donor.name, gene).normal(), 0.0
    else:
        patient, sample = donor.taken
        common = common_sd[0] * stream(seed, "rna", "interferon", patient.traits.index).normal()
        between = stream(seed, "rna", "person", patient.traits.index, gene).normal()
        activity = patient.course.at("activity", patient.day(sample.when))
    follows = common if slope else 0.0
    return base * float(np.exp(slope * activity + follows + sd * (0.8 * between + 0.6 * within)))


def _scores(own: dict[str, float], controls: list[dict[str, float]]) -> dict[str, float]:
    folds = {gene: own[gene] / float(np.median([c[gene] for c in controls])) for gene in (*ISG6, "CXCL9")}
    logs = {gene: np.log2([c[gene] for c in controls]) for gene in ISG28}
    away = [float((np.log2(own[gene]) - logs[gene].mean()) / logs[gene].std(ddof=1)) for gene in ISG28]
    return {"ISG6": float(np.median([folds[gene] for gene in ISG6])), "ISG28": sum(away), "CXCL9FC": folds["CXCL9"]}


def _cartridges(p: Parameters, taken: list[Taken]) -> list[list[Donor]]:
    """Donors by cartridge, lanes in order."""
    wanted = int(p.number("rna_controls"))
    waiting = [Donor(sample.id, (patient, sample)) for patient, sample in taken]
    made: list[list[Donor]] = []
    controls = 0

    def healthy(count: int) -> list[Donor]:
        return [Donor(f"CTRL-{controls + k + 1:02d}", None) for k in range(count)]

    while waiting:
        fresh = healthy(2 if controls < wanted - 1 else 1)
        controls += len(fresh)
        repeated = made[0][-1:] if len(made) == 1 else []
        room = LANES - len(fresh) - len(repeated)
        made.append([*fresh, *repeated, *waiting[:room]])
        waiting = waiting[room:]
    while controls < wanted:
        fresh = healthy(min(LANES, wanted - controls))
        controls += len(fresh)
        made.append(fresh)
    return made


def _lane(p: Parameters, seed: int, number: int, rank: int, donor: Donor, day: dt.date, again: bool) -> Lane:
    rng = stream(seed, "rna", "lane", donor.name, again)
    factor = float(np.exp(rng.normal() * p.number("rna_lane")))
    amount = float(np.exp(rng.normal() * p.number("rna_input")))
    fields, share = p.numbers("rna_fov")
    offset, per_unit = p.numbers("rna_density")
    name = f"{day:%Y%m%d}_CART{number:02d}_{donor.name}_{rank:02d}.RCC"
    lane = Lane(f"expression/cartridge_{number}.zip", COLUMNS, sheet=name, donor=donor, cartridge=number, again=again)
    subject = donor.taken[0].number if donor.taken else ""
    total = 0
    for kind, gene, accession, mean in _expected(p, seed, donor, factor, amount):
        count = _count(p, rng, mean + p.number("rna_background") * factor)
        total += count
        lane.add(subject, {"CodeClass": kind, "Name": gene, "Accession": accession, "Count": str(count)}, kind=kind)
    lane.sample = {
        "ID": donor.name,
        "Owner": "",
        "Comments": "",
        "Date": f"{day:%Y%m%d}",
        "GeneRLF": "IFN33_C4210",
        "SystemAPF": "n6_vDV1",
    }
    lane.lane = {
        "ID": str(rank),
        "FovCount": str(int(fields)),
        "FovCounted": str(int(fields) - int(rng.binomial(int(fields), 1 - share))),
        "ScannerID": "1207C0049",
        "StagePosition": str((rank - 1) % 6 + 1),
        "BindingDensity": f"{min(offset + total / per_unit, 2.0):.2f}",
        "CartridgeID": f"CART{number:02d}",
        "CartridgeBarcode": "",
    }
    # two tags and a blank line around each section, the header line of the code summary
    lane.first = len(HEADER) + len(lane.sample) + len(lane.lane) + 3 * 3 + 3
    return lane


def _expected(
    p: Parameters, seed: int, donor: Donor, factor: float, amount: float
) -> list[tuple[str, str, str, float]]:
    """(class, name, accession, expected count without background) of every probe, in the file's order."""
    found = []
    for kind, probes in (("Endogenous", GENES), ("Housekeeping", HOUSEKEEPING)):
        for gene, accession in probes.items():
            found.append((kind, gene, accession, factor * amount * level(p, seed, donor, gene)))
    for name, accession in POSITIVE.items():
        femtomolar = float(name[name.index("(") + 1 : -1])
        found.append(("Positive", name, accession, factor * femtomolar * p.number("rna_positive")))
    return [*found, *(("Negative", name, accession, 0.0) for name, accession in NEGATIVE.items())]


def _count(p: Parameters, rng: np.random.Generator, mean: float) -> int:
    """Negative binomial: Poisson around a gamma of the mean."""
    extra = p.number("rna_dispersion")
    return int(rng.poisson(mean * rng.gamma(1 / extra, extra)))
