"""Numbers as laboratories and forms write them. A figure that can be read in two ways is not read at all."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from trialpipe.clean.codes import fold

NO_VALUE = frozenset(
    [
        "", "-", "--", ".", "..", "...", "?", "x", "nd", "na", "n/a", "nan", "null", "none", "nk", "uk", "unk", "un",
        "nc", "nf", "nr", "ns", "nsp", "qns", "non fait", "non faite", "not done", "non realise", "non realisee",
        "hemolyse", "hemolysee", "hemolysed", "echantillon hemolyse", "coagule", "coagulee", "echantillon coagule",
        "non rendu", "non recu", "not reported", "no sample", "insuffisant", "quantite insuffisante", "manquant",
        "missing", "unknown", "inconnu",
    ]
)  # fmt: skip
"""Texts (folded) that say there is no value, wherever a number is expected."""

_WORDS = r"\.?(?:erieure?)?(?: ou egale?)?(?: a)?"
_LEFT = re.compile(rf"(?:<=|=<|<|≤|inf{_WORDS}|less than|below|moins de)\s*(?=\S)")
_RIGHT = re.compile(rf"(?:>=|=>|>|≥|sup{_WORDS}|greater than|more than|above|plus de)\s*(?=\S)")
_BELOW = frozenset(
    ["blq", "bloq", "blloq", "bql", "indetectable", "undetectable", "non detectable", "non detecte", "not detected"]
    + ["indosable"]
)
_ABOVE = frozenset(["alq", "aloq", "auloq", "aql"])
_LIMITS = frozenset(["lq", "liq", "loq", "lloq", "lod", "lsq", "uloq", "limite", "limit"])
_EXPONENT = r"(?:[eE][+-]?[0-9]{1,3})?"
_GROUPED = r"[0-9]{{1,3}}(?:{0}[0-9]{{3}})+"
_POINT = re.compile(
    rf"[+-]?(?:{_GROUPED.format(' ')}|{_GROUPED.format(',')}|[0-9]+)(?:\.[0-9]+)?{_EXPONENT}|[+-]?\.[0-9]+{_EXPONENT}"
)
_COMMA = re.compile(rf"[+-]?(?:{_GROUPED.format(' ')}|[0-9]+)(?:,[0-9]+)?{_EXPONENT}|[+-]?,[0-9]+{_EXPONENT}")
# a point where a comma is the rule, unless it may group thousands (1.234)
_ODD_POINT = re.compile(
    rf"[+-]?(?:{_GROUPED.format(' ')}|[0-9]{{4,}}|0)\.[0-9]+{_EXPONENT}"
    rf"|[+-]?[0-9]+\.(?:[0-9]{{1,2}}|[0-9]{{4,}}){_EXPONENT}"
)
_UNIT = re.compile(r"\s*(?P<unit>[A-Za-z%°µμ/][^0-9<>=]{0,3}.{0,12})")


@dataclass(frozen=True)
class Number:
    """What a text says. ``status``: number, missing or invalid.

    ``value`` is the figure, or the bound of a censored result (``cens`` left or right; None when the bound stands
    in words only). ``unit``: text behind the figure. ``odd``: a decimal point where the dialect has a comma.
    """

    status: str
    value: float | None = None
    cens: str = "none"
    unit: str | None = None
    odd: bool = False


MISSING, INVALID = Number("missing"), Number("invalid")
LARGEST = 1e30
"""No measurement is larger; products and squares of what is smaller stay finite."""


def parse(
    text: str | None,
    decimal: str = ".",
    missing: tuple[str, ...] = (),
    is_unit: Callable[[str], bool] | None = None,
) -> Number:
    """Read one number; ``decimal`` is ``.`` or ``,``.

    Thousands may be grouped by (no-break, thin) spaces, under a decimal point also by commas, always by three.
    Before the figure ``<``, ``>``, ``<=``, ``inf. à``, ``sup. à`` and the like; words such as BLQ, ``<LQ`` stand
    for an unnamed bound. ``missing`` are further words for no value. A text behind the figure is accepted only if
    ``is_unit`` knows it. Anything else, infinities and figures beyond 1e30 included, is invalid.
    """
    found = _parse(text, decimal, missing)
    if found.unit is not None and (is_unit is None or not is_unit(found.unit)):
        return INVALID
    return found


@lru_cache(maxsize=65536)
def _parse(text: str | None, decimal: str, missing: tuple[str, ...]) -> Number:
    raw = text or ""
    if any(unicodedata.category(c) == "No" for c in raw):
        return INVALID
    plain = " ".join(unicodedata.normalize("NFKC", raw).replace("\u2212", "-").split())
    words = fold(plain)
    if words in NO_VALUE or words in {fold(word) for word in missing}:
        return MISSING
    if words in _BELOW or words in _ABOVE:
        return Number("number", None, "left" if words in _BELOW else "right")
    for pattern, cens in ((_LEFT, "left"), (_RIGHT, "right")):
        match = pattern.match(words)
        if match:
            return _bound(words[match.end() :], decimal, cens)
    return _figure(plain, decimal)


def _bound(rest: str, decimal: str, cens: str) -> Number:
    if rest in _LIMITS:
        return Number("number", None, cens)
    found = _figure(rest, decimal)
    if found.status != "number":
        return INVALID
    return Number("number", found.value, cens, found.unit, found.odd)


def _figure(text: str, decimal: str) -> Number:
    pattern = _COMMA if decimal == "," else _POINT
    for candidate, odd in ((pattern, False), (_ODD_POINT, True)):
        if odd and decimal != ",":
            continue
        match = candidate.match(text)
        if match is None:
            continue
        rest = _UNIT.fullmatch(text, match.end())
        if match.end() != len(text) and rest is None:
            continue
        plain = match[0].replace(" ", "")
        plain = plain.replace(",", "." if decimal == "," else "")
        value = float(plain)
        if not math.isfinite(value) or abs(value) > LARGEST:
            return INVALID
        return Number("number", value, unit=rest["unit"].strip() if rest else None, odd=odd)
    return INVALID


def shown(value: float) -> str:
    """Canonical text of a number: up to 10 significant digits, decimal point, no exponent below 1e10."""
    return f"{value:.10g}"
