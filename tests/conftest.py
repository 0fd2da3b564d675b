"""Property tests draw the same examples at every run, so that a verdict can be repeated; FUZZ=1 draws new ones."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=os.environ.get("FUZZ") != "1")
settings.load_profile("house")
