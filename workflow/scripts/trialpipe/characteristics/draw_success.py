"""Patients who succeed or fail: states at a horizon, and falls of an organ failure score.

``results`` says of each patient: True success, False failure, None lost. How a success or a failure came about is
drawn; the analysis does not depend on it, but the derivation of the endpoint runs over all ways.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from trialpipe.characteristics.patients import Drawn, day, numbers
from trialpipe.config.characteristics import SuccessScenario
from trialpipe.config.icu import SofaResponseDataset
from trialpipe.config.outcomes import Outcome, SofaResponse, StateAtHorizon
from trialpipe.config.protocol import Protocol
from trialpipe.io.errors import DataError

Results = Sequence[bool | None]
APART = 7
"""Days between the first days of two patients; only their order matters."""
BASELINE, MOST = (6, 14), 24
"""Least and greatest score at baseline (as high as any fall that is drawn), and the greatest score there is."""


def results(scenario: SuccessScenario, n: int, rng: np.random.Generator) -> list[bool | None]:
    """Independent patients; losses do not depend on what the outcome would have been."""
    success, lost = rng.random(n) < scenario.success, rng.random(n) < scenario.lost
    return [None if gone else bool(won) for won, gone in zip(success, lost, strict=True)]


def draw(
    protocol: Protocol, outcome: Outcome, scenario: SuccessScenario, found: Results, rng: np.random.Generator
) -> Drawn:
    """Patients with these results. Raises DataError for an endpoint without a way to draw it."""
    if isinstance(outcome.endpoint, StateAtHorizon):
        return _states(protocol, outcome.endpoint, scenario, found, rng)
    if isinstance(outcome.endpoint, SofaResponse):
        return _scores(protocol, outcome, outcome.endpoint, scenario, found, rng)
    raise DataError(item=outcome.id, value=outcome.endpoint.kind, message="no patients can be drawn for this endpoint")


def _starts(protocol: Protocol, outcome_origin: str, length: int, n: int) -> dict[str, list[int | None]]:
    """Every milestone that time or order may count from, early enough for everybody to reach the horizon."""
    first = day(protocol.data_cutoff) - 2 * length - APART * n - 1
    starts: list[int | None] = [first + APART * index for index in range(n)]
    names = {outcome_origin, protocol.time.origin, *(m.id for m in protocol.milestones if m.domain == "dm")}
    return dict.fromkeys(sorted(names), starts)


def _states(
    protocol: Protocol, endpoint: StateAtHorizon, scenario: SuccessScenario, found: Results, rng: np.random.Generator
) -> Drawn:
    """A success has the terminal milestone or lives at the horizon; a failure dies before; the lost are seen before."""
    n, horizon = len(found), endpoint.horizon
    moments = _starts(protocol, endpoint.origin, horizon, n)
    origins = moments[endpoint.origin]
    share, when = rng.random(n), rng.integers(1, horizon + 1, n)
    deaths: list[int | None] = [None] * n
    terminals: list[int | None] = [None] * n
    seen = []
    for index, (result, origin) in enumerate(zip(found, origins, strict=True)):
        assert origin is not None
        event = origin + int(when[index])
        if result is None:
            seen.append(event - 1)
            continue
        seen.append(origin + horizon + 1 if result else event)
        if not result:
            deaths[index] = event
        elif _reaches(endpoint, scenario, float(share[index])):
            terminals[index] = event
    moments[endpoint.death] = deaths
    if endpoint.terminal is not None:
        moments[endpoint.terminal] = terminals
    return Drawn(n, moments, seen)


def _reaches(endpoint: StateAtHorizon, scenario: SuccessScenario, share: float) -> bool:
    if endpoint.terminal is None or "reached" not in endpoint.success:
        return False
    return "alive" not in endpoint.success or share < scenario.terminal


def _scores(
    protocol: Protocol,
    outcome: Outcome,
    endpoint: SofaResponse,
    scenario: SuccessScenario,
    found: Results,
    rng: np.random.Generator,
) -> Drawn:
    """A success falls by the least decrease or more; a failure dies or falls by less; the lost have no score."""
    spec = next(d for d in protocol.datasets if d.id == endpoint.dataset)
    assert isinstance(spec, SofaResponseDataset)
    n = len(found)
    target = _day_of(protocol, spec.source, endpoint.visit)
    moments = _starts(protocol, endpoint.origin, max(target, 1) + 30, n)
    origins = moments[endpoint.origin]
    base = rng.integers(BASELINE[0], BASELINE[1] + 1, n)
    least = int(np.ceil(endpoint.decrease))
    falls, others = rng.integers(least, BASELINE[0] + 1, n), rng.integers(least - 5, least, n)
    died, when = rng.random(n) < scenario.deaths, rng.integers(0, target + 1, n)
    deaths: list[int | None] = [None] * n
    rows = []
    for index, (name, result, origin) in enumerate(zip(numbers(protocol, n), found, origins, strict=True)):
        assert origin is not None
        if result is None:
            continue
        if not result and died[index]:
            deaths[index] = origin + int(when[index])
            continue
        fall = int(falls[index] if result else others[index])
        rows.append(
            {
                "row_id": f"{spec.source}:{name}",
                "USUBJID": name,
                "PARAMCD": endpoint.parameter,
                "AVISIT": endpoint.visit,
                "ANL01FL": "Y",
                "AVAL": float(min(base[index] - fall, MOST)),
                "BASE": float(base[index]),
                "FILL": None,
            }
        )
    moments[endpoint.death] = deaths
    seen = [
        gone if gone is not None else int(origin or 0) + target + 1
        for gone, origin in zip(deaths, origins, strict=True)
    ]
    columns = ["row_id", "USUBJID", "PARAMCD", "AVISIT", "ANL01FL", "AVAL", "BASE", "FILL"]
    table = pd.DataFrame(rows, columns=columns).astype({"FILL": "object"})
    return Drawn(n, moments, seen, tables={spec.source: table})


def _day_of(protocol: Protocol, source: str, visit: str) -> int:
    """Elapsed day of a visit of the score."""
    dataset = next(d for d in protocol.datasets if d.id == source)
    visits = next(s.visits for s in protocol.visit_sets if s.id == getattr(dataset, "visits", None))
    found = next((v for v in visits if v.label == visit), None)
    if found is None:
        raise DataError("outcomes.yaml", None, "endpoint.visit", visit, "is no visit of the score")
    return found.day - protocol.time.first_day
