"""What is true of a simulated patient in intensive care, before anything is written down or spoilt.

Days are elapsed days from D1, the day of the first dose (of inclusion without a dose): D7 is day 6. Cells are texts as
the form holds them; ``missing`` names the organs of which nothing is recorded on a day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np

from trialpipe.simulate.patient import Sample

FATES = (
    "refused", "untreated_dead", "untreated", "early_death", "icu_death", "ward_death", "late_death", "early_ward",
    "lost", "readmitted", "survivor",
)  # fmt: skip
IN_ICU = ("untreated_dead", "early_death", "icu_death")
VISITS = {"D1": 0, "D7": 6, "D14": 13, "D28": 27}
ORGANS = ("resp", "coag", "liver", "cardio", "cns", "renal")


@dataclass(frozen=True)
class IcuTraits:
    """What a patient brings along. ``organs``: susceptibility of each organ; ``severity``: failure at inclusion."""

    index: int
    site: int
    sex: str
    birth: dt.date
    weight: float
    height: int
    trigger: str
    severity: float
    responds: bool
    organs: dict[str, float]


@dataclass(frozen=True)
class IcuDay:
    """One day in intensive care at the moment of its blood gas."""

    number: int
    when: dt.datetime
    cells: dict[str, str]
    missing: frozenset[str] = frozenset()
    recorded: bool = True


@dataclass(frozen=True)
class Biology:
    """One visit: ``cells`` without those that were not measured."""

    visit: str
    when: dt.datetime
    cells: dict[str, str]


@dataclass(frozen=True)
class Treatment:
    drug: str
    name: str
    start: dt.datetime
    stop: dt.datetime | None
    dose: str
    unit: str


@dataclass(frozen=True)
class Infection:
    onset: dt.datetime
    kind: str
    pathogen: str
    icu: bool


@dataclass(frozen=True)
class IcuEvent:
    term: str
    pt: str
    soc: str
    grade: int
    serious: bool
    start: dt.date
    stop: dt.date | None
    related: bool
    outcome: str


@dataclass
class IcuPatient:
    """The truth about one patient. ``failure``: latent organ failure by day from -10; ``origin``: date of D1."""

    number: str
    traits: IcuTraits
    fate: str
    inclusion: dt.datetime
    origin: dt.date
    first_dose: dt.datetime | None
    hospital: dt.datetime
    icu: dt.datetime
    failure: np.ndarray
    emergency: bool = False
    refused: dt.date | None = None
    icu_end: dt.datetime | None = None
    hospital_end: dt.date | None = None
    readmission: dt.datetime | None = None
    death: dt.datetime | None = None
    cause: str = ""
    last_alive: dt.datetime | None = None
    days: list[IcuDay] = field(default_factory=list)
    inclusion_cells: dict[str, str] = field(default_factory=dict)
    biology: list[Biology] = field(default_factory=list)
    treatments: list[Treatment] = field(default_factory=list)
    infections: list[Infection] = field(default_factory=list)
    events: list[IcuEvent] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    contacts: list[tuple[dt.date, str]] = field(default_factory=list)

    def day(self, when: dt.date | dt.datetime) -> int:
        """Elapsed days from D1."""
        date = when.date() if isinstance(when, dt.datetime) else when
        return (date - self.origin).days

    def date(self, day: int) -> dt.date:
        return self.origin + dt.timedelta(days=int(day))

    def clock(self, day: int, hour: float) -> dt.datetime:
        """Clock time, to the minute, of an hour on an elapsed day."""
        return dt.datetime.combine(self.date(day), dt.time()) + dt.timedelta(minutes=round(hour * 60))

    def level(self, day: int) -> float:
        """Latent organ failure on an elapsed day."""
        return float(self.failure[min(max(day + 10, 0), len(self.failure) - 1)])

    def activity(self, day: int) -> float:
        """Latent inflammation: falls faster than the organs recover once the drug is given."""
        eased = 0.5 + 0.5 * float(np.exp(-0.12 * max(day, 0))) if self.first_dose else 1.0
        return self.level(day) * eased

    def ends(self) -> dt.datetime:
        """Last moment at which something can still be recorded."""
        if self.refused is not None:
            return dt.datetime.combine(self.refused, dt.time(9))
        assert self.last_alive is not None
        return self.death or self.last_alive

    def in_icu(self, day: int) -> bool:
        """Whether the morning of a day is spent in intensive care."""
        assert self.icu_end is not None
        noon = self.clock(day, 9.5)
        first = self.icu <= noon < self.icu_end
        return noon < self.ends() and (first or (self.readmission is not None and noon >= self.readmission))

    def in_hospital(self, when: dt.datetime) -> bool:
        return self.hospital <= when < self.ends() and (self.hospital_end is None or when.date() < self.hospital_end)
