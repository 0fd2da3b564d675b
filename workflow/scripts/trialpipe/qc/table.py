"""``make qc``: what the second derivation confirms, by trial; exit 1 where a number differs or is not covered."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from trialpipe.config.site import load_trials, read_site
from trialpipe.io import store
from trialpipe.qc.compare import DIFFERENT, NO_VALUE, NOT_COVERED, SAME, THIRD

THIRD_WAY = THIRD.rstrip(": ")
COLUMNS = ("trial", "results", SAME, THIRD_WAY, DIFFERENT, NOT_COVERED, NO_VALUE, "records", "records different")


def line(results: list[dict], records: list[dict]) -> list[int]:
    """Numbers of ``COLUMNS`` after the trial's id."""
    verdicts = Counter(row["verdict"].split(":")[0] for row in results)
    own = sum(not row["result_id"].startswith("theirs:") for row in results)
    names = {(row["dataset"], row["record"]) for row in records}
    wrong = {(row["dataset"], row["record"]) for row in records if row["verdict"] == DIFFERENT}
    return [own, *(verdicts[name] for name in COLUMNS[2:7]), len(names), len(wrong)]


def passed(numbers: list[int]) -> bool:
    """Whether nothing differs and nothing that has a value is left out."""
    found = dict(zip(COLUMNS[1:], numbers, strict=True))
    return not (found[DIFFERENT] or found[NOT_COVERED] or found["records different"])


def show(lines: dict[str, list[int]]) -> str:
    """The table as text."""
    rows = [list(COLUMNS), *([trial, *map(str, numbers)] for trial, numbers in lines.items())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def details(trial: str, results: list[dict], records: list[dict], limit: int = 20) -> list[str]:
    """A line per difference, at most ``limit``, and the analyses that are not covered."""
    lines = [
        f"{trial} {row['result_id']}: {row['ours']!r} here, {row['theirs']!r} in R{_noted(row)}"
        for row in _wrong(results)
    ]
    lines += [
        f"{trial} {row['dataset']} {row['record']} {row['variable']}: {row['ours']} here, {row['theirs']} in R"
        for row in _wrong(records)
    ]
    more = [f"{trial}: {len(lines) - limit} more differences in qc.parquet, qc_records.parquet"]
    open_ = Counter(row["analysis"].split(".")[0] for row in results if row["verdict"] == NOT_COVERED)
    uncovered = [f"{trial} not covered: " + ", ".join(f"{kind} {n}" for kind, n in sorted(open_.items()))]
    return lines[:limit] + (more if len(lines) > limit else []) + (uncovered if open_ else [])


def _noted(row: dict) -> str:
    return f" ({row['note']})" if row.get("note") else ""


def _wrong(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["verdict"] == DIFFERENT]


def main() -> int:
    site = read_site()
    folder = Path(site.pathvars.get("results", "results"))
    lines, notes = {}, []
    for trial in load_trials(site.model_dump(mode="json")):
        tables = [store.read_arrow(folder / trial / f"{name}.parquet").to_pylist() for name in ("qc", "qc_records")]
        lines[trial] = line(*tables)
        notes += details(trial, *tables)
    print(show(lines))
    print(*notes, sep="\n")
    print(f"Front page with the marks of the second derivation: {(folder / 'qc.html').absolute()}")
    return int(not all(map(passed, lines.values())))


if __name__ == "__main__":
    sys.exit(main())
