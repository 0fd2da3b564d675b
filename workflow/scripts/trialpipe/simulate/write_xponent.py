"""Writer of xPONENT text files and their layout: what a plate's file looks like in each program that saved it.

Three forms: as the instrument writes it (every cell quoted, UTF-8), re-saved by a spreadsheet (rows padded with commas,
UTF-8 with byte order mark) and re-saved by a French spreadsheet (padded with semicolons, decimal comma, cp1252).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from trialpipe.simulate.raw import Table

Lines = tuple[tuple[str, ...], ...]
INSTRUMENT, EXCEL, FRENCH = "instrument", "excel", "french"
_FIGURE = re.compile(r"[<>]?-?\d+\.\d+")


@dataclass(frozen=True)
class Plate:
    """One reading of a plate: ``form`` says which program saved the file last."""

    number: int
    again: bool
    form: str
    made: dt.datetime

    @property
    def path(self) -> str:
        return f"cytokines/plate_{self.number}{'_repeat' if self.again else ''}.csv"


NO_PLATE = Plate(0, False, INSTRUMENT, dt.datetime(2000, 1, 1))


@dataclass
class Block(Table):
    """A block ``DataType:,<title>`` of a plate; ``columns`` is its header line, ``first`` the line of its first row.

    ``above``: lines between the start of the file or the block before and this one.
    """

    title: str = ""
    plate: Plate = NO_PLATE
    above: Lines = ()


def write(tables: list[Table], out: Path) -> None:
    """Write the blocks of each path into one file under ``out``; other tables are passed over."""
    blocks = [table for table in tables if isinstance(table, Block)]
    for path in dict.fromkeys(block.path for block in blocks):
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_file([block for block in blocks if block.path == path]))


def place(blocks: list[Block], above: Lines) -> None:
    """Give the blocks of a plate their lines and their cells the plate's decimal mark."""
    line = len(above) + 1
    blocks[0].above = above
    for block in blocks:
        block.first = line + 2
        line += len(block.rows) + 3
        for row in block.rows:
            row.cells = {item: decimal(text, block.plate.form) for item, text in row.cells.items()}


def decimal(text: str, form: str) -> str:
    """A cell as the program that saved the file last writes it."""
    return text.replace(".", ",") if form == FRENCH and _FIGURE.fullmatch(text) else text


def _file(blocks: list[Block]) -> bytes:
    form = blocks[0].plate.form
    lines = [tuple(decimal(cell, form) for cell in line) for line in blocks[0].above]
    for block in blocks:
        lines += [("DataType:", block.title), block.columns]
        lines += [tuple(row.cells[column] for column in block.columns) for row in block.rows]
        lines.append(())
    original = _text(lines, ",", csv.QUOTE_ALL).encode("utf-8")
    foot = [("-- CRC --",), (f"CRC32: {zlib.crc32(original):08X}",)]
    if form == INSTRUMENT:
        return original + "".join(f"{line[0]}\r\n" for line in foot).encode("utf-8")
    width = max(len(line) for line in lines)
    padded = [(*line, *[""] * (width - len(line))) for line in [*lines, *foot]]
    if form == EXCEL:
        return _text(padded, ",", csv.QUOTE_MINIMAL).encode("utf-8-sig")
    return _text(padded, ";", csv.QUOTE_MINIMAL).encode("cp1252")


def _text(lines: list[tuple[str, ...]], separator: str, quoting: int) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, quoting=quoting, lineterminator="\r\n")  # type: ignore[arg-type]
    writer.writerows(lines)
    return buffer.getvalue()


def _american(when: dt.datetime) -> str:
    return f"{when.month}/{when.day}/{when.year} {_clock(when)[:-3]}:{when.second:02d} {_clock(when)[-2:]}"


def _clock(when: dt.datetime) -> str:
    return f"{(when.hour - 1) % 12 + 1}:{when.minute:02d} {'PM' if when.hour > 11 else 'AM'}"


def header(plate: Plate, wells: int, analytes: int) -> Lines:
    """Lines above the first block; dates month first as the instrument writes them."""
    number, made = plate.number, plate.made
    start = made - dt.timedelta(minutes=51)
    passed = f"Passed {made:%m/%d/%Y} 09:2"
    lot = ("B93260", "02/08/2029", f"{made.month}/{made.day}/{made.year} 9:24:54 AM")
    return (
        ("Program", "xPONENT", "", "FlexMAP 3D"),
        ("Build", "4.3.229.0"),
        ("Date", f"{made:%m/%d/%Y}", _clock(made)),
        (),
        ("SN", "FM3DD00000412"),
        ("Batch", f"CYTO8_P{number}_{start:%H%M%S}_{made:%Y%m%d}"),
        ("Version", "1"),
        ("Operator", "biobank"),
        ("ComputerName", "LUMINEX-PC"),
        ("Country Code", "40C"),
        ("ProtocolName", "CYTO8"),
        ("ProtocolVersion", "3"),
        ("ProtocolDescription", "Panel 8 cytokines, 25 µL d'échantillon dilué au quart"),
        ("ProtocolDevelopingCompany", ""),
        ("SampleVolume", "50 uL"),
        ("DDGate", "5000 to 25000"),
        ("SampleTimeout", "60 sec"),
        ("BatchStartTime", _american(start)),
        ("BatchStopTime", _american(made)),
        ("BatchDescription", "<None>"),
        ("ProtocolPlate", "Name", "Current 96-well plate", "Type", "96", "Plates", "1"),
        ("ProtocolMicrosphere", "Map", "FlexMAP 3D Map", "Type", "MagPlex", "Count", str(analytes)),
        ("ProtocolReporterGain", "Standard PMT"),
        ("ProtocolAnalysis", "On"),
        ("NormBead", "None"),
        ("ProtocolHeater", "Off"),
        (),
        ("Most Recent Calibration and Verification Results:",),
        ("Last F3DeCAL1 Calibration", f"{passed}5:11"),
        ("Last F3DeVER1 Verification", f"{passed}7:16"),
        ("Last Fluidics Test", f"{passed}8:43"),
        (),
        ("CALInfo:",),
        ("Classification Calibrator Extended",),
        ("Lot", "ExpirationDate", "CalibrationTime", "DDTemp", "CL1Temp", "Result", "MachineSerialNo"),
        (*lot, "23.43", "24.37", "Pass", "FM3DD00000412"),
        (),
        ("Samples", str(wells), "Min Events", "50"),
        ("Dilution applied", "Yes"),
        (),
        ("Results",),
        (),
    )
