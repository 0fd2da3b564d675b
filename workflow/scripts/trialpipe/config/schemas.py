"""JSON Schemas of the configuration files, generated from the models for editors.

``python -m trialpipe.config.schemas`` writes them, ``--check`` says which ones are stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

MODELS = {
    "protocol": "trialpipe.config.protocol:Protocol",
    "extracts": "trialpipe.config.extracts:Extracts",
    "outcomes": "trialpipe.config.outcomes:Outcomes",
    "characteristics": "trialpipe.config.characteristics:Characteristics",
}
"""File name without ending to ``module:Model``; imported only when a schema is made."""

FOLDER = Path("workflow") / "schemas"


def schema_text(target: str) -> str:
    """JSON Schema of ``module:Model`` as the text of its file: sorted keys, two spaces, final newline."""
    module, _, name = target.partition(":")
    schema = getattr(import_module(module), name).model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write(folder: Path, models: Mapping[str, str] = MODELS) -> list[Path]:
    """Write every schema to ``<folder>/<name>.schema.json``; returns the paths. A current one is left."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, target in sorted(models.items()):
        path = _file(folder, name)
        text = schema_text(target)
        if _read(path) != text:
            path.write_text(text, encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def stale(folder: Path, models: Mapping[str, str] = MODELS) -> list[str]:
    """A line per schema file that is absent or differs from its model, or that no model has."""
    lines = []
    for name, target in sorted(models.items()):
        path = _file(folder, name)
        if _read(path) != schema_text(target):
            lines.append(f"{path.as_posix()} is stale - run python -m trialpipe.config.schemas")
    wanted = {_file(folder, name) for name in models}
    for path in sorted(folder.glob("*.schema.json")):
        if path not in wanted:
            lines.append(f"{path.as_posix()} has no model - delete it")
    return lines


def main(argv: Sequence[str] | None = None, models: Mapping[str, str] = MODELS) -> int:
    """Command line; returns the exit status: 1 if ``--check`` finds a stale file."""
    parser = argparse.ArgumentParser(prog="python -m trialpipe.config.schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is stale")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: workflow/schemas")
    options = parser.parse_args(argv)
    if not options.check:
        write(options.folder, models)
        return 0
    lines = stale(options.folder, models)
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if lines else 0


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.schema.json"


def _read(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", errors="replace") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
