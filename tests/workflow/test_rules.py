"""Every rule keeps the habits: docstring, log, environment, its whole identity in params, a script, no run block."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((REPO / "workflow" / "rules").glob("*.smk"))
BLOCK = re.compile(r"^rule (\w+):\n((?:    .*\n|\n)+)", re.MULTILINE)
RULES = {name: body for path in RULE_FILES for name, body in BLOCK.findall(path.read_text(encoding="utf-8") + "\n")}


def test_rules_are_found() -> None:
    assert {"ingest", "clean", "checks", "derive", "analyse", "stack", "figures", "report", "index", "qc_r"} <= set(
        RULES
    )


@pytest.mark.parametrize("rule", RULES)
def test_rule_keeps_the_habits(rule: str) -> None:
    body = RULES[rule]
    assert body.lstrip().startswith('"""'), "docstring"
    for directive in ("log:", "conda:", "params:", "script:"):
        assert f"    {directive}" in body, directive
    assert "run:" not in body
    assert re.search(r"\bcode=", body), "fingerprint of the code"
    assert re.search(r"\bspec=", body), "part of the configuration"
    assert f'"../scripts/{rule}.py"' in body


@pytest.mark.parametrize("path", sorted((REPO / "workflow" / "scripts").glob("*.py")), ids=lambda p: p.name)
def test_adapter_is_thin(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 25


def test_snakefile_and_common_are_short() -> None:
    assert len((REPO / "Snakefile").read_text(encoding="utf-8").splitlines()) <= 60
    assert len((REPO / "workflow" / "rules" / "common.smk").read_text(encoding="utf-8").splitlines()) <= 100
