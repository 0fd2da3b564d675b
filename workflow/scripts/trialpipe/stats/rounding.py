"""Rounding as the field does it: half away from zero, on the decimal value that a person reads."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal


def round_half_away(value: float, digits: int) -> str:
    """``value`` with ``digits`` decimals, halves away from zero on the shortest decimal text of the float.

    2.675 gives 2.68 and 0.285 gives 0.29, as on paper; -0.0 prints as 0. nan gives ''; infinities 'Inf', '-Inf'.
    Raises ValueError for negative ``digits``.
    """
    if digits < 0:
        raise ValueError("digits is negative")
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return f"{abs(rounded) if rounded == 0 else rounded:f}"
