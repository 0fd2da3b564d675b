"""Adverse events of recipients: rates by phase, the same window in both arms; a death has a fatal event."""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate.parameters import Item, Parameters
from trialpipe.simulate.patient import AdverseEvent
from trialpipe.simulate.recipient import Recipient
from trialpipe.simulate.rng import stream


def add(p: Parameters, seed: int, who: Recipient) -> None:
    """Fill ``who.events``, sorted by start: from randomisation to the end of the window or of observation."""
    days = _phases(p, who)
    for entry in p.adverse_events:
        rng = stream(seed, "event", who.person.index, entry["pt"], entry["phase"])
        busy = -1
        for day in days[entry["phase"]]:
            if day > busy and rng.random() < float(entry["rate"]) / 100:
                event = _event(rng, who, entry, day)
                who.events.append(event)
                busy = who.day(event.end) if event.end else who.end
    if who.days.death is not None:
        who.events.append(_fatal(p, stream(seed, "fatal", who.person.index), who))
    who.events.sort(key=lambda e: (e.start, e.pt))


def _phases(p: Parameters, who: Recipient) -> dict[str, list[int]]:
    last = min(who.end, int(p.number("event_window")))
    ill = sorted({day for a in who.acute if a.systemic for day in range(who.day(a.date), who.day(a.date) + 45)})
    infused = sorted({day for i in who.infusions for day in range(who.day(i.date), who.day(i.date) + 30)})
    return {
        "all": list(range(0, last)),
        "infused": [day for day in infused if day < last],
        "gvhd": [day for day in ill if day < last],
    }


def _event(rng: np.random.Generator, who: Recipient, entry: Item, day: int) -> AdverseEvent:
    shares = np.array([float(share) for share in entry["grades"]])
    grade = int(rng.choice(4, p=shares / shares.sum())) + 1
    length = 1 + int(rng.gamma(2.0, float(entry["days"]) / 2))
    serious = bool(grade == 4 or (grade == 3 and rng.random() < 0.55))
    start = who.date(day)
    ended = start + dt.timedelta(days=length - 1)
    end = ended if ended <= who.date(who.end) else None
    recent = any(0 <= who.day(start) - who.day(i.date) <= 60 for i in who.infusions)
    related = bool(float(entry["related"]) and recent and rng.random() < 0.7)
    outcome = "RECOV" if end else "NOTREC"
    return AdverseEvent(entry["term"], entry["pt"], entry["soc"], start, end, grade, serious, related, outcome)


def _fatal(p: Parameters, rng: np.random.Generator, who: Recipient) -> AdverseEvent:
    causes = [entry for entry in p.fatal if entry["cause"] == who.cause]
    entry = causes[int(rng.integers(len(causes)))]
    died = who.date(who.end)
    first = max(0, who.days.relapse or 0)
    start = max(died - dt.timedelta(days=int(rng.integers(0, 12))), who.date(first))
    related = bool(who.cause == "GVHD" and who.infusions and rng.random() < 0.7)
    return AdverseEvent(entry["term"], entry["pt"], entry["soc"], start, died, 5, True, related, "FATAL")
