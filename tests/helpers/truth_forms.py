"""A simulated extract with its planted defects put back: every raw form as it was entered, cleaned and derived.

For trials whose truth does not list what derivation needs record by record.
"""

from __future__ import annotations

import json
from functools import cache

import pandas as pd
from helpers.clean_case import trial
from helpers.derive_case import trial_outcomes, trial_protocol
from helpers.truth_case import TruthCase

from trialpipe.clean.context import context_from
from trialpipe.clean.run import clean
from trialpipe.config.trial import as_json
from trialpipe.derive.run import derive
from trialpipe.provenance.identity import clean_spec

Tables = dict[str, pd.DataFrame]


@cache
def restored(case: TruthCase) -> Tables:
    """Every clean domain of the forms with each planted cell as it was and added rows taken out."""
    configured = trial(case.trial, case.root)
    context = context_from(json.loads(as_json(clean_spec(configured))))
    forms = {name: _put_back(case, form) for name, form in case.clean.forms.items()}
    return {entry.domain: clean(entry, forms, context).table for entry in configured.extracts.domains}


def _put_back(case: TruthCase, form: pd.DataFrame) -> pd.DataFrame:
    """An added row is one whose planted cell held nothing before."""
    form = form.copy()
    sheets = [f"[{sheet}]" if isinstance(sheet, str) else "" for sheet in form["source_sheet"]]
    rows = form["source_file"] + sheets + ":" + form["source_row"].astype(str)
    for cell in case.cells:
        here = rows == cell["raw_row"]
        if cell["planted"] and not cell["original"]:
            form, rows = form[~here], rows[~here]
        elif here.any():
            form.loc[here, cell["item"]] = cell["original"]
    return form


@cache
def derived(case: TruthCase, planted: bool) -> Tables:
    """Every dataset of the trial, from the extract as it is (``planted``) or with its defects put back."""
    tables = case.clean.tables if planted else restored(case)
    protocol, outcomes = trial_protocol(case.trial), trial_outcomes(case.trial)
    found: Tables = {}
    for name in ["adsl", *(entry.id for entry in protocol.datasets)]:
        found[name] = derive(name, protocol, outcomes, tables, found)
    return found
