"""REDCap export of the intensive care trial: raw codes, one file for all instruments, events and repeats.

The six-month event repeats; daily forms, treatments, infections, adverse events and samples are repeating instruments.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate import redcap_fields
from trialpipe.simulate.icu_days import FIELDS
from trialpipe.simulate.icu_patient import IcuPatient
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.raw import Row, Table
from trialpipe.simulate.redcap_fields import INSTRUMENTS
from trialpipe.simulate.rng import stream

KINDS = {
    "vap": "1", "bloodstream": "2", "urinary": "3", "catheter": "4", "other_bacterial": "5", "viral": "6",
    "reactivation": "7", "fungal": "8",
}  # fmt: skip
EVENTS = {"D1": "d1_arm_1", "D7": "d7_arm_1", "D14": "d14_arm_1", "D28": "d28_arm_1"}
COMMON = "common_arm_1"
CODES = {"alive": "1", "dead": "2", "lost": "3"}


def _date(value: dt.date | dt.datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d}"


def _moment(value: dt.datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"


def _clock(value: dt.datetime | None) -> str:
    return "" if value is None else f"{value:%H:%M}"


def data(p: Parameters, seed: int, patients: list[IcuPatient]) -> Table:
    """The data file: a record's rows in the order of events, in the common event by instrument and instance."""
    table = Table(p.words["redcap_files"][0], redcap_fields.columns())
    for patient in sorted(patients, key=lambda own: own.number):
        _Record(p, seed, table, patient).write()
    return table


class _Record:
    """Rows of one record."""

    def __init__(self, p: Parameters, seed: int, table: Table, patient: IcuPatient) -> None:
        self.p, self.table, self.patient = p, table, patient
        self.rng = stream(seed, "record", patient.traits.index)

    def write(self) -> None:
        self._add("inclusion_arm_1", "inclusion", self._inclusion())
        for visit in self.patient.biology:
            cells = {"bio_dt": _date(visit.when), "bio_tm": _clock(visit.when), **visit.cells}
            self._add(EVENTS[visit.visit], "biology", cells, when=visit.when, visit=visit.visit)
        if self.patient.refused is None:
            for number, (date, status) in enumerate(self._contacts(), start=1):
                self._add("m6_arm_1", "followup", self._follow(date, status), instance=number)
            self._add(COMMON, "stay", self._stay())
        self._repeats()

    def _add(
        self, event: str, form: str, cells: dict[str, str], repeat: str = "", instance: int = 0, **tags: object
    ) -> Row:
        keys = (self.patient.number, event, repeat, str(instance) if instance else "")
        names = dict(zip(redcap_fields.KEYS, keys, strict=True))
        boxes = {column: "0" for f in INSTRUMENTS[form] if f.kind == "checkbox" for column in f.columns}
        done = "2" if self.rng.random() < self.p.number("form_complete") else "1"
        whole = {**names, **boxes, **cells, f"{form}_complete": done}
        return self.table.add(self.patient.number, whole, form=form, patient=self.patient, **tags)

    def _inclusion(self) -> dict[str, str]:
        own, who = self.patient, self.patient.traits
        letters = self.p.words["letters"]
        initials = "".join(letters[int(k)] for k in self.rng.integers(0, len(letters), 2))
        return {
            "site": str(who.site),
            "consent_dt": "" if own.emergency else _date(own.inclusion),
            "incl_dt": _date(own.inclusion),
            "incl_tm": _clock(own.inclusion),
            "hosp_adm_dtm": _moment(own.hospital),
            "icu_adm_dtm": _moment(own.icu),
            "initials": initials,
            "birth_dt": _date(who.birth),
            "sex": "1" if who.sex == "M" else "2",
            "emergency": str(int(own.emergency)),
            "refused": str(int(own.refused is not None)),
            "refused_dt": _date(own.refused),
            "weight": f"{who.weight:.1f}".replace(".", ","),
            "height": str(who.height),
            "trigger": {"lymphoma": "1", "infection": "2", "autoimmune": "3", "other": "4"}[who.trigger],
            **own.inclusion_cells,
        }

    def _repeats(self) -> None:
        own = self.patient
        for number, day in enumerate((d for d in own.days if d.recorded), start=1):
            hidden = {item for organ in day.missing for item in FIELDS[organ]}
            cells = {k: v for k, v in day.cells.items() if k not in hidden and k != "support"}
            cells |= {f"support___{day.cells['support']}": "1", "day_dt": _date(day.when), "day_tm": _clock(day.when)}
            self._repeat("icu_day", number, cells, when=day.when, day=day.number)
        for number, drug in enumerate(own.treatments, start=1):
            cells = {
                "tx_drug": drug.drug, "tx_name": drug.name, "tx_start_dtm": _moment(drug.start),
                "tx_stop_dtm": _moment(drug.stop), "tx_dose": drug.dose, "tx_unit": drug.unit,
            }  # fmt: skip
            self._repeat("treatment", number, cells, when=drug.start)
        for number, found in enumerate(own.infections, start=1):
            cells = {
                "inf_onset_dtm": _moment(found.onset), "inf_type": KINDS[found.kind], "inf_pathogen": found.pathogen,
                "inf_site": "1" if found.icu else "2",
            }  # fmt: skip
            self._repeat("infection", number, cells, when=found.onset)
        for number, event in enumerate(own.events, start=1):
            cells = {
                "ae_term": event.term, "ae_pt": event.pt, "ae_soc": event.soc, "ae_grade": str(event.grade),
                "ae_serious": str(int(event.serious)), "ae_start": _date(event.start), "ae_stop": _date(event.stop),
                "ae_related": str(int(event.related)), "ae_outcome": event.outcome,
            }  # fmt: skip
            self._repeat("ae", number, cells, when=event.start)
        for number, sample in enumerate(own.samples, start=1):
            cells = {"s_id": sample.id, "s_visit": sample.visit[1:], "s_dtm": _moment(sample.when)}
            self._repeat("sample", number, cells, when=sample.when)

    def _repeat(self, form: str, number: int, cells: dict[str, str], **tags: object) -> None:
        self._add(COMMON, form, cells, form, number, **tags)

    def _stay(self) -> dict[str, str]:
        own = self.patient
        dead = own.death is not None and own.icu_end == own.death
        gone = own.death is not None and own.hospital_end == own.death.date()
        status = "" if own.hospital_end is None else "2" if gone else "1"
        return {
            "icu_dis_dtm": _moment(own.icu_end),
            "icu_dis_status": "2" if dead else "1",
            "hosp_dis_dt": _date(own.hospital_end),
            "hosp_dis_status": status,
            "icu_readm": "" if dead else str(int(own.readmission is not None)),
            "icu_readm_dtm": _moment(own.readmission),
        }

    def _contacts(self) -> list[tuple[dt.date, str]]:
        death = self.patient.death
        return self.patient.contacts if death is None else [(death.date(), "dead")]

    def _follow(self, date: dt.date, status: str) -> dict[str, str]:
        death = self.patient.death if status == "dead" else None
        known = death is not None and self.patient.hospital_end == death.date()
        return {
            "fu_dt": _date(date),
            "fu_status": CODES[status],
            "death_dt": _date(death),
            "death_tm": _clock(death) if known else "",
            "death_cause": self.patient.cause if death else "",
        }


def rows(table: Table, form: str) -> list[Row]:
    """Rows of an instrument."""
    return [row for row in table.rows if row.tags["form"] == form]


def pick(rng: np.random.Generator, found: list[Row]) -> Row | None:
    return found[int(rng.integers(len(found)))] if found else None
