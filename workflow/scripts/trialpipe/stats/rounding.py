"""Rounding as the field does it: half away from zero, on the decimal value that a person reads."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Context, Decimal

# wide enough for every float: 309 digits before the point, and those asked for after it
_WIDE = Context(prec=2000)


def round_half_away(value: float, digits: int) -> str:
    """``value`` with ``digits`` decimals, halves away from zero on the shortest decimal text of the float.

    2.675 gives 2.68 and 0.285 gives 0.29, as on paper; -0.0 prints as 0. nan gives ''; infinities 'Inf', '-Inf'.
    A value computed as 100 * x / n is exact enough for this; x / n * 100 may not be (57/200*100 is 28.499999999999996).
    Raises ValueError for ``digits`` outside 0..300.
    """
    if not 0 <= digits <= 300:
        raise ValueError("digits must lie in 0..300")
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP, context=_WIDE)
    return f"{abs(rounded) if rounded == 0 else rounded:f}"
