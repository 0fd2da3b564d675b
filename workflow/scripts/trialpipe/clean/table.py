"""Records as a frame: columns follow from the mapping alone, never from the data."""

from __future__ import annotations

import pandas as pd

from trialpipe.clean.context import CleanContext
from trialpipe.clean.record import FLAGS, Record
from trialpipe.config.extracts import DomainMap
from trialpipe.io.sdtm import date_columns, prefix

_FINDING = {
    "TESTCD": "text",
    "TEST": "text",
    "CAT": "text",
    "SPEC": "text",
    "ORRES": "text",
    "ORRESU": "text",
    "STRESC": "text",
    "STRESN": "float",
    "STRESU": "text",
    "STNRLO": "float",
    "STNRHI": "float",
    "STAT": "text",
    "LLOQ": "float",
    "ULOQ": "float",
    "CENS": "text",
}
_DTYPES = {"text": "object", "float": "float64", "date": "datetime64[ns]"}


def table(domain: DomainMap, records: list[Record], context: CleanContext) -> pd.DataFrame:
    """Contract clean, sorted by row_id; the same columns and types for any records, none included."""
    kinds = columns(domain)
    ordered = sorted(records, key=lambda record: row_id(domain, record, context))
    data: dict[str, pd.Series] = {
        "row_id": _series([row_id(domain, r, context) for r in ordered], "text"),
        "USUBJID": _series([context.usubjid(r.subject) for r in ordered], "text"),
        "DOMAIN": _series([prefix(domain.domain)] * len(ordered), "text"),
        "origin": _series([r.origin() for r in ordered], "text"),
        "flags": _series([[f for f in FLAGS if f in r.flags] for r in ordered], "text"),
    }
    if domain.domain == "dm":
        data["SUBJID"] = _series([r.subject for r in ordered], "text")
    for name, kind in kinds.items():
        data[name] = _series([r.values.get(name) for r in ordered], kind)
    return pd.DataFrame(data)


def columns(domain: DomainMap) -> dict[str, str]:
    """Variable to type (text, float, date) in order: the standard ones of the class, then those of the mappings."""
    stem = prefix(domain.domain)
    found: dict[str, str] = {}
    if domain.observation == "finding":
        found |= {f"{stem}{name}": kind for name, kind in _FINDING.items()}
        found |= _date(f"{stem}DTC")
    if any(mapping.site for mapping in domain.rows):
        found["SITEID"] = "text"
    if domain.observation == "finding" or any(mapping.visit for mapping in domain.rows):
        found["VISIT"] = "text"
    for mapping in domain.rows:
        for variables in (mapping.set, *(test.set for test in mapping.tests)):
            for name, spec in variables.items():
                kinds = {"number": {name: "float"}, "date": _date(name), "day": _date(name)}
                for column, kind in kinds.get(spec.type, {name: "text"}).items():
                    found.setdefault(column, kind)
    return found


def row_id(domain: DomainMap, record: Record, context: CleanContext) -> str:
    """``<domain>:<USUBJID>/<natural key values joined by />/<occurrence>``; a missing key value is empty."""
    key = [record.text(name) or "" for name in domain.key]
    return f"{domain.domain}:" + "/".join([context.usubjid(record.subject), *key, str(record.occurrence)])


def _date(variable: str) -> dict[str, str]:
    names = date_columns(variable)
    return {names.dtc: "text", names.low: "date", names.high: "date", names.time: "text"}


def _series(values: list, kind: str) -> pd.Series:
    if kind == "date":
        return pd.Series(pd.to_datetime(pd.Series(values, dtype="object")), dtype="datetime64[ns]")
    return pd.Series(values, dtype=_DTYPES[kind])
