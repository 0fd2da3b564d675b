"""Print where the front page lies: ``pathvars.results`` of the configuration, as the Snakefile reads it."""

from __future__ import annotations

from pathlib import Path

import yaml

place = "results"
for name in ("config/config.yaml", "config/local.yaml"):
    if Path(name).exists():
        stated = yaml.safe_load(Path(name).read_text(encoding="utf-8")) or {}
        place = (stated.get("pathvars") or {}).get("results", place)
print(Path(place, "index.html").absolute())
