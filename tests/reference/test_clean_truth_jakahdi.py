"""Clean tables of the intensive care trial against the truth of its extract."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from helpers.truth_case import Row, TruthCase, committed, text
from reference import test_clean_truth as shared

MOMENTS = {"DMDTC": "inclusion", "HOSADTC": "hospital_admission", "ICUADTC": "icu_admission"}
DRUG = {
    "1": "RUXOLITINIB",
    "2": "ETOPOSIDE",
    "3": "DEXAMETHASONE",
    "4": "METHYLPREDNISOLONE",
    "5": "ANAKINRA",
    "6": "TOCILIZUMAB",
    "7": "OTHER",
}
TYPES = {
    "vap": "VENTILATOR-ASSOCIATED PNEUMONIA",
    "bloodstream": "BLOODSTREAM INFECTION",
    "urinary": "URINARY TRACT INFECTION",
    "catheter": "CATHETER INFECTION",
    "other_bacterial": "OTHER BACTERIAL INFECTION",
    "viral": "VIRAL INFECTION",
    "reactivation": "VIRAL REACTIVATION",
    "fungal": "FUNGAL INFECTION",
}
BOOLEAN = {"yes": "Y", "no": "N"}


@pytest.fixture(scope="module")
def case() -> TruthCase:
    return committed("jakahdi")


@pytest.mark.parametrize("check", shared.DEFECTS, ids=lambda check: check.__name__.removeprefix("test_"))
def test_defects(case, check):
    check(case)


def counted(case: TruthCase) -> dict[str, Row]:
    """Patients by number without who refused: of that record only the inclusion form is in the truth."""
    return {t["subject"]: t for t in case.rows("patients") if t["counted"] == "yes"}


def own(case: TruthCase, domain: str, sound: bool = True) -> list[dict]:
    """Records of a domain (those without a defect) of patients that count."""
    known = counted(case)
    table = case.clean.tables[domain]
    rows = case.sound(table) if sound else table.to_dict("records")
    return [row for row in rows if case.subject(row) in known]


def broken(case: TruthCase, *items: str) -> set[str]:
    """Raw rows with a planted defect in a column whose name starts so."""
    return {cell["raw_row"] for cell in case.cells if cell["item"].startswith(items) and cell["determines"] != "equal"}


def test_patients(case):
    dm = {case.subject(row): row for row in case.clean.tables["dm"].to_dict("records")}
    assert set(dm) == {t["subject"] for t in case.rows("patients")}
    for t in case.rows("patients"):
        row = dm[t["subject"]]
        for variable, item in MOMENTS.items():
            assert row[variable] == t[item], (t["subject"], variable)
        assert (row["SEX"], row["AGE"]) == (t["sex"], float(t["age"]))
        assert row["TRIGGER"].split()[0].lower() == t["trigger"]
        assert row["EMERG"] == BOOLEAN[t["emergency"]]
        assert row["REFUSED"] == ("Y" if t["refused"] else "N")
        # nobody consents before being included in an emergency
        assert text(row["RFICDTC"]) == ("" if t["emergency"] == "yes" else t["inclusion"][:10])


def test_weights(case):
    weights = {case.subject(row): row["VSSTRESN"] for row in own(case, "vs") if row["VSTESTCD"] == "WEIGHT"}
    assert weights == {number: float(t["weight"]) for number, t in counted(case).items()}


def test_deaths_last_news_and_discharges(case):
    patients, stays = counted(case), {t["subject"]: t for t in case.rows("stays")}
    found: dict[tuple[str, str], list[str]] = {}
    for row in own(case, "ds"):
        found.setdefault((row["DSDECOD"], case.subject(row)), []).append(row["DSSTDTC"])
    rows = broken(case, "icu_dis", "death", "hosp_dis", "fu_", "icu_readm")
    spoilt = {cell["subject"] for cell in case.cells if cell["raw_row"] in rows}
    compared = Counter()
    for number in patients.keys() - spoilt:
        p, stay = patients[number], stays[number]
        # the clock time is known of a death in hospital alone
        death = p["death"] if stay["hospital_status"] == "dead" else p["death"][:10]
        left = stay["icu_end"] if stay["icu_status"] == "alive" else ""
        home = stay["hospital_end"] if stay["hospital_status"] == "alive" else ""
        expected = {"DEATH": death, "LAST CONTACT": p["last_alive"][:10], "ICU DISCHARGE": left}
        expected |= {"HOSPITAL DISCHARGE": home, "ICU READMISSION": stay["readmission"]}
        for word, when in expected.items():
            assert max(found.get((word, number), [""])) == when, (number, word)
            compared[word] += bool(when)
    assert sum(compared.values()) > 2.5 * len(patients)
    assert len(spoilt) <= 2


def test_treatments(case):
    def line(row: dict, stem: str) -> tuple[str, ...]:
        dose = row["EXDOSE"] if stem == "EX" else float(row["CMDOSTXT"])
        start, end = row[f"{stem}STDTC"], text(row[f"{stem}ENDTC"])
        return case.subject(row), row[f"{stem}TRT"], start, end, f"{dose:g}", row[f"{stem}DOSU"]

    expected = Counter(
        (t["subject"], DRUG[t["drug"]], t["start"], t["stop"], f"{float(t['dose']):g}", t["unit"])
        for t in case.rows("treatments")
    )
    found = Counter(line(row, domain.upper()) for domain in ("ex", "cm") for row in own(case, domain))
    assert not found - expected
    assert (expected - found).total() == len(broken(case, "tx_"))


def test_infections(case):
    expected = Counter(
        (t["subject"], TYPES[t["type"]], t["onset"], t["pathogen"], t["site"].upper()) for t in case.rows("infections")
    )
    found = Counter(
        (case.subject(row), row["CETERM"], row["CESTDTC"], row["CEPATH"], row["CELOC"]) for row in own(case, "ce")
    )
    assert not found - expected
    assert (expected - found).total() == len(broken(case, "inf_"))


def test_adverse_events(case):
    names = ("term", "pt", "soc", "grade", "onset", "end", "outcome", "related", "serious")
    expected = Counter((t["subject"], *(t[name] for name in names)) for t in case.rows("ae"))
    found = Counter()
    for row in own(case, "ae"):
        words = [row[name] for name in ("AETERM", "AEDECOD", "AEBODSYS", "AETOXGR", "AESTDTC")]
        words += [text(row["AEENDTC"]), row["AEOUT"].lower()]
        related, serious = row["AEREL"] == "RELATED", row["AESER"] == "Y"
        found[case.subject(row), *words, "yes" if related else "no", "yes" if serious else "no"] += 1
    assert not found - expected
    assert (expected - found).total() == len(broken(case, "ae_"))
    assert len(own(case, "ae", sound=False)) == len(case.rows("ae"))


def test_biology(case):
    """Every measure of every visit: value in the canonical unit, date and time; nothing where nothing was measured."""
    known = {(t["subject"], t["visit"], t["measure"]): t for t in case.rows("measures")}
    seen = set()
    for domain in ("lb", "vs"):
        stem = domain.upper()
        for row in own(case, domain):
            if row.get("LBCAT", "BIOLOGY") != "BIOLOGY" or row["VISIT"] in (None, "Inclusion"):
                continue
            key = (case.subject(row), row["VISIT"], row[f"{stem}TESTCD"])
            expected = known[key]
            seen.add(key)
            assert expected["measured"] == "yes", key
            assert row[f"{stem}STRESN"] == pytest.approx(float(expected["value"]), rel=1e-9), key
            assert (row[f"{stem}STRESU"], row[f"{stem}DTC"]) == (expected["unit"], expected["datetime"]), key
    measured = {key for key, t in known.items() if t["measured"] == "yes"}
    rows = {(key[0], key[1]) for key in measured - seen}
    assert len(rows) == len(broken(case, "b_"))
    assert len(seen) > 0.9 * len(measured)


def test_samples(case):
    known = {t["sample"]: t for t in case.rows("cytokines")}
    found = {row["PRREFID"]: row for row in own(case, "pr", sound=False)}
    assert set(found) == set(known)
    for name, t in known.items():
        row = found[name]
        assert (case.subject(row), row["VISIT"], row["PRSTDTC"]) == (t["subject"], t["visit"], t["datetime"])


def test_cytokines(case):
    """Mean of both wells, or the bound if one is outside the range, of the plate that counts."""
    chosen = case.last_runs()
    sides, seen = Counter(), set()
    for row in case.sound(case.clean.tables["lbcy"]):
        key = (row["LBREFID"], row["LBTESTCD"])
        expected = chosen[key]
        seen.add(key)
        assert (case.subject(row), row["VISIT"], row["LBDTC"]) == (
            expected["subject"],
            expected["visit"],
            expected["datetime"],
        )
        assert row["LBSTRESU"] == expected["unit"]
        for limit in ("lloq", "uloq"):
            assert row[f"LB{limit.upper()}"] == pytest.approx(float(expected[limit]), rel=1e-6), key
        assert row["LBCENS"] == expected["cens"], key
        sides[expected["cens"]] += 1
        if expected["cens"] == "none":
            assert row["LBSTRESN"] == pytest.approx(float(expected["result"]), rel=1e-6), key
        else:
            assert pd.isna(row["LBSTRESN"]), key
            bound = {"left": "LBLLOQ", "right": "LBULOQ"}[expected["cens"]]
            assert row[bound] == pytest.approx(float(expected["result"]), rel=1e-6), key
    plates = [cells for cells in case.defects.values() if cells[0]["file"].startswith("msd/")]
    wells = sum(cells[0]["item"] != "Sample" for cells in plates)
    missing = set(chosen) - seen
    moved = {cell["original"] for cells in plates for cell in cells if cell["item"] == "Sample"}
    assert sum(name not in moved for name, _ in missing) <= wells
    assert len(seen) > 0.95 * (len(chosen) - 7 * len(moved))
    assert min(sides["left"], sides["right"] + 1) > 0


def test_a_result_whose_unit_is_not_known_is_null(case):
    """The other cells of such a row are read."""
    units = {cell["cell"]: cell for cell in case.cells if cell["kind"].endswith(("_unit_missing", "_unit_wrong"))}
    results = {"ne_unit": ("vs", "ne_rate"), "b_hb_unit": ("lb", "b_hb")}
    for cell in units.values():
        domain, item = results[cell["item"]]
        stem = domain.upper()
        table = case.clean.tables[domain]
        hit = [row for row in table.to_dict("records") if f"{cell['raw_row']}:{item}" in row["origin"]]
        assert len(hit) == 1, cell
        assert pd.isna(hit[0][f"{stem}STRESN"]), cell
        assert "UNIT_SUSPECT" in hit[0]["flags"], cell
        beside = [row for row in table.to_dict("records") if row["origin"][0].startswith(f"{cell['raw_row']}:")]
        assert sum(row[f"{stem}STRESC"] is not None for row in beside) == len(beside) - 1 > 0
    assert len(units) >= 3
