"""Trials whose primary analysis is examined, with scenarios of the test's own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from trialpipe.characteristics.trial import Examined, examined
from trialpipe.config.characteristics import Characteristics
from trialpipe.config.trial import Trial, load_trial

ROOT = Path(__file__).resolve().parents[2]
EXAMINED = sorted(path.parent.name for path in (ROOT / "config" / "trials").glob("*/characteristics.yaml"))


@cache
def trial(name: str) -> Trial:
    return load_trial(ROOT / "config" / "trials", name, str(ROOT))


def spec(name: str) -> Characteristics:
    found = trial(name).characteristics
    assert found is not None
    return found


def case(name: str, scenarios: list[dict[str, Any]] | None = None, **changes: Any) -> Examined:
    """The examined outcome of a trial; ``scenarios`` replace those of its file, ``changes`` other keys."""
    data = spec(name).model_dump(mode="json") | changes
    if scenarios is not None:
        data["scenarios"] = [{"id": f"s{k}", "label": "l", "source": "test"} | s for k, s in enumerate(scenarios)]
    own = trial(name)
    return examined(own.protocol, own.outcomes, Characteristics.model_validate(data))
