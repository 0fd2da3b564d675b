"""Defects of an ODM e-CRF: dates, numbers, units, codes, identities, contradictions, identifying text.

A death that one defect changes is not used by another: a patient's end carries at most one defect, and a record after
a death stands months behind it, so that it contradicts on its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import numpy as np

from trialpipe.simulate.defects import Cell, Forge, Maker, choose
from trialpipe.simulate.ecrf import nir, phone
from trialpipe.simulate.odm import EVENT, FORM_KEY, KEY, SUBJECT, UNIT, OdmTable
from trialpipe.simulate.raw import Row, Table

Test = Callable[[Forge, Row, str], bool]
New = Callable[[Row, str, np.random.Generator], str]
EARLY = ("SE.INCLUSION", "SE.D0", "SE.D7", "SE.D14", "SE.D21", "SE.D28", "SE.W8", "SE.CONDM1")
START, END, DATE, DEATH = "IT.AE.STDT", "IT.AE.ENDT", "IT.LB.DT", "IT.EOS.DTHDT"
AE_START, CM_START = ("IG.AE", START), ("IG.CM", "IT.CM.STDT")


def swap(places: Sequence[tuple[str, str]], new: New, fits: Test | None = None) -> Maker:
    """A maker that replaces one filled cell of the named (item group, item) places."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        group, item = places[int(rng.integers(len(places)))]
        table = forge.forms[group]
        rows = [r for r in forge.free(table) if r.cells[item] and (fits is None or fits(forge, r, r.cells[item]))]
        row = choose(rng, rows)
        return [forge.put(table, row, item, new(row, row.cells[item], rng))] if row else []

    return make


def read(text: str) -> dt.date:
    return dt.date.fromisoformat(text[:10])


def _fixed(word: str) -> New:
    return lambda row, text, rng: word


def _is_figure(text: str) -> bool:
    return text.replace(".", "").isdigit()


def _times(factor: float) -> New:
    return lambda row, text, rng: f"{float(text) * factor:.0f}"


def _unit(item: str, unit: str) -> Test:
    return lambda forge, row, text: _is_figure(text) and row.cells[f"{item}{UNIT}"] == unit


def _pointed(forge: Forge, row: Row, text: str) -> bool:
    return _is_figure(text) and "." in text


def _not_early(forge: Forge, row: Row, text: str) -> bool:
    """Visits that decide nothing."""
    return row.cells[EVENT] not in EARLY


def _ordinary(forge: Forge, row: Row, text: str) -> bool:
    """Neither second line nor a fatal event."""
    return row.cells.get("IT.CM.CAT") != "RESCUE" and row.cells.get("IT.AE.GRADE") != "5"


def _supportive(forge: Forge, row: Row, text: str) -> bool:
    """A medicine that no criterion asks for."""
    return row.cells.get("IT.CM.CAT") in (None, "STEROID", "AZOLE", "ANTIVIRAL") and _ordinary(forge, row, text)


def _alive(forge: Forge, row: Row) -> bool:
    return forge.patients[row.subject].death is None


def _swapped_year(row: Row, text: str, rng: np.random.Generator) -> str:
    """2025 typed as 2052."""
    return text[:2] + text[3] + text[2] + text[4:]


def _earlier_than_start(row: Row, text: str, rng: np.random.Generator) -> str:
    return (read(row.cells[START]) - dt.timedelta(days=int(rng.integers(3, 20)))).isoformat()


def _dose_backwards(row: Row, text: str, rng: np.random.Generator) -> str:
    start = dt.datetime.fromisoformat(row.cells["IT.EX.STDTM"])
    return (start - dt.timedelta(days=int(rng.integers(2, 9)))).isoformat()


def _grams(row: Row, text: str, rng: np.random.Generator) -> str:
    return f"{float(text) * 1000:.0f}"


def _more_than_all(row: Row, text: str, rng: np.random.Generator) -> str:
    return f"{float(row.cells['IT.LB.WBC']) * 1.4 + 0.5:.2f}"


def _counts(forge: Forge, row: Row, text: str) -> bool:
    return _unit("IT.LB.NEUT", "G/L")(forge, row, text) and _is_figure(row.cells["IT.LB.WBC"])


def _end(forge: Forge, fits: Callable[[Row], bool]) -> list[Row]:
    """Untouched ends of study of patients who died."""
    return [r for r in forge.free(forge.forms["IG.EOS"]) if r.cells[DEATH] and fits(r)]


def _death_before_inclusion(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    row = choose(rng, _end(forge, lambda r: forge.patients[r.subject].hsct is None))
    if row is None:
        return []
    text = row.cells[DEATH]
    return [forge.put(forge.forms["IG.EOS"], row, DEATH, f"{int(text[:4]) - 1}{text[4:]}")]


def _death_day_unknown(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """Month of a death long after HSCT."""
    row = choose(rng, _end(forge, lambda r: _long_after(forge, r)))
    return [forge.put(forge.forms["IG.EOS"], row, DEATH, row.cells[DEATH][:7])] if row else []


def _long_after(forge: Forge, row: Row) -> bool:
    patient = forge.patients[row.subject]
    return bool(patient.hsct and patient.death and (patient.death - patient.hsct).days > 31)


def _after_death(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """An adverse event that starts two months after the death; its end is taken away."""
    table, ends = forge.forms["IG.AE"], {r.subject: r for r in _end(forge, lambda r: True)}
    row = choose(rng, [r for r in forge.free(table) if r.subject in ends and r.cells["IT.AE.GRADE"] != "5"])
    death = forge.patients[row.subject].death if row else None
    if row is None or death is None:
        return []
    forge.touched.add(id(ends[row.subject]))
    late = death.date() + dt.timedelta(days=int(rng.integers(55, 70)))
    cells = [forge.put(table, row, START, late.isoformat())]
    return cells + ([forge.put(table, row, END, "")] if row.cells[END] else [])


def _death_not_fatal(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The fatal event of a dead patient entered as grade 4, still going on."""
    table, ends = forge.forms["IG.AE"], {r.subject: r for r in _end(forge, lambda r: True)}
    row = choose(rng, [r for r in forge.free(table) if r.cells["IT.AE.GRADE"] == "5" and r.subject in ends])
    if row is None:
        return []
    forge.touched.add(id(ends[row.subject]))
    return [forge.put(table, row, "IT.AE.GRADE", "4"), forge.put(table, row, "IT.AE.OUT", "2")]


def _after_cutoff(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """A follow-up visit dated behind the cut-off."""
    table = forge.forms["IG.FU"]
    row = choose(rng, [r for r in forge.free(table) if _alive(forge, r)])
    text = f"{forge.cutoff_year}-12-{int(rng.integers(5, 29)):02d}"
    return [forge.put(table, row, "IT.FU.DT", text)] if row else []


def _dose_before_consent(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    table = forge.forms["IG.DM"]
    row = choose(rng, forge.free(table))
    if row is None:
        return []
    late = forge.patients[row.subject].first_dose.date() + dt.timedelta(days=int(rng.integers(2, 7)))
    return [forge.put(table, row, "IT.DM.ICDT", late.isoformat())]


def _conditioning(new: Callable[[Row, np.random.Generator], str]) -> Maker:
    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        table = forge.forms["IG.PR"]
        row = choose(rng, [r for r in forge.free(table) if r.cells["IT.PR.HSCTDTM"]])
        return [forge.put(table, row, "IT.PR.CONDDT", new(row, rng))] if row else []

    return make


def _after_hsct(row: Row, rng: np.random.Generator) -> str:
    return (read(row.cells["IT.PR.HSCTDTM"]) + dt.timedelta(days=int(rng.integers(5, 20)))).isoformat()


def _again(group: str, key: str, change: tuple[str, New] | None) -> Maker:
    """The row once more under the next number, as it is or with another text in one item."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        table = forge.forms[group]
        assert isinstance(table, OdmTable)
        assert table.study
        row = choose(rng, [r for r in forge.free(table) if change is None or _pointed(forge, r, r.cells[change[0]])])
        if row is None:
            return []
        known = [*table.rows, *(r for t, r in table.study.gone if t is table)]
        same = [r for r in known if all(r.cells[k] == row.cells[k] for k in (SUBJECT, EVENT))]
        number = str(max(int(r.cells[key] or 1) for r in same) + 1)
        twin = forge.insert(table, row, {**row.cells, key: number})
        if change is None:
            return [Cell(table, twin, SUBJECT, "", twin.cells[SUBJECT])]
        item, new = change
        twin.cells[item] = new(row, row.cells[item], rng)
        return [Cell(table, twin, item, row.cells[item], twin.cells[item])]

    return make


def _orphan(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """Rows of somebody who has no inclusion form."""
    stranger = "03-099"
    cells = []
    for group in ("IG.LB", "IG.VS"):
        table = forge.forms[group]
        row = choose(rng, [r for r in forge.free(table) if "late" not in r.tags])
        if row is not None:
            twin = forge.insert(table, table.rows[-1], {**row.cells, SUBJECT: stranger})
            twin.tags = {}
            twin.subject = stranger
            cells.append(Cell(table, twin, SUBJECT, "", stranger))
    return cells


def _nobody(row: Row, text: str, rng: np.random.Generator) -> str:
    """A number of the right form that no patient has."""
    return f"{text[:3]}9{text[4:]}"


def _comment(text: Callable[[Forge, Row, np.random.Generator], str]) -> Maker:
    """Identifying text in a comment."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        name = ("CM", "AE", "EOS")[int(rng.integers(3))]
        table: Table = forge.forms[f"IG.{name}"]
        row = choose(rng, forge.free(table))
        return [forge.put(table, row, f"IT.{name}.COMM", text(forge, row, rng))] if row else []

    return make


def _born(forge: Forge, row: Row) -> dt.date:
    patient = forge.patients[row.subject]
    return patient.inclusion - dt.timedelta(days=patient.traits.age_days)


def _nir_of(forge: Forge, row: Row, rng: np.random.Generator) -> str:
    sex = forge.patients[row.subject].traits.sex
    return f"NIR {nir(sex, _born(forge, row), int(rng.integers(1, 999)))}"


def _load(forge: Forge, row: Row, text: str) -> bool:
    """A figure after the baseline."""
    return _is_figure(text) and row.cells[EVENT] not in ("SE.INCLUSION", "SE.D0")


HB, NEUT, TEMP = "IT.LB.HGB", "IT.LB.NEUT", "IT.VS.TEMP"
MAKERS: dict[str, Maker] = {
    "ae_start_month_only": swap((AE_START,), lambda r, t, g: t[:7], _ordinary),
    "ae_start_year_only": swap((AE_START,), lambda r, t, g: t[:4], _ordinary),
    "cm_start_day_unknown": swap((CM_START,), lambda r, t, g: f"{t[:7]}--", _supportive),
    "cm_start_month_unknown": swap((CM_START,), lambda r, t, g: f"{t[:4]}---{t[8:]}", _supportive),
    "date_impossible": swap((AE_START, CM_START), lambda r, t, g: f"{t[:4]}-02-31", _supportive),
    "date_year_typo": swap((("IG.LB", DATE), ("IG.VS", "IT.VS.DT")), _swapped_year, _not_early),
    "date_missing": swap((("IG.LB", DATE),), _fixed(""), _not_early),
    "end_before_start": swap((("IG.AE", END),), _earlier_than_start, _ordinary),
    "dose_end_before_start": swap((("IG.EX", "IT.EX.ENDTM"),), _dose_backwards),
    "death_before_inclusion": _death_before_inclusion,
    "death_day_unknown": _death_day_unknown,
    "record_after_death": _after_death,
    "record_after_cutoff": _after_cutoff,
    "hsct_before_conditioning": _conditioning(_after_hsct),
    "hsct_without_conditioning": _conditioning(lambda row, rng: ""),
    "dose_before_consent": _dose_before_consent,
    "duplicate_repeat": _again("IG.AE", KEY, None),
    "duplicate_differs": _again("IG.LB", FORM_KEY, (HB, lambda r, t, g: f"{float(t) + 0.4:.1f}")),
    "hb_unit": swap((("IG.LB", HB),), _times(10), _unit(HB, "g/dL")),
    "platelets_unit": swap((("IG.LB", "IT.LB.PLAT"),), _times(1000), _unit("IT.LB.PLAT", "G/L")),
    "fibrinogen_unit": swap((("IG.LB", "IT.LB.FIB"),), _times(100), _unit("IT.LB.FIB", "g/L")),
    "decimal_comma": swap((("IG.LB", HB), ("IG.VS", TEMP)), lambda r, t, g: t.replace(".", ","), _pointed),
    "value_with_unit": swap((("IG.LB", HB),), lambda r, t, g: f"{t} {r.cells[HB + UNIT]}", _pointed),
    "number_invalid": swap((("IG.LB", "IT.LB.FERR"),), lambda r, t, g: f"l{t}", lambda f, r, t: _is_figure(t)),
    "limit_in_words": swap(
        (("IG.LB", "IT.LB.FIB"),), lambda r, t, g: t.replace("<", "inf. à "), lambda f, r, t: t[0] == "<"
    ),
    "impossible_value": swap((("IG.VS", TEMP),), _fixed("83.2"), _pointed),
    "negative_value": swap((("IG.LB", NEUT),), lambda r, t, g: f"-{t}", _unit(NEUT, "G/L")),
    "weight_in_grams": swap((("IG.VS", "IT.VS.WEIGHT"),), _grams, _pointed),
    "neutrophils_above_leukocytes": swap((("IG.LB", NEUT),), _more_than_all, _counts),
    "unit_missing": swap(
        (("IG.LB", "IT.LB.TRIG" + UNIT),), _fixed(""), lambda f, r, t: _is_figure(r.cells["IT.LB.TRIG"])
    ),
    "code_unknown": swap((("IG.PE", "IT.PE.HEPATO"), ("IG.AE", "IT.AE.SER")), _fixed("9")),
    "sex_unknown": swap((("IG.DM", "IT.DM.SEX"),), _fixed("3")),
    "sample_visit_unknown": swap((("IG.SAMP", "IT.SAMP.VISIT"),), _fixed("V3 bis")),
    "ae_start_missing": swap((AE_START,), _fixed(""), _ordinary),
    "ae_grade_missing": swap((("IG.AE", "IT.AE.GRADE"),), _fixed(""), _ordinary),
    "ae_grade5_alive": swap((("IG.AE", "IT.AE.GRADE"),), _fixed("5"), lambda f, r, t: _alive(f, r)),
    "ae_grade4_not_serious": swap(
        (("IG.AE", "IT.AE.SER"),), _fixed("0"), lambda f, r, t: r.cells["IT.AE.GRADE"] == "4" and t == "1"
    ),
    "death_without_fatal_ae": _death_not_fatal,
    "subject_unknown": swap((("IG.CM", SUBJECT),), _nobody, _supportive),
    "subject_not_included": _orphan,
    "virus_result_text": swap((("IG.MB", "IT.MB.RESULT"),), _fixed("trop élevé"), _load),
    "virus_result_with_unit": swap((("IG.MB", "IT.MB.RESULT"),), lambda r, t, g: f"{t} {r.cells['IT.MB.UNIT']}", _load),
    "virus_unknown": swap((("IG.MB", "IT.MB.VIRUS"),), _fixed("VZV?"), lambda f, r, t: r.cells["IT.MB.QUAL"] == "0"),
    "privacy_phone": _comment(lambda f, r, g: f"Rappeler la mère au {phone(g)}"),
    "privacy_nir": _comment(_nir_of),
    "privacy_email": _comment(lambda f, r, g: f"Écrire à parent{int(g.integers(100))}@example.org"),
    "privacy_birth_date": _comment(lambda f, r, g: f"Enfant né le {_born(f, r):%d/%m/%Y}"),
    "privacy_name": _comment(lambda f, r, g: "Revu avec le Dr Lefebvre"),
}
