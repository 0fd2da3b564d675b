"""Simulated extracts of a trial with their truth.

    python -m trialpipe.simulate.main --out DIR --trial ID --n 29 --seed 1

writes the raw files under DIR and the truth under DIR/truth. What is simulated stands in
``resources/reference/simulation/<trial>.yaml``; courses and writers are found there by name.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from trialpipe.simulate import bioplex, defects, defects_assay, defects_ecrf, ecrf, pk, truth
from trialpipe.simulate.parameters import FOLDER, Parameters, read_parameters
from trialpipe.simulate.raw import Table

# name in the parameter file -> module
COURSES = {"primary_hlh": "trialpipe.simulate.course_primary_hlh"}
WRITERS = {"french_csv": "trialpipe.simulate.write_french_csv", "bioplex": "trialpipe.simulate.write_bioplex"}


def simulate(p: Parameters, n: int, seed: int, out: Path) -> set[str]:
    """Simulate ``n`` patients into ``out``; returns the kinds of defects for which no place was found.

    The truth is complete before the first defect is planted.
    """
    patients = importlib.import_module(COURSES[p.course]).patients(p, n, seed)
    forms = ecrf.forms(p, seed, patients)
    results, sheets = pk.results(p, seed, patients), bioplex.plates(p, seed, patients)
    for name, rows in truth.tables(p, patients, [results, *sheets]).items():
        truth.write(name, rows, out / "truth")
    by_number = {patient.number: patient for patient in patients}
    forge = defects.Forge(by_number, {**forms, defects_assay.PK_FORM: results}, sheets, p.date("data_cutoff").year)
    planted, absent = defects.plant(p, seed, forge, {**defects_ecrf.MAKERS, **defects_assay.MAKERS})
    truth.write("defects", planted, out / "truth")
    deliveries: dict[str, list[Table]] = {"french_csv": [*forms.values(), results], "bioplex": sheets}
    for writer in p.writers:
        importlib.import_module(WRITERS[writer]).write(deliveries[writer], out)
    return absent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Simulate the raw extracts of a trial.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the extracts; truth goes to its truth/")
    parser.add_argument("--trial", required=True, help="trial id, a file of resources/reference/simulation")
    parser.add_argument("--n", type=int, help="number of patients; default: as planned")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    path = FOLDER / f"{given.trial}.yaml"
    if not path.is_file():
        parser.error(f"nothing to simulate for '{given.trial}': resources/reference/simulation has no {path.name}")
    p = read_parameters(path)
    n = given.n if given.n is not None else int(p.number("planned_n"))
    if n < 1:
        parser.error(f"--n {n}: at least 1 patient is needed")
    absent = simulate(p, n, given.seed, given.out)
    if absent:
        print(f"no place for defects of kind: {', '.join(sorted(absent))}")


if __name__ == "__main__":
    main()
