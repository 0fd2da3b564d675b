"""What is known of a patient at one visit: analysed values of BDS datasets and variables of ADSL, for rules.

A parameter of an input hides the ADSL variable of its name. Dates of ADSL are no parameters; a formula makes numbers of
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import pandas as pd

from trialpipe.config.datasets import (
    ConcentrationsDataset,
    CriteriaDataset,
    EligibilityDataset,
    FindingsDataset,
    SofaDataset,
)
from trialpipe.config.protocol import Protocol
from trialpipe.derive import days, rules, sofa_definition
from trialpipe.derive.definitions import Definition, Rule, named
from trialpipe.derive.rules import Facts, Measured
from trialpipe.io.errors import DataError

FILE = "protocol.yaml"
UNDATED = -(10**9)
"""Day of a value without a date (a variable of ADSL)."""
_NO_PARAMETERS = ("row_id", "USUBJID", "SUBJID", "from")
_NUMBERS = ("lt", "le", "gt", "ge")
Spec = CriteriaDataset | EligibilityDataset


def declared(
    spec: Spec, protocol: Protocol, adsl: pd.DataFrame, known: Mapping[str, Definition]
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Parameter to (``number`` or ``text``, the inputs that declare it), ADSL variables first.

    Raises DataError if the visit is none of an input, or that of ``visit_of`` none of its input.
    """
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for name in adsl.columns:
        if name not in _NO_PARAMETERS and not pd.api.types.is_datetime64_any_dtype(adsl[name]):
            found[name] = ("number" if pd.api.types.is_numeric_dtype(adsl[name]) else "text", ("adsl",))
    visits: list[str] = []
    for entry in protocol.datasets:
        if entry.id not in spec.inputs:
            continue
        for code, kind in _parameters(entry, known).items():
            others = tuple(source for source in found.get(code, ("", ()))[1] if source != "adsl")
            found[code] = (kind, (*others, entry.id))
        own = _visits(entry, protocol)
        other = spec.visit_of.get(entry.id)
        if other is not None and other not in own:
            cure = f"name a visit of {entry.id}{_nearest(other, own)}"
            item = f"datasets[{spec.id}].visit_of.{entry.id}"
            raise DataError(FILE, None, item, other, "is no visit of the input", cure)
        visits += own
    if spec.inputs and spec.visit not in visits:
        cure = f"name a visit of {', '.join(spec.inputs)}{_nearest(spec.visit, visits)}"
        raise DataError(FILE, None, f"datasets[{spec.id}].visit", spec.visit, "is no visit of the inputs", cure)
    return found


def _visits(entry: object, protocol: Protocol) -> list[str]:
    if isinstance(entry, CriteriaDataset):
        return [entry.visit]
    sets = [v for v in protocol.visit_sets if v.id == getattr(entry, "visits", None)]
    return [visit.label for entry_set in sets for visit in entry_set.visits]


def _parameters(entry: object, known: Mapping[str, Definition]) -> dict[str, str]:
    if isinstance(entry, CriteriaDataset):
        chosen = named(entry.definitions, known, f"datasets[{entry.id}].definitions")
        return {code: kind for definition in chosen for code, kind in definition.parameters.items()}
    if isinstance(entry, (FindingsDataset, ConcentrationsDataset)):
        found: dict[str, str] = {parameter.code: parameter.type for parameter in entry.parameters}
        return found | {ratio.code: "number" for ratio in getattr(entry, "ratios", ())}
    if isinstance(entry, SofaDataset):
        score = sofa_definition.named(entry.definition, None, f"datasets[{entry.id}].definition")
        codes = [*(part.code for part in score.components), *(part.code for part in score.totals)]
        return dict.fromkeys(codes, "number")
    return {}


def check(rule: Rule, item: str, known: Mapping[str, tuple[str, tuple[str, ...]]], absent: bool = False) -> None:
    """Refuse a rule that compares an unknown parameter (unless ``absent``), one of two inputs, or one of another type.

    Raises DataError naming the file, the place and the nearest parameter.
    """
    try:
        compared = rules.comparisons(rule)
    except DataError as error:
        raise DataError(FILE, None, item, error.value, error.message, error.cure) from None
    for node in compared:
        name = node["parameter"]
        if name not in known:
            if absent:
                continue
            cure = f"declare it in an input or as a variable of ADSL{_nearest(name, known)}"
            raise DataError(FILE, None, item, name, "is no parameter of the inputs or of ADSL", cure)
        kind, sources = known[name]
        if len(sources) > 1:
            raise DataError(FILE, None, item, name, f"is a parameter of {' and of '.join(sources)}", "name one input")
        if (kind == "number") != any(key in node for key in _NUMBERS):
            message = "is a number and cannot be one of texts" if kind == "number" else "is a text and has no limit"
            raise DataError(FILE, None, item, name, message, "compare numbers with lt, le, gt, ge and texts with in")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (the nearest is {near[0]})" if near else ""


def values(
    spec: Spec, adsl: pd.DataFrame, derived: Mapping[str, pd.DataFrame]
) -> dict[tuple[str, str], dict[str, Measured]]:
    """Values by parameter of every patient of ADSL, in USUBJID order; key (USUBJID, ADSL row id)."""
    ordered = adsl.sort_values("USUBJID", kind="stable")
    found: dict[str, dict[str, Measured]] = {usubjid: {} for usubjid in ordered["USUBJID"]}
    for name in ordered.columns:
        if name not in _NO_PARAMETERS and not pd.api.types.is_datetime64_any_dtype(ordered[name]):
            _add_variable(found, ordered, name)
    for dataset in spec.inputs:
        frame = derived[dataset].sort_values("row_id", kind="stable")
        pair = (frame["AVISIT"], frame["ANL01FL"])
        wanted = spec.visit_of.get(dataset, spec.visit)
        at = [visit == wanted and chosen == "Y" for visit, chosen in zip(*pair, strict=True)]
        _add_records(found, frame[pd.Series(at, index=frame.index, dtype=bool)])
    return {key: found[key[0]] for key in zip(ordered["USUBJID"], ordered["row_id"], strict=True)}


def _add_variable(found: dict[str, dict[str, Measured]], adsl: pd.DataFrame, name: str) -> None:
    numeric = pd.api.types.is_numeric_dtype(adsl[name])
    given: list = days.numbers(adsl[name]) if numeric else days.texts(adsl[name])
    for usubjid, row_id, value in zip(adsl["USUBJID"], adsl["row_id"], given, strict=True):
        if value is not None:
            number, text = (value, None) if numeric else (None, value)
            found[usubjid][name] = Measured(UNDATED, row_id, number, text)


def _add_records(found: dict[str, dict[str, Measured]], frame: pd.DataFrame) -> None:
    dated, texts = days.days(frame["ADT"]), days.texts(frame["AVALC"])
    number = {c: days.numbers(days.column(frame, c)) for c in ("AVAL", "LLOQ", "ULOQ", "ANRHI")}
    columns = (frame[name] for name in ("USUBJID", "PARAMCD", "row_id", "CENS"))
    for i, (usubjid, code, row_id, censored) in enumerate(zip(*columns, strict=True)):
        if usubjid not in found:
            continue
        day = dated[i]
        below = number["LLOQ"][i] if censored == "left" else None
        above = number["ULOQ"][i] if censored == "right" else None
        found[usubjid][code] = Measured(
            UNDATED if day is None else day, row_id, number["AVAL"][i], texts[i], below, above, number["ANRHI"][i]
        )


def facts(now: Mapping[str, Measured]) -> Facts:
    """The values as rules see them: no baseline, no medication."""
    return Facts(now, {}, lambda terms, length, day: None)


def used(parts: Iterable[Rule], now: Mapping[str, Measured]) -> tuple[Measured, ...]:
    """Values the rules compare, each once."""
    names = dict.fromkeys(node["parameter"] for rule in parts for node in rules.comparisons(rule))
    return tuple(now[name] for name in names if name in now)


def unknown(
    parts: Iterable[Rule], now: Mapping[str, Measured], known: Mapping[str, tuple[str, tuple[str, ...]]]
) -> str:
    """Why rules are undetermined: parameters the trial does not collect, missing values, or neither."""
    names = dict.fromkeys(node["parameter"] for rule in parts for node in rules.comparisons(rule))
    absent = [name for name in names if name not in known]
    missing = [name for name in names if name in known and name not in now]
    groups = (("not collected:", absent), ("missing:", missing))
    notes = [f"{word} {', '.join(codes)}" for word, codes in groups if codes]
    return "; ".join(notes) or "a value beyond its limit of quantification"


def latest(sources: Iterable[Measured]) -> int | None:
    """Day of the latest dated value."""
    return max((value.day for value in sources if value.day != UNDATED), default=None)
