"""What is true of a simulated recipient of a transplant, before anything is written down.

Days are elapsed days from the day of randomisation.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from trialpipe.simulate.patient import AdverseEvent, Medication

ORGANS = ("SKIN", "MOUTH", "EYES", "GI", "LIVER", "LUNG", "JOINT", "GENIT")


@dataclass(frozen=True)
class Person:
    """What a patient brings along. ``gap``: days from transplant to randomisation; ``donor``, ``disease``: strata."""

    index: int
    site: int
    sex: str
    born: dt.date
    initials: str
    randomised: dt.date
    included: dt.date
    gap: int
    donor: str
    disease: str
    cytogenetics: str
    mrd: bool
    source: str
    conditioning: str
    weight: float


@dataclass
class Days:
    """Days of what happens; None: it does not. ``nrm``: death without relapse, ``after``: death after it."""

    relapse: int | None = None
    nrm: int | None = None
    after: int | None = None
    again: int | None = None
    acute: int | None = None
    chronic: int | None = None
    lost: int | None = None
    infusions: list[int] = field(default_factory=list)
    stopped: int | None = None
    reason: str = ""

    @property
    def death(self) -> int | None:
        return self.after if self.relapse is not None else self.nrm


@dataclass(frozen=True)
class Infusion:
    """``figure`` times 10 to the ``exponent`` CD3+ cells per kg."""

    number: int
    date: dt.date
    figure: float
    exponent: int
    fresh: bool


@dataclass(frozen=True)
class Acute:
    """Stages of one day with the measures they come from."""

    date: dt.date
    skin: int
    liver: int
    upper: int
    lower: int
    area: int
    bilirubin: int
    volume: int
    systemic: bool


@dataclass(frozen=True)
class Chronic:
    """Scores of the organs of one day; ``fev1`` percent predicted."""

    date: dt.date
    scores: dict[str, int]
    fev1: int
    systemic: bool


@dataclass(frozen=True)
class Evaluation:
    visit: str
    date: dt.date
    remission: bool
    mrd: str
    relapse: dt.date | None


@dataclass(frozen=True)
class Immunity:
    """Results by item; None: not measured."""

    visit: str
    date: dt.date
    values: dict[str, float | None]


@dataclass(frozen=True)
class Vital:
    visit: str
    date: dt.date
    weight: float
    performance: int


@dataclass
class Recipient:
    """The truth about one patient; ``severity`` the worst grade of (acute, chronic) GVHD the course leads to."""

    number: str
    person: Person
    arm: str
    days: Days
    severity: tuple[int, int]
    end: int
    cause: str = ""
    last_news: dt.date | None = None
    infusions: list[Infusion] = field(default_factory=list)
    acute: list[Acute] = field(default_factory=list)
    chronic: list[Chronic] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    immunity: list[Immunity] = field(default_factory=list)
    vitals: list[Vital] = field(default_factory=list)
    medications: list[Medication] = field(default_factory=list)
    events: list[AdverseEvent] = field(default_factory=list)

    @property
    def hsct(self) -> dt.date:
        return self.date(-self.person.gap)

    @property
    def status(self) -> str:
        if self.days.death is not None:
            return "DEAD"
        return "ALIVE" if self.days.lost is None else "LOST"

    def date(self, day: int) -> dt.date:
        return self.person.randomised + dt.timedelta(days=int(day))

    def day(self, when: dt.date) -> int:
        return (when - self.person.randomised).days

    def when(self, day: int | None) -> dt.date | None:
        return None if day is None else self.date(day)

    def last_assessment(self) -> int:
        """Day of the last evaluation of the disease; that at inclusion counts as day 0."""
        return max(0, *(self.day(e.date) for e in self.evaluations))
