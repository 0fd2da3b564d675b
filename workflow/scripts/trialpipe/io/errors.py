"""The one error that is shown to a user: what is wrong with a raw cell, and what to do about it."""

from __future__ import annotations

_SHOWN = 80


class DataError(Exception):
    """A defect of the data (or of how it is declared), with its place and its cure.

    ``str()`` is one line: ``ERROR file:row item 'value' message - cure``; parts that are None or empty are
    left out. ``file`` is the path relative to the extract root, with a sheet ``file[sheet]``; ``row`` the
    line in the file as a person counts.
    """

    for_user = True

    def __init__(
        self,
        file: str | None = None,
        row: int | None = None,
        item: str | None = None,
        value: str | None = None,
        message: str = "",
        cure: str | None = None,
    ) -> None:
        super().__init__(file, row, item, value, message, cure)
        self.file = file
        self.row = row
        self.item = item
        self.value = value
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.row) if part is not None)
        value = None if self.value is None else f"'{shorten(self.value)}'"
        parts = [part for part in (place, self.item, value, self.message) if part]
        text = " ".join(_escape(part) for part in parts)
        return f"ERROR {text}" + (f" - {_escape(self.cure)}" if self.cure else "")


def shorten(text: str, limit: int = _SHOWN) -> str:
    """``text`` with control characters escaped, cut to ``limit`` characters."""
    shown = _escape(text)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _escape(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\u00a0\u202f" else repr(c)[1:-1] for c in text)
