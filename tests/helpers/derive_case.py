"""Small clean tables and configurations for tests of derivation. Dates are ISO text, partial where partial."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from trialpipe.config.errors import validate
from trialpipe.config.outcomes import Outcome, Outcomes
from trialpipe.config.protocol import Protocol
from trialpipe.config.yaml_strict import load
from trialpipe.derive.run import contract_for, derive
from trialpipe.io.sdtm import date_columns, prefix

ROOT = Path(__file__).resolve().parents[2]


def trial_protocol(trial: str) -> Protocol:
    return validate(load(ROOT / "config" / "trials" / trial / "protocol.yaml"), Protocol)


def trial_outcomes(trial: str) -> tuple[Outcome, ...]:
    return validate(load(ROOT / "config" / "trials" / trial / "outcomes.yaml"), Outcomes).outcomes


def day(number: int, start: str = "2018-01-01") -> str:
    """ISO date of an elapsed day."""
    return (date.fromisoformat(start) + timedelta(days=number)).isoformat()


def bounds(text: str | None) -> tuple[str | None, str | None, str | None]:
    """First and last possible day and clock time of an ISO text such as 2018, 2018-02 or 2018-02-03T10:00."""
    if not text:
        return None, None, None
    when, _, time = text.partition("T")
    parts = [int(part) for part in when.split("-")]
    if len(parts) == 1:
        return f"{parts[0]}-01-01", f"{parts[0]}-12-31", None
    if len(parts) == 2:
        last = calendar.monthrange(parts[0], parts[1])[1]
        return f"{when}-01", f"{when}-{last:02d}", None
    return when, when, time or None


def domain(name: str, rows: list[dict[str, object]], trial: str = "t") -> pd.DataFrame:
    """A clean domain: each row has ``id`` (patient number), variables, optional ``flags`` and ``key``.

    Findings are written short: ``test``, ``value`` (number, text, ``<x`` or ``>x``), ``date``.
    """
    stem = prefix(name)
    full = []
    for number, short in enumerate(rows, start=1):
        row = dict(short)
        usubjid = f"{trial}/{row.pop('id')}"
        key = row.pop("key", None) or f"{row.get('test', 'k')}/{number}"
        row.update(_finding(row, stem))
        for variable in [v for v in row if v.endswith("DTC")]:
            names = date_columns(variable)
            low, high, time = bounds(row[variable])  # type: ignore[arg-type]
            row[names.low], row[names.high], row[names.time] = pd.Timestamp(low), pd.Timestamp(high), time
        row_id = f"{name}:{usubjid}/{key}" if "/" in str(key) else f"{name}:{usubjid}/{key}/1"
        full.append({"row_id": row_id, "USUBJID": usubjid, "DOMAIN": stem, "origin": [], "flags": [], **row})
    frame = pd.DataFrame(full, columns=None if full else ["row_id", "USUBJID", "DOMAIN", "origin", "flags"])
    for column in frame.columns:
        if column.endswith(("DT_LO", "DT_HI")):
            frame[column] = pd.to_datetime(frame[column])
        elif not column.endswith(("STRESN", "LLOQ", "ULOQ", "NRLO", "NRHI", "AGE")):
            frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    return frame


def _finding(row: dict[str, object], stem: str) -> dict[str, object]:
    if "test" not in row:
        return {}
    value = row.pop("value")
    result: dict[str, object] = {f"{stem}TESTCD": row.pop("test"), f"{stem}DTC": row.pop("date"), f"{stem}STRESU": "u"}
    result |= {f"{stem}STRESN": float("nan"), f"{stem}STRESC": None, f"{stem}CENS": "none"}
    result |= {f"{stem}LLOQ": float("nan"), f"{stem}ULOQ": float("nan"), f"{stem}STAT": row.pop("stat", None)}
    if isinstance(value, str) and value[0] in "<>":
        side, limit = ("left", "LLOQ") if value[0] == "<" else ("right", "ULOQ")
        result |= {f"{stem}CENS": side, f"{stem}{limit}": float(value[1:]), f"{stem}STRESC": value}
    elif isinstance(value, str):
        result[f"{stem}STRESC"] = value
    elif value is not None:
        result |= {f"{stem}STRESN": float(value), f"{stem}STRESC": f"{value:g}"}  # type: ignore[arg-type]
    return result


def adsl_of(protocol: Protocol, clean: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """ADSL of the clean domains; a domain the protocol names and the case has not is empty."""
    return derive("adsl", protocol, (), filled(protocol, clean), {})


def filled(protocol: Protocol, clean: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    names = {m.domain for m in protocol.milestones} | set(protocol.last_alive.domains)
    names |= {v.domain for v in protocol.subject_variables} | {"dm"}
    names |= {d.domain for d in protocol.datasets if getattr(d, "domain", None)}
    names |= {name for d in protocol.datasets if d.kind == "response" for name in d.domains}
    return {name: clean.get(name, domain(name, [])) for name in sorted(names)}


def derive_all(
    protocol: Protocol, outcomes: tuple[Outcome, ...], clean: dict[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Every dataset of the protocol in declared order, ADSL first."""
    tables = filled(protocol, clean)
    derived: dict[str, pd.DataFrame] = {}
    for name in ["adsl", *(entry.id for entry in protocol.datasets)]:
        derived[name] = derive(name, protocol, outcomes, tables, derived)
    return derived


def check_contract(frame: pd.DataFrame, dataset: str, protocol: Protocol, folder: Path) -> None:
    """Write and read back under the dataset's contract."""
    from trialpipe.io import store

    store.write(frame, folder / f"{dataset}.parquet", contract_for(dataset, protocol))
