"""ADSTAY: registered length of a stay, from the origin to discharge or death, and the days free of it.

The length is elapsed days from the origin, not from the admission, and ends at death too: dying early makes it short.
A discharge on the day of death is a death, whatever the clock says. A stay that lasts beyond the horizon is censored
there; one whose end is not recorded is censored at the last day known alive. Where ``over_by`` shows that a stay
without a recorded discharge is over, its length is unknown, unless the patient died before that. Only the first stay
counts. A partial date of death counts as its first possible day, one of discharge as its last, so that no stay is made
shorter than it may be; one that may be on the day of death is a death. A discharge on an unknown day, or on either side
of the horizon, leaves the length unknown.

Days free of the stay are those between its end and elapsed day ``free_to``: 0 after a death by then, null for a
patient whose state up to that day is not known (a partial date of death that may be by then counts as by then).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from trialpipe.config.icu import StayDataset
from trialpipe.config.outcomes import Outcome, TimeToEvent
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days
from trialpipe.derive.subjects import LAST_ALIVE, Moment, Subject, milestone_label, subjects
from trialpipe.derive.tte import COMPETING, EVENT, Time, event_time
from trialpipe.io.contracts_icu import ADSTAY

DISCHARGED, DIED, STILL_IN, NOT_FOLLOWED = "discharged alive", "died", "still in", "not followed"
_DEATH_CODE, _DISCHARGE_CODE = EVENT, COMPETING


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADSTAY: a row per patient of ADSL with the milestone of origin."""
    spec = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(spec, StayDataset)
    people = [s for s in subjects(derived["adsl"], protocol) if s.moment(spec.origin) is not None]
    return days.frame([_row(subject, spec, protocol) for subject in people], ADSTAY)


def length(subject: Subject, spec: StayDataset, protocol: Protocol) -> Time:
    """End of the stay of one patient: code 0 discharged alive, 1 censored, 2 death."""
    death, discharge = subject.moment(spec.death), _discharge(subject, spec)
    notes: list[str] = []
    if death is not None and discharge is not None and death.exact and discharge.high == death.high:
        notes = ["discharge and death may be on one day: death"] if not discharge.exact else []
        held = {name: moment for name, moment in subject.moments.items() if name != spec.discharge}
        subject = replace(subject, moments=held)
        if discharge.exact:
            notes = ["discharge and death on one day: death"]
    elif discharge is None:
        over = subject.moment(spec.over_by) if spec.over_by else None
        origin = subject.exact_day(spec.origin)
        if over is not None and origin is not None and (death is None or over.high < death.high):
            label = milestone_label(protocol, over.milestone)
            note = f"{spec.discharge} not recorded, but {label} by day {over.high - origin}: length unknown"
            return Time(origin, None, None, None, None, entry=None, notes=(note,))
    elif discharge.flag is not None:
        return _partial(subject, discharge, spec, protocol)
    return _time(subject, spec, protocol, notes)


def _discharge(subject: Subject, spec: StayDataset) -> Moment | None:
    """The discharge; a partial one is no later than what the stay must be over by."""
    moment, over = subject.moment(spec.discharge), subject.moment(spec.over_by) if spec.over_by else None
    if moment is None or moment.exact or over is None:
        return moment
    return moment._replace(high=max(min(moment.high, over.high), moment.low or over.high))


def _partial(subject: Subject, discharge: Moment, spec: StayDataset, protocol: Protocol) -> Time:
    """A discharge without an exact date: its last possible day, if the horizon is not between its bounds."""
    origin, last = subject.exact_day(spec.origin), discharge.high
    unknown = f"date of {spec.discharge} unknown" if discharge.low is None else None
    if unknown is None and origin is not None and discharge.earliest(origin) <= origin + spec.horizon < last:
        unknown = f"date of {spec.discharge} partial, on either side of day {spec.horizon}"
    if unknown is not None:
        return Time(origin, None, None, None, None, entry=None, notes=(f"{unknown}: length unknown",))
    late = {**subject.moments, spec.discharge: discharge._replace(low=last, high=last, flag=None)}
    time = _time(replace(subject, moments=late), spec, protocol, [])
    if time.milestone != spec.discharge:
        return time
    return replace(
        time, flag=discharge.flag, notes=(*time.notes, f"date of {spec.discharge} partial: last possible day")
    )


def _time(subject: Subject, spec: StayDataset, protocol: Protocol, notes: list[str]) -> Time:
    # death is named first: where the order cannot be known it wins
    endpoint = TimeToEvent.model_construct(
        kind="time_to_event",
        origin=spec.origin,
        entry=None,
        event=(spec.death,),
        competing=(spec.discharge,),
        censor=LAST_ALIVE,
        horizon=spec.horizon,
        labels={},
    )
    time = event_time(subject, endpoint, protocol, [])
    swapped = {_DEATH_CODE: COMPETING, _DISCHARGE_CODE: EVENT}
    code = None if time.cnsr is None else swapped.get(time.cnsr, time.cnsr)
    return replace(time, cnsr=code, notes=(*time.notes, *notes))


def ended(time: Time, spec: StayDataset) -> str | None:
    """How the stay ended; None without a time."""
    if time.cnsr is None or time.end is None or time.origin is None:
        return None
    if time.cnsr in (EVENT, COMPETING):
        return DISCHARGED if time.cnsr == EVENT else DIED
    return STILL_IN if time.end - time.origin >= spec.horizon else NOT_FOLLOWED


def free_days(subject: Subject, time: Time, spec: StayDataset) -> tuple[int | None, bool | None, list[str]]:
    """(days free of the stay to ``free_to``, whether death makes them 0, notes)."""
    origin, death = time.origin, subject.moment(spec.death)
    if origin is None:
        return None, None, []
    last = origin + spec.free_to
    if death is not None and death.earliest(origin) <= last:
        doubt = death.high > last
        return 0, True, [f"death may be after day {spec.free_to}: no free day"] if doubt else []
    alive = max((d for d in (subject.last_alive, death.high if death else None) if d is not None), default=None)
    if alive is None or alive < last:
        return None, None, [f"not followed to day {spec.free_to}: free days unknown"]
    if time.cnsr is None:
        return None, False, []
    out = time.end if time.cnsr == EVENT and time.end is not None else last
    back = subject.moment(spec.readmission) if spec.readmission and spec.free_until_readmission else None
    until = min(last, back.earliest(out)) if back is not None and back.high >= out else last
    return max(until - out, 0), False, []


def _row(subject: Subject, spec: StayDataset, protocol: Protocol) -> dict[str, object]:
    time = length(subject, spec, protocol)
    how = ended(time, spec)
    free, dead, notes = free_days(subject, time, spec)
    row: dict[str, object] = {
        "row_id": f"{spec.id}:{subject.usubjid}/{spec.code}",
        "USUBJID": subject.usubjid,
        "PARAMCD": spec.code,
        "PARAM": spec.label,
        "STARTDT": days.date(time.origin),
        "CNSR": time.cnsr,
        "ENDED": how,
        "FREEDY": None if free is None else float(free),
        "FREEDTH": None if dead is None else "Y" if dead else "N",
        "from": [subject.row_id],
    }
    if how is not None and time.end is not None and time.origin is not None:
        row |= {
            "ADT": days.date(time.end),
            "AVAL": float(time.end - time.origin),
            "ENTRY": 0.0,
            "EVENT": time.milestone,
            "EVNTDESC": time.text,
            "ADTF": time.flag,
        }
        again = _readmission(subject, time, spec)
        row |= {"READMFL": "Y" if again is not None else "N"}
        if again is not None:
            row["READMDY"] = float(again)
            notes.append(f"readmitted on day {again}: first stay counts")
    else:
        row["READMFL"] = "N"
    return row | {"NOTE": days.joined([*time.notes, *notes])}


def _readmission(subject: Subject, time: Time, spec: StayDataset) -> int | None:
    """Elapsed day of a readmission after a discharge alive, up to the horizon."""
    moment = subject.moment(spec.readmission) if spec.readmission else None
    if moment is None or time.cnsr != EVENT or time.origin is None or time.end is None or moment.high < time.end:
        return None
    day = moment.earliest(time.end) - time.origin
    return day if day <= spec.horizon else None
