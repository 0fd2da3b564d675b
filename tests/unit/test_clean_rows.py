"""Raw rows as the clean stage sees them."""

from __future__ import annotations

import pandas as pd
import pytest

from trialpipe.clean import rows


@pytest.mark.parametrize(
    ("file", "sheet", "serial"),
    [
        ("lab.xlsx", "Feuil1", True),
        ("LAB.XLSM", "Feuil1", True),
        # an item group of an ODM file and a member of a zip are no spreadsheets: 45000 there is no date
        ("ecrf.xml", "IG.LB", False),
        ("lanes.zip", "a.RCC", False),
        ("lab.csv", None, False),
    ],
)
def test_only_a_workbook_may_hold_serial_dates(file: str, sheet: str | None, serial: bool) -> None:
    frame = pd.DataFrame({"source_file": [file], "source_row": [2], "source_sheet": [sheet], "A": ["45000"]})
    (raw,) = rows.read("s.f", frame)
    assert raw.serial is serial
    assert raw.file == (f"{file}[{sheet}]" if sheet else file)
