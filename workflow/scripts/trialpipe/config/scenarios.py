"""Scenarios of an outcome: the primary one and one per declared sensitivity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from trialpipe.config.errors import ConfigError, Problem
from trialpipe.config.outcomes import Outcome, Sensitivity

PRIMARY = "primary"
_ANALYSES = "analyses"


def scenarios(outcome: Outcome) -> Iterator[tuple[str, Outcome]]:
    """(scenario id, outcome as that scenario sees it), the primary one first."""
    yield PRIMARY, outcome
    for sensitivity in outcome.sensitivity:
        yield sensitivity.id, apply_sensitivity(outcome, sensitivity)


def endpoint_scenarios(outcome: Outcome) -> Iterator[tuple[str, Outcome]]:
    """As ``scenarios``, but changes of ``analyses`` are left out: they do not change what is derived."""
    yield PRIMARY, outcome
    for sensitivity in outcome.sensitivity:
        kept = {path: text for path, text in sensitivity.set.items() if path.split(".")[0] != _ANALYSES}
        yield sensitivity.id, apply_sensitivity(outcome, sensitivity.model_copy(update={"set": kept}))


def apply_sensitivity(outcome: Outcome, sensitivity: Sensitivity) -> Outcome:
    """The outcome with every dotted path of ``sensitivity.set`` changed to its text, validated again.

    A step is a key, a position in a list (from 0), or the ``id`` or ``kind`` of a list's item. ``[a, b]`` is a
    list, ``null`` no value. Raises ConfigError for a path that leads nowhere or a value that is refused.
    """
    data = outcome.model_dump(mode="json")
    for path, text in sensitivity.set.items():
        _set(data, path, text, _key(outcome, sensitivity, path))
    try:
        return Outcome.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        paths = ", ".join(sensitivity.set)
        message = f"{place} {first['msg']} - correct the value"
        raise ConfigError([Problem("outcomes.yaml", None, _key(outcome, sensitivity, paths), message)]) from None


def _key(outcome: Outcome, sensitivity: Sensitivity, path: str) -> str:
    return f"outcomes[{outcome.id}].sensitivity[{sensitivity.id}].set.{path}"


def _set(data: dict[str, Any], path: str, text: str, key: str) -> None:
    *steps, last = path.split(".")
    node: Any = data
    for step in steps:
        node = _child(node, step)
    if isinstance(node, dict) and (last in node or steps[-1:] == ["intercurrent"]):
        node[last] = _value(text)
    else:
        message = f"'{path}' is no part of the outcome - name an existing key, e.g. endpoint.horizon"
        raise ConfigError([Problem("outcomes.yaml", None, key, message)])


def _child(node: Any, step: str) -> Any:
    if isinstance(node, dict):
        return node.get(step)
    if isinstance(node, list):
        if step.isdigit():
            return node[int(step)] if int(step) < len(node) else None
        items = [item for item in node if isinstance(item, dict)]
        return next((item for item in items if step in (item.get("id"), item.get("kind"))), None)
    return None


def _value(text: str) -> object:
    stripped = text.strip()
    if stripped.startswith("[") and stripped.endswith("]"):
        return [part.strip() for part in stripped[1:-1].split(",") if part.strip()]
    return None if stripped == "null" else stripped
