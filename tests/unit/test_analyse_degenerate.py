"""Every analysis kind on data at the edge: a defined number, or null with its reason; never a warning or a guess.

``DATA`` makes the datasets of a case. A kind that is not in ``SPECS`` of the tests on no data, or that reads a dataset
which no case fills, fails here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, outcome, protocol, run, table, value
from test_analyse_empty import DESIGN, RESPONSES, SPECS, STATE, VISITS, WINDOW, nothing

from trialpipe.analyse.laws import laws
from trialpipe.analyse.run import KINDS
from trialpipe.analyse.stack import stack
from trialpipe.derive import eligibility
from trialpipe.io import contracts, contracts_icu, store
from trialpipe.io.contracts import Column

START = pd.Timestamp("2020-01-01")
Rows = list[dict[str, Any]]


def after(days: float | None) -> pd.Timestamp:
    return pd.NaT if days is None else START + pd.Timedelta(days=days)


def time(days: float | None, code: int | None, event: str | None, note: str | None = None) -> dict[str, Any]:
    """A time of a dataset of times; null with a note where it cannot be."""
    known = days is not None
    return {
        "STARTDT": START,
        "ADT": after(days),
        "AVAL": days,
        "ENTRY": 0.0 if known else None,
        "CNSR": code,
        "EVENT": event,
        "EVNTDESC": event,
        "NOTE": note,
    }


class Case:
    """What happened to each patient: days of follow-up, code and event. ``value`` None: below the limit."""

    def __init__(
        self, times: list[tuple[float | None, int | None, str | None]], value: float | None = 90.0, arms: str = "AB"
    ) -> None:
        self.times, self.value, self.arms = times, value, arms
        self.patients = [f"{i}" for i in range(len(times))]

    def subjects(self) -> pd.DataFrame:
        rows = {}
        for number, (days, _, event) in zip(self.patients, self.times, strict=True):
            place = int(number)
            row: dict[str, Any] = {
                "ARMCD": self.arms[place % len(self.arms)],
                "SEX": "FM"[place // 2 % 2],
                "AGE": 30.0 + place,
            }
            last = after(days)
            row["LSTALVDT"] = (START if days is None else last).date().isoformat()
            if event in ("death", "hsct") and days is not None:
                row["DTHDT" if event == "death" else "HSCTDT"] = last.date().isoformat()
            rows[number] = row
        return adsl(rows)

    def datasets(self) -> dict[str, pd.DataFrame]:
        empty = nothing()
        made = {
            "adtte": table(contracts.ADTTE, self._times(), "adtte"),
            "adeff": table(contracts.ADEFF, self._states(), "adeff"),
            "adlb": self._values(),
            "adie": table(eligibility.CONTRACT, self._criteria(), "adie").drop(columns=["SCENARIO"], errors="ignore"),
            "adrs": self._responses(),
            "adttr": self._response_times(),
            "adinf": self._plain(contracts.ADINF, "adinf", self._infections()),
            "adstay": self._plain(contracts_icu.ADSTAY, "adstay", self._stays()),
            "adnoso": self._plain(contracts_icu.ADNOSO, "adnoso", self._episodes()),
            "adae": self._events(),
            "adice": self._intercurrent(),
        }
        for name in set(empty) - set(made):
            raise AssertionError(f"no case fills {name}")
        return {name: frame for name, frame in made.items() if name in empty}

    def _plain(self, contract: contracts.Contract, name: str, rows: Rows) -> pd.DataFrame:
        frame = table(contract, rows, name)
        return frame[[column.name for column in contract.all if column.name in frame.columns]]

    def _each(self) -> list[tuple[str, float | None, int | None, str | None]]:
        return [(n, *t) for n, t in zip(self.patients, self.times, strict=True)]

    def _times(self) -> Rows:
        why = "death 3 day(s) before first_dose"
        return [{"patient": n, **time(d, c, e, why if d is None else None)} for n, d, c, e in self._each()]

    def _states(self) -> Rows:
        found = []
        for n, d, _, event in self._each():
            dead = event == "death" and (d is None or d <= 56)
            state = (
                "dead" if dead else "reached" if event == "hsct" else "alive" if d is not None and d >= 56 else "lost"
            )
            day = None if d is None else min(d, 56.0)
            success = 1.0 if state in ("alive", "reached") else 0.0
            found.append({"patient": n, "AVALC": state, "AVAL": success, "ATIME": day, "ADT": after(day)})
        return found

    def _values(self) -> pd.DataFrame:
        rows: Rows = []
        for place, n in enumerate(self.patients):
            for visit, day in (("D1", 0.0), ("D14", 13.0)):
                below = self.value is None
                number = None if self.value is None else self.value + (place if day else 0)
                common = {
                    "patient": n,
                    "AVISIT": visit,
                    "ANL01FL": "Y",
                    "ADT": after(day),
                    "ATIME": day,
                    "CENS": "none",
                }
                common["ADTM"] = after(day + 0.08)
                limit = {"CENS": "left", "LLOQ": 1.0} if below else {}
                value = {"PARAMCD": "HGB", "PARAM": "HGB", "AVAL": number, "AVALU": "g/L"}
                rows.append({**common, **value, **limit})
                rows.append({**common, "PARAMCD": "CNS", "PARAM": "CNS", "AVALC": "NY"[place % 2]})
        for row in rows:
            row["flags"] = []
        frame = table(contracts.BDS, rows, "adlb").drop(columns="SCENARIO")
        return frame.assign(ABLFL=["Y" if visit == "D1" else None for visit in frame["AVISIT"]])

    def _criteria(self) -> Rows:
        return [
            {"patient": n, "PARAMCD": "I01", "PARAM": "i", "AVALC": "YN"[place % 2], "AVISIT": "D14", "flags": []}
            | {"CENS": "none", "ANL01FL": "Y", "ABLFL": "Y"}
            for place, n in enumerate(self.patients)
        ]

    def _responses(self) -> pd.DataFrame:
        rows: Rows = []
        for place, n in enumerate(self.patients):
            common = {
                "patient": n,
                "RULESET": "R",
                "AVISIT": "D14",
                "STATUS": "assessed",
                "ATIME": 13.0,
                "ADT": after(13),
            }
            rows.append({**common, "PARAMCD": "OVRLRESP", "AVALC": ("CR", "NR")[place % 2]})
            rows.append({**common, "PARAMCD": "CR", "AVALC": ("true", "false")[place % 2]})
            rows.append({**common, "PARAMCD": "PR", "AVALC": ("true", "false")[place % 2]})
        return self._plain(contracts.ADRS, "adrs", rows)

    def _response_times(self) -> pd.DataFrame:
        rows: Rows = []
        for n, d, code, _ in self._each():
            hit = code == 0
            own = {"LEFT": 0.0, "RIGHT": 13.0 if hit else None, "TIME": 13.0 if d is None or d > 0 else 0.0}
            own |= {"CNSR": 0 if hit else 1, "EVENT": "response" if hit else None, "AVISIT": "D14" if hit else None}
            rows += [{"patient": n, "RULESET": "R", "LEVEL": level, **own} for level in ("CR", "PR")]
        return self._plain(contracts.ADTTR, "adttr", rows)

    def _infections(self) -> Rows:
        found: Rows = []
        for n, d, code, _ in self._each():
            hit = code == 0 and d is not None
            kind = "not tested" if d is None else "de novo" if hit else "none"
            own = time(d, code, "infection" if hit else None) | {"BASESTAT": "negative", "CLASS": kind, "NTEST": 1}
            found += [{"patient": n, **own, "PARAMCD": name, "PARAM": name} for name in ("CMV", "ANYVIR")]
        return found

    def _stays(self) -> Rows:
        words = {0: "discharged alive", 1: "not followed", 2: "died"}
        return [
            {"patient": n, "PARAMCD": "STAY", "PARAM": "s", **time(d, c, e)}
            | {"ENDED": None if d is None else words.get(c or 0), "READMFL": "N", "FREEDY": None if d is None else 0.0}
            | {"FREEDTH": None if d is None else "N"}
            for n, d, c, e in self._each()
        ]

    def _episodes(self) -> Rows:
        found: Rows = []
        for n, d, c, _ in self._each():
            own = time(d, c, "infection" if c == 0 else None) | {"NEPI": int(c == 0)}
            found += [{"patient": n, "PARAMCD": name, "PARAM": name, **own} for name in ("BACT", "ANYNOSO")]
        return found

    def _events(self) -> pd.DataFrame:
        flag = contracts.ADAE.with_columns(Column("TRTEMFL", "text", "Window"))
        rows = [
            {"patient": n, "AETERM": "t", "AEDECOD": "T", "AEBODSYS": "S", "AETOXGR": "3", "AESER": "N", "TRTEMFL": "Y"}
            | {"ASTDT": after(d), "ATIME": d}
            for n, d, c, _ in self._each()
            if c == 0 and d is not None
            for _ in range(2)
        ]
        return self._plain(flag, "adae", rows) if rows else nothing()["adae"]

    def _intercurrent(self) -> pd.DataFrame:
        rows = [
            {
                "patient": n,
                "OUTCOME": "o",
                "ICE": "transplant",
                "ICELABEL": "Transplant",
                "STRATEGY": "treatment_policy",
            }
            | {"STARTDT": START, "ENDDT": after(d), "OCCURFL": None if d is None else "Y" if e == "hsct" else "N"}
            | {"NOTE": "not at risk of the outcome" if d is None else None}
            for n, d, _, e in self._each()
        ]
        return self._plain(contracts.ADICE, "adice", rows)


EVEN: list[tuple[float | None, int | None, str | None]] = [
    (10.0, 0, "death"), (20.0, 0, "death"), (30.0, 1, None), (40.0, 2, "hsct"), (60.0, 1, None), (70.0, 1, None),
]  # fmt: skip
DATA: dict[str, Callable[[], Case]] = {
    "no event": lambda: Case([(10.0 + i, 1, None) for i in range(6)]),
    "every patient has the event": lambda: Case([(10.0 + i, 0, "death") for i in range(6)]),
    "an arm without patients": lambda: Case(EVEN, arms="A"),
    "one patient in an arm": lambda: Case([*EVEN[:3], EVEN[3]], arms="AAAB"),
    "one patient": lambda: Case(EVEN[:1]),
    "all below the limit of quantification": lambda: Case(EVEN, value=None),
    "one value in all patients": lambda: Case(EVEN, value=0.0),
    "death at time 0": lambda: Case([(0.0, 0, "death"), (0.0, 0, "death"), *EVEN[2:]]),
    "all die at time 0": lambda: Case([(0.0, 0, "death")] * 4),
    "censored at time 0": lambda: Case([(0.0, 1, None)] * 4),
    "a time that would be negative": lambda: Case([(None, None, None), (None, None, None), *EVEN[2:]]),
    "no time but negative ones": lambda: Case([(None, None, None)] * 4),
    "two events in a day": lambda: Case([(10.0, 0, "death")] * 3 + [(10.0, 2, "hsct")] * 2 + [(10.0, 1, None)]),
}
OWN = {"difference_in_proportions": (STATE, {"by": "ARMCD"})}
"""Kinds whose specification on no data would not read the data of the cases."""
COUNTS = ("n", "denominator", "missing", "alive", "events", "censored", "n_risk", "cum_events", "undetermined")


def alone(times: pd.DataFrame) -> pd.DataFrame:
    """Times of an endpoint without competing events: what competes elsewhere only ends the observation here."""
    other = (times["CNSR"] > 1).fillna(False)
    return times.assign(CNSR=times["CNSR"].mask(other, 1), EVENT=times["EVENT"].mask(other, None))


def results_of(kind: str, case: Case) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Any, Any]:
    endpoint, analysis = OWN.get(kind, SPECS[kind])
    events = [{"id": "transplant", "milestone": "hsct", "label": "Transplant"}]
    plan = protocol(datasets=[WINDOW, *RESPONSES], visit_sets=VISITS, design=DESIGN, intercurrent_events=events)
    estimand = {"population": "treated", "treatment": "t", "variable": "v", "summary": "s"}
    declared = estimand | {"intercurrent": {"transplant": "treatment_policy"}}
    given = outcome(kind, endpoint, analysis, estimand=declared)
    subjects = case.subjects()
    datasets = case.datasets()
    if endpoint["kind"] == "time_to_event" and "competing" not in endpoint:
        datasets["adtte"] = alone(datasets["adtte"])
    results, rowsets = run(given, {"adsl": subjects, **datasets}, plan)
    return results, rowsets, subjects, plan, given


@pytest.mark.parametrize(
    ("name", "survival", "incidence"),
    [
        # nobody is under observation on day 28, and not all have had the event
        ("no event", None, None),
        ("two events in a day", None, None),
        ("death at time 0", 4 / 6, 2 / 6),
        ("all die at time 0", 0.0, 1.0),
        # two of the six have no time: of the four others nobody has died by day 28
        ("a time that would be negative", 1.0, 0.0),
    ],
)
def test_probabilities_at_the_edge(name: str, survival: float | None, incidence: float | None) -> None:
    case = DATA[name]()
    found = results_of("kaplan_meier", case)[0]
    wanted = [float("nan") if number is None else number for number in (survival, incidence)]
    assert value(found, "survival", group="Overall", time=28.0, term=None) == pytest.approx(wanted[0], nan_ok=True)
    found = results_of("cumulative_incidence", case)[0]
    assert value(found, "cif", group="Overall", time=28.0, category="death") == pytest.approx(wanted[1], nan_ok=True)


def test_all_kinds_are_here() -> None:
    assert set(SPECS) == set(KINDS)


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("name", DATA)
def test_a_value_or_its_reason(kind: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results, rowsets, subjects, plan, given = results_of(kind, DATA[name]())
    assert len(results)
    silent = results[results["value"].isna() & results["value_text"].isna() & results["note"].isna()]
    assert silent.empty, silent[["analysis", "group", "category", "statistic", "time", "method"]].to_string()
    numbers = results["value"].dropna()
    assert (numbers.abs() < 1e12).all(), results[results["value"].abs() >= 1e12].to_string()
    percent = results[results["statistic"].isin(["percent", "survival", "cif", "p"])]["value"].dropna()
    assert ((percent >= 0) & (percent <= 100)).all()
    counts = results[results["statistic"].isin(COUNTS) & results["value"].notna()]
    assert (counts["value"] >= 0).all()
    found = laws(stack([results], (given,)), rowsets, subjects, store.empty(contracts.RECONCILIATION), plan, (given,))
    assert found["holds"].all(), found[~found["holds"]].to_string()


@pytest.mark.parametrize("kind", SPECS)
def test_order_of_rows_does_not_matter(kind: str) -> None:
    case = Case(EVEN)
    plain = results_of(kind, case)[0]
    turned = Case(EVEN)
    datasets = {name: frame.iloc[::-1] for name, frame in case.datasets().items()}
    subjects = case.subjects().iloc[::-1]
    turned.datasets = lambda: datasets  # type: ignore[method-assign]
    turned.subjects = lambda: subjects  # type: ignore[method-assign]
    pd.testing.assert_frame_equal(plain, results_of(kind, turned)[0])
