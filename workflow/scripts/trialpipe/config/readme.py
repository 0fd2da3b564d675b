"""config/README.md, the reference of all trial files, generated from the models.

``python -m trialpipe.config.readme`` writes it, ``--check`` says whether it is stale. Examples are pieces of the
configured trials, so that they are valid by construction.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel

from trialpipe.config import analyses, characteristics, datasets, outcomes
from trialpipe.config.analyses_base import Analysis, Comparison, Interval
from trialpipe.config.characteristics import Characteristics
from trialpipe.config.extracts import Extracts
from trialpipe.config.outcomes import Outcomes
from trialpipe.config.protocol import Protocol
from trialpipe.config.readme_examples import Example, collect, kind, shown
from trialpipe.config.readme_fields import VALUES, keys, models
from trialpipe.config.readme_text import (
    CHARACTERISTICS,
    CHECKING,
    EXTRACTS,
    INTRODUCTION,
    OUTCOMES,
    PROTOCOL,
    REFERENCE,
    SITE,
    TABLES,
)
from trialpipe.config.site import Site

README = Path("config") / "README.md"
TRIALS = Path("config") / "trials"
PACKAGE = Path(__file__).parents[1]
ROOTS: dict[str, type[BaseModel]] = {
    "protocol": Protocol,
    "extracts": Extracts,
    "outcomes": Outcomes,
    "characteristics": Characteristics,
}
FAMILIES: dict[str, Any] = {
    "Dataset": datasets.Dataset,
    "Endpoint": outcomes.Endpoint,
    "Analysis": analyses.AnyAnalysis,
    "Scenario": characteristics.AnyScenario,
}
"""Unions of models that ``kind`` tells apart, and the word before the kind in headings."""


def readme(trials: Path = TRIALS) -> str:
    """Text of config/README.md; examples come from ``<trials>/<trial>/*.yaml``."""
    page = _Page(collect(trials, ROOTS))
    parts = [
        INTRODUCTION,
        _table(("word", "value", "example"), ((w, what, ex) for _, w, what, ex in VALUES if what)),
        SITE,
        page.fields(Site),
        PROTOCOL,
        *page.root(Protocol, {"Dataset"}),
        *page.family("Dataset", "Every dataset has `id`, its name, and `label`, what it holds."),
        EXTRACTS,
        *page.root(Extracts, set()),
        "### Readers\n\n`reader` of a source is one of:",
        _table(("reader", "reads"), _modules("ingest/run.py", "READERS")),
        "### Preparers\n\n`prepare` of a mapping is one of:",
        _table(("preparer", "makes"), _modules("clean/run.py", "PREPARERS")),
        OUTCOMES,
        *page.root(Outcomes, {"Endpoint", "Analysis"}),
        *page.family("Endpoint", "Every endpoint has `dataset`, the dataset that holds it."),
        *page.family("Analysis", ""),
        CHARACTERISTICS,
        *page.root(Characteristics, {"Scenario"}),
        *page.family("Scenario", ""),
        CHECKING,
        REFERENCE,
        _table(("table", "holds"), TABLES.items()),
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


class _Page:
    """Sections of models; remembers which have been described."""

    def __init__(self, examples: dict[type[BaseModel], Example]) -> None:
        self.examples = examples
        self.done: set[type[BaseModel]] = {*ROOTS.values(), Site}

    def root(self, model: type[BaseModel], without: set[str]) -> Iterator[str]:
        """The table of a file's model, then a section per model it names; families have chapters of their own."""
        skipped = {member for name in without for member in models(FAMILIES[name])}
        yield self.fields(model)
        yield from self.below(model, skipped)

    def below(self, model: type[BaseModel], skipped: set[type[BaseModel]], level: str = "###") -> Iterator[str]:
        """Sections of the models that a model's fields name, each followed by those below it."""
        for name, hint in get_type_hints(model, include_extras=True).items():
            for member in models(hint) if name in model.model_fields else ():
                if member not in self.done and member not in skipped:
                    self.done.add(member)
                    yield f"{level} {member.__name__}\n\n{_words(member)}"
                    yield self.fields(member)
                    yield self.example(member)
                    yield from self.below(member, skipped, level)

    def family(self, word: str, common: str) -> Iterator[str]:
        """A chapter on the kinds of a union: a table of all, then a section for each that has keys of its own."""
        members = list(models(FAMILIES[word]))
        hidden = {"Dataset": ("id", "label"), "Endpoint": ("dataset",)}.get(word, ())
        yield f"### {word} kinds\n\n{common}".rstrip()
        yield _table(("kind", "what"), ((f"[`{kind(m)}`](#{_anchor(m)})", _words(m)) for m in members))
        if word == "Analysis":
            yield "#### Keys of every analysis"
            yield self.fields(Analysis)
        for member in members:
            self.done.add(member)
            yield f"#### {word} `{kind(member)}`\n\n{_words(member)}" + _shared(member)
            yield self.fields(member, _base(member), hidden)
            yield self.example(member)
            yield from self.below(member, set(members), "#####")

    def fields(self, model: type[BaseModel], base: type[BaseModel] | None = None, hidden: Sequence[str] = ()) -> str:
        """Table of a model's keys; empty if there is none."""
        found = [key for key in keys(model, _link, base) if key.name not in hidden]
        if not found:
            return ""
        return _table(
            ("key", "value", "default", "meaning"), ((f"`{k.name}`", k.value, k.default, k.meaning) for k in found)
        )

    def example(self, model: type[BaseModel]) -> str:
        """The example of a model, with the trial it is from."""
        found = self.examples.get(model)
        if found is None:
            return "" if not kind(model) else "No configured trial uses it yet."
        return f"From `{found.trial}`:\n\n```yaml\n{shown(found)}\n```"


def _base(model: type[BaseModel]) -> type[BaseModel] | None:
    return next((base for base in (Comparison, Interval, Analysis) if issubclass(model, base)), None)


def _shared(model: type[BaseModel]) -> str:
    """What an analysis has beside its own keys and those of every analysis."""
    fields = [name for base in (Interval, Comparison) if issubclass(model, base) for name in base.__annotations__]
    told = [f"`{name}` ({base.model_fields[name].description})" for name in fields for base in (Comparison,)]
    return f"\n\nAlso {'; '.join(told)}." if told else ""


def _link(model: type[BaseModel]) -> str:
    return f"[{kind(model) or model.__name__}](#{_anchor(model)})"


def _anchor(model: type[BaseModel]) -> str:
    """Anchor of a model's heading as GitHub makes it."""
    word = next((name for name, union in FAMILIES.items() if model in models(union)), None)
    return f"{word}-{kind(model)}".lower() if word else model.__name__.lower()


def _words(model: type[BaseModel]) -> str:
    """First paragraph of a model's docstring on one line, code as Markdown has it."""
    paragraph = (model.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(paragraph.split()).replace("``", "`")


def _modules(path: str, table: str) -> Iterator[tuple[str, str]]:
    """(name, first sentence of the module) for a table of module names; read as text, since config runs no stage."""
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == table:
            for name, module in sorted(ast.literal_eval(statement.value).items()):
                file = PACKAGE.parent / (module.replace(".", "/") + ".py")
                doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
                line = doc.split("\n", maxsplit=1)[0].rstrip(".")
                yield f"`{name}`", line


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [tuple(head), ("---",) * len(head), *(tuple(line) for line in lines)]
    return "\n".join("| " + " | ".join(cell.replace("\n", " ") for cell in row) + " |" for row in rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status: 1 if ``--check`` finds the file stale."""
    parser = argparse.ArgumentParser(prog="python -m trialpipe.config.readme", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is stale")
    options = parser.parse_args(argv)
    text = readme()
    if not options.check:
        README.write_text(text, encoding="utf-8", newline="\n")
        return 0
    if README.is_file() and README.read_bytes().decode("utf-8", errors="replace") == text:
        return 0
    print(f"{README.as_posix()} is stale - run make schemas", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
