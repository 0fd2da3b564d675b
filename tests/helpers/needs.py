"""What a test needs and a machine may lack: skipped there, a failure under REQUIRE_ALL=1."""

from __future__ import annotations

import os

import pytest

from trialpipe.qc import rscript


def lacking(what: str) -> None:
    """Skip the test for want of ``what``; fail it when REQUIRE_ALL=1."""
    (pytest.fail if os.environ.get("REQUIRE_ALL") == "1" else pytest.skip)(what)


def second_derivation() -> None:
    """R with the packages of the second derivation."""
    packages = rscript.missing()
    if packages:
        lacking(f"the second derivation needs {' '.join(packages)} (apt-get install)")
