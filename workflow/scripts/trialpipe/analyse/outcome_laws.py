"""Laws that tie outcomes together: flow, components of a composite, state and incidence at the horizon."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from trialpipe.analyse.law import Check
from trialpipe.config.analyses import AnyAnalysis, Flow, SimonTwoStage
from trialpipe.config.outcomes import Outcome, StateAtHorizon, TimeToEvent
from trialpipe.config.protocol import Protocol, SimonDesign

_TOLERANCE = 1e-9
_KEY = ["scenario", "population", "group", "time"]


def flow(results: pd.DataFrame, outcomes: tuple[Outcome, ...]) -> Iterator[Check]:
    """The boxes that split a parent add up to it; a side count is no more than its parent."""
    for outcome in outcomes:
        for analysis in outcome.analyses:
            if isinstance(analysis, Flow):
                yield from _boxes(_of(results, outcome, analysis), outcome, analysis)


def _boxes(rows: pd.DataFrame, outcome: Outcome, analysis: Flow) -> Iterator[Check]:
    for (scenario, group), found in rows[rows["statistic"] == "n"].groupby(["scenario", "group"], sort=True):
        n = {box: int(value) for box, value in zip(found["category"], found["value"], strict=True)}
        for parent in analysis.boxes:
            children = [box for box in analysis.boxes if box.parent == parent.id]
            split = [box for box in children if box.splits]
            subject = f"{outcome.id} {parent.label}"
            if split:
                total = sum(n[box.id] for box in split)
                parts = " + ".join(str(n[box.id]) for box in split)
                yield Check(subject, f"{subject}/{scenario}/{group}", str(n[parent.id]), parts, total == n[parent.id])
            for box in (box for box in children if not box.splits):
                instance = f"{subject}/{box.id}/{scenario}/{group}"
                yield Check(subject, instance, f"at most {n[parent.id]}", str(n[box.id]), n[box.id] <= n[parent.id])


def _of(results: pd.DataFrame, outcome: Outcome, analysis: AnyAnalysis) -> pd.DataFrame:
    name = f"{analysis.kind}.{analysis.id}" if analysis.id else analysis.kind
    return results[(results["outcome"] == outcome.id) & (results["analysis"] == name)]


def _estimates(results: pd.DataFrame, outcome: Outcome, kind: str, statistic: str) -> pd.DataFrame:
    """Values of an estimate of all analyses of one kind, by scenario, population, group, time and category."""
    mine = results[(results["outcome"] == outcome.id) & (results["statistic"] == statistic)]
    mine = mine[mine["analysis"].str.split(".").str[0] == kind]
    mine = mine[mine["time"].notna() & mine["value"].notna()]
    return mine[[*_KEY, "category", "value"]].drop_duplicates([*_KEY, "category"])


def components(results: pd.DataFrame, outcomes: tuple[Outcome, ...]) -> Iterator[Check]:
    """S + F1 + F2 = 1 at common times, for a composite [x, y] beside the outcomes x (y competes) and y (x competes).

    Only outcomes with one origin, dataset, horizon and censoring rule are tied.
    """
    times = [o for o in outcomes if isinstance(o.endpoint, TimeToEvent)]
    for whole in times:
        assert isinstance(whole.endpoint, TimeToEvent)
        if len(whole.endpoint.event) != 2 or whole.endpoint.competing:
            continue
        one, other = whole.endpoint.event
        first = next((o for o in times if _is_part(o, one, other, whole)), None)
        second = next((o for o in times if _is_part(o, other, one, whole)), None)
        if first is None or second is None:
            continue
        survival = _estimates(results, whole, "kaplan_meier", "survival").drop(columns="category")
        joined = survival.rename(columns={"value": "s"})
        for name, part, cause in (("a", first, one), ("b", second, other)):
            cif = _estimates(results, part, "cumulative_incidence", "cif")
            cif = cif[cif["category"] == cause].drop(columns="category").rename(columns={"value": name})
            joined = joined.merge(cif, on=_KEY)
        subject = f"{whole.id} + {first.id} + {second.id}"
        for row in joined.to_dict("records"):
            total = row["s"] + row["a"] + row["b"]
            instance = f"{subject}/{row['scenario']}/{row['group']}/t{row['time']:g}"
            yield Check(subject, instance, "1", f"{total:.12g}", abs(total - 1) <= _TOLERANCE)


def _is_part(outcome: Outcome, event: str, competing: str, whole: Outcome) -> bool:
    part, sum_of = outcome.endpoint, whole.endpoint
    assert isinstance(part, TimeToEvent)
    assert isinstance(sum_of, TimeToEvent)
    same = all(getattr(part, n) == getattr(sum_of, n) for n in ("dataset", "origin", "entry", "censor", "horizon"))
    alike = outcome.estimand.population == whole.estimand.population
    return same and alike and part.event == (event,) and part.competing == (competing,)


def horizon(results: pd.DataFrame, outcomes: tuple[Outcome, ...]) -> Iterator[Check]:
    """Proportion of success + incidence of failure at the horizon = 1, where nobody is lost or undetermined.

    Only where success is being alive, by either way; a scenario with a lost patient, or one whose time to event is
    missing (a death before the origin), is no instance.
    """
    for outcome in outcomes:
        endpoint = outcome.endpoint
        if not isinstance(endpoint, StateAtHorizon) or not _alive_is_success(endpoint):
            continue
        cif = _estimates(results, outcome, "cumulative_incidence", "cif")
        cif = cif[(cif["category"] == endpoint.death) & (cif["time"] == endpoint.horizon)]
        mine = results[(results["outcome"] == outcome.id) & (results["analysis"].str.split(".").str[0] == "proportion")]
        timeless = results[(results["outcome"] == outcome.id) & (results["statistic"] == "missing")]
        for row in cif.to_dict("records"):
            without = timeless[(timeless["scenario"] == row["scenario"]) & (timeless["group"] == row["group"])]
            same = mine[
                (mine["scenario"] == row["scenario"])
                & (mine["population"] == row["population"])
                & (mine["group"] == row["group"])
            ]
            gone = same[same["category"].isin(["lost", "undetermined"]) & (same["statistic"] == "n")]
            success = same[(same["category"] == "success") & (same["statistic"] == "percent")]["value"].dropna()
            counted_out = _not_counted(same)
            if gone["value"].sum() + without["value"].sum() == 0 and not counted_out and len(success):
                total = float(success.iloc[0]) / 100 + row["value"]
                instance = f"{outcome.id}/{row['scenario']}/{row['group']}"
                yield Check(outcome.id, instance, "1", f"{total:.12g}", abs(total - 1) <= _TOLERANCE)


def _alive_is_success(endpoint: StateAtHorizon) -> bool:
    wanted = {"reached", "alive"} if endpoint.terminal else {"alive"}
    return wanted <= set(endpoint.success)


def _not_counted(rows: pd.DataFrame) -> bool:
    """Whether the success proportion leaves out a patient that the states count."""
    whole = rows[rows["statistic"] == "denominator"].groupby("category")["value"].max()
    return bool(whole.get("success", 0) != whole.drop(labels="success", errors="ignore").max())


def two_stage(results: pd.DataFrame, outcomes: tuple[Outcome, ...], protocol: Protocol) -> Iterator[Check]:
    """Decisions of a two-stage design follow from the counts; p is at most the exact level where p0 is rejected."""
    spec = protocol.design.simon
    for outcome in outcomes:
        for analysis in outcome.analyses:
            if isinstance(analysis, SimonTwoStage) and spec is not None:
                rows = _of(results, outcome, analysis)
                level = rows.loc[(rows["variable"] == "design") & (rows["statistic"] == "type1"), "value"]
                for scenario, found in rows.groupby("scenario", sort=True):
                    subject = f"{outcome.id} {rows['analysis'].iloc[0]}"
                    yield from _decided(f"{subject}/{scenario}", subject, found, spec, float(level.iloc[0]))


def _decided(instance: str, subject: str, rows: pd.DataFrame, spec: SimonDesign, level: float) -> Iterator[Check]:
    cells = {
        (category, statistic): found
        for variable, category, statistic, found in zip(
            rows["variable"], rows["category"], rows["statistic"], rows["value_text"].fillna(rows["value"]), strict=True
        )
        if variable == "observed"
    }
    x1, known1, first = (cells["stage 1", name] for name in ("n", "denominator", "decision"))
    x, known, final = (cells["both stages", name] for name in ("n", "denominator", "decision"))
    passed = known1 == spec.n1 and x1 > spec.r1
    wanted = "not reached" if known1 < spec.n1 else "continue" if passed else "stop for futility"
    yield Check(subject, f"{instance}/stage 1", wanted, str(first), first == wanted)
    rejects = passed and known == spec.n and x > spec.r
    words = "reject p0" if rejects else "p0 not rejected"
    # a further patient whose status is not known yet makes it over-running
    open_still = final == "not reached"
    held = (final == "reject p0") == rejects or open_still
    yield Check(subject, f"{instance}/both stages", words, str(final), held)
    p = rows.loc[(rows["variable"] == "estimates") & (rows["statistic"] == "p"), "value"].dropna()
    if len(p):
        found = float(p.iloc[0])
        held = (found <= level + _TOLERANCE) == (final == "reject p0")
        yield Check(subject, f"{instance}/p", f"{final} at level {level:.4g}", f"p = {found:.4g}", held)
