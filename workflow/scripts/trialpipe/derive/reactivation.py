"""ADTTE rows of reactivation after response: from the first response to reactivation, competing event or censoring.

The origin is the assessment of the first origin visit at which one of the levels or a better one holds (none that is
carried). Every later day on which an input was measured is an assessment; values count up to the ``max_age`` of the
response dataset and not from the ``stop_before`` milestones of its visits on. The first assessment at which the rule
holds is the event: the rule COMPLETE after the best level of the rule-set, PARTIAL after any other. From the
assessment of a later best level on COMPLETE holds; that assessment itself is a response and no reactivation. What the
rules call baseline is the response they follow.

An undetermined rule is no event; it is noted. A reactivation and a competing event whose order cannot be known is a
reactivation (as relapse with death is relapse). Without either the patient is censored at the last assessment at
which the rule was determined, or at the response.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from trialpipe.config.datasets import FindingsDataset, ReactivationDataset, ResponseDataset
from trialpipe.config.outcomes import Outcome, ReactivationEndpoint
from trialpipe.config.protocol import Protocol
from trialpipe.config.scenarios import endpoint_scenarios
from trialpipe.derive import days, intercurrent, response, rules, windows
from trialpipe.derive.errors import config_error
from trialpipe.derive.order import first
from trialpipe.derive.response import Values
from trialpipe.derive.rules import Facts, Measured, RuleSet
from trialpipe.derive.subjects import Moment, Subject, milestone_label, subjects
from trialpipe.io.contracts import ADTTE

REACTIVATION = "reactivation"
COMPLETE, PARTIAL = "COMPLETE", "PARTIAL"
EVENT, CENSORED, COMPETING = 0, 1, 2


class Response(NamedTuple):
    """A visit with response: day of its assessment, whether it is the best level, and its row."""

    day: int
    complete: bool
    row_id: str


@dataclass(frozen=True)
class Course:
    """What the assessments after a response say. ``event``: day of reactivation; ``last``: last determined day."""

    event: int | None
    last: int
    signs: tuple[str, ...]
    undetermined: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class _Spec:
    protocol: Protocol
    dataset: ReactivationDataset
    source: ResponseDataset
    levels: tuple[str, ...]
    criteria: RuleSet


def run(
    dataset: str,
    protocol: Protocol,
    outcomes: tuple[Outcome, ...],
    clean: Mapping[str, pd.DataFrame],
    derived: Mapping[str, pd.DataFrame],
    reference: Mapping[str, object],
) -> pd.DataFrame:
    """ADTTE: a row per responder, outcome with a reactivation endpoint on ``dataset``, and scenario.

    Raises DataError for an unknown rule-set, level or criteria, an outcome without ``paramcd``, and a strategy other
    than treatment policy; UndeclaredIntercurrentEvent for an intercurrent event at risk without strategy.
    """
    spec = _spec(dataset, protocol, reference)
    values, _ = response._measured(derived[name] for name in spec.dataset.inputs)
    visits = windows.visit_set(protocol, spec.source.visits)
    dated = [v.label for v in visits.visits if not v.baseline and v.anchor is None]
    found = responses(derived[spec.source.id], spec.dataset.rule_set, spec.dataset.levels, spec.levels[0], dated)
    people = [subject for subject in subjects(derived["adsl"], protocol) if subject.usubjid in found]
    follows = [course(s, found[s.usubjid], values.get(s.usubjid, {}), spec) for s in people]
    rows: list[dict[str, object]] = []
    for outcome in outcomes:
        for scenario, changed in endpoint_scenarios(outcome):
            if isinstance(changed.endpoint, ReactivationEndpoint) and changed.endpoint.dataset == dataset:
                made = [
                    _row(changed, scenario, subject, found[subject.usubjid], follow, spec)
                    for subject, follow in zip(people, follows, strict=True)
                ]
                _check(changed, scenario, protocol, people, made)
                rows += made
    return days.frame(rows, ADTTE)


def _check(
    outcome: Outcome, scenario: str, protocol: Protocol, people: list[Subject], made: list[dict[str, object]]
) -> None:
    """Every intercurrent event between response and end has a strategy, and it is one that changes no time."""
    for milestone, strategy in intercurrent.applied(outcome, protocol):
        item, message = f"outcome {outcome.id} estimand.intercurrent", f"of {milestone} is not derived here"
        raise config_error(item, strategy, message, "use treatment_policy, or name it under competing")
    at_risk = [
        (subject, start, end)
        for subject, row in zip(people, made, strict=True)
        if (start := days.day(row["STARTDT"])) is not None and (end := days.day(row.get("ADT"))) is not None
    ]
    intercurrent.check_declared(outcome, scenario, protocol, at_risk)


def _spec(dataset: str, protocol: Protocol, reference: Mapping[str, object]) -> _Spec:
    entry = next(d for d in protocol.datasets if d.id == dataset)
    assert isinstance(entry, ReactivationDataset)
    source = next(d for d in protocol.datasets if d.id == entry.source)
    assert isinstance(source, ResponseDataset)
    given = reference.get(rules.TABLE)
    document = given if isinstance(given, Mapping) else None
    known, criteria = rules.rule_sets(document), rules.rule_sets(document, "reactivation")
    if entry.rule_set not in source.rule_sets or entry.rule_set not in known:
        raise config_error(
            f"datasets[{dataset}].rule_set", entry.rule_set, f"is no rule-set of {source.id}", "name one of its own"
        )
    levels = tuple(level.code for level in known[entry.rule_set].levels)
    for level in entry.levels:
        if level not in levels:
            cure = f"use one of {', '.join(levels)}"
            raise config_error(f"datasets[{dataset}].levels", level, f"is no level of {entry.rule_set}", cure)
    if entry.criteria not in criteria:
        cure = f"use one of {', '.join(criteria)}"
        raise config_error(f"datasets[{dataset}].criteria", entry.criteria, f"is not in {rules.TABLE}", cure)
    declared = {
        parameter.code
        for d in protocol.datasets
        if d.id in entry.inputs and isinstance(d, FindingsDataset)
        for parameter in d.parameters
    }
    return _Spec(protocol, entry, source, levels, rules.collected(criteria[entry.criteria], declared))


def responses(
    adrs: pd.DataFrame, rule_set: str, levels: tuple[str, ...], best: str, visits: list[str]
) -> dict[str, list[Response]]:
    """Assessments with response by patient in day order: the first one, and every later one with the best level."""
    own = adrs[(adrs["RULESET"] == rule_set) & (adrs["STATUS"] == response.ASSESSED) & (adrs["CARRIED"] != "Y")]
    own = own[own["AVISIT"].isin(visits) & (own["AVALC"] == "true") & own["PARAMCD"].isin([*levels, best])]
    seen: dict[str, dict[int, Response]] = {}
    for usubjid, code, row_id, when in zip(
        own["USUBJID"], own["PARAMCD"], own["row_id"], days.days(own["ADT"]), strict=True
    ):
        if when is None:
            continue
        by_day = seen.setdefault(usubjid, {})
        held = by_day.get(when)
        if held is None or (code == best, row_id) > (held.complete, held.row_id):
            by_day[when] = Response(when, code == best, row_id)
    found: dict[str, list[Response]] = {}
    for usubjid, by_day in seen.items():
        ordered = [by_day[when] for when in sorted(by_day)]
        found[usubjid] = [ordered[0], *(r for r in ordered[1:] if r.complete)]
    return found


def course(subject: Subject, found: list[Response], given: Values, spec: _Spec) -> Course:
    """The assessments of one patient after the first of ``found`` (in day order), up to the first reactivation."""
    criteria = spec.criteria
    own = _usable({code: given.get(code, {}) for code in rules.parameters(criteria)}, subject, spec)
    origin, held = found[0], found[0]
    last, undetermined = origin.day, 0
    base = _now(own, held.day, spec)
    for when in sorted({m.day for taken in own.values() for m in taken if m.day > origin.day}):
        reached = [r for r in found if r.complete and r.day <= when]
        if reached and not held.complete:
            held = reached[0]
            base = _now(own, held.day, spec)
        if when == held.day:
            last = when
            continue
        facts = Facts(_now(own, when, spec), base, lambda terms, length, day: None)
        level = next(v for v in criteria.levels if v.code == (COMPLETE if held.complete else PARTIAL))
        truth = rules.level_truth(criteria, level, facts)
        if truth is True:
            before = Facts(base, base, facts.free_of)
            signs = [
                code
                for code in criteria.items
                if rules.item_truth(criteria, code, facts) is True
                and (held.complete or rules.item_truth(criteria, code, before) is False)
            ]
            used = {criteria.items[code].parameter for code in signs}
            read = [facts.visit] if held.complete else [facts.visit, base]
            sources = tuple(m.row_id for values in read for code, m in values.items() if code in used)
            return Course(when, when, tuple(signs), undetermined, sources)
        undetermined += truth is None
        last = when if truth is False else last
    return Course(None, last, (), undetermined, ())


def _usable(values: Values, subject: Subject, spec: _Spec) -> dict[str, list[Measured]]:
    """Values in time order after the first dose that are before the milestones that stop assessment."""
    dose = subject.moment(spec.protocol.time.origin)
    limit = windows.stop(subject, windows.visit_set(spec.protocol, spec.source.visits))
    return {
        code: [
            points[point]
            for point in sorted(points, key=windows.moment)
            if windows.before(point, limit) and (dose is None or not windows.before_dose(point, dose))
        ]
        for code, points in values.items()
    }


def _now(own: Mapping[str, list[Measured]], day: int, spec: _Spec) -> dict[str, Measured]:
    """The last value of each parameter up to a day that is not too old."""
    recent = {code: [m for m in taken if 0 <= day - m.day <= spec.source.max_age] for code, taken in own.items()}
    return {code: taken[-1] for code, taken in recent.items() if taken}


def _row(
    outcome: Outcome, scenario: str, subject: Subject, found: list[Response], follow: Course, spec: _Spec
) -> dict[str, object]:
    if outcome.paramcd is None:
        raise config_error(f"outcomes[{outcome.id}].paramcd", None, "is missing", "give the time a code, e.g. REACT")
    origin, dataset, usubjid = found[0], spec.dataset.id, subject.usubjid
    notes = [] if origin.complete else [f"origin: {PARTIAL.lower()} response"]
    if follow.undetermined:
        notes.append(f"reactivation undetermined on {follow.undetermined} assessment day(s)")
    row: dict[str, object] = {
        "row_id": f"{dataset}:{usubjid}/{outcome.paramcd}/{scenario}",
        "USUBJID": usubjid,
        "PARAMCD": outcome.paramcd,
        "PARAM": outcome.title,
        "SCENARIO": scenario,
        "STARTDT": days.date(origin.day),
        "from": list(dict.fromkeys([subject.row_id, *(r.row_id for r in found), *follow.sources])),
    }
    competing = [m for m in map(subject.moment, spec.dataset.competing) if m is not None]
    early = [m for m in competing if m.high < origin.day]
    if early:
        notes.append(f"{early[0].milestone} {origin.day - early[0].high} day(s) before the response")
        return row | {"NOTE": days.joined(notes)}
    event = [] if follow.event is None else [Moment(REACTIVATION, follow.event, follow.event)]
    ends = [*event, *(_from(m, origin.day) for m in competing)]
    end, code, milestone, flag = follow.last, CENSORED, None, None
    text = "Censored: last assessment of reactivation"
    if ends:
        winner, said = first(ends)
        notes += said if winner.flag is None else [*said, f"date of {winner.milestone} partial: first possible day"]
        end, milestone, flag = winner.earliest(origin.day), winner.milestone, winner.flag
        if event and winner is event[0]:
            code, text = EVENT, f"Reactivation: {', '.join(follow.signs)}"
        else:
            code = COMPETING + spec.dataset.competing.index(winner.milestone)
            text = milestone_label(spec.protocol, winner.milestone)
    return row | {
        "ADT": days.date(end),
        "AVAL": float(end - origin.day),
        "ENTRY": 0.0,
        "CNSR": code,
        "EVENT": milestone,
        "EVNTDESC": text,
        "ADTF": flag,
        "NOTE": days.joined(notes),
    }


def _from(moment: Moment, origin: int) -> Moment:
    """Bounds of a partial date start at the origin: the patient was at risk then."""
    return moment if moment.exact else moment._replace(low=moment.earliest(origin))
