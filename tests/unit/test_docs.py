"""What the documentation names exists, and what exists is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from trialpipe.analyse.run import KINDS
from trialpipe.derive.run import KINDS as DATASETS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]  # fmt: skip  # noqa: E501
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
PLACES = ("tests/", "stats/", "derive/", "analyse/", "ingest/", "clean/", "report/", "figures/", "config/", "io/",
          "provenance/", "simulate/", "resources/", "workflow/", "profiles/", "docs/", "tools/", "qc/")  # fmt: skip
PACKAGE = "workflow/scripts/trialpipe"


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(page: str) -> set[str]:
    prose = re.sub(r"^```.*?^```$", "", text(page), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", prose, re.M)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_exist(page: str) -> None:
    broken = []
    for found in LINK.findall(text(page)):
        target = found[0] or found[1]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        if not path.exists() or anchor and anchor not in anchors(str(path.resolve().relative_to(ROOT))):
            broken.append(target)
    assert broken == []


def files_named(page: str) -> set[str]:
    """Files in backticks: those with a known folder in front and without a placeholder."""
    words = [word for span in re.findall(r"`([^`\n]+)`", text(page)) for word in re.split(r"[\s:]+", span)]
    found = {word.rstrip(",;.") for word in words if word.startswith(PLACES) and "/" in word}
    # results and a machine's own settings are not in git
    made = re.compile(r"[<>{}*=(]|\.\.\.|\.parquet$|\.html$|local\.yaml$|site\.yaml$")
    return {word for word in found if not made.search(word)}


@pytest.mark.parametrize("page", [p for p in PAGES if p not in ("CHANGELOG.md", "config/README.md")])
def test_files_that_are_named_exist(page: str) -> None:
    absent = [name for name in sorted(files_named(page)) if not _exists(name)]
    assert absent == []


def _exists(name: str) -> bool:
    return any((ROOT / folder / name).exists() for folder in (".", PACKAGE, "workflow/scripts", "workflow"))


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.M))
    named = {word for page in PAGES for word in re.findall(r"`make ([a-z-]+)", text(page))}
    assert named <= targets


@pytest.mark.parametrize(
    "module", sorted(p.name for p in (ROOT / PACKAGE / "stats").glob("*.py") if p.stem != "__init__")
)
def test_every_statistics_module_is_in_the_methods(module: str) -> None:
    assert f"`stats/{module}`" in text("docs/methods.md")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_analysis_kind_is_in_the_methods(kind: str) -> None:
    assert f"`{kind}`" in text("docs/methods.md")


@pytest.mark.parametrize("kind", sorted(set(DATASETS) - {"adsl"}))
def test_every_dataset_kind_is_in_the_architecture(kind: str) -> None:
    assert f"`{kind}`" in text("docs/architecture.md")


def methods_in_code() -> list[str]:
    """First clauses of the method texts that are constants of the analysis modules."""
    constant = re.compile(r"(?:method=|METHOD = )f?\(?\s*f?\"([A-Z][^\"{,;:(]{6,})")
    paths = sorted((ROOT / PACKAGE / "analyse").glob("*.py"))
    return sorted({found.strip() for path in paths for found in constant.findall(path.read_text(encoding="utf-8"))})


def test_method_texts_are_explained() -> None:
    assert len(methods_in_code()) > 8
    assert [method for method in methods_in_code() if method not in text("docs/methods.md")] == []


ENTITY, PERSON = {"name"}, {"family-names", "given-names", "orcid", "affiliation"}
CITATION = {"cff-version", "message", "title", "abstract", "type", "authors", "version", "license", "keywords",
            "references", "doi", "date-released", "url", "repository-code"}  # fmt: skip
REFERENCE = {"type", "title", "authors", "journal", "year", "volume", "start", "doi"}


def test_citation_file_has_what_its_format_asks() -> None:
    found = yaml.safe_load(text("CITATION.cff"))
    assert set(found) <= CITATION
    assert {"cff-version", "message", "title", "authors"} <= set(found)
    assert (found["cff-version"], found["type"], found["license"]) == ("1.2.0", "software", "MIT")
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    for entry in (found, *found["references"]):
        assert all(set(author) <= PERSON or set(author) == ENTITY for author in entry["authors"])
    assert all({"type", "title", "authors"} <= set(entry) <= REFERENCE for entry in found["references"])


def test_workflow_catalogue_file_has_what_the_catalogue_reads() -> None:
    usage = yaml.safe_load(text(".snakemake-workflow-catalog.yml"))["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    deployment = usage["software-stack-deployment"]
    assert set(deployment) == {"conda", "apptainer", "apptainer+conda", "report"}
    assert all(isinstance(value, bool) for value in deployment.values())
    # it speaks of conda only if every rule that runs a script names an environment
    rules = "".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
    assert deployment["conda"] == (rules.count("    script:\n") == rules.count("    conda:\n"))


@pytest.mark.parametrize("picture", sorted(p.name for p in (ROOT / "docs" / "images").glob("*.*")))
def test_pictures_are_small_and_shown(picture: str) -> None:
    assert (ROOT / "docs" / "images" / picture).stat().st_size < 200_000
    assert f"docs/images/{picture}" in text("README.md")
