"""Infections acquired in hospital by type: patients with at least one, episodes, first ones per 1000 patient-days."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import Value
from trialpipe.analyse.rows import DENOMINATOR, Manner
from trialpipe.analyse.times import EVENT
from trialpipe.config.analyses import Nosocomial
from trialpipe.config.icu import NosocomialDataset

ANY, ANY_ICU, EPISODE = "ANYNOSO", "ANYICU", "EPISODE"
PATIENTS, RATE = "patients", "rate"
METHOD = (
    "Patients with a first infection per 1000 patient-days at risk, exact Poisson interval (Garwood); time at risk "
    "ends at the first such infection, a competing event, the end of the window or the last day known alive"
)


def run(analysis: Nosocomial, context: Context) -> list[dict[str, Any]]:
    """Per group two displays (``variable``): ``patients`` with an exact interval and episodes, and the ``rate``.

    Lines are the declared types, then any (without those apart) and any acquired in intensive care.
    """
    spec = next(d for d in context.protocol.datasets if d.id == context.dataset)
    assert isinstance(spec, NosocomialDataset)
    codes = [*(t.code for t in spec.types), ANY, ANY_ICU]
    chosen = context.analysis.where.get("PARAMCD", tuple(codes))
    data = context.frame(context.dataset)
    apart = {t.code for t in spec.types if t.apart}
    found: list[dict[str, Any]] = []
    for display in (_patients, _rate):
        for group in context.groups:
            for code in (code for code in codes if code in chosen):
                own = context.of(group, data)
                episodes = _episodes(own[own["PARAMCD"] == EPISODE], code, apart)
                found += display(analysis, context, group, own[own["PARAMCD"] == code], episodes, code)
    return found


def _episodes(rows: pd.DataFrame, code: str, apart: set[str]) -> pd.DataFrame:
    """Counted episodes of a type or total."""
    rows = rows[rows["NOSOFL"] == "Y"]
    types = [set(text.split()) if isinstance(text, str) else set() for text in rows["TYPES"]]
    if code in (ANY, ANY_ICU):
        rows = rows.loc[[not own & apart for own in types]]
        return rows[rows["ICUFL"] == "Y"] if code == ANY_ICU else rows
    return rows.loc[[code in own for own in types]]


def _patients(
    analysis: Nosocomial, context: Context, group: Group, own: pd.DataFrame, episodes: pd.DataFrame, code: str
) -> list[dict[str, Any]]:
    from trialpipe.stats.binomial import clopper_pearson

    people = context.people(group)
    total = len(people.keys)
    with_one = own[own["CNSR"] == EVENT]
    lower, upper = clopper_pearson(len(with_one), total, analysis.conf_level)
    stats: dict[str, Value] = {
        "n": len(with_one),
        "denominator": total,
        "percent": 100 * len(with_one) / total if total else float("nan"),
        "lower": 100 * lower,
        "upper": 100 * upper,
    }
    roles = {"n": context.behind(with_one), DENOMINATOR: people}
    note = _left_out(total, own) if total else "no patient in the denominator"
    manner = Manner("Clopper-Pearson interval", analysis.conf_level, note=note)
    place = {"group": group.label, "parameter": code}
    found = context.cell(stats, roles, manner, variable=PATIENTS, category="Patients", **place)  # type: ignore[arg-type]
    # a cell of its own: a patient may have several
    behind = {"event": context.behind(episodes)}
    counted: dict[str, Value] = {"events": len(episodes)}
    return found + context.cell(counted, behind, variable=PATIENTS, category="Episodes", **place)  # type: ignore[arg-type]


def _rate(
    analysis: Nosocomial, context: Context, group: Group, own: pd.DataFrame, episodes: pd.DataFrame, code: str
) -> list[dict[str, Any]]:
    from trialpipe.stats.rates import poisson_rate

    known = own[own["AVAL"].notna()]
    first = known[known["CNSR"] == EVENT]
    time = float(known["AVAL"].sum())
    at_once = int((first["AVAL"] == 0).sum())
    notes = [f"{at_once} patient(s) with the infection on the first day: no time at risk"] if at_once else []
    rate, lower, upper = poisson_rate(len(first), time, analysis.conf_level) if time else (float("nan"),) * 3
    stats: dict[str, Value] = {
        "n": len(first),
        "person_days": time,
        "rate_days": 1000 * rate,
        "lower": 1000 * lower,
        "upper": 1000 * upper,
    }
    roles = {"n": context.behind(first), "at_risk": context.behind(known)}
    note = "; ".join(notes) or (None if time > 0 else "no time at risk")
    manner = Manner(METHOD, analysis.conf_level, note=note)
    return context.cell(stats, roles, manner, group=group.label, parameter=code, variable=RATE)


def _left_out(total: int, own: pd.DataFrame) -> str | None:
    """How many patients of the group nothing is known of: they count as without infection."""
    unknown = total - int(own["AVAL"].notna().sum())
    if not unknown:
        return None
    return f"{unknown} patient(s) without a time at risk: in the denominator, not counted as infected"
