"""Patient numbers: text, trimmed and nothing else; never read as figures."""

from __future__ import annotations

from collections.abc import Iterable

_ALIKE = str.maketrans({"o": "0", "q": "0", "i": "1", "l": "1", "s": "5", "b": "8", "z": "2"})


def tidy(text: str | None) -> str | None:
    """The number without outer white space (no-break spaces included); None if nothing is left."""
    return (text or "").strip().strip("\u00a0\u202f\ufeff").strip() or None


def near(numbers: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different numbers that differ only in look-alikes (O and 0, I or l and 1 ...), case or leading zeros.

    Sorted; the earlier in text order stands first.
    """
    groups: dict[str, list[str]] = {}
    for number in sorted(set(numbers)):
        groups.setdefault(_skeleton(number), []).append(number)
    return [
        (group[i], group[j])
        for _, group in sorted(groups.items())
        for i in range(len(group))
        for j in range(i + 1, len(group))
    ]


def _skeleton(number: str) -> str:
    parts = number.casefold().translate(_ALIKE).replace(" ", "").split("-")
    return "-".join(part.lstrip("0") or "0" for part in parts)
