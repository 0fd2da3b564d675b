"""Writer of nCounter cartridges: a zip per cartridge with an RCC file per lane, the same bytes at every run."""

from __future__ import annotations

import zipfile
from pathlib import Path

from trialpipe.simulate.nanostring import HEADER, Lane
from trialpipe.simulate.raw import Table

_STAMP = (1980, 1, 1, 0, 0, 0)


def write(tables: list[Table], out: Path) -> None:
    """Write the lanes of each path into one archive under ``out``; other tables are passed over."""
    lanes = [table for table in tables if isinstance(table, Lane)]
    for path in dict.fromkeys(lane.path for lane in lanes):
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w") as archive:
            for lane in lanes:
                if lane.path == path:
                    archive.writestr(_entry(lane), _text(lane).encode("utf-8"))


def _entry(lane: Lane) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(lane.sheet or "", _STAMP)
    # stored: compression may differ between builds of zlib; system and rights fixed: the same on every machine
    entry.compress_type = zipfile.ZIP_STORED
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


def _text(lane: Lane) -> str:
    rows = [",".join(row.cells[column] for column in lane.columns) for row in lane.rows]
    sections = {
        "Header": [f"{key},{value}" for key, value in HEADER],
        "Sample_Attributes": [f"{key},{value}" for key, value in lane.sample.items()],
        "Lane_Attributes": [f"{key},{value}" for key, value in lane.lane.items()],
        "Code_Summary": [",".join(lane.columns), *rows],
        "Messages": [],
    }
    lines: list[str] = []
    for name, content in sections.items():
        lines += [f"<{name}>", *content, f"</{name}>", ""]
    return "\r\n".join(lines) + "\r\n"
