"""What is seen of the course of a recipient: visits, GVHD by organ, immunity, chimerism, treatment, last news."""

from __future__ import annotations

import datetime as dt

import numpy as np

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Medication
from trialpipe.simulate.recipient import ORGANS, Acute, Chronic, Evaluation, Immunity, Recipient, Vital
from trialpipe.simulate.rng import stream

# visit: elapsed day from randomisation
VISITS = {"M3": 91, "M6": 183, "M12": 365, "M18": 548, "M24": 730, "M36": 1096, "M48": 1461, "M60": 1826}
INCLUSION, UNSCHEDULED = "INCL", "UNS"
IMMUNE = ("M3", "M6", "M12", "M24")
# overall grade: (least and greatest stage of skin, liver, upper gut, lower gut) of its patterns
ACUTE = {
    1: (((1, 2), (0, 0), (0, 0), (0, 0)),),
    2: (((3, 3), (0, 0), (0, 0), (0, 0)), ((0, 2), (1, 1), (0, 0), (0, 0)), ((1, 3), (0, 0), (1, 1), (0, 1))),
    3: (((1, 3), (0, 1), (0, 1), (2, 3)), ((0, 2), (2, 3), (0, 1), (0, 1)), ((0, 1), (2, 2), (1, 1), (2, 3))),
    4: (((1, 3), (0, 3), (0, 1), (4, 4)), ((4, 4), (0, 2), (0, 1), (0, 2)), ((1, 3), (4, 4), (0, 1), (1, 3))),
}
# stage: least and greatest measure, away from the printed limits
AREA = ((0, 0), (4, 22), (28, 47), (54, 80), (60, 95))
BILIRUBIN = ((6, 24), (37, 48), (56, 98), (110, 240), (275, 420))
VOLUME = ((0, 250), (540, 950), (1050, 1450), (1600, 2600), (800, 2400))
FEV1 = ((82, 108), (61, 78), (42, 58), (24, 38))


def observe(p: Parameters, seed: int, who: Recipient) -> None:
    """Fill everything that is seen at visits and between them, up to the end of observation."""
    index = who.person.index
    _evaluate(p, stream(seed, "evaluations", index), who)
    if who.days.acute is not None:
        who.acute = _acute(p, stream(seed, "acute", index), who)
    if who.days.chronic is not None:
        who.chronic = _chronic(p, stream(seed, "chronic", index), who)
    _immunity(p, stream(seed, "immunity", index), who)
    _vitals(p, stream(seed, "vitals", index), who)
    _medicate(p, stream(seed, "medication", index), who)


def close(p: Parameters, rng: np.random.Generator, who: Recipient) -> None:
    """Last news: the death, else some time before the end of observation, not before the last record."""
    if who.days.death is not None:
        who.last_news = who.date(who.end)
        return
    dated = [r.date for rows in (who.evaluations, who.acute, who.chronic, who.immunity, who.vitals) for r in rows]
    dated += [m.end or m.start for m in who.medications] + [e.end or e.start for e in who.events]
    dated += [i.date for i in who.infusions]
    quiet = 0 if who.days.lost is not None else int(rng.integers(0, int(p.number("silence")) + 1))
    who.last_news = max([who.date(who.end - quiet), *dated])


def _between(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    return int(rng.integers(limits[0], limits[1] + 1))


def _evaluate(p: Parameters, rng: np.random.Generator, who: Recipient) -> None:
    relapse = who.days.relapse
    found = [Evaluation(INCLUSION, who.person.included, True, "POS" if who.person.mrd else "NEG", None)]
    seen = None
    if relapse is not None:
        seen = min(relapse + int(rng.integers(0, 6)), who.end)
        found.append(Evaluation(UNSCHEDULED, who.date(seen), False, "POS", who.date(relapse)))
    second = rng.random() < p.number("second_remission_after_relapse")
    for visit, target in VISITS.items():
        day = target + int(np.clip(round(rng.normal() * p.number("visit_sd")), -24, 24))
        missed, mrd = rng.random() < p.number("visit_missed"), rng.random(2)
        if missed or day >= who.end or (relapse is not None and seen is not None and relapse <= day <= seen):
            continue
        remission = relapse is None or day < relapse or (second and day > relapse + 60)
        positive = not remission or (relapse is not None and 0 < relapse - day <= 60 and mrd[0] < 0.7)
        positive = positive or (who.person.mrd and day < 200 and mrd[0] < 0.4)
        text = "" if mrd[1] < p.number("mrd_not_done") else "POS" if positive else "NEG"
        found.append(Evaluation(visit, who.date(day), remission, text, None))
    who.evaluations = sorted(found, key=lambda e: e.date)


def _acute(p: Parameters, rng: np.random.Generator, who: Recipient) -> list[Acute]:
    """Onset, worst day, one or two better ones, none; the worst day may be the first."""
    assert who.days.acute is not None
    grade, day = who.severity[0], who.days.acute
    grades = [grade] if grade == 1 or rng.random() < p.number("acute_at_once") else [grade - 1, grade]
    grades += [g for g in (2, 1) if g < grade] + [0]
    found: list[Acute] = []
    for now in grades:
        if found:
            day += int(rng.integers(5, 15))
        if day > who.end or (who.days.relapse is not None and day >= who.days.relapse and found):
            break
        found.append(_stages(rng, who.date(day), now))
    return found


def _stages(rng: np.random.Generator, date: dt.date, grade: int) -> Acute:
    patterns = ACUTE.get(grade, (((0, 0),) * 4,))
    pattern = patterns[int(rng.integers(len(patterns)))]
    skin, liver, upper, lower = (_between(rng, limits) for limits in pattern)
    measures = [_between(rng, table[stage]) for table, stage in ((AREA, skin), (BILIRUBIN, liver), (VOLUME, lower))]
    return Acute(date, skin, liver, upper, lower, measures[0], measures[1], round(measures[2], -1), grade >= 2)


def _chronic(p: Parameters, rng: np.random.Generator, who: Recipient) -> list[Chronic]:
    """Onset, worst and better days; treated from the first day that is not mild, some for mild disease too."""
    assert who.days.chronic is not None
    grade, day = who.severity[1], who.days.chronic
    path = [grade] if grade == 1 or rng.random() < 0.5 else [grade - 1, grade]
    path += [grade] * int(rng.integers(0, 2)) + [g for g in (2, 1) if g < grade] + [0] * int(rng.random() < 0.6)
    eager, late = rng.random() < p.number("treated_mild"), rng.random() < p.number("untreated_moderate")
    treated = False
    found: list[Chronic] = []
    for now in path:
        if found:
            day += int(rng.integers(50, 110))
        if day > who.end or (who.days.relapse is not None and day >= who.days.relapse and found):
            break
        treated = treated or now == 3 or (now == 2 and not late) or (now == 1 and eager)
        found.append(_scores(rng, who.date(day), now, treated and now > 0))
    return found


def _scores(rng: np.random.Generator, date: dt.date, grade: int, treated: bool) -> Chronic:
    """Scores of a global severity (0 none to 3 severe), see `gvhd_truth.nih`."""
    order = [ORGANS[k] for k in rng.permutation(len(ORGANS))]
    solid = [organ for organ in order if organ != "LUNG"]
    scores = dict.fromkeys(ORGANS, 0)
    way = rng.random()
    if grade == 1:
        scores |= dict.fromkeys(solid[: 1 + int(way < 0.4)], 1)
    elif grade == 2 and way < 0.35:
        scores |= dict.fromkeys(solid[:3], 1)
    elif grade == 2 and way < 0.8:
        scores |= {solid[0]: 2, solid[1]: int(rng.integers(0, 3))}
    elif grade == 2:
        scores |= {"LUNG": 1, solid[0]: int(rng.integers(0, 2))}
    elif grade == 3 and way < 0.65:
        scores |= {solid[0]: 3, solid[1]: int(rng.integers(0, 3)), "LUNG": int(rng.integers(0, 2))}
    elif grade == 3:
        scores |= {"LUNG": int(rng.integers(2, 4)), solid[0]: int(rng.integers(0, 3))}
    return Chronic(date, scores, _between(rng, FEV1[scores["LUNG"]]), treated)


def _immunity(p: Parameters, rng: np.random.Generator, who: Recipient) -> None:
    """Counts that recover with time, chimerism that falls before a relapse; nothing after it."""
    effect = rng.normal()
    relapse = who.days.relapse
    dates = {e.visit: e.date for e in who.evaluations}
    for visit in IMMUNE:
        noise, missing, none = rng.normal(size=7), rng.random(7), rng.random() < p.number("immunity_missed")
        if visit not in dates or none or (relapse is not None and who.day(dates[visit]) >= relapse):
            continue
        months = (who.day(dates[visit]) + who.person.gap) / 30.4375
        infused = any(i.date < dates[visit] for i in who.infusions)
        values: dict[str, float | None] = {}
        for at, item in enumerate(("CD3C", "CD4C", "CD8C", "NKC", "BC")):
            plateau, half, sd = p.numbers(f"cells_{item}")
            level = plateau * months / (months + half) * float(np.exp(0.5 * sd * effect + 0.8 * sd * noise[at]))
            values[item] = float(round(level * (p.number("cells_infused") if infused else 1.0)))
        near = relapse is not None and relapse - who.day(dates[visit]) <= 60
        whole = 99.6 - abs(noise[5]) * 0.8 - (12 * abs(noise[6]) if near else 0)
        tcells = 100 - float(np.exp(p.number("mixed_t") - 0.12 * months + 0.8 * noise[6])) * (0.4 if infused else 1)
        values["CHIMWB"] = round(max(whole, 5.0), 1)
        values["CHIMCD3"] = round(min(max(tcells, 20.0), 100.0), 1)
        kept = {k: None if missing[at] < p.number("value_missing") else v for at, (k, v) in enumerate(values.items())}
        who.immunity.append(Immunity(visit, dates[visit], kept))


def _vitals(p: Parameters, rng: np.random.Generator, who: Recipient) -> None:
    weight = who.person.weight
    for evaluation in who.evaluations:
        weight = round(max(weight + float(rng.normal(0, 1.8)), 42.0), 1)
        score = int(rng.choice([100, 90, 80, 70], p=[0.35, 0.4, 0.2, 0.05])) - (0 if evaluation.remission else 20)
        who.vitals.append(Vital(evaluation.visit, evaluation.date, weight, score))


def _medicate(p: Parameters, rng: np.random.Generator, who: Recipient) -> None:
    """Ciclosporin from the transplant, prophylaxis, treatment of GVHD and of relapse."""
    stop = int(rng.integers(20, 90))
    treated = [a.date for a in who.acute if a.systemic][:1] + [c.date for c in who.chronic if c.systemic][:1]
    found: list[tuple[str, str, dt.date, int]] = []
    found.append(("ciclosporin", "Ciclosporine", who.date(-who.person.gap - 1), stop))
    found.append(("prophylaxis", "Valaciclovir", who.date(-who.person.gap + 1), 365 + stop))
    found.append(("prophylaxis", "Cotrimoxazole", who.date(-who.person.gap + 30), 300 + stop))
    for begin in treated:
        day = who.day(begin)
        found.append(("steroid", "Prednisone", begin, day + int(rng.integers(40, 160))))
        if rng.random() < p.number("second_line_gvhd"):
            found.append(("second line", "Ruxolitinib", who.date(day + 12), day + 12 + int(rng.integers(60, 250))))
    if who.days.relapse is not None:
        first = who.days.relapse + int(rng.integers(3, 14))
        names = ("Azacitidine", "Azacitidine et vénétoclax", "FLAG-Ida", "Gilteritinib")
        found.append(("relapse", names[int(rng.integers(len(names)))], who.date(first), first + 90))
        if rng.random() < p.number("infused_after_relapse"):
            found.append(("relapse", "Lymphocytes du donneur (rechute)", who.date(first + 45), first + 45))
    last = who.date(who.end)
    for category, name, start, end in found:
        if start < last:
            ended = who.date(end) if who.date(end) <= last else None
            who.medications.append(Medication(category, name, start, ended, ""))
