"""Defects of the intensive care REDCap export and of its MSD plates.

An address is the line of the CSV as a person counts, and the column. Rows of the day of D1 and of the visits carry no
defect of an organ, so that the primary outcome stands as the truth says, but for the kinds that are told otherwise.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np

from trialpipe.simulate.defects import Cell, Forge, Maker, choose
from trialpipe.simulate.icu_days import KPA
from trialpipe.simulate.icu_patient import VISITS, IcuPatient
from trialpipe.simulate.msd import CALC, IN, MEAN, NO_FIGURE, Plate, average, pairs, printed
from trialpipe.simulate.raw import Row, Table

Change = Callable[[Row, np.random.Generator], str]
Fits = Callable[[Row], bool]


def _rows(forge: Forge, form: str) -> list[Row]:
    """Untouched rows of an instrument; days only off the visits and the day before them."""
    found = [row for row in forge.free(forge.forms["data"]) if row.tags["form"] == form]
    if form != "icu_day":
        return found
    near = {number - back for number in VISITS.values() for back in (0, 1, 2)}
    return [row for row in found if row.tags["day"] not in near and _stays(row)]


def _stays(row: Row) -> bool:
    """Days before intensive care is left are what is carried to the ward."""
    left: dt.datetime = row.tags["patient"].icu_end
    return left - row.tags["when"] > dt.timedelta(days=4)


def _filled(item: str) -> Fits:
    return lambda row: row.cells[item] != ""


def _cell(form: str, item: str, change: Change, fits: Fits | None = None) -> Maker:
    """One cell of an instrument; by default one that is filled."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        row = choose(rng, [r for r in _rows(forge, form) if (fits or _filled(item))(r)])
        return [forge.put(forge.forms["data"], row, item, change(row, rng))] if row is not None else []

    return make


def _to(text: str) -> Change:
    return lambda row, rng: text


def _times(item: str, factor: float, form: str) -> Change:
    return lambda row, rng: format(float(row.cells[item]) * factor, form)


def _shifted(item: str, low: int, high: int, shape: str = "%Y-%m-%d") -> Change:
    """A date or moment moved by days."""

    def change(row: Row, rng: np.random.Generator) -> str:
        days = int(rng.integers(low, high + 1))
        return (dt.datetime.strptime(row.cells[item], shape) + dt.timedelta(days=days)).strftime(shape)

    return change


def _swapped_year(item: str) -> Change:
    """2024 typed as 2042, 2025 as 2052."""
    return lambda row, rng: f"20{row.cells[item][3]}{row.cells[item][2]}{row.cells[item][4:]}"


def _mmhg(row: Row) -> bool:
    text = row.cells["pao2"]
    return bool(text) and row.cells["pao2_unit"] == "1" and 40 < float(text) < 73


def _alive(row: Row) -> bool:
    patient: IcuPatient = row.tags["patient"]
    return patient.death is None and bool(row.cells["ae_grade"])


def _comma(item: str) -> Change:
    return lambda row, rng: row.cells[item].replace(".", ",")


def _with_point(item: str) -> Fits:
    """A number with a point and not three digits behind it."""
    return lambda row: "." in row.cells[item] and len(row.cells[item].split(".")[1]) < 3


def _after_death(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """An infection that begins weeks after the death."""
    found = [row for row in _rows(forge, "infection") if row.tags["patient"].death is not None]
    row = choose(rng, found)
    if row is None:
        return []
    late = row.tags["patient"].death + dt.timedelta(days=int(rng.integers(12, 40)))
    return [forge.put(forge.forms["data"], row, "inf_onset_dtm", f"{late:%Y-%m-%d %H:%M}")]


def _leaves_first(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """Discharge from intensive care before the admission, a month mistyped."""
    found = [row for row in _rows(forge, "stay") if row.cells["icu_dis_status"] == "1"]
    row = choose(rng, found)
    if row is None:
        return []
    early = row.tags["patient"].icu - dt.timedelta(days=int(rng.integers(9, 25)), hours=2)
    return [forge.put(forge.forms["data"], row, "icu_dis_dtm", f"{early:%Y-%m-%d %H:%M}")]


def _again(form: str, change: dict[str, Change]) -> Maker:
    """A second row of one instance, the same or different in some cells."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        table: Table = forge.forms["data"]
        row = choose(rng, [r for r in _rows(forge, form) if all(r.cells[item] for item in change)])
        if row is None:
            return []
        texts = {item: how(row, rng) for item, how in change.items()}
        twin = forge.insert(table, row, {**row.cells, **texts})
        # of a row that is there twice the patient's number is named
        named = texts or {"record_id": row.cells["record_id"]}
        return [Cell(table, twin, item, row.cells[item] if texts else "", text) for item, text in named.items()]

    return make


def _both_supports(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """Invasive ventilation and none are ticked."""
    row = choose(rng, [r for r in _rows(forge, "icu_day") if r.cells["support___1"] == "1"])
    return [forge.put(forge.forms["data"], row, "support___0", "1")] if row is not None else []


def _fatal_alive(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    row = choose(rng, [r for r in _rows(forge, "ae") if _alive(r) and r.cells["ae_grade"] == "4"])
    return [forge.put(forge.forms["data"], row, "ae_grade", "5")] if row is not None else []


def _mistyped(forge: Forge, name: str) -> str:
    """Two neighbouring figures interchanged so that no sample has the name."""
    known = {row.cells["s_id"] for row in forge.forms["data"].rows}
    for k in range(2, len(name) - 1):
        text = name[:k] + name[k + 1] + name[k] + name[k + 2 :]
        if text not in known:
            return text
    return name[:-1] + "X"


def _in_range(forge: Forge) -> list[tuple[Plate, Row, Row]]:
    """Pairs of the run that counts, both in range, of samples without a defect."""
    found = []
    for plate in forge.sheets:
        if not isinstance(plate, Plate):
            continue
        for first, second in pairs(plate):
            free = first.tags["last"] and not {id(first), id(second)} & forge.touched
            if free and {row.cells["Detection Range"] for row in (first, second)} == {IN}:
                found.append((plate, first, second))
    return found


def _lowest(plate: Plate, row: Row) -> float:
    """Lower end of the detection range times the dilution of the well."""
    own = [other for other in plate.rows if other.cells["Assay"] == row.cells["Assay"]]
    known = [float(other.cells["Concentration"] or 0) for other in own if other.tags["kind"] == "standard"]
    return min(value for value in known if value > 0) * float(row.cells["Dilution"])


def _second_well(change: Callable[[float], str]) -> Maker:
    """The second well of a pair and, as the program computes it, the mean of both."""

    def make(forge: Forge, rng: np.random.Generator) -> list[Cell]:
        found = [pair for pair in _in_range(forge) if float(pair[1].cells[CALC]) > 2.5 * _lowest(*pair[:2])]
        if not found:
            return []
        plate, first, second = found[int(rng.integers(len(found)))]
        cells = [forge.put(plate, second, CALC, change(float(first.cells[CALC])))]
        mean = average([first.cells[CALC], second.cells[CALC]])
        return cells + [forge.put(plate, row, MEAN, mean) for row in (first, second)]

    return make


def _plate_sample(forge: Forge, rng: np.random.Generator) -> list[Cell]:
    """A sample's name mistyped on the plate, in all of its rows."""
    found = _in_range(forge)
    typed = {row.cells["s_id"] for row in forge.forms["data"].rows}
    found = [pair for pair in found if pair[1].cells["Sample"] in typed]
    if not found:
        return []
    plate, first, _ = found[int(rng.integers(len(found)))]
    name, text = first.cells["Sample"], _mistyped(forge, first.cells["Sample"])
    return [forge.put(plate, row, "Sample", text) for row in plate.rows if row.cells["Sample"] == name]


MAKERS: dict[str, Maker] = {
    "fio2_fraction": _cell("icu_day", "fio2", _times("fio2", 0.01, ".2f")),
    "fio2_with_unit": _cell("icu_day", "fio2", lambda row, rng: row.cells["fio2"] + " %"),
    "pao2_kpa_as_mmhg": _cell("icu_day", "pao2", _times("pao2", 1 / KPA, ".1f"), _mmhg),
    "bilirubin_mg_l": _cell("icu_day", "d_bili", _times("d_bili", 1 / 1.71, ".0f")),
    "gcs_too_low": _cell("icu_day", "gcs", _to("2")),
    "gcs_too_high": _cell("icu_day", "gcs", _to("16")),
    "norepinephrine_unit_missing": _cell("icu_day", "ne_unit", _to("")),
    "norepinephrine_salt_missing": _cell("icu_day", "ne_salt", _to(""), lambda row: row.cells["ne_salt"] == "2"),
    "decimal_comma": _cell("biology", "b_hb", _comma("b_hb"), _with_point("b_hb")),
    "decimal_point": _cell("biology", "b_temp", lambda row, rng: row.cells["b_temp"].replace(",", ".")),
    "rate_comma": _cell("icu_day", "ne_rate", _comma("ne_rate"), _with_point("ne_rate")),
    "platelets_mm3": _cell(
        "icu_day",
        "d_plt",
        _times("d_plt", 1000, ".0f"),
        lambda row: bool(row.cells["d_plt"]) and int(row.cells["d_plt"]) > 5,
    ),
    "hb_unit_wrong": _cell("biology", "b_hb_unit", _to("2"), lambda row: row.cells["b_hb_unit"] == "1"),
    "hb_unit_missing": _cell("biology", "b_hb_unit", _to("")),
    "urine_negative": _cell("icu_day", "urine", lambda row, rng: "-" + row.cells["urine"]),
    "ferritin_text": _cell("biology", "b_ferr", _to("NF")),
    "record_after_death": _after_death,
    "discharge_before_admission": _leaves_first,
    "duplicate_instance": _again("icu_day", {}),
    "duplicate_instance_differs": _again(
        "icu_day", {"d_plt": lambda row, rng: f"{float(row.cells['d_plt']) + 40:.0f}"}
    ),
    "status_incomplete": _cell("icu_day", "icu_day_complete", _to("0")),
    "support_contradiction": _both_supports,
    "date_year_typo": _cell("icu_day", "day_dt", _swapped_year("day_dt")),
    "date_impossible": _cell("ae", "ae_stop", lambda row, rng: row.cells["ae_stop"][:5] + "02-30"),
    "ae_end_before_start": _cell(
        "ae", "ae_stop", lambda row, rng: _shifted("ae_start", -20, -5)(row, rng), _filled("ae_stop")
    ),
    "treatment_stop_before_start": _cell(
        "treatment",
        "tx_stop_dtm",
        _shifted("tx_start_dtm", -20, -8, "%Y-%m-%d %H:%M"),
        lambda row: row.cells["tx_drug"] != "1" and row.cells["tx_stop_dtm"] != "",
    ),
    "label_for_code": _cell("infection", "inf_type", _to("pneumopathie")),
    "ae_grade_missing": _cell("ae", "ae_grade", _to(""), lambda row: row.cells["ae_grade"] in ("1", "2", "3")),
    "ae_start_missing": _cell("ae", "ae_start", _to(""), lambda row: row.cells["ae_grade"] != "5"),
    "ae_grade4_not_serious": _cell("ae", "ae_serious", _to("0"), lambda row: row.cells["ae_grade"] == "4"),
    "ae_grade5_alive": _fatal_alive,
    "death_date_missing": _cell(
        "followup",
        "death_dt",
        _to(""),
        lambda row: row.cells["death_dt"] != "" and row.tags["patient"].fate == "late_death",
    ),
    "privacy_phone": _cell("ae", "ae_term", lambda row, rng: row.cells["ae_term"] + ", fille jointe au 06 39 98 14 27"),
    "plate_sample_unknown": _plate_sample,
    "plate_replicates_differ": _second_well(lambda first: printed(0.5 * first)),
    "plate_well_failed": _second_well(lambda first: NO_FIGURE),
}
