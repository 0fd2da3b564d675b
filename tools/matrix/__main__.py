"""``make matrix``: every statistic beside its oracle on random small data sets, written to docs/matrix.md.

Exit 1 if a difference is above its tolerance and no reason is known for it.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

from matrix import page
from matrix.compare import Row
from matrix.families import FAMILIES
from matrix.run import Family, OracleMissing, compare

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="matrix", description=__doc__)
    parser.add_argument("--sets", type=int, default=1000, help="data sets per statistic")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "matrix.md")
    given = parser.parse_args()
    found: list[tuple[Family, list[Row]]] = []
    with ProcessPoolExecutor(given.jobs) as pool:
        waiting = [pool.submit(_numbers, place, given.sets, given.seed) for place in range(len(FAMILIES))]
        for family, job in zip(FAMILIES, waiting, strict=True):
            try:
                numbers = job.result()
            except OracleMissing as error:
                print(f"matrix: {error}", file=sys.stderr)
                return 1
            found.append((family, [Row(s, **n) for s, n in zip(family.statistics, numbers, strict=True)]))
    for family, rows in found:
        print(family.name)
        for row in rows:
            print(f"{row.statistic.name}: {row.sets} data sets, worst {row.worst:.1e}, {len(row.failures)} unexplained")
            for failure in row.failures[:5]:
                print(f"  {failure}")
    given.out.write_text(page.render(found, given.sets, given.seed), encoding="utf-8")
    return 0 if all(row.holds for _, rows in found for row in rows) else 1


def _numbers(place: int, sets: int, seed: int) -> list[dict[str, Any]]:
    """Rows of a family without their functions, which do not travel between processes."""
    rows = compare(FAMILIES[place], sets, seed)
    return [{f.name: getattr(row, f.name) for f in fields(row) if f.name != "statistic"} for row in rows]


if __name__ == "__main__":
    sys.exit(main())
