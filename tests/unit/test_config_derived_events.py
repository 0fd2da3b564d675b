"""Events of derived datasets in the configuration: edges of the plan, identity of jobs, names that do not exist."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from helpers.derive_case import ROOT, trial_outcomes, trial_protocol

from trialpipe.config import plan
from trialpipe.config.analyses import Flow
from trialpipe.config.consistency import check_trial
from trialpipe.config.errors import ConfigError, validate
from trialpipe.config.extracts import Extracts
from trialpipe.config.outcomes import Outcomes
from trialpipe.config.protocol import Protocol
from trialpipe.config.yaml_strict import load

TRIAL = "bmt-1991"
EVENT = {"id": "agvhd_3_4", "label": "Acute GVHD III-IV", "dataset": "adgv", "parameter": "MAGIC34"}
GVHD = {"kind": "gvhd", "id": "adgv", "label": "GVHD", "domains": ["gv", "lb"], "systems": ["MAGIC"], "start": "hsct"}
FEASIBILITY = {"kind": "exposure", "id": "adex", "label": "DLI", "name": "DLI", "planned": "3", "start": "hsct"}
REASON = {"domain": "ds", "variable": "DSTERM"}


def changed(**changes: Any) -> Protocol:
    base = trial_protocol(TRIAL).model_dump(mode="json")
    base["datasets"] = [GVHD, FEASIBILITY | {"reason": REASON}, *base["datasets"]]
    return Protocol.model_validate({**base, "derived_events": [EVENT], **changes})


def trial(protocol: Protocol) -> Any:
    return SimpleNamespace(protocol=protocol, outcomes=trial_outcomes(TRIAL))


def test_edges() -> None:
    given = trial(changed())
    assert plan.dataset_inputs(given, "adgv") == (["gv", "lb"], ["adsl"])
    assert plan.dataset_inputs(given, "adex") == (["ex", "ds"], ["adsl"])
    assert plan.dataset_inputs(given, "adtte") == ([], ["adsl", "adgv"])


def test_an_event_reruns_the_times_alone() -> None:
    one, other = changed(), changed(derived_events=[EVENT, EVENT | {"id": "agvhd_2_4", "parameter": "MAGIC24"}])
    for name, same in (("adsl", True), ("adgv", True), ("adtte", False)):
        assert (plan.dataset_protocol(one, name) == plan.dataset_protocol(other, name)) is same


def faults(protocol: Protocol, event: str = "agvhd_3_4") -> str:
    """What the check of a trial says whose GRFS has this event first."""
    folder = ROOT / "config" / "trials" / TRIAL
    documents = {name: load(folder / f"{name}.yaml") for name in ("protocol", "extracts", "outcomes")}
    extracts = validate(documents["extracts"], Extracts)
    outcomes = [o.model_dump(mode="json") for o in trial_outcomes(TRIAL)]
    grfs = next(o for o in outcomes if o["id"] == "gvhd-relapse-free")
    grfs["endpoint"]["event"] = [event, "relapse"]
    try:
        check_trial(protocol, extracts, Outcomes.model_validate({"outcomes": outcomes}), documents)
    except ConfigError as error:
        return str(error)
    return ""


def test_names() -> None:
    unmapped = faults(changed())
    assert "'gv' is not a declared domain" in unmapped
    assert "agvhd_3_4" not in unmapped
    assert "did you mean 'hsct'" in faults(changed(datasets=[GVHD | {"start": "hscr"}]))
    assert "'cgvhd' is not a declared milestone" in faults(changed(), "cgvhd")
    assert "'adgx' is not a declared dataset" in faults(changed(derived_events=[EVENT | {"dataset": "adgx"}]))
    assert "'adtte' is not a declared dataset" in faults(changed(derived_events=[EVENT | {"dataset": "adtte"}]))
    assert "'relapse' is declared twice" in faults(changed(derived_events=[EVENT | {"id": "relapse"}]))


def test_a_flow_is_split_at_one_of_its_boxes() -> None:
    with pytest.raises(ValueError, match="split_at 'randomized' is no box"):
        Flow.model_validate({"kind": "flow", "boxes": [{"id": "a", "label": "A"}], "split_at": "randomized"})
