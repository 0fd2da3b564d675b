"""How each kind of defect in a TrialMaster export of a trial of donor lymphocyte infusions is made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np

from trialpipe.simulate.defects import Cell, Forge, Maker, choose
from trialpipe.simulate.raw import Row
from trialpipe.simulate.recipient import Recipient
from trialpipe.simulate.truth import iso

Change = Callable[[Row, str, np.random.Generator], str]
Test = Callable[[Row], bool]


def _swap(form: str, item: str, change: Change, fits: Test = lambda row: True, alone: bool = False) -> Maker:
    """One filled cell of a row that fits; ``alone``: of a patient without another defect so far."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        table = forge.forms[form]
        taken = _spoilt(forge) if alone else set()
        row = choose(rng, [r for r in forge.free(table) if r.cells[item] and r.subject not in taken and fits(r)])
        return [] if row is None else [forge.put(table, row, item, change(row, row.cells[item], rng))]

    return make


def _spoilt(forge: Forge) -> set[str]:
    """Patients with a defect."""
    return {r.subject for table in forge.forms.values() for r in table.rows if id(r) in forge.touched}


def _fixed(text: str) -> Change:
    return lambda row, old, rng: text


def _who(row: Row) -> Recipient:
    who: Recipient = row.tags["who"]
    return who


def _moved(low: int, high: int) -> Change:
    """A date some days later (or earlier)."""
    return lambda row, old, rng: iso(dt.date.fromisoformat(old) + dt.timedelta(days=int(rng.integers(low, high + 1))))


def _years(text: str, years: int) -> str:
    """A date in another year; 29 February becomes the 28th."""
    old = dt.date.fromisoformat(text)
    day = 28 if (old.month, old.day) == (2, 29) else old.day
    return iso(dt.date(old.year + years, old.month, day))


def _scheduled(row: Row) -> bool:
    """A visit after inclusion that is neither the relapse nor the last evaluation."""
    last = max(e.date for e in _who(row).evaluations)
    return row.cells["VISIT"] not in ("INCL", "UNS") and row.tags["when"] < last


def _typo(row: Row, old: str, rng: np.random.Generator) -> str:
    """A wrong letter in the month, the letter O in the day, or a year of three digits."""
    slips = [f"{old[:4]}X{old[5:]}", f"{old[0]}O{old[2:]}", old[:-1]]
    return slips[int(rng.integers(3))]


def _swapped_year(row: Row, old: str, rng: np.random.Generator) -> str:
    """20YZ as 20ZY, or ten years later where both are the same."""
    year = old[5:7] + old[8] + old[7]
    return old[:5] + (year if int(year) > 2030 else f"{int(old[5:]) + 20}")


def _arm_b(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The infusion of a patient of arm A entered for one of arm B."""
    table = forge.forms["DLI"]
    others = sorted({r.subject for r in forge.forms["RAND"].rows if r.cells["ARM"] == "B"} - _spoilt(forge))
    row = choose(rng, [r for r in forge.free(table) if r.cells["DLINO"] == "1"])
    if row is None or not others:
        return []
    other = others[int(rng.integers(len(others)))]
    twin = forge.insert(table, row, {**row.cells, "PTNO": other, "SITEC": other[:2]})
    twin.subject = other
    return [Cell(table, twin, "PTNO", "", other)]


def _before_randomisation(row: Row, old: str, rng: np.random.Generator) -> str:
    return iso(_who(row).person.included - dt.timedelta(days=int(rng.integers(6, 30))))


def _number_twice(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The second infusion numbered like the first."""
    return _swap("DLI", "DLINO", _fixed("1"), lambda row: row.cells["DLINO"] == "2")(forge, rng)


def _exponent(row: Row, old: str, rng: np.random.Generator) -> str:
    return str(int(old) + 1 if old != "7" else 6)


def _after_death_relapse(row: Row, old: str, rng: np.random.Generator) -> str:
    return iso(_who(row).date(_who(row).end + int(rng.integers(10, 60))))


def _relapse_dead(row: Row) -> bool:
    return _who(row).days.death is not None


def _before_hsct(row: Row, old: str, rng: np.random.Generator) -> str:
    """The year so wrong that the relapse is before the transplant."""
    years = 1
    while dt.date.fromisoformat(_years(old, -years)) >= _who(row).person.included - dt.timedelta(days=400):
        years += 1
    return _years(old, -years)


def _stratum(row: Row, old: str, rng: np.random.Generator) -> str:
    others = [code for code in ("SIB", "UD", "HAPLO") if code != old]
    return others[int(rng.integers(2))]


def _earlier_than(start: str) -> Change:
    def change(row: Row, old: str, rng: np.random.Generator) -> str:
        return iso(dt.date.fromisoformat(row.cells[start]) - dt.timedelta(days=int(rng.integers(3, 40))))

    return change


def _event_after_death(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """An adverse event whose dates are after the death."""
    table = forge.forms["AE"]
    taken = _spoilt(forge)
    rows = [r for r in forge.free(table) if _who(r).days.death is not None and r.subject not in taken]
    row = choose(rng, [r for r in rows if r.cells["AEENDT"] and r.cells["AEGRADE"] != "5"])
    if row is None:
        return []
    day = _who(row).end + int(rng.integers(10, 60))
    moved = {"AESTDT": iso(_who(row).date(day)), "AEENDT": iso(_who(row).date(day + 4))}
    return [forge.put(table, row, item, text) for item, text in moved.items()]


def _twice(form: str) -> Maker:
    """A row repeated cell by cell."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        table = forge.forms[form]
        row = choose(rng, forge.free(table))
        if row is None:
            return []
        twin = forge.insert(table, row, row.cells)
        return [Cell(table, twin, "PTNO", "", twin.cells["PTNO"])]

    return make


def _twice_different(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The vital signs of a visit again, with another weight."""
    table = forge.forms["VS"]
    row = choose(rng, forge.free(table))
    if row is None:
        return []
    other = f"{float(row.cells['WEIGHT']) + 6.5:g}"
    twin = forge.insert(table, row, {**row.cells, "WEIGHT": other, "CRFINSNO": str(int(row.cells["CRFINSNO"]) + 20)})
    return [Cell(table, twin, "WEIGHT", "", other)]


def _alive(row: Row) -> bool:
    return _who(row).days.death is None


def _not_fatal(row: Row) -> bool:
    return row.cells["AEGRADE"] not in ("5", "4")


def _malformed(row: Row, old: str, rng: np.random.Generator) -> str:
    """The dash left out."""
    return old.replace("-", "")


def _died_earlier(row: Row, old: str, rng: np.random.Generator) -> str:
    """The year so wrong that the death is before inclusion."""
    years = 1
    while dt.date.fromisoformat(_years(old, -years)) >= _who(row).person.included:
        years += 1
    return _years(old, -years)


def _phone(row: Row, old: str, rng: np.random.Generator) -> str:
    """A number that the French numbering plan keeps for fiction."""
    return f"{old}, rappeler le 06 39 98 {int(rng.integers(10, 99))} {int(rng.integers(10, 99))}"


def _early(row: Row) -> bool:
    """A treatment that ended long before the last news."""
    who = _who(row)
    return bool(row.cells["CMENDT"]) and who.last_news is not None and iso(who.last_news) > row.cells["CMENDT"]


MAKERS: dict[str, Maker] = {
    "evaldt_typo": _swap("EVAL", "EVALDT", _typo, _scheduled),
    "evaldt_impossible": _swap("EVAL", "EVALDT", lambda r, t, g: f"31FEB{t[5:]}", _scheduled),
    "evaldt_short_year": _swap("EVAL", "EVALDT", lambda r, t, g: t[:5] + t[7:], _scheduled),
    "evaldt_year": _swap("EVAL", "EVALDT", _swapped_year, _scheduled),
    "evaldt_month_only": _swap("EVAL", "EVALDT", lambda r, t, g: t[2:], _scheduled),
    "evaldt_missing": _swap("EVAL", "EVALDT", _fixed(""), _scheduled),
    "evaldt_lower_case": _swap("EVAL", "EVALDT", lambda r, t, g: t.lower(), _scheduled),
    "visit_unknown": _swap("EVAL", "VISIT", _fixed("M7"), _scheduled),
    "remission_unknown_code": _swap("EVAL", "REMISS", _fixed("U"), _scheduled),
    "relapse_after_death": _swap("EVAL", "RELDT", _after_death_relapse, _relapse_dead, alone=True),
    "relapse_before_hsct": _swap("EVAL", "RELDT", _before_hsct, alone=True),
    "dli_in_arm_b": _arm_b,
    "dli_before_inclusion": _swap("DLI", "DLIDT", _before_randomisation, lambda row: row.cells["DLINO"] == "1"),
    "dli_number_twice": _number_twice,
    "cd3_exponent": _swap("DLI", "CD3EXP", _exponent),
    "cd3_missing": _swap("DLI", "CD3", _fixed("")),
    "no_dli_reason_unknown": _swap("DLINOT", "DNREAS", _fixed("AUTRE")),
    "gvhd_stage_5": _swap("AGVHD", "LIVERST", _fixed("5"), lambda row: row.cells["LIVERST"] != "0"),
    "gvhd_grade_differs": _swap(
        "AGVHD", "AGGRADE", lambda r, t, g: str(int(t) - 1), lambda r: r.cells["AGGRADE"] > "1"
    ),
    "gvhd_bilirubin_unit": _swap(
        "AGVHD", "BILI", lambda r, t, g: f"{int(t) / 17.1:.1f}", lambda r: int(r.cells["BILI"]) > 40
    ),
    "chronic_score_4": _swap("CGVHD", "MOUTH", _fixed("4")),
    "chronic_severity_differs": _swap("CGVHD", "CGSEV", _fixed("MILD"), lambda row: row.cells["CGSEV"] == "MODERATE"),
    "sex_unknown": _swap("PAT", "SEX", _fixed("X")),
    "randomisation_date_differs": _swap("PAT", "PTRNDT", _moved(1, 9)),
    "stratum_differs": _swap("RAND", "STRDON", _stratum),
    "stratum_missing": _swap("RAND", "STRDIS", _fixed("")),
    "death_date_missing": _swap("END", "DTHDT", _fixed(""), alone=True),
    "death_before_inclusion": _swap("END", "DTHDT", _died_earlier, alone=True),
    "status_unknown_code": _swap("END", "STATUS", _fixed("VIVANT"), _alive),
    "ae_end_before_start": _swap("AE", "AEENDT", _earlier_than("AESTDT"), _not_fatal),
    "ae_start_missing": _swap("AE", "AESTDT", _fixed(""), _not_fatal),
    "ae_grade_missing": _swap("AE", "AEGRADE", _fixed(""), _not_fatal),
    "ae_grade_5_alive": _swap("AE", "AEGRADE", _fixed("5"), _alive),
    "ae_grade_4_not_serious": _swap("AE", "AESER", _fixed("N"), lambda row: row.cells["AEGRADE"] == "4"),
    "record_after_death": _event_after_death,
    "record_after_cutoff": _swap("VS", "VSDT", _fixed("2028-06-08"), lambda r: _alive(r) and r.cells["VISIT"] == "M60"),
    "chimerism_150": _swap("IMM", "CHIMWB", _fixed("150")),
    "cells_negative": _swap("IMM", "CD4C", lambda r, t, g: f"-{t}", lambda row: row.cells["CD4C"] != "0"),
    "weight_in_grams": _swap("VS", "WEIGHT", lambda r, t, g: f"{float(t) * 1000:.0f}"),
    "performance_above_100": _swap("VS", "KPS", _fixed("900"), lambda row: row.cells["KPS"] == "90"),
    "cm_end_before_start": _swap("CM", "CMENDT", _earlier_than("CMSTDT"), _early),
    "vs_duplicate_differs": _twice_different,
    "ae_duplicate_exact": _twice("AE"),
    "patient_unknown": _swap("VS", "PTNO", lambda r, t, g: f"{t[:2]}-9{int(g.integers(10, 99))}"),
    "patient_number_malformed": _swap("CM", "PTNO", _malformed),
    "patient_number_missing": _swap("IMM", "PTNO", _fixed("")),
    "privacy_phone": _swap("CM", "CMTRT", _phone, _early),
}
