"""The simulator's numbers and word lists: resources/reference/simulation/<trial>.yaml, each with unit and source."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialpipe.config.yaml_strict import load

FOLDER = Path(__file__).resolve().parents[4] / "resources" / "reference" / "simulation"
Item = Mapping[str, Any]


@dataclass(frozen=True)
class Parameters:
    """Parameters of one trial; texts as they stand in the file, typed on access. KeyError names what is absent."""

    course: str
    writers: tuple[str, ...]
    values: Mapping[str, Any]
    words: Mapping[str, tuple[str, ...]]
    adverse_events: tuple[Item, ...]
    fatal: tuple[Item, ...]
    defects: tuple[Item, ...]

    def number(self, name: str) -> float:
        return float(self.values[name])

    def numbers(self, name: str) -> tuple[float, ...]:
        return tuple(float(v) for v in self.values[name])

    def table(self, name: str) -> dict[str, float]:
        return {key: float(v) for key, v in self.values[name].items()}

    def date(self, name: str) -> dt.date:
        return dt.date.fromisoformat(self.values[name])

    def names(self, prefix: str) -> list[str]:
        """Parameters whose name starts with ``prefix``, the prefix taken off."""
        return [name.removeprefix(prefix) for name in self.values if name.startswith(prefix)]


def read_parameters(path: Path) -> Parameters:
    """Read and check a parameter file. Raises ValueError for a number without unit or source."""
    data = load(path, path.name).data
    for name, entry in data["parameters"].items():
        if set(entry) != {"value", "unit", "source"}:
            raise ValueError(f"{path.name} {name}: needs value, unit and source")
    lists = {key: tuple(data.get(key) or ()) for key in ("adverse_events", "fatal", "defects")}
    for key, entries in lists.items():
        for number, entry in enumerate(entries, start=1):
            if "source" not in entry:
                raise ValueError(f"{path.name} {key}[{number}]: needs a source")
    return Parameters(
        course=data["course"],
        writers=tuple(data["writers"]),
        values={name: entry["value"] for name, entry in data["parameters"].items()},
        words={name: tuple(entry["value"]) for name, entry in data["words"].items()},
        **lists,
    )
