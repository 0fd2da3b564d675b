"""Data dictionary of a simulated REDCap project: instruments, fields, choices, validation."""

from __future__ import annotations

from dataclasses import dataclass

from trialpipe.simulate.raw import Table

HEADER = (
    "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
    "Choices, Calculations, OR Slider Labels", "Field Note", "Text Validation Type OR Show Slider Number",
    "Text Validation Min", "Text Validation Max", "Identifier?", "Branching Logic (Show field only if...)",
    "Required Field?", "Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?",
    "Field Annotation",
)  # fmt: skip
KEYS = ("record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance")
YES_NO = "1, Yes | 0, No"
DRUGS = (
    "1, Ruxolitinib | 2, Etoposide | 3, Dexamethasone | 4, Methylprednisolone | 5, Anakinra | 6, Tocilizumab | 7, Other"
)
INFECTIONS = (
    "1, Ventilator-associated pneumonia | 2, Bloodstream infection | 3, Urinary tract infection | 4, Catheter infection"
    " | 5, Other bacterial infection | 6, Viral infection | 7, Viral reactivation | 8, Fungal infection"
)
CRITERIA = (
    "1, Fever | 2, Splenomegaly | 3, Cytopenia | 4, Triglycerides or fibrinogen | 5, Haemophagocytosis | 6, NK activity"
    " | 7, Ferritin | 8, Soluble CD25"
)
SUPPORT = "0, None | 1, Invasive ventilation | 2, Non-invasive ventilation | 3, High-flow oxygen"
DATE, MOMENT, TIME, NUMBER, COMMA, INTEGER = (
    "date_dmy", "datetime_dmy", "time", "number", "number_comma_decimal", "integer",
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One field. ``kind``: text, radio, yesno as radio, checkbox; ``check``: validation; ``note``: unit."""

    name: str
    label: str
    kind: str = "text"
    choices: str = ""
    check: str = ""
    note: str = ""
    identifier: bool = False

    @property
    def codes(self) -> list[str]:
        return [choice.split(",")[0].strip() for choice in self.choices.split("|")]

    @property
    def columns(self) -> list[str]:
        return [f"{self.name}___{code}" for code in self.codes] if self.kind == "checkbox" else [self.name]


def _text(name: str, label: str, check: str = "", note: str = "", identifier: bool = False) -> Field:
    return Field(name, label, "text", "", check, note, identifier)


def _one(name: str, label: str, choices: str = YES_NO) -> Field:
    return Field(name, label, "radio", choices)


INSTRUMENTS: dict[str, tuple[Field, ...]] = {
    "inclusion": (
        _text("site", "Site", INTEGER),
        _text("consent_dt", "Date of consent", DATE),
        _text("incl_dt", "Date of inclusion", DATE),
        _text("incl_tm", "Time of inclusion", TIME),
        _text("hosp_adm_dtm", "Admission to hospital", MOMENT),
        _text("icu_adm_dtm", "Admission to intensive care", MOMENT),
        _text("initials", "Initials", identifier=True),
        _text("birth_dt", "Date of birth", DATE, identifier=True),
        _one("sex", "Sex", "1, Male | 2, Female"),
        _one("emergency", "Included in an emergency without consent"),
        _one("refused", "Refused the use of the data afterwards"),
        _text("refused_dt", "Date of refusal", DATE),
        _text("weight", "Weight", COMMA, "kg"),
        _text("height", "Height", INTEGER, "cm"),
        _one("trigger", "Trigger", "1, Lymphoma | 2, Infection | 3, Autoimmune disease | 4, Other"),
        Field("hlh_crit", "HLH-2004 criteria met", "checkbox", CRITERIA),
        _one("immsup", "Known immunosuppression"),
        _one("hepato", "Hepatomegaly"),
        _one("spleno", "Splenomegaly"),
        _one("hemophag", "Haemophagocytosis on marrow aspirate", "1, Yes | 0, No | 9, Not done"),
        _text("temp_max", "Highest temperature", NUMBER, "Cel"),
        _text("hb", "Haemoglobin", NUMBER, "g/dL"),
        _text("plt", "Platelets", NUMBER, "G/L"),
        _text("wbc", "Leukocytes", NUMBER, "G/L"),
        _text("anc", "Neutrophils", NUMBER, "G/L"),
        _text("ferr", "Ferritin", NUMBER, "ug/L"),
        _text("tg", "Triglycerides", NUMBER, "mmol/L"),
        _text("fib", "Fibrinogen", NUMBER, "g/L"),
        _text("ast", "Aspartate aminotransferase", NUMBER, "U/L"),
        _text("scd25", "Soluble CD25", NUMBER, "U/mL"),
    ),
    "icu_day": (
        _text("day_dt", "Date", DATE),
        _text("day_tm", "Time of the blood gas", TIME),
        _text("pao2", "PaO2", NUMBER),
        _one("pao2_unit", "Unit of PaO2", "1, mmHg | 2, kPa"),
        _text("fio2", "FiO2", NUMBER, "%"),
        Field("support", "Respiratory support", "checkbox", SUPPORT),
        _text("map_min", "Lowest mean arterial pressure", NUMBER, "mmHg"),
        _text("ne_rate", "Norepinephrine, highest rate", NUMBER),
        _one("ne_unit", "Unit of norepinephrine", "1, ug/kg/min | 2, mg/h"),
        _one("ne_salt", "Norepinephrine expressed as", "1, Base | 2, Tartrate"),
        _text("epi_rate", "Epinephrine, highest rate", NUMBER, "ug/kg/min"),
        _text("dobu_rate", "Dobutamine, highest rate", NUMBER, "ug/kg/min"),
        _text("dopa_rate", "Dopamine, highest rate", NUMBER, "ug/kg/min"),
        _text("gcs", "Glasgow coma score", INTEGER),
        _one("sedated", "Sedated"),
        _text("gcs_presed", "Glasgow coma score assumed without sedation", INTEGER),
        _text("d_plt", "Platelets", NUMBER, "G/L"),
        _text("d_bili", "Bilirubin", NUMBER, "umol/L"),
        _text("d_creat", "Creatinine", NUMBER, "umol/L"),
        _text("urine", "Urine output", NUMBER, "mL/24 h"),
        _one("rrt", "Renal replacement therapy"),
    ),
    "biology": (
        _text("bio_dt", "Date", DATE),
        _text("bio_tm", "Time", TIME),
        _text("b_temp", "Temperature", COMMA, "Cel"),
        _text("b_ferr", "Ferritin", NUMBER, "ug/L"),
        _text("b_scd25", "Soluble CD25", NUMBER, "U/mL"),
        _text("b_fib", "Fibrinogen", COMMA, "g/L"),
        _text("b_tg", "Triglycerides", COMMA, "mmol/L"),
        _text("b_hb", "Haemoglobin", NUMBER),
        _one("b_hb_unit", "Unit of haemoglobin", "1, g/dL | 2, g/L"),
        _text("b_wbc", "Leukocytes", NUMBER, "G/L"),
        _text("b_plt", "Platelets", NUMBER, "G/L"),
        _text("b_bili", "Bilirubin", NUMBER, "umol/L"),
        _text("b_creat", "Creatinine", NUMBER, "umol/L"),
    ),
    "treatment": (
        _one("tx_drug", "Drug", DRUGS),
        _text("tx_name", "Other drug"),
        _text("tx_start_dtm", "Start", MOMENT),
        _text("tx_stop_dtm", "Stop", MOMENT),
        _text("tx_dose", "Dose", NUMBER),
        _text("tx_unit", "Unit of the dose"),
    ),
    "infection": (
        _text("inf_onset_dtm", "Onset", MOMENT),
        _one("inf_type", "Type", INFECTIONS),
        _text("inf_pathogen", "Pathogen"),
        _one("inf_site", "Where", "1, Intensive care | 2, Ward"),
    ),
    "ae": (
        _text("ae_term", "Adverse event"),
        _text("ae_pt", "Preferred term"),
        _text("ae_soc", "System organ class"),
        _one("ae_grade", "CTCAE grade", "1, Grade 1 | 2, Grade 2 | 3, Grade 3 | 4, Grade 4 | 5, Grade 5"),
        _one("ae_serious", "Serious"),
        _text("ae_start", "Start", DATE),
        _text("ae_stop", "End", DATE),
        _one("ae_related", "Related to ruxolitinib"),
        _one("ae_outcome", "Outcome", "1, Recovered | 2, Not recovered | 3, Fatal"),
    ),
    "sample": (
        _text("s_id", "Sample"),
        _one("s_visit", "Visit", "1, D1 | 7, D7 | 14, D14 | 28, D28"),
        _text("s_dtm", "Taken", MOMENT),
    ),
    "stay": (
        _text("icu_dis_dtm", "Discharge from intensive care", MOMENT),
        _one("icu_dis_status", "At discharge from intensive care", "1, Alive | 2, Dead"),
        _text("hosp_dis_dt", "Discharge from hospital", DATE),
        _one("hosp_dis_status", "At discharge from hospital", "1, Alive | 2, Dead"),
        _one("icu_readm", "Readmitted to intensive care"),
        _text("icu_readm_dtm", "Readmission", MOMENT),
    ),
    "followup": (
        _text("fu_dt", "Date of last news", DATE),
        _one("fu_status", "Status", "1, Alive | 2, Dead | 3, Lost to follow-up"),
        _text("death_dt", "Date of death", DATE),
        _text("death_tm", "Time of death", TIME),
        _text("death_cause", "Cause of death"),
    ),
}  # fmt: skip


def columns() -> tuple[str, ...]:
    """Columns of the data file in the order of the dictionary."""
    found = list(KEYS)
    for form, fields in INSTRUMENTS.items():
        found += [column for field in fields for column in field.columns] + [f"{form}_complete"]
    return tuple(found)


def dictionary(path: str) -> Table:
    """The data dictionary as REDCap writes it, a row per field."""
    table = Table(path, HEADER)
    fields = [("inclusion", _text("record_id", "Record ID"))]
    fields += [(form, field) for form, own in INSTRUMENTS.items() for field in own]
    for form, field in fields:
        cells = (
            field.name, form, "", field.kind, field.label, field.choices, field.note, field.check, "", "",
            "y" if field.identifier else "", *[""] * 7,
        )  # fmt: skip
        table.add("", dict(zip(HEADER, cells, strict=True)))
    return table
