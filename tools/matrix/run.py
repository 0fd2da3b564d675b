"""Draw, ask the oracle once per family, compare."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from matrix.compare import Data, Row, Statistic, add

HERE = Path(__file__).resolve().parent


class OracleMissing(RuntimeError):
    """R or one of its packages is not installed."""


@dataclass(frozen=True)
class Family:
    """Statistics of one kind of data set. ``oracle``: an R script, or a function of the data set."""

    name: str
    draw: Callable[[int, int], Data]
    statistics: tuple[Statistic, ...]
    oracle: str | Callable[[Data], dict[str, np.ndarray]]


def compare(family: Family, sets: int, seed: int) -> list[Row]:
    """A row per statistic over ``sets`` data sets. Raises OracleMissing; a warning of the library is an error."""
    drawn = [family.draw(number, seed) for number in range(sets)]
    theirs = _r(family.oracle, drawn) if isinstance(family.oracle, str) else [family.oracle(d) for d in drawn]
    rows = [Row(statistic) for statistic in family.statistics]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, (data, want) in enumerate(zip(drawn, theirs, strict=True)):
            for row in rows:
                add(row, number, data, want)
    return rows


def _r(script: str, drawn: list[Data]) -> list[dict[str, np.ndarray]]:
    rscript = shutil.which("Rscript")
    if rscript is None:
        raise OracleMissing("Rscript is not installed (Debian: apt-get install r-base-core)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.json"
        path.write_text(json.dumps([{k: _plain(v) for k, v in d.items()} for d in drawn]), encoding="utf-8")
        made = subprocess.run([rscript, str(HERE / script), str(path)], capture_output=True, text=True, check=False)
    if made.returncode:
        if "there is no package" in made.stderr:
            raise OracleMissing(made.stderr.strip()[-300:])
        raise RuntimeError(f"{script}: {made.stderr.strip()[-600:]}")
    found: list[dict[str, list[float]]] = [{} for _ in drawn]
    for line in csv.DictReader(made.stdout.splitlines()):
        text = line["value"]
        value = math.nan if text in ("NA", "NaN", "-NaN") else float(text)
        found[int(line["set"]) - 1].setdefault(line["what"], []).append(value)
    return [{name: np.array(values) for name, values in one.items()} for one in found]


def _plain(values: np.ndarray) -> list[float | str]:
    """JSON has no infinity: as R writes it."""
    names = {math.inf: "Inf", -math.inf: "-Inf"}
    return [names.get(v, v) for v in np.asarray(values).tolist()]
