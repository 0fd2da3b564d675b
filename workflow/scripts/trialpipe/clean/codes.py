"""Code lists: raw texts to submission values, blind to letter case, accents, spaces and the kind of hyphen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"), "-")
_LOOSE = re.compile(r"[\s\-_.]+")


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Text for comparison: compatibility forms, no accents, lower case, single spaces, plain hyphens."""
    plain = unicodedata.normalize("NFKD", text.translate(_DASHES))
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(bare.casefold().split())


class Codes:
    """One code list."""

    def __init__(self, id: str, values: Mapping[str, str]) -> None:
        """``values``: raw text to submission value; the first of two texts that fold alike wins."""
        self.id = id
        self._folded: dict[str, str] = {}
        loose: dict[str, set[str]] = {}
        for text, value in values.items():
            self._folded.setdefault(fold(text), value)
            loose.setdefault(_squeeze(fold(text)), set()).add(value)
        # without spaces and hyphens only where a letter is left and one value remains: -1 is not 1
        self._loose = {key: min(found) for key, found in loose.items() if len(found) == 1 and _lettered(key)}

    def get(self, text: str) -> str | None:
        """Submission value of ``text``, None if the list does not hold it."""
        key = fold(text)
        found = self._folded.get(key)
        return found if found is not None else self._loose.get(_squeeze(key))


def codelists(reference: Iterable[Mapping[str, str]], own: Mapping[str, Mapping[str, str]]) -> dict[str, Codes]:
    """Code lists by id: rows (id, text, value) of the reference table; a list of the trial takes the place of its
    namesake."""
    tables: dict[str, dict[str, str]] = {}
    for row in reference:
        tables.setdefault(row["id"], {}).setdefault(row["text"], row["value"])
    tables.update({name: dict(values) for name, values in own.items()})
    return {name: Codes(name, values) for name, values in tables.items()}


def _squeeze(folded: str) -> str:
    return _LOOSE.sub("", folded)


def _lettered(text: str) -> bool:
    return any(c.isalpha() for c in text)
