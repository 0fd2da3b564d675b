"""Config is held to the registry: titles and time frames to the letter, none forgotten, none invented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trialpipe.config.trial import Trial, load_trial

REPO = Path(__file__).resolve().parents[2]
DATA = Path(__file__).parent / "data" / "registry"
REGISTRY = json.loads((DATA / "registered.json").read_text(encoding="utf-8"))


def configured(trial: str) -> Trial:
    return load_trial(REPO / "config" / "trials", trial)


@pytest.mark.parametrize("trial", sorted(REGISTRY))
def test_registered_outcomes_are_configured_to_the_letter(trial: str) -> None:
    found = [
        o.registered
        for o in configured(trial).outcomes
        if o.registered and o.registered.role in ("primary", "secondary")
    ]
    assert sorted([r.role, r.title, r.time_frame] for r in found) == sorted(REGISTRY[trial]["registered"])


@pytest.mark.parametrize("trial", sorted(REGISTRY))
def test_promised_outcomes_are_configured_to_the_letter(trial: str) -> None:
    found = [o.registered for o in configured(trial).outcomes if o.registered and o.registered.role == "described"]
    assert [[r.title, r.time_frame] for r in found] == REGISTRY[trial]["promised"]


@pytest.mark.parametrize("trial", sorted(REGISTRY))
def test_outcomes_that_no_source_registers_are_marked_and_reasoned(trial: str) -> None:
    roles = ("assumed_primary", "assumed")
    found = [o for o in configured(trial).outcomes if o.registered and o.registered.role in roles]
    primary = [o.registered.title for o in found if o.registered and o.registered.role == "assumed_primary"]
    # several analyses may share an outcome: grades of GVHD, definitions of a composite
    titles = list(dict.fromkeys(o.registered.title for o in found if o.registered))
    assert primary == REGISTRY[trial].get("assumed_primary", [])
    assert titles == primary + REGISTRY[trial].get("assumed", [])
    assert all(o.assumptions for o in found)


@pytest.mark.parametrize("trial", [name for name in sorted(REGISTRY) if not REGISTRY[name]["registered"]])
def test_outcomes_are_assumed_only_where_the_document_has_none(trial: str) -> None:
    document = REPO.parent / "shared" / "seeds" / REGISTRY[trial]["document"]
    if not document.exists():
        pytest.skip("the seed documents are not beside this checkout")
    text = document.read_text(encoding="utf-8").lower()
    assert "primary outcome" not in text
    assert "time frame" not in text


@pytest.mark.parametrize("trial", sorted(REGISTRY))
def test_fixture_stands_in_the_seed_document(trial: str) -> None:
    document = REPO.parent / "shared" / "seeds" / REGISTRY[trial]["document"]
    if not document.exists():
        pytest.skip("the seed documents are not beside this checkout")
    text = " ".join(document.read_text(encoding="utf-8").split())
    entries = [entry[1:] for entry in REGISTRY[trial]["registered"]] + REGISTRY[trial]["promised"]
    for title, time_frame in entries:
        assert title in text
        assert time_frame in text


@pytest.mark.parametrize("trial", sorted(REGISTRY))
def test_planned_number_is_the_registered_one(trial: str) -> None:
    assert configured(trial).protocol.design.planned_n == REGISTRY[trial]["enrollment"]
