"""Reference cases of the statistics: the copy in tests/reference/data, else the folder beside the project."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
from helpers.reference import reference_case

COPIES = Path(__file__).resolve().parents[1] / "reference" / "data"


def folder(group: str, case: str) -> Path:
    copy = COPIES / group / case
    return copy if copy.is_dir() else reference_case(group, case)


def expected(group: str, case: str) -> dict:
    return json.loads((folder(group, case) / "expected.json").read_text(encoding="utf-8"))["expected"]


def table(group: str, case: str, name: str = "input.csv") -> dict[str, np.ndarray]:
    """Columns of a CSV; numbers where all are numbers (empty is nan), text otherwise."""
    with (folder(group, case) / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: _column([row[key] for row in rows]) for key in rows[0]}


def _column(values: list[str]) -> np.ndarray:
    try:
        return np.array([float(v) if v else math.nan for v in values])
    except ValueError:
        return np.array(values, dtype=object)


def number(value: object) -> float:
    """null is nan, "Inf" infinity."""
    return math.nan if value is None else float(value)  # type: ignore[arg-type]


def numbers(values: object) -> np.ndarray:
    return np.array([number(v) for v in (values if isinstance(values, list) else [values])])


def close(found: object, want: object, rel: float = 1e-8, abs_: float = 1e-10, what: str = "") -> None:
    """Equal within rel or abs; nan equals null."""
    found = np.atleast_1d(np.asarray(found, float))
    np.testing.assert_allclose(found, numbers(want), rtol=rel, atol=abs_, equal_nan=True, err_msg=what)
