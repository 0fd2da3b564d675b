"""What a computer sees of the project: run on a node by ``make doctor``, and on the head for comparison.

Knows the standard library alone, so that it can tell what is wrong with an environment that lacks the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from importlib.metadata import distributions
from pathlib import Path


def installed() -> dict[str, str]:
    """Version of every installed distribution by its name in lower case with hyphens."""
    found = ((d.metadata["Name"], d.version) for d in distributions())
    return {name.lower().replace("_", "-").replace(".", "-"): version for name, version in found if name}


def digest() -> str:
    """sha256 over all installed names and versions: equal where the environments are."""
    text = "".join(f"{name}=={version}\n" for name, version in sorted(installed().items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def existing(path: str) -> Path:
    """The path or its nearest parent that exists."""
    place = Path(path).absolute()
    return next(p for p in (place, *place.parents) if p.exists())


def look(question: dict) -> dict:
    """Answer to ``{token, results, roots}``: the token again, Python, packages, free bytes, roots not to be read."""
    results = existing(question["results"])
    return {
        "token": question["token"],
        "host": platform.node(),
        "python": platform.python_version(),
        "packages": digest(),
        "free": shutil.disk_usage(results).free,
        "writable": os.access(results, os.W_OK),
        "unreadable": [root for root in question["roots"] if not os.access(root, os.R_OK | os.X_OK)],
    }


if __name__ == "__main__":
    json.dump(look(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), sys.stdout)
