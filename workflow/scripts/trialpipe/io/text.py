"""The one writer of text files: UTF-8, LF, one newline at the end, beside and moved."""

from __future__ import annotations

import os
from pathlib import Path


def write_text(text: str, path: str | Path) -> None:
    """Write ``text`` to ``path`` atomically."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    partial.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    os.replace(partial, target)
