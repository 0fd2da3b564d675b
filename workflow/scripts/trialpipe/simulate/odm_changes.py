"""What was entered, corrected or taken away after the snapshot. The tables keep what is true in the end."""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate.odm import KEY, SNAPSHOT, SUBJECT, TRANSACTIONS, UNIT, OdmTable, Study
from trialpipe.simulate.odm_items import oid
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.raw import Row
from trialpipe.simulate.rng import stream

# item groups and items that are corrected
CORRECTED = {"IG.LB": ("HGB", "PLAT", "ALT"), "IG.VS": ("WEIGHT", "TEMP"), "IG.CM": ("TRT",), "IG.RS": ("RESP",)}
OPEN = {"IG.AE": {"ENDT": "", "ONGO": "1", "OUT": "2"}, "IG.CM": {"ENDT": "", "ONGO": "1"}}


def tell(p: Parameters, seed: int, study: Study) -> None:
    """Tag rows as late or corrected and add rows that a transaction takes away."""
    for table in study.tables:
        for row in table.rows:
            rng = stream(seed, "entry", row.subject, table.sheet, row.cells["StudyEventOID"], row.cells[KEY])
            _enter(p, study, table, row, rng)
    rng = stream(seed, "corrections")
    for _ in range(int(p.number("corrections"))):
        _correct(study, rng)
    for _ in range(2):
        _empty(study, rng)
    for _ in range(int(p.number("removals"))):
        _take_away(study, rng)


def _moment(study: Study, day: dt.date, rng: np.random.Generator) -> dt.datetime:
    """Working hours some days after ``day``, between snapshot and transactions."""
    first = max(day, study.made[SNAPSHOT].date()) + dt.timedelta(days=int(rng.integers(1, 20)))
    last = study.made[TRANSACTIONS].date() - dt.timedelta(days=1)
    clock = dt.time(int(rng.integers(8, 18)), int(rng.integers(0, 60)), int(rng.integers(0, 60)))
    return dt.datetime.combine(min(first, last), clock)


def _enter(p: Parameters, study: Study, table: OdmTable, row: Row, rng: np.random.Generator) -> None:
    taken = study.made[SNAPSHOT].date()
    slow = table.sheet not in ("IG.DM", "IG.EX", "IG.EOS") and rng.random() < p.number("late_entries")
    until = row.tags.get("until")
    if row.tags["date"] > taken or slow:
        row.tags["late"] = _moment(study, row.tags["date"], rng)
    elif until and until > taken and table.sheet in OPEN:
        before = {oid(table.sheet, item): text for item, text in OPEN[table.sheet].items()}
        row.tags |= {"before": before, "corrected": _moment(study, until, rng)}


def _plain(table: OdmTable) -> list[Row]:
    return [row for row in table.rows if not {"late", "before"} & set(row.tags)]


def _correct(study: Study, rng: np.random.Generator) -> None:
    """Another text stood in the snapshot."""
    group = list(CORRECTED)[int(rng.integers(len(CORRECTED)))]
    table = next(t for t in study.tables if t.sheet == group)
    name = CORRECTED[group][int(rng.integers(len(CORRECTED[group])))]
    item = oid(group, name)
    rows = [row for row in _plain(table) if len(row.cells[item].strip("<>")) > (0 if name == "RESP" else 1)]
    if not rows:
        return
    row = rows[int(rng.integers(len(rows)))]
    before = {item: _mistyped(row.cells[item])}
    if row.cells.get(item + UNIT):
        before[item + UNIT] = row.cells[item + UNIT]
    row.tags |= {"before": before, "corrected": _moment(study, row.tags["date"], rng)}


def _mistyped(text: str) -> str:
    """Another figure of the same size, or a word with two letters changed over."""
    if text[0].isdigit():
        return f"{int(text[0]) % 9 + 1}{text[1:]}" if len(text) > 1 else str(int(text) % 3 + 1)
    return text[0] + text[2] + text[1] + text[3:]


def _empty(study: Study, rng: np.random.Generator) -> None:
    """A result that nobody measured stood in the snapshot."""
    table = next(t for t in study.tables if t.sheet == "IG.LB")
    item = oid("IG.LB", "CD25")
    rows = [row for row in _plain(table) if not row.cells[item]]
    if rows:
        row = rows[int(rng.integers(len(rows)))]
        before = {item: str(int(rng.integers(800, 9000))), item + UNIT: "U/mL"}
        row.tags |= {"before": before, "corrected": _moment(study, row.tags["date"], rng)}


def _take_away(study: Study, rng: np.random.Generator) -> None:
    """A row entered twice in the snapshot, under the next number of its patient."""
    group = ("IG.AE", "IG.CM")[int(rng.integers(2))]
    table = next(t for t in study.tables if t.sheet == group)
    rows = [row for row in _plain(table) if row.cells.get(oid(group, "GRADE")) != "5"]
    if not rows:
        return
    row = rows[int(rng.integers(len(rows)))]
    rest = [
        r for r in [*table.rows, *(g for t, g in study.gone if t is table)] if r.cells[SUBJECT] == row.cells[SUBJECT]
    ]
    number = str(1 + max(int(other.cells[KEY]) for other in rest))
    cells = {**row.cells, KEY: number}
    if group == "IG.AE":
        cells[oid(group, "SPID")] = number
    tags = {"removed": _moment(study, row.tags["date"], rng)}
    study.gone.append((table, Row(cells, row.subject, tags)))
