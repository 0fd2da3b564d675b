"""Multiplex plates of the biobank samples as Luminex xPONENT exports them: one text file per plate, blocks of wells.

A plate holds eight standards, a blank and two controls in duplicate, then the unknowns in duplicate; wells are numbered
down the columns and written in that order, so that the two wells of a standard stand eight rows apart. Result holds the
dilution; beyond the standards it reads ``<x`` or ``>x`` with x the lowest or highest standard times the dilution.
The last sample of a plate is repeated as first of the next one unless one of the two is French; plates of
``cyt_run_again`` are read a second time.

A block is a `Table` whose ``line`` is the physical line in the written file. Cells stand in it as written, on plates of
``cyt_french`` with a decimal comma.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np

from trialpipe.simulate.bioplex import plain, truth_level
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Patient, Sample
from trialpipe.simulate.raw import Row, Table
from trialpipe.simulate.rng import stream
from trialpipe.simulate.write_xponent import EXCEL, FRENCH, INSTRUMENT, Block, Plate, header, place

Taken = tuple[Patient, Sample]
# analyte: name in the kit, bead region
ANALYTES = {
    "IFNG": ("IFN-gamma", "25"), "TNFA": ("TNF-alpha", "75"), "IL6": ("IL-6", "57"), "IL2": ("IL-2", "48"),
    "IL10": ("IL-10", "27"), "IL18": ("IL-18", "66"), "IL1B": ("IL-1beta", "46"), "CXCL9": ("CXCL9/MIG", "38"),
}  # fmt: skip
NAMES = tuple(name for name, _ in ANALYTES.values())
STANDARDS, BLANK, TOP, SLOPE = 8, 20.0, 27000.0, 0.9
CONTROLS = (0.35, 0.7)
WELLS = tuple(f"{letter}{column}" for column in range(1, 13) for letter in "ABCDEFGH")
FREE = 22


@dataclass(frozen=True)
class Well:
    """What stands in a well. ``expected`` by analyte: nominal concentration of a standard or control."""

    place: int
    name: str
    kind: str
    taken: Taken | None = None
    expected: dict[str, float] = field(default_factory=dict)

    @property
    def location(self) -> str:
        return f"{self.place + 1}(1,{WELLS[self.place]})"


@dataclass(frozen=True)
class Reading:
    """One analyte in one well. ``result`` as text with a decimal point."""

    median: float
    count: int
    result: str


Readings = dict[tuple[int, str], Reading]


def plates(p: Parameters, seed: int, patients: list[Patient]) -> list[Table]:
    """The blocks of all plates, plate after plate, in the order of their lines."""
    samples = [(patient, s) for patient in patients for s in patient.samples if s.kind == "biobank"]
    size = int(p.number("cyt_per_plate"))
    found: list[Block] = []
    latest: dt.datetime | None = None
    for number, start in enumerate(range(0, len(samples), size), start=1):
        # a French plate is another form of the extract: its samples stand on no other plate
        shares = start > 0 and not {number, number - 1} & set(p.numbers("cyt_french"))
        on_plate = samples[start - shares : start + size]
        last = max(sample.when for _, sample in on_plate)
        # plates are read in their order: what is on the later one counts
        latest = last if latest is None else max(latest + dt.timedelta(days=3), last)
        for again in (False, True)[: 1 + (number in p.numbers("cyt_run_again"))]:
            found += _blocks(p, seed, _plate(p, number, again, latest), on_plate)
    _mark_last(found)
    return list(found)


def truth(p: Parameters, seed: int, patients: list[Patient], tables: list[Table]) -> list[dict[str, object]]:
    """One row per sample, analyte and plate, in file order.

    ``well_1``, ``well_2``: Result with decimal point; ``result``: mean of both, or the bound if one well is beyond it
    (``cens`` left, right); ``true``: concentration in the plasma; ``last``: no later plate holds the sample.
    """
    rows: list[dict[str, object]] = []
    for block in tables:
        if not isinstance(block, Block) or block.title != "Result":
            continue
        for first, second in pairs(block):
            patient, sample = first.tags["taken"]
            for analyte, (name, _) in ANALYTES.items():
                low, high = bounds(p, analyte)
                texts = [row.cells[name].replace(",", ".") for row in (first, second)]
                level = truth_level(p, seed, patient, sample, analyte)
                value, cens = outcome(texts)
                rows.append(
                    {
                        "subject": patient.number,
                        "sample": sample.id,
                        "visit": sample.visit,
                        "datetime": f"{sample.when:%Y-%m-%dT%H:%M}",
                        "analyte": analyte,
                        "file": block.path,
                        "plate": block.plate.number,
                        "last": "yes" if first.tags["last"] else "no",
                        "well_1": texts[0],
                        "well_2": texts[1],
                        "result": f"{value:.10g}",
                        "cens": cens,
                        "lloq": f"{low:.10g}",
                        "uloq": f"{high:.10g}",
                        "true": f"{level:.6g}",
                        "true_limit": "below" if level < low else "above" if level > high else "none",
                        "unit": "pg/mL",
                    }
                )
    return rows


def pairs(block: Block) -> list[tuple[Row, Row]]:
    """The two wells of every unknown of a block with locations."""
    wells = [row for row in block.rows if row.tags["kind"] == "unknown"]
    return list(zip(wells[::2], wells[1::2], strict=True))


def bounds(p: Parameters, analyte: str) -> tuple[float, float]:
    """Lowest and highest standard times the dilution of the unknowns, as the program prints them."""
    low, high = _ends(p, analyte)
    return float(plain(low * p.number("cyt_dilution"))), float(plain(high * p.number("cyt_dilution")))


def _ends(p: Parameters, analyte: str) -> tuple[float, float]:
    """Lowest and highest standard as printed."""
    low, high = p.numbers(f"cyt_{analyte}")[3:]
    return float(plain(low)), float(plain(high))


def outcome(texts: list[str]) -> tuple[float, str]:
    """(value, cens) of two wells: their mean, or the bound if one is beyond it."""
    for sign, cens in (("<", "left"), (">", "right")):
        beyond = [text for text in texts if text.startswith(sign)]
        if beyond:
            return float(beyond[0][1:]), cens
    return sum(float(text) for text in texts) / len(texts), "none"


def average(texts: list[str]) -> str:
    """Avg Result of wells: mean of the figures, a bound if there is one, NaN without any."""
    useful = [text for text in texts if text[:1] in "<>" or text[:1].isdigit()]
    if not useful:
        return "NaN"
    value, cens = outcome(useful)
    return {"none": "", "left": "<", "right": ">"}[cens] + plain(value)


def spread(texts: list[str]) -> str:
    """%CV Replicates: of two figures, with n - 1; NaN otherwise."""
    if not all(text[:1].isdigit() for text in texts):
        return "NaN"
    first, second = (float(text) for text in texts)
    mean = (first + second) / 2
    return plain(100 * abs(first - second) / 2**0.5 / mean) if mean else "NaN"


def _plate(p: Parameters, number: int, again: bool, last: dt.datetime) -> Plate:
    form = EXCEL if number in p.numbers("cyt_excel") else FRENCH if number in p.numbers("cyt_french") else INSTRUMENT
    day = last.date() + dt.timedelta(days=int(p.number("cyt_delay")) + 2 * again)
    made = dt.datetime.combine(day, dt.time(14, 5 + number % 50, 20 + again))
    return Plate(number, again, form, made)


def _layout(p: Parameters, samples: list[Taken]) -> list[Well]:
    """Wells in use, in the order of their numbers."""
    wells = []
    for level in range(STANDARDS):
        expected = {}
        for analyte in ANALYTES:
            low, high = _ends(p, analyte)
            expected[analyte] = float(plain(float(np.geomspace(high, low, STANDARDS)[level])))
        wells += [Well(level + 8 * k, f"Standard{level + 1}", "standard", None, expected) for k in range(2)]
    wells += [Well(16 + k, "Background0", "blank") for k in range(2)]
    for number, share in enumerate(CONTROLS, start=1):
        ends = {analyte: _ends(p, analyte) for analyte in ANALYTES}
        nominal = {a: float(f"{low ** (1 - share) * high**share:.3g}") for a, (low, high) in ends.items()}
        wells += [Well(16 + 2 * number + k, f"Control{number}", "control", None, nominal) for k in range(2)]
    for rank, taken in enumerate(samples):
        wells += [Well(FREE + 2 * rank + k, taken[1].id, "unknown", taken) for k in range(2)]
    return sorted(wells, key=lambda well: well.place)


def _signal(ends: tuple[float, ...], concentration: float) -> float:
    """Four-parameter logistic forward, to half a unit as medians are."""
    middle = (ends[0] * ends[1]) ** 0.5
    value = BLANK + (TOP - BLANK) / (1 + (middle / max(concentration, 1e-6)) ** SLOPE)
    return round(2 * value) / 2


def _read(p: Parameters, seed: int, plate: Plate, wells: list[Well]) -> Readings:
    found: Readings = {}
    for analyte in ANALYTES:
        for well in wells:
            found[well.place, analyte] = _reading(p, seed, plate, well, analyte)
    return found


def _reading(p: Parameters, seed: int, plate: Plate, well: Well, analyte: str) -> Reading:
    ends = _ends(p, analyte)
    replicate = well.place // 8 if well.kind == "standard" else well.place % 2
    common = stream(seed, "xponent", plate.number, plate.again, well.name, analyte)
    own = stream(seed, "xponent", plate.number, plate.again, well.name, analyte, replicate)
    mean, sd, fewest = p.numbers("cyt_beads")
    count = max(int(own.normal(mean, sd)), int(fewest))
    if well.kind == "blank":
        return Reading(BLANK + float(own.integers(-4, 5)) / 2, count, "NaN")
    if well.taken is not None:
        dilution = p.number("cyt_dilution")
        level = truth_level(p, seed, *well.taken, analyte) / dilution
        value = level * float(np.exp(own.normal() * p.number("cyt_cv")))
        return Reading(_signal(ends, value), count, _reported(value, ends, dilution))
    usual, excess = p.numbers("cyt_recovery")
    shift = common.normal() * (usual + excess * (well.name in ("Standard1", f"Standard{STANDARDS}")))
    value = well.expected[analyte] * float(np.exp(shift + own.normal() * 0.02))
    return Reading(_signal(ends, value), count, plain(value))


def _reported(value: float, ends: tuple[float, ...], dilution: float) -> str:
    low, high = ends
    if value < low:
        return f"<{plain(low * dilution)}"
    return f">{plain(high * dilution)}" if value > high else plain(value * dilution)


def _blocks(p: Parameters, seed: int, plate: Plate, samples: list[Taken]) -> list[Block]:
    """All blocks of a plate with the lines on which they stand."""
    wells = _layout(p, samples)
    found = _read(p, seed, plate, wells)
    blocks = [
        *_well_blocks(plate, wells, found),
        *_sample_blocks(plate, wells, found),
        *_plate_blocks(p, seed, plate, wells),
    ]
    place(blocks, header(plate, len(wells), len(ANALYTES)))
    return blocks


def _block(plate: Plate, title: str, columns: tuple[str, ...]) -> Block:
    return Block(plate.path, columns, title=title, plate=plate)


def _well_blocks(plate: Plate, wells: list[Well], found: Readings) -> list[Block]:
    blank = {
        a: sum(found[w.place, a].median for w in wells if w.kind == "blank") / 2 for a in ANALYTES
    }  # both blanks count for every well
    makers = {
        "Median": lambda w, a: plain(found[w.place, a].median),
        "Net MFI": lambda w, a: plain(found[w.place, a].median - blank[a]),
        "Count": lambda w, a: str(found[w.place, a].count),
        "Result": lambda w, a: found[w.place, a].result,
    }
    blocks = []
    for title, text in makers.items():
        block = _block(plate, title, ("Location", "Sample", *NAMES, "Total Events"))
        for well in wells:
            cells = {name: text(well, a) for a, (name, _) in ANALYTES.items()}
            events = round(1.13 * sum(found[well.place, a].count for a in ANALYTES))
            _add(block, well, {"Location": well.location, **cells, "Total Events": str(events)})
        blocks.append(block)
    return blocks


def _add(block: Block, well: Well, cells: dict[str, str]) -> None:
    subject = well.taken[0].number if well.taken else ""
    block.add(subject, {"Sample": well.name, **cells}, kind=well.kind, taken=well.taken, last=False)


def _sample_blocks(plate: Plate, wells: list[Well], found: Readings) -> list[Block]:
    well_of: dict[str, list[Well]] = {}
    for well in wells:
        well_of.setdefault(well.name, []).append(well)
    net, mean, cv = (
        _block(plate, title, ("Sample", *NAMES)) for title in ("Avg Net MFI", "Avg Result", "%CV Replicates")
    )
    zero = [well.place for well in wells if well.kind == "blank"]
    for twins in well_of.values():
        for block, text in ((mean, average), (cv, spread)):
            cells = {n: text([found[w.place, a].result for w in twins]) for a, (n, _) in ANALYTES.items()}
            _add(block, twins[0], cells)
        lit = {a: sum(found[w.place, a].median for w in twins) / 2 for a in ANALYTES}
        dark = {a: sum(found[k, a].median for k in zero) / 2 for a in ANALYTES}
        _add(net, twins[0], {n: plain(lit[a] - dark[a]) for a, (n, _) in ANALYTES.items()})
    recovery = _block(plate, "% Recovery", ("Location", "Sample", *NAMES, "Total Events"))
    for well in (w for w in wells if w.expected):
        shares = {a: 100 * float(found[well.place, a].result) / well.expected[a] for a in ANALYTES}
        cells = {n: plain(shares[a]) for a, (n, _) in ANALYTES.items()}
        events = round(1.13 * sum(found[well.place, a].count for a in ANALYTES))
        _add(recovery, well, {"Location": well.location, **cells, "Total Events": str(events)})
    return [net, mean, cv, recovery]


def _plate_blocks(p: Parameters, seed: int, plate: Plate, wells: list[Well]) -> list[Block]:
    analyte = ("Analyte:", *NAMES)
    beads = ("BeadID:", *(bead for _, bead in ANALYTES.values()))
    named = {well.name: well for well in wells}
    expected = [(n, *(plain(w.expected[a]) for a in ANALYTES)) for n, w in named.items() if w.expected]
    fit = [stream(seed, "xponent", plate.number, plate.again, "fit", a).uniform(0.9965, 0.9998) for a in ANALYTES]
    dilution = plain(p.number("cyt_dilution"))
    listed: list[tuple[str, ...]] = [(w.location, w.name, dilution if w.kind == "unknown" else "1") for w in wells]
    made: list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]] = [
        ("Units", analyte, [beads, ("Units:", *["pg/mL"] * len(NAMES))]),
        ("Standard Expected Concentration", ("Reagent", *NAMES), [e for e in expected if e[0].startswith("S")]),
        ("Control Expected Concentration", ("Reagent", *NAMES), [e for e in expected if e[0].startswith("C")]),
        ("Per Bead Count", analyte, [beads, ("Per Bead:", *["50"] * len(NAMES))]),
        ("Dilution Factor", ("Location", "Sample", "Dilution Factor"), listed),
        ("Analysis Types", analyte, [("AnalysisType", *["Logistic 5P Weighted"] * len(NAMES))]),
        ("R^2", analyte, [("R^2", *(f"{share:.4f}" for share in fit))]),
        ("Audit Logs", ("UserId", "Date", "Message"), []),
        ("Warnings/Errors", ("Location", "Status", "Message"), []),
    ]
    blocks = []
    for title, columns, rows in made:
        block = _block(plate, title, columns)
        for row in rows:
            well = named.get(row[1]) if title == "Dilution Factor" else None
            taken = well.taken if well else None
            cells = dict(zip(columns, row, strict=True))
            block.add(taken[0].number if taken else "", cells, kind=well.kind if well else "", taken=taken, last=False)
        blocks.append(block)
    return blocks


def _mark_last(blocks: list[Block]) -> None:
    """``last`` on every row of the last plate that holds the sample."""
    latest: dict[str, dt.datetime] = {}
    rows = [(b.plate.made, row) for b in blocks for row in b.rows if row.tags.get("taken")]
    for made, row in rows:
        name = row.tags["taken"][1].id
        latest[name] = max(latest.get(name, made), made)
    for made, row in rows:
        row.tags["last"] = made == latest[row.tags["taken"][1].id]
