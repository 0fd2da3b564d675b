"""Defects of the e-CRF export: dates, numbers, units, codes, identities, contradictions, identifying text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import numpy as np

from trialpipe.simulate import raw
from trialpipe.simulate.defects import Cell, Forge, Maker, choose
from trialpipe.simulate.ecrf import nir, phone
from trialpipe.simulate.raw import Row, Table

Test = Callable[[Forge, Row, str], bool]
New = Callable[[Row, str, np.random.Generator], str]
EARLY = ("Inclusion", "J14", "J21", "J28")


def swap(places: Sequence[tuple[str, str]], new: New, fits: Test | None = None) -> Maker:
    """A maker that replaces one filled cell of the named (form, item) places."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        form, item = places[int(rng.integers(len(places)))]
        table = forge.forms[form]
        rows = [r for r in forge.free(table) if r.cells[item] and (fits is None or fits(forge, r, r.cells[item]))]
        row = choose(rng, rows)
        return [forge.put(table, row, item, new(row, row.cells[item], rng))] if row else []

    return make


def read(text: str) -> dt.date:
    """A date as the forms write it."""
    return dt.datetime.strptime(text, "%d/%m/%Y").date()


def _later(low: int, high: int) -> New:
    return lambda row, text, rng: raw.date(read(text) + dt.timedelta(days=int(rng.integers(low, high))))


def _fixed(word: str) -> New:
    return lambda row, text, rng: word


def _figure(text: str) -> float:
    return float(text.replace(raw.NBSP, "").replace(",", "."))


def _is_figure(text: str) -> bool:
    return text.replace(raw.NBSP, "").replace(",", "").isdigit()


def _times(factor: float) -> New:
    return lambda row, text, rng: raw.number(f"{_figure(text) * factor:.0f}")


def _unit(item: str, unit: str) -> Test:
    return lambda forge, row, text: _is_figure(text) and row.cells[f"{item}_UNITE"] == unit


def _not_early(forge: Forge, row: Row, text: str) -> bool:
    return row.cells["VISITE"] not in EARLY


def _no_rescue(forge: Forge, row: Row, text: str) -> bool:
    return row.cells.get("CATEGORIE") != "2e ligne" and row.cells.get("GRADE") != "5"


def _swapped_year(row: Row, text: str, rng: np.random.Generator) -> str:
    """2016 typed as 2106."""
    year = text[6:]
    return text[:6] + year[0] + year[2] + year[1] + year[3]


def _with_comma(forge: Forge, row: Row, text: str) -> bool:
    return _is_figure(text) and "," in text


def _grade_4(forge: Forge, row: Row, text: str) -> bool:
    return row.cells["GRADE"] == "4"


def _earlier_than_start(row: Row, text: str, rng: np.random.Generator) -> str:
    return raw.date(read(row.cells["DATE_DEBUT"]) - dt.timedelta(days=int(rng.integers(3, 20))))


def _letter_for_digit(row: Row, text: str, rng: np.random.Generator) -> str:
    return text.replace("0", "O", 1)


def _nobody(row: Row, text: str, rng: np.random.Generator) -> str:
    """A number of the right form that no patient has."""
    return f"{text[:3]}9{text[4:]}"


def _grams(row: Row, text: str, rng: np.random.Generator) -> str:
    return raw.number(f"{_figure(text) * 1000:.0f}")


def _more_than_all(row: Row, text: str, rng: np.random.Generator) -> str:
    return raw.number(f"{_figure(row.cells['GB']) * 1.4 + 0.5:.2f}")


def _count_known(forge: Forge, row: Row, text: str) -> bool:
    return _unit("PNN", "G/L")(forge, row, text) and _is_figure(row.cells["GB"])


def _alive(forge: Forge, row: Row, text: str) -> bool:
    return forge.patients[row.subject].death is None


def _dies_before_hsct(forge: Forge, row: Row, text: str) -> bool:
    return forge.patients[row.subject].fate == "dead"


def _dies_long_after_hsct(forge: Forge, row: Row, text: str) -> bool:
    patient = forge.patients[row.subject]
    return bool(patient.hsct and patient.death and (patient.death - patient.hsct).days > 31)


def _year_earlier(row: Row, text: str, rng: np.random.Generator) -> str:
    return f"{text[:6]}{int(text[6:]) - 1}"


def _after_cutoff(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """A follow-up visit dated months behind the cut-off."""
    table = forge.forms["SUIVI"]
    row = choose(rng, [r for r in forge.free(table) if _alive(forge, r, "")])
    text = f"{int(rng.integers(10, 28)):02d}/{int(rng.integers(7, 11)):02d}/{forge.cutoff_year}"
    return [forge.put(table, row, "DATE_SUIVI", text)] if row else []


def _dose_before_consent(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    table = forge.forms["INCLUSION"]
    row = choose(rng, forge.free(table))
    if row is None:
        return []
    late = forge.patients[row.subject].first_dose.date() + dt.timedelta(days=int(rng.integers(2, 7)))
    return [forge.put(table, row, "DATE_CONSENTEMENT", raw.date(late))]


def _conditioning_after_hsct(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    table = forge.forms["GREFFE"]
    row = choose(rng, [r for r in forge.free(table) if r.tags["state"] == "reached"])
    if row is None:
        return []
    late = read(row.cells["DATE_GREFFE"]) + dt.timedelta(days=int(rng.integers(5, 20)))
    return [forge.put(table, row, "DATE_CONDITIONNEMENT", raw.date(late))]


def _after_death(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """An adverse event that starts after the death; its end is taken away so that only this contradicts."""
    table = forge.forms["EVENEMENTS_IND"]
    dead = [r for r in forge.free(table) if not _alive(forge, r, "") and r.cells["GRADE"] != "5"]
    row = choose(rng, dead)
    if row is None:
        return []
    death = forge.patients[row.subject].death
    late = (death or dt.datetime.min) + dt.timedelta(days=int(rng.integers(2, 9)))
    cells = [forge.put(table, row, "DATE_DEBUT", raw.date(late))]
    return cells + ([forge.put(table, row, "DATE_FIN", "")] if row.cells["DATE_FIN"] else [])


def _death_not_fatal(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """The fatal event of a dead patient entered as grade 4, still going on."""
    table = forge.forms["EVENEMENTS_IND"]
    row = choose(rng, [r for r in forge.free(table) if r.cells["GRADE"] == "5" and not _alive(forge, r, "")])
    if row is None:
        return []
    return [forge.put(table, row, "GRADE", "4"), forge.put(table, row, "EVOLUTION", "En cours")]


def _duplicate(form_items: Sequence[tuple[str, str]], change: New | None) -> Maker:
    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        form, item = form_items[int(rng.integers(len(form_items)))]
        table = forge.forms[form]
        row = choose(rng, [r for r in forge.free(table) if change is None or _with_comma(forge, r, r.cells[item])])
        if row is None:
            return []
        twin = forge.insert(table, row, row.cells)
        if change is not None:
            twin.cells[item] = change(row, row.cells[item], rng)
        original = row.cells[item] if change is not None else ""
        return [Cell(table, twin, item, original, twin.cells[item])]

    return make


def _orphan(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """Rows of somebody who is in no inclusion form."""
    stranger = "03-099"
    cells = []
    for form in ("BIOLOGIE", "CLINIQUE"):
        table = forge.forms[form]
        row = choose(rng, forge.free(table))
        if row is None:
            continue
        twin = forge.insert(table, table.rows[-1], {**row.cells, "NUMINC": stranger})
        twin.subject = stranger
        cells.append(Cell(table, twin, "NUMINC", "", stranger))
    return cells


def _comment(text: Callable[[Forge, Row, np.random.Generator], str]) -> Maker:
    """Identifying text in a comment."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        table: Table = forge.forms[("CLINIQUE", "CONCOMITANT", "EVENEMENTS_IND", "FIN_ETUDE")[int(rng.integers(4))]]
        row = choose(rng, forge.free(table))
        return [forge.put(table, row, "COMMENTAIRE", text(forge, row, rng))] if row else []

    return make


def _born(forge: Forge, row: Row) -> dt.date:
    patient = forge.patients[row.subject]
    return patient.inclusion - dt.timedelta(days=patient.traits.age_days)


def _nir_of(forge: Forge, row: Row, rng: np.random.Generator) -> str:
    sex = forge.patients[row.subject].traits.sex
    return f"NIR {nir(sex, _born(forge, row), int(rng.integers(1, 999)))}"


STARTS = (("EVENEMENTS_IND", "DATE_DEBUT"), ("CONCOMITANT", "DATE_DEBUT"))
MAKERS: dict[str, Maker] = {
    "date_day_unknown": swap(STARTS, lambda r, t, g: f"ND/{t[3:]}", _no_rescue),
    "date_day_month_unknown": swap(STARTS, lambda r, t, g: f"ND/ND/{t[6:]}", _no_rescue),
    "date_year_month_only": swap(STARTS, lambda r, t, g: t[3:], _no_rescue),
    "date_impossible": swap(STARTS, lambda r, t, g: f"31/02/{t[6:]}", _no_rescue),
    "date_year_typo": swap((("BIOLOGIE", "DATE_PRELEVEMENT"), ("CLINIQUE", "DATE_EXAMEN")), _swapped_year, _not_early),
    "date_missing": swap((("BIOLOGIE", "DATE_PRELEVEMENT"),), _fixed(""), _not_early),
    "end_before_start": swap((("EVENEMENTS_IND", "DATE_FIN"),), _earlier_than_start, _no_rescue),
    "death_before_inclusion": swap((("FIN_ETUDE", "DATE_DECES"),), _year_earlier, _dies_before_hsct),
    "death_day_unknown": swap((("FIN_ETUDE", "DATE_DECES"),), lambda r, t, g: f"ND/{t[3:]}", _dies_long_after_hsct),
    "record_after_death": _after_death,
    "record_after_cutoff": _after_cutoff,
    "hsct_before_conditioning": _conditioning_after_hsct,
    "dose_before_consent": _dose_before_consent,
    "duplicate_exact": _duplicate((("BIOLOGIE", "NUMINC"), ("CLINIQUE", "NUMINC"), ("EVENEMENTS_IND", "NUMINC")), None),
    "duplicate_differs": _duplicate(
        (("BIOLOGIE", "HB"), ("CLINIQUE", "TEMPERATURE")), lambda r, t, g: raw.number(f"{_figure(t) + 0.4:.1f}")
    ),
    "hb_unit": swap((("BIOLOGIE", "HB"),), _times(10), _unit("HB", "g/dL")),
    "platelets_unit": swap((("BIOLOGIE", "PLQ"),), _times(1000), _unit("PLQ", "G/L")),
    "fibrinogen_unit": swap((("BIOLOGIE", "FIBRINO"),), _times(100), _unit("FIBRINO", "g/L")),
    "decimal_point": swap(
        (("BIOLOGIE", "HB"), ("CLINIQUE", "TEMPERATURE")), lambda r, t, g: t.replace(",", "."), _with_comma
    ),
    "value_with_unit": swap((("BIOLOGIE", "HB"),), lambda r, t, g: f"{t} {r.cells['HB_UNITE']}", _with_comma),
    "number_invalid": swap((("BIOLOGIE", "FERRITINE"),), lambda r, t, g: f"l{t}", lambda f, r, t: _is_figure(t)),
    "limit_in_words": swap(
        (("BIOLOGIE", "FIBRINO"), ("BIOLOGIE", "FERRITINE")),
        lambda r, t, g: t.replace("<", "inf. à ").replace("> ", "sup. à "),
        lambda f, r, t: t[0] in "<>",
    ),
    "impossible_value": swap((("CLINIQUE", "TEMPERATURE"),), _fixed("83,2"), _with_comma),
    "negative_value": swap((("BIOLOGIE", "PNN"),), lambda r, t, g: f"-{t}", _unit("PNN", "G/L")),
    "weight_in_grams": swap((("CLINIQUE", "POIDS"),), _grams, _with_comma),
    "neutrophils_above_leukocytes": swap((("BIOLOGIE", "PNN"),), _more_than_all, _count_known),
    "unit_missing": swap((("BIOLOGIE", "TG_UNITE"),), _fixed(""), lambda f, r, t: _is_figure(r.cells["TG"])),
    "code_unknown": swap((("CLINIQUE", "RATE_PALPABLE"), ("EVENEMENTS_IND", "GRAVE")), _fixed("Peut-être")),
    "code_spelling": swap((("CLINIQUE", "SIGNES_NEURO"),), lambda r, t, g: f" {t.upper()}", lambda f, r, t: t != "NSP"),
    "sex_as_digit": swap((("INCLUSION", "SEXE"),), lambda r, t, g: "1" if t == "M" else "2"),
    "visit_unknown": swap((("BIOLOGIE", "VISITE"), ("CLINIQUE", "VISITE")), _fixed("V3 bis"), _not_early),
    "ae_start_missing": swap((("EVENEMENTS_IND", "DATE_DEBUT"),), _fixed(""), _no_rescue),
    "ae_grade_missing": swap((("EVENEMENTS_IND", "GRADE"),), _fixed(""), _no_rescue),
    "ae_grade5_alive": swap((("EVENEMENTS_IND", "GRADE"),), _fixed("5"), _alive),
    "ae_grade4_not_serious": swap((("EVENEMENTS_IND", "GRAVE"),), _fixed("Non"), _grade_4),
    "death_without_fatal_ae": _death_not_fatal,
    "subject_malformed": swap((("BIOLOGIE", "NUMINC"), ("CONCOMITANT", "NUMINC")), _letter_for_digit, _no_rescue),
    "subject_unknown": swap((("CLINIQUE", "NUMINC"), ("CONCOMITANT", "NUMINC")), _nobody, _no_rescue),
    "subject_not_included": _orphan,
    "privacy_phone": _comment(lambda f, r, g: f"Rappeler la mère au {phone(g)}"),
    "privacy_nir": _comment(_nir_of),
    "privacy_email": _comment(lambda f, r, g: f"Écrire à parent{int(g.integers(100))}@example.org"),
    "privacy_birth_date": _comment(lambda f, r, g: f"Enfant né le {raw.date(_born(f, r))}"),
    "privacy_name": _comment(lambda f, r, g: "Revu avec le Dr Lefebvre"),
}
