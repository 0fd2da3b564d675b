"""What an analysis sees: its rows, its patients, its groups, and how a cell of results is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from trialpipe.analyse import rows
from trialpipe.analyse.formats import Value
from trialpipe.analyse.rows import DENOMINATOR, Behind, Manner, Place, Store
from trialpipe.config.analyses import AnyAnalysis
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io.errors import DataError

OVERALL = "Overall"
MISSING = "Missing"
PRIMARY = "primary"
TYPE = "SAMPTYPE"


@dataclass(frozen=True)
class Group:
    """Patients of one level of the ``by`` variable, or all of them (``Overall``)."""

    label: str
    subjects: pd.DataFrame = field(repr=False)

    @property
    def overall(self) -> bool:
        return self.label == OVERALL


@dataclass(frozen=True)
class Context:
    """``subjects``: ADSL rows of the population; ``data``: rows of ``dataset`` for them, endpoint, scenario and filter.

    ``levels``: levels of ``by`` in declared order (``Missing`` last, where a patient has none).
    """

    protocol: Protocol
    outcome: Outcome
    analysis: AnyAnalysis
    scenario: str
    dataset: str
    population: str
    subjects: pd.DataFrame
    data: pd.DataFrame
    levels: tuple[Group, ...]
    datasets: Mapping[str, pd.DataFrame]
    store: Store

    @property
    def name(self) -> str:
        """Analysis id: kind, or kind.id."""
        return f"{self.analysis.kind}.{self.analysis.id}" if self.analysis.id else self.analysis.kind

    def label(self, variable: str) -> str:
        """Words for an ADSL variable, its name if it has none."""
        labels = {entry.name: entry.label for entry in self.protocol.formulas}
        labels |= {entry.name: entry.label for entry in self.protocol.groupings}
        labels |= {entry.name: entry.label for entry in self.protocol.subject_variables}
        return labels.get(variable, variable)

    @property
    def groups(self) -> tuple[Group, ...]:
        """Levels of ``by``, then all patients together; one group if nothing splits them."""
        everyone = Group(OVERALL, self.subjects)
        if not self.levels:
            return (everyone,)
        return (*self.levels, everyone) if self.analysis.overall else self.levels

    def of(self, group: Group, frame: pd.DataFrame | None = None) -> pd.DataFrame:
        """Rows of ``frame`` (the analysis's data if None) of the group's patients."""
        shown = self.data if frame is None else frame
        return shown if group.overall else shown[shown["USUBJID"].isin(set(group.subjects["USUBJID"]))]

    def frame(self, dataset: str) -> pd.DataFrame:
        """Rows of another dataset for the population's patients."""
        return of_patients(self.datasets[dataset], self.subjects)

    def people(self, group: Group) -> Behind:
        """ADSL rows of a group, to stand behind a denominator."""
        return rows.behind("adsl", group.subjects)

    def patients(self, usubjids: Iterable[str]) -> Behind:
        """ADSL rows of these patients."""
        wanted = set(usubjids)
        return rows.behind("adsl", self.subjects[self.subjects["USUBJID"].isin(wanted)])

    def behind(self, frame: pd.DataFrame) -> Behind:
        """Rows of the analysis's dataset."""
        return rows.behind(self.dataset, frame)

    def cell(
        self,
        stats: Mapping[str, Value],
        roles: Mapping[str, Behind],
        manner: Manner | None = None,
        curve: bool = False,
        dataset: str | None = None,
        **place: Any,
    ) -> list[dict[str, Any]]:
        """Result rows of one cell: ``place`` are the columns that identify it, see ``rows.cell``."""
        where = Place(
            self.protocol.trial,
            self.outcome.id,
            f"{self.name}~curve" if curve else self.name,
            self.scenario,
            self.population,
            **place,
        )
        assumed = self.analysis.assumed is not None or bool(self.outcome.assumptions)
        return rows.cell(where, stats, roles, manner or Manner(), dataset or self.dataset, assumed, self.store)

    def proportion(
        self,
        hits: Behind,
        group: Group,
        people: Behind | None = None,
        conf_level: float | None = None,
        note: str | None = None,
        extra: Mapping[str, Value] | None = None,
        manner: Manner | None = None,
        dataset: str | None = None,
        **place: Any,
    ) -> list[dict[str, Any]]:
        """n, denominator and percentage (of ``people``, the group if None); exact limits if a level is given.

        ``hits`` must hold one row per patient. Limits are in percent.
        """
        whole = people if people is not None else self.people(group)
        n, total = len(hits.keys), len(whole.keys)
        stats: dict[str, Value] = {
            "n": n,
            "denominator": total,
            "percent": 100 * n / total if total else float("nan"),
        }
        manner = manner or Manner()
        if conf_level is not None:
            from trialpipe.stats.binomial import clopper_pearson

            lower, upper = clopper_pearson(n, total, conf_level)
            stats |= {"lower": 100 * lower, "upper": 100 * upper}
            manner = manner._replace(method=manner.method or "Clopper-Pearson interval", conf_level=conf_level)
        stats |= extra or {}
        manner = manner._replace(note=note if total else "no patient in the denominator")
        roles = {"n": hits, DENOMINATOR: whole}
        return self.cell(stats, roles, manner, dataset=dataset or hits.dataset, group=group.label, **place)


def build(
    outcome: Outcome,
    analysis: AnyAnalysis,
    scenario: str,
    protocol: Protocol,
    datasets: Mapping[str, pd.DataFrame],
    store: Store,
) -> Context:
    """The context of one analysis in one scenario. KeyError for an unknown population or dataset."""
    population = analysis.population or outcome.estimand.population
    flag = next(p.variable for p in protocol.populations if p.id == population)
    adsl = datasets["adsl"].sort_values("USUBJID", kind="stable")
    subjects = adsl[adsl[flag] == "Y"]
    dataset = analysis.dataset or outcome.endpoint.dataset
    data = subjects if dataset == "adsl" else of_patients(datasets[dataset], subjects)
    if "SCENARIO" in data.columns:
        data = data[(data["PARAMCD"] == outcome.paramcd) & (data["SCENARIO"] == scenario)]
    data = matching(data, analysis.where)
    if TYPE in analysis.where:
        data = _within_type(data, outcome, analysis)
    levels = split(subjects, analysis.by, protocol)
    return Context(protocol, outcome, analysis, scenario, dataset, population, subjects, data, levels, datasets, store)


def _within_type(data: pd.DataFrame, outcome: Outcome, analysis: AnyAnalysis) -> pd.DataFrame:
    """Each type of sample has its own record analysed at a visit; of two types a patient would have two."""
    if len(analysis.where[TYPE]) > 1:
        item, value = f"outcome {outcome.id} where.{TYPE}", ", ".join(analysis.where[TYPE])
        raise DataError("outcomes.yaml", None, item, value, "several types of sample", "write an analysis for each")
    return data.assign(ANL01FL=data["ANL02FL"])


def of_patients(frame: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Rows of these patients in patient and row order."""
    kept = frame[frame["USUBJID"].isin(set(subjects["USUBJID"]))]
    return kept.sort_values(["USUBJID", "row_id"], kind="stable")


def keep(frame: pd.DataFrame, flags: Iterable[bool]) -> pd.DataFrame:
    """Rows whose flag is true (a plain list of none would select columns)."""
    return frame.loc[np.fromiter(flags, bool, len(frame))]


def matching(frame: pd.DataFrame, where: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Rows in which every named variable holds one of its values, numbers compared as their plain text."""
    for variable, values in where.items():
        frame = keep(frame, (text(value) in values for value in frame[variable]))
    return frame


def text(value: object) -> str | None:
    """Text of a value of ADSL; None if missing."""
    if isinstance(value, str):
        return value
    return None if pd.isna(value) else f"{value:g}"


def level_order(variable: str, protocol: Protocol, found: Iterable[str]) -> list[str]:
    """Levels of an ADSL variable in declared order (arms, or ``levels``), else as they sort."""
    if variable == "ARMCD":
        return [arm.id for arm in protocol.arms]
    if variable == "ARM":
        return [arm.label for arm in protocol.arms]
    banded = next((g for g in protocol.groupings if g.name == variable), None)
    if banded is not None:
        return list(dict.fromkeys(band.label for band in banded.bands))
    declared = next((v.levels for v in protocol.subject_variables if v.name == variable), None)
    return list(declared) if declared else sorted(set(found))


def split(subjects: pd.DataFrame, by: str | None, protocol: Protocol) -> tuple[Group, ...]:
    """Patients by level of an ADSL variable; none if ``by`` is None. Patients without a value are ``Missing``."""
    if by is None:
        return ()
    values = [text(value) for value in subjects[by]]
    levels = level_order(by, protocol, (value for value in values if value is not None))
    groups = [Group(level, keep(subjects, (value == level for value in values))) for level in levels]
    rest = keep(subjects, (value is None for value in values))
    return (*groups, Group(MISSING, rest)) if len(rest) else tuple(groups)
