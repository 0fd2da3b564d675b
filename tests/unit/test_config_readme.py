"""The reference of the trial files: complete, with valid examples and links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml
from pydantic import BaseModel

from trialpipe.config import readme, readme_text
from trialpipe.config.readme_examples import collect, shown, walk
from trialpipe.config.readme_fields import keys, models, word
from trialpipe.config.site import Site

ROOT = Path(__file__).resolve().parents[2]
TRIALS = ROOT / "config" / "trials"


def all_models() -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []

    def below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
        hints = get_type_hints(model, include_extras=True)
        return (m for name, hint in hints.items() if name in model.model_fields for m in models(hint))

    waiting: list[type[BaseModel]] = [*readme.ROOTS.values(), Site]
    while waiting:
        model = waiting.pop(0)
        if model not in found:
            found.append(model)
            waiting += below(model)
    return found


MODELS = all_models()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_and_key_says_what_it_means(model: type[BaseModel]) -> None:
    assert model.__dict__.get("__doc__"), "the class needs a docstring"
    assert [key.name for key in keys(model, str) if not key.meaning] == []


@pytest.fixture(scope="module")
def text() -> str:
    return readme.readme(TRIALS)


def test_every_key_stands_in_the_page(text: str) -> None:
    assert [m.__name__ for m in MODELS for key in keys(m, str) if f"`{key.name}`" not in text] == []


def test_links_inside_the_page_lead_to_headings(text: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", prose, re.M)
    anchors = [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings]
    assert sorted(set(anchors)) == sorted(anchors), "two headings would have one anchor"
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= set(anchors)


def test_examples_are_valid_and_wrapping_changes_nothing() -> None:
    for model, example in collect(TRIALS, readme.ROOTS).items():
        data = yaml.load(example.text, Loader=yaml.BaseLoader)
        assert set(data) <= set(model.model_fields)
        if not shown(example).endswith("# ..."):
            assert yaml.load(shown(example), Loader=yaml.BaseLoader) == data


def test_an_example_belongs_to_the_model_that_its_kind_names() -> None:
    node = yaml.compose("outcomes: [{id: a, analyses: [{kind: cox, terms: [AGE]}, {kind: flow, boxes: [{id: b}]}]}]")
    found = [model.__name__ for model, _ in walk(readme.ROOTS["outcomes"], node)]
    assert found == ["Outcomes", "Outcome", "Cox", "Flow", "Box"]


def test_a_value_in_words() -> None:
    hints = get_type_hints(Site, include_extras=True)
    assert word(hints["trials"], str) == "list of id"
    assert word(dict[str, int | None], str) == "mapping of text to whole number"
    assert word(tuple[int, int], str) == "[whole number, whole number]"


def test_every_reference_table_is_listed() -> None:
    folder = ROOT / "resources" / "reference"
    assert sorted(f"`{path.name}`" for path in folder.glob("*.*")) == sorted(readme_text.TABLES)


def test_readers_and_preparers_are_listed(text: str) -> None:
    from trialpipe.clean.run import PREPARERS
    from trialpipe.ingest.run import READERS

    assert [name for name in (*READERS, *PREPARERS) if f"| `{name}` |" not in text] == []


def test_a_stale_page_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    monkeypatch.setattr(readme, "TRIALS", TRIALS)
    monkeypatch.setattr(readme, "readme", lambda: "text\n")
    assert readme.main(["--check"]) == 1
    assert readme.main([]) == 0
    assert readme.main(["--check"]) == 0
