"""What is true of a simulated patient, before anything is written down.

Times are local clock times. Days are elapsed days from the day of the first dose (day 0).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np

FATES = ("dead", "conditioning_death", "lost", "late_hsct", "not_transplanted", "transplanted")


@dataclass(frozen=True)
class Traits:
    """What a patient brings along."""

    index: int
    age_days: int
    sex: str
    gene: str
    family: bool
    cns: bool
    site: int
    severity: float
    kill: float
    weight: float
    height: float


@dataclass(frozen=True)
class Dose:
    course: int
    start: dt.datetime
    end: dt.datetime
    mg: float


@dataclass(frozen=True)
class Finding:
    """One planned measurement. ``value`` in the canonical unit as the laboratory printed it.

    ``limit``: none, below or above (``value`` is then the printed bound); ``measured`` False: no result.
    ``printed`` and ``unit`` are the figure and unit of the raw form.
    """

    test: str
    spec: str
    visit: str
    when: dt.datetime
    value: float | None
    text: str | None
    measured: bool
    limit: str
    unit: str
    printed: float | str | None
    printed_unit: str


@dataclass(frozen=True)
class Sample:
    """A sample of the manifest, PK or biobank."""

    id: str
    kind: str
    visit: str
    when: dt.datetime
    last_dose: dt.datetime | None = None


@dataclass(frozen=True)
class Medication:
    category: str
    name: str
    start: dt.date
    end: dt.date | None
    dose: str


@dataclass(frozen=True)
class AdverseEvent:
    term: str
    pt: str
    soc: str
    start: dt.date
    end: dt.date | None
    grade: int
    serious: bool
    related: bool
    outcome: str


@dataclass(frozen=True)
class Pcr:
    """One viral PCR: load None if negative; ``below``: found under the limit of quantification."""

    virus: str
    visit: str
    when: dt.date
    load: float | None
    below: bool
    organ: bool
    unit: str


@dataclass(frozen=True)
class Course:
    """The latent disease by the hour from the first dose: concentration, target, activity, damage."""

    hours: np.ndarray
    concentration: np.ndarray
    target: np.ndarray
    activity: np.ndarray
    damage: np.ndarray

    def at(self, name: str, day: float) -> float:
        """A latent quantity at an elapsed time in days; the first value before the first dose."""
        values = getattr(self, name)
        return float(values[min(max(int(round(day * 24)), 0), len(values) - 1)])


@dataclass
class Patient:
    """The truth about one patient. ``state`` is the primary state at the horizon."""

    number: str
    traits: Traits
    fate: str
    consent: dt.date
    inclusion: dt.date
    first_dose: dt.datetime
    course: Course
    doses: list[Dose]
    rescue: dt.date | None = None
    conditioning: dt.date | None = None
    hsct: dt.datetime | None = None
    death: dt.datetime | None = None
    cause: str | None = None
    last_alive: dt.datetime | None = None
    lost: bool = False
    state: str = ""
    findings: list[Finding] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    pk: dict[str, float] = field(default_factory=dict)
    medications: list[Medication] = field(default_factory=list)
    events: list[AdverseEvent] = field(default_factory=list)
    evaluations: list[tuple[str, dt.date, str]] = field(default_factory=list)
    follow_up: list[tuple[str, dt.date]] = field(default_factory=list)
    intakes: list[tuple[dt.datetime, float]] = field(default_factory=list)
    pcrs: list[Pcr] = field(default_factory=list)
    diagnosis: dict[str, str] = field(default_factory=dict)

    def day(self, when: dt.date | dt.datetime) -> int:
        """Elapsed days from the day of the first dose."""
        date = when.date() if isinstance(when, dt.datetime) else when
        return (date - self.first_dose.date()).days

    def date(self, day: int) -> dt.date:
        return self.first_dose.date() + dt.timedelta(days=int(day))

    def clock(self, day: int, hour: float) -> dt.datetime:
        """Clock time, to the minute, of an hour on an elapsed day."""
        midnight = dt.datetime.combine(self.date(day), dt.time())
        return midnight + dt.timedelta(minutes=int(round(hour * 60)))

    def ends(self) -> dt.datetime:
        """Last moment at which something can still be recorded."""
        return self.death or self.last_alive or self.first_dose

    def until(self, day: int) -> bool:
        """Whether the patient is observed in the morning of an elapsed day."""
        return self.clock(day, 9.0) < self.ends()
