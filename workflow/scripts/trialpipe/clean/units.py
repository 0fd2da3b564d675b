"""Units: spellings to UCUM, and factors per test. Nothing converts between arbitrary units (U) and mass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_POWER = re.compile(r"(?<=10)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")


def normalise(text: str) -> str:
    """A unit's text for look-up: no spaces, ``u`` for the micro sign, ``10^9`` for ten to the ninth; case kept."""
    bare = "".join(text.split()).replace("\u00a0", "").replace("\u202f", "")
    bare = bare.replace("µ", "u").replace("μ", "u").replace("×", "x").replace("·", ".")
    bare = _POWER.sub(lambda match: "^" + match[1], bare).translate(_SUPERSCRIPTS)
    return bare[1:] if bare.startswith(("x10", "*10")) else bare


class Units:
    """The table of units: rows with kind (spelling or convert), test (``*``: any), unit, to, factor."""

    def __init__(self, rows: Iterable[Mapping[str, str]]) -> None:
        self._spelling: dict[tuple[str, str], str] = {}
        self._factor: dict[tuple[str, str, str], float] = {}
        self._known: set[str] = set()
        for row in rows:
            self._known.add(row["to"])
            if row["kind"] == "spelling":
                self._spelling[row["test"], normalise(row["unit"])] = row["to"]
            else:
                self._known.add(row["unit"])
                self._factor[row["test"], row["unit"], row["to"]] = float(row["factor"])

    def canonical(self, text: str, test: str = "*", target: str | None = None) -> str | None:
        """UCUM unit of a spelling, None if it is not known; ``target`` (the test's own unit) is known as it is."""
        bare = normalise(text)
        if target is not None and bare == target:
            return target
        found = self._spelling.get((test, bare)) or self._spelling.get(("*", bare))
        return found or (bare if bare in self._known else None)

    def factor(self, test: str, unit: str, target: str) -> float | None:
        """What a value in the UCUM unit ``unit`` is multiplied with to be in ``target``; None: not convertible."""
        if unit == target:
            return 1.0
        own = self._factor.get((test, unit, target))
        return own if own is not None else self._factor.get(("*", unit, target))

    def alternatives(self, test: str, target: str) -> list[tuple[str, float]]:
        """(unit, factor to ``target``) of every unit convertible for the test: the target, then as in the table."""
        found = {target: 1.0}
        for (of, unit, to), factor in self._factor.items():
            if to == target and of in ("*", test):
                found[unit] = factor
        return list(found.items())

    def suspect(
        self, test: str, target: str, value: float, unit: str, low: float | None, high: float | None
    ) -> str | None:
        """The first other unit of `alternatives` in which ``value`` is within ``low`` and ``high`` (in ``target``)."""
        if low is None or high is None:
            return None
        for other, factor in self.alternatives(test, target):
            if other != unit and low <= value * factor <= high:
                return other
        return None
