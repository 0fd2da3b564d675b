"""Laws that the results of a trial must keep, whatever the data: a broken one is printed in the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pandas as pd

from trialpipe.analyse import counts, formats, outcome_laws
from trialpipe.analyse.law import Check, told
from trialpipe.analyse.rows import NOTHING
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io.contracts import LAWS


class Tables(NamedTuple):
    """What the laws look at; ``results`` without curves in ``plain``."""

    results: pd.DataFrame
    plain: pd.DataFrame
    rowsets: pd.DataFrame
    adsl: pd.DataFrame
    reconciliation: pd.DataFrame
    protocol: Protocol
    outcomes: tuple[Outcome, ...]


def laws(
    results: pd.DataFrame,
    rowsets: pd.DataFrame,
    adsl: pd.DataFrame,
    reconciliation: pd.DataFrame,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
) -> pd.DataFrame:
    """Verdicts under the contract LAWS: a row per law and subject, and a row per instance that breaks one.

    A law without any instance (no groups, no such outcomes) has no row.
    """
    plain = results[~results["analysis"].str.endswith("~curve")]
    tables = Tables(results, plain, rowsets, adsl, reconciliation, protocol, outcomes)
    rows = [row for name, check in _LAWS.items() for row in told(name, check(tables))]
    seen: dict[str, int] = {}
    for row in rows:
        number = seen[row["law_id"]] = seen.get(row["law_id"], 0) + 1
        row["law_id"] += f"+{number}" if number > 1 else ""
    return pd.DataFrame(rows, columns=[c.name for c in LAWS.columns]).astype({"holds": "boolean"})


def _places(rows: pd.DataFrame) -> pd.Series:
    return rows["outcome"] + " " + rows["analysis"]


def _cells(rows: pd.DataFrame) -> list[tuple[str, str, dict[str, float]]]:
    """(cell, place, values by statistic), sorted by cell."""
    cells: dict[str, tuple[str, dict[str, float]]] = {}
    columns = (rows["cell_id"], _places(rows), rows["statistic"], rows["value"])
    for cell, place, statistic, value in zip(*columns, strict=True):
        cells.setdefault(cell, (place, {}))[1][statistic] = value
    return [(cell, *cells[cell]) for cell in sorted(cells)]


def _inside(tables: Tables) -> Iterator[Check]:
    """Estimate within its limits, for every cell that has all three."""
    wanted = [s for s in formats.statistics().values() if s.kind in ("estimate", "percent", "limit")]
    rows = tables.results[tables.results["statistic"].isin([s.name for s in wanted])]
    rows = rows[rows["value"].notna() & rows["qualifier"].isna()]
    for cell, place, values in _cells(rows):
        if not {"lower", "upper"} <= set(values):
            continue
        names = [n for n in values if n not in ("lower", "upper")]
        if names:
            lower, upper, estimate = values["lower"], values["upper"], values[names[0]]
            slack = 1e-9 * max(1.0, abs(estimate))
            yield Check(
                place,
                cell,
                f"{names[0]} within [{lower:.6g}, {upper:.6g}]",
                f"{estimate:.6g}",
                lower - slack <= estimate <= upper + slack,
            )


def _at_risk(tables: Tables) -> Iterator[Check]:
    """Events and censorings at a time never exceed those at risk; a part never exceeds the whole."""
    pairs = (("n_event", "n_risk"), ("n_censor", "n_risk"), ("events", "n"), ("n", "denominator"))
    count = tables.results[tables.results["statistic"].isin({name for pair in pairs for name in pair})]
    count = count[~((count["analysis"].str.startswith("adverse_events")) & (count["statistic"] == "events"))]
    for cell, place, values in _cells(count):
        for part, whole in pairs:
            if part in values and whole in values:
                yield Check(
                    place,
                    f"{cell}/{part}",
                    f"{part} at most {values[whole]:g}",
                    f"{values[part]:g}",
                    values[part] <= values[whole],
                )


def _nested(tables: Tables) -> Iterator[Check]:
    """Patients of a population belong to its parent."""
    variables = {p.id: p.variable for p in tables.protocol.populations}
    for population in tables.protocol.populations:
        if population.parent is None:
            continue
        member = tables.adsl[population.variable] == "Y"
        outside = int((member & (tables.adsl[variables[population.parent]] != "Y")).sum())
        subject = f"{population.id} in {population.parent}"
        yield Check(subject, subject, "0 patients outside", str(outside), outside == 0)


def _reconciled(tables: Tables) -> Iterator[Check]:
    """Raw rows of a form = rows that became records + rows set aside."""
    for (domain, form), found in tables.reconciliation.groupby(["domain", "form"], sort=True):
        total = {status: int(rows["rows"].sum()) for status, rows in found.groupby("status")}
        kept, aside = total.get("kept", 0), total.get("set_aside", 0)
        subject = f"{form} to {domain}"
        held = total.get("in", 0) == kept + aside
        yield Check(subject, subject, f"{total.get('in', 0)} rows in", f"{kept} kept + {aside} set aside", held)


def _resolvable(tables: Tables) -> Iterator[Check]:
    """Every result's row set is stored, or is the empty one."""
    known = {*tables.rowsets["rowset"], NOTHING}
    for place, found in tables.results.groupby(_places(tables.results), sort=True):
        lost = found.loc[~found["rowset"].isin(known), "result_id"]
        yield Check(str(place), str(place), f"{len(found)} resolved", f"{len(found) - len(lost)}", lost.empty)


def _counted(tables: Tables) -> Iterator[Check]:
    """A count is the number of rows of its role in its row set."""
    yield from counts.counted(tables.plain, tables.rowsets)


def _explained(tables: Tables) -> Iterator[Check]:
    """A number that is null has a text and a note that says why."""
    for place, found in tables.results.groupby(_places(tables.results), sort=True):
        empty = found[found["value"].isna()]
        silent = int((empty["note"].isna() | empty["value_text"].isna()).sum())
        yield Check(str(place), str(place), "0 nulls without note", str(silent), silent == 0)


def _unique(tables: Tables) -> Iterator[Check]:
    """No two results have one identity."""
    double = int(tables.results["result_id"].duplicated().sum())
    yield Check("all results", "all results", "0 identities twice", str(double), double == 0)


def _arms(tables: Tables) -> Iterator[Check]:
    """Counts of the groups add up to Overall."""
    yield from counts.added_up(tables.plain)


def _flow(tables: Tables) -> Iterator[Check]:
    """Boxes of a flow partition their parent."""
    yield from outcome_laws.flow(tables.plain, tables.outcomes)


def _complete(tables: Tables) -> Iterator[Check]:
    """Event-free survival and the incidences of its components add up to 1."""
    yield from outcome_laws.components(tables.plain, tables.outcomes)


def _primary(tables: Tables) -> Iterator[Check]:
    """Without loss, the proportion alive and the incidence of death at the horizon add up to 1."""
    yield from outcome_laws.horizon(tables.plain, tables.outcomes)


def _two_stage(tables: Tables) -> Iterator[Check]:
    """Decisions of a two-stage design follow from its counts and its p-value."""
    yield from outcome_laws.two_stage(tables.plain, tables.outcomes, tables.protocol)


_LAWS: dict[str, Callable[[Tables], Iterable[Check]]] = {
    "Groups add up to Overall": _arms,
    "Populations nest": _nested,
    "Flow boxes conserve patients": _flow,
    "Events do not exceed those at risk": _at_risk,
    "Estimate lies within its interval": _inside,
    "Event-free survival and incidences of its events add up to 1": _complete,
    "Proportion alive and incidence of death add up to 1": _primary,
    "Two-stage decisions follow from counts and p-value": _two_stage,
    "Rows in are rows kept and rows set aside": _reconciled,
    "Every row set is stored": _resolvable,
    "Counts are numbers of rows": _counted,
    "No result is null without a reason": _explained,
    "Identities are unique": _unique,
}
