"""Random streams named by what they are for: a patient's numbers do not depend on how many patients there are."""

from __future__ import annotations

from hashlib import sha256

import numpy as np


def stream(seed: int, *names: object) -> np.random.Generator:
    """A generator of its own for every (seed, names); names are compared as text."""
    words = [int.from_bytes(sha256(str(name).encode()).digest()[:8], "big") for name in names]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=words)))
