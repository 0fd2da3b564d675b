"""Bad input gets one clear message as the last line, a non-zero exit code, and leaves nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from workflow.runs import REPO, accept, snakemake, toy

pytestmark = pytest.mark.slow


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return apply


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, data: bytes) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return apply


PROTOCOL, EXTRACTS, OUTCOMES = (f"config/trials/toy/{name}.yaml" for name in ("protocol", "extracts", "outcomes"))
CASES = {
    "missing extract": (remove("extracts/pk.csv"), False, ["extracts/pk.csv", "is missing"]),
    "wrong sha256": (
        edit("extracts/pk.csv", "12.5", "12.6"),
        False,
        ["extracts/pk.csv", "sha256 differs", "make accept"],
    ),
    "empty file": (write("extracts/pk.csv", b""), False, ["extracts/pk.csv", "is empty"]),
    "wrong encoding": (
        write(
            "extracts/ae.csv",
            "id,term,pt,soc,start,grade,serious\nT-01,fi\u00e8vre,Pyrexia,General,2021-01-10,1,N\n".encode("cp1252"),
        ),
        True,
        ["ae.csv:2", "utf-8"],
    ),
    "unknown column": (edit("extracts/pk.csv", "lloq", "lloqq"), True, ["pk.csv", "lloqq"]),
    "missing column": (edit("extracts/labs.csv", "ferritin", "ferritine"), True, ["labs.csv", "ferritin"]),
    "misspelt key": (
        edit(PROTOCOL, "data_cutoff", "data_cutof"),
        False,
        [f"{PROTOCOL}:9", "data_cutof", "data_cutoff"],
    ),
    "duplicate key": (
        edit(PROTOCOL, "sponsor: ", "title: again\nsponsor: "),
        False,
        [f"{PROTOCOL}:4", "title"],
    ),
    "bad duration": (
        edit(OUTCOMES, "horizon: 91 days", "horizon: 8 wekks"),
        False,
        [OUTCOMES, "horizon", "'8 wekks'", "8 weeks"],
    ),
    "unknown milestone": (
        edit(OUTCOMES, "event: death", "event: deth"),
        False,
        [OUTCOMES, "'deth'", "death"],
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input_ends_with_one_clear_line(case: str, tmp_path: Path) -> None:
    damage, accepted, wanted = CASES[case]
    folder = toy(tmp_path / "run")
    damage(folder)
    if accepted:
        assert accept(folder, "toy").returncode == 0
    run = snakemake(folder, "--cores", "2", code=REPO)
    assert run.returncode != 0
    last = run.stderr.strip().splitlines()[-1]
    for part in wanted:
        assert part in last
    assert not list((folder / "results").rglob("*.partial")) if (folder / "results").exists() else True
    assert not (folder / "results" / "index.html").exists()
