"""Entry of the clean stage: ingested forms become one SDTM domain, with queries and row accounting."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import pandas as pd

from trialpipe.clean import duplicates, findings, records, rows
from trialpipe.clean.checks import check
from trialpipe.clean.context import CleanContext, context_from
from trialpipe.clean.reader import Reader
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.record import Record
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log
from trialpipe.clean.table import table
from trialpipe.config import extracts
from trialpipe.io.contracts import QUERIES
from trialpipe.io.errors import DataError
from trialpipe.io.store import empty

__all__ = ["CleanContext", "CleanResult", "PREPARERS", "clean", "context_from"]

# name under prepare in extracts.yaml -> module with prepare(raws, log, ledger, dialect)
PREPARERS = {
    "bioplex": "trialpipe.clean.prepare_bioplex",
    "msd": "trialpipe.clean.prepare_msd",
    "nanostring": "trialpipe.clean.prepare_nanostring",
    "xponent": "trialpipe.clean.prepare_xponent",
}


@dataclass(frozen=True)
class CleanResult:
    """``table`` keeps contract clean, ``queries`` contract queries, ``reconciliation`` contract reconciliation."""

    table: pd.DataFrame
    queries: pd.DataFrame
    reconciliation: pd.DataFrame


def clean(domain: extracts.DomainMap, forms: Mapping[str, pd.DataFrame], context: CleanContext) -> CleanResult:
    """Clean one domain from its ingested forms (``<source>.<form>`` to frame; text columns and source_*).

    The result does not depend on the order of a frame's rows. Raises DataError for a mapping that cannot be
    applied (an item, test, code list, preparer or form that does not exist); a defect of the data is a query.
    """
    log, ledger = Log(context.rules, domain.domain), Ledger(domain.domain)
    single: dict[tuple[str, str, str | None], list[Raw]] = {}
    found: list[Record] = []
    for number, mapping in enumerate(domain.rows):
        key = (mapping.form, mapping.subject, mapping.prepare)
        if key not in single:
            raws = rows.read(mapping.form, _form(forms, mapping.form))
            ledger.enter(mapping.form, [raw.row for raw in raws])
            single[key] = raws if mapping.prepare else duplicates.exact(raws, mapping.subject, log, ledger)
        found += _mapping(domain, number, mapping, single[key], forms, context, log, ledger)
    kept = duplicates.resolve(found, domain.key, log)
    check(kept, log)
    queries = log.rows()
    frame = pd.DataFrame(queries, columns=[c.name for c in QUERIES.columns]) if queries else empty(QUERIES)
    return CleanResult(table(domain, kept, context), frame, ledger.frame())


def _mapping(
    domain: extracts.DomainMap,
    number: int,
    mapping: extracts.Mapping,
    raws: list[Raw],
    forms: Mapping[str, pd.DataFrame],
    context: CleanContext,
    log: Log,
    ledger: Ledger,
) -> list[Record]:
    """Records that one mapping makes of the rows of its form."""
    dialect = context.dialects[mapping.form.split(".")[0]]
    own = {item for raw in raws for item in raw.cells} if mapping.join else set(mapping.where)
    here = {item: values for item, values in mapping.where.items() if item in own}
    there = {item: values for item, values in mapping.where.items() if item not in own}
    wanted = _select(raws, here, ledger)
    if mapping.prepare is not None:
        wanted = _preparer(mapping.prepare).prepare(wanted, log, ledger, dialect)
        dialect = dialect.model_copy(update={"decimal": "."})
    pairs = [(raw, True) for raw in wanted]
    if mapping.join is not None:
        others = rows.read(mapping.join.form, _form(forms, mapping.join.form))
        pairs = rows.join(wanted, others, mapping.join.on, log)
    make = findings.record if domain.observation == "finding" else records.record
    reader = Reader(context, log, domain.domain, mapping.form, dialect)
    found = []
    for place, (raw, matched) in enumerate(pairs):
        if matched and there and not _select([raw], there, ledger):
            continue
        if not matched and raw.cells.get(mapping.subject) is None:
            ledger.set_aside(mapping.form, raw.lines, f"not in {mapping.join.form if mapping.join else 'the join'}")
            continue
        subject = reader.subject(raw, mapping.subject)
        if subject is None:
            ledger.set_aside(mapping.form, raw.lines, "patient number missing or malformed")
            continue
        found += make(reader, domain, mapping, raw, subject, (number, place), ledger)
    return found


def _select(raws: list[Raw], where: Mapping[str, tuple[str, ...]], ledger: Ledger) -> list[Raw]:
    """Rows that a filter selects; the others are set aside."""
    wanted = []
    for raw in raws:
        if rows.selected(raw, where):
            wanted.append(raw)
        else:
            ledger.set_aside(raw.form, raw.lines, rows.filter_name(where))
    return wanted


def _form(forms: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    if name not in forms:
        cure = f"forms are {', '.join(sorted(forms))}"
        raise DataError("extracts.yaml", None, "form", name, "was not ingested", cure)
    return forms[name]


def _preparer(name: str) -> ModuleType:
    if name not in PREPARERS:
        cure = f"preparers are {', '.join(PREPARERS)}"
        raise DataError("extracts.yaml", None, "prepare", name, "is no preparer", cure)
    return importlib.import_module(PREPARERS[name])
