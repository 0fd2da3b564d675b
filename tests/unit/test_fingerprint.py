"""The identity of code: what changes it, what does not, and how far it reaches."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from trialpipe.config.trial import load_trial
from trialpipe.provenance import fingerprint as fp
from trialpipe.provenance import identity

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = REPO / "workflow" / "scripts"


def digest(text: str) -> str:
    return fp.facts(ast.parse(text)).digest


def test_comments_docstrings_and_layout_do_not_count() -> None:
    plain = "def f(x):\n    return x - 1\n"
    assert digest(plain) == digest('"""module"""\n# comment\ndef f( x ):\n    """doc"""\n\n    return (x - 1)\n')


def test_code_counts() -> None:
    assert digest("def f(x):\n    return x - 1\n") != digest("def f(x):\n    return x + 1\n")


def test_closure_follows_imports_inside_functions_and_from_packages() -> None:
    closure = fp.closure(("trialpipe.provenance.check",))
    assert "trialpipe.clean.run" in closure
    assert "trialpipe.io.store" in closure
    assert "trialpipe.config.plan" in closure


def test_dispatch_tables_name_existing_modules() -> None:
    for module, name in (
        ("trialpipe.ingest.run", "READERS"),
        ("trialpipe.clean.run", "PREPARERS"),
        ("trialpipe.derive.run", "KINDS"),
        ("trialpipe.analyse.run", "KINDS"),
        ("trialpipe.figures.run", "DRAWINGS"),
    ):
        for target in fp.dispatch_table(module, name).values():
            assert (SCRIPTS / Path(*target.split("."))).with_suffix(".py").exists()


def test_dispatched_modules_are_not_in_the_closure_of_the_dispatcher() -> None:
    closure = fp.closure(("trialpipe.analyse.run",))
    assert "trialpipe.analyse.cox" not in closure


def test_unknown_table_is_an_error() -> None:
    with pytest.raises(KeyError, match="NOTHING"):
        fp.dispatch_table("trialpipe.analyse.run", "NOTHING")


def test_fingerprint_holds_adapter_modules_packages_and_python() -> None:
    found = fp.fingerprint(SCRIPTS / "derive.py", ("trialpipe.derive.run",))
    assert {"adapter", "python", "pandas", "pyarrow", "trialpipe.derive.run", "trialpipe.io.store"} <= set(found)
    assert list(found) == sorted(found)
    assert "lifelines" not in found


def test_every_third_party_import_of_the_library_has_a_known_distribution() -> None:
    import sys

    unknown = set()
    for path in SCRIPTS.rglob("*.py"):
        unknown |= {
            n
            for n in fp.facts(ast.parse(path.read_text(encoding="utf-8"))).packages
            if n not in sys.stdlib_module_names
        }
    assert unknown - {"snakemake", "markupsafe", "pydantic_core", "matplotlib"} <= set(fp.DISTRIBUTIONS)


def test_figures_and_pages_are_made_anew_when_a_drawing_or_a_template_changes() -> None:
    """Neither is imported by a statement."""
    trial = load_trial(REPO / "config" / "trials", "c-hlh")
    drawn = identity.params(REPO, trial, "figures", ())["code"]
    assert {"trialpipe.figures.survival", "trialpipe.figures.curves", "trialpipe.figures.flow"} <= set(drawn)
    page = identity.params(REPO, trial, "report", ())["code"]
    assert {"report.html.j2", "macros.html.j2", "style.css"} <= set(page)
    assert "index.html.j2" in identity.index_code(REPO)
