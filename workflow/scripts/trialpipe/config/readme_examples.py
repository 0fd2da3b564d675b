"""Examples for the models of the configuration: pieces of the configured trials' own files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel

from trialpipe.config.readme_fields import models

LINES = 9
LENGTH = 420
WIDTH = 116
"""Longest example in lines and characters, and longest line of one; a longer one is cut."""


class Example(NamedTuple):
    """A piece of a trial's file as it stands there, and how many keys it shows."""

    trial: str
    text: str
    keys: int


def collect(folder: Path, roots: dict[str, type[BaseModel]]) -> dict[type[BaseModel], Example]:
    """Model to the most telling example in ``<folder>/<trial>/<file>.yaml``; ``roots`` is file name to model."""
    found: dict[type[BaseModel], list[Example]] = {}
    for path in sorted(folder.glob("*/outcomes.yaml")):
        for name, root in roots.items():
            file = path.with_name(f"{name}.yaml")
            if not file.exists():  # a trial may lack characteristics.yaml
                continue
            text = file.read_text(encoding="utf-8")
            for model, node in walk(root, yaml.compose(text, Loader=yaml.SafeLoader)):
                found.setdefault(model, []).append(Example(path.parent.name, piece(text, node), len(node.value)))
    return {model: min(examples, key=_telling) for model, examples in found.items()}


def _telling(example: Example) -> tuple[bool, int, int, str]:
    """Those that fit come first, of these the one with most keys, of these the shortest."""
    return (not _fits(example.text), -example.keys, len(example.text), example.text)


def _fits(text: str) -> bool:
    return text.count("\n") < LINES and len(text) <= LENGTH


def walk(model: type[BaseModel], node: yaml.Node) -> Iterator[tuple[type[BaseModel], yaml.MappingNode]]:
    """Every mapping of a document with the model that reads it."""
    if not isinstance(node, yaml.MappingNode):
        return
    yield model, node
    hints = get_type_hints(model, include_extras=True)
    for key, value in node.value:
        options = list(models(hints[key.value])) if key.value in hints else []
        for item in _mappings(value):
            chosen = _chosen(options, item)
            if chosen is not None:
                yield from walk(chosen, item)


def _mappings(node: yaml.Node) -> list[yaml.MappingNode]:
    if isinstance(node, yaml.SequenceNode):
        return [item for item in node.value if isinstance(item, yaml.MappingNode)]
    if not isinstance(node, yaml.MappingNode):
        return []
    # a mapping of free keys to a model: the values are what the model reads
    return [node, *(value for _, value in node.value if isinstance(value, yaml.MappingNode))]


def _chosen(options: list[type[BaseModel]], node: yaml.MappingNode) -> type[BaseModel] | None:
    """The model whose kind the mapping names; of models without kind the only one that knows all its keys."""
    given = {key.value: value.value for key, value in node.value}
    for model in options:
        if "kind" in model.model_fields:
            if given.get("kind") == kind(model):
                return model
        elif set(given) <= set(model.model_fields) and given:
            return model
    return None


def kind(model: type[BaseModel]) -> str:
    """Value of ``kind`` that names a model; empty if it has none."""
    field: Any = model.model_fields.get("kind")
    return str(get_args(field.annotation)[0]) if field and get_origin(field.annotation) is Literal else ""


def piece(text: str, node: yaml.MappingNode) -> str:
    """Text of a mapping as it stands in its file, moved to the left margin, cut if it is long."""
    start, end = node.start_mark, node.end_mark
    lines = text[start.index : end.index].rstrip().split("\n")
    margin = " " * start.column
    lines = [lines[0], *(line.removeprefix(margin) for line in lines[1:])]
    lines = [line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return "\n".join(lines)


def shown(example: Example) -> str:
    """An example of at most ``LINES`` lines of ``WIDTH``; what is cut is marked."""
    lines = [part for line in example.text.split("\n") for part in _wrapped(line)]
    return "\n".join(lines if len(lines) <= LINES else [*lines[: LINES - 1], "# ..."])


def _wrapped(line: str) -> list[str]:
    """A long line in flow style, broken after commas, which YAML reads as the same."""
    if len(line) <= WIDTH or not line.endswith(("}", "]")):
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    made = [""]
    for part in line.split(", "):
        joined = f"{made[-1]}, {part}" if made[-1] else part
        if made[-1] and len(joined) >= WIDTH:
            made[-1] += ","
            joined = indent + part
            made.append("")
        made[-1] = joined
    return made
