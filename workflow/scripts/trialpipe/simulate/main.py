"""Simulated extracts of a trial with their truth.

    python -m trialpipe.simulate.main --out DIR --trial ID --n 29 --seed 1

writes the raw files under DIR and the truth under DIR/truth. What is simulated stands in
``resources/reference/simulation/<trial>.yaml``; courses and writers are found there by name.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from trialpipe.simulate import defects, truth
from trialpipe.simulate.parameters import FOLDER, Parameters, read_parameters

# name in the parameter file -> modules of the patients' course and of what is delivered about them
COURSES = {
    "primary_hlh": ("trialpipe.simulate.course_primary_hlh", "trialpipe.simulate.delivery_primary_hlh"),
    "oral_primary_hlh": ("trialpipe.simulate.course_oral_primary_hlh", "trialpipe.simulate.delivery_oral_primary_hlh"),
    "prophylactic_dli": ("trialpipe.simulate.course_prophylactic_dli", "trialpipe.simulate.delivery_prophylactic_dli"),
    "icu_hlh": ("trialpipe.simulate.course_icu_hlh", "trialpipe.simulate.delivery_icu_hlh"),
}
WRITERS = {
    "french_csv": "trialpipe.simulate.write_french_csv",
    "bioplex": "trialpipe.simulate.write_bioplex",
    "odm": "trialpipe.simulate.write_odm",
    "point_csv": "trialpipe.simulate.write_point_csv",
    "xponent": "trialpipe.simulate.write_xponent",
    "rcc": "trialpipe.simulate.write_rcc",
    "trialmaster": "trialpipe.simulate.write_trialmaster",
    "msd": "trialpipe.simulate.write_msd",
}


def simulate(p: Parameters, n: int, seed: int, out: Path) -> set[str]:
    """Simulate ``n`` patients into ``out``; returns the kinds of defects for which no place was found.

    The truth is complete before the first defect is planted.
    """
    course, deliveries = (importlib.import_module(name) for name in COURSES[p.course])
    patients = course.patients(p, n, seed)
    delivery = deliveries.make(p, seed, patients)
    for name, rows in delivery.truth.items():
        truth.write(name, rows, out / "truth")
    by_number = {patient.number: patient for patient in patients}
    year = p.date("data_cutoff").year
    forge = defects.Forge(by_number, delivery.forms, delivery.sheets, year, delivery.touched)
    planted, absent = defects.plant(p, seed, forge, delivery.makers)
    truth.write("defects", planted, out / "truth")
    for writer in p.writers:
        importlib.import_module(WRITERS[writer]).write(delivery.files[writer], out)
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
