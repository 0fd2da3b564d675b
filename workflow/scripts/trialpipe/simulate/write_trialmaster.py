"""Writer of TrialMaster exports: a zip with a SAS transport file per form and the code lists as a SAS program."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from trialpipe.simulate import xport_file
from trialpipe.simulate.raw import Table
from trialpipe.simulate.trialmaster_forms import Form

PROGRAM = "procformat.sas"


def write(tables: list[Table], out: Path) -> None:
    """Write the forms of each path into one archive under ``out``; other tables are passed over."""
    forms = [table for table in tables if isinstance(table, Form)]
    for path in dict.fromkeys(form.path for form in forms):
        own = [form for form in forms if form.path == path]
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w") as archive:
            for form in own:
                archive.writestr(_entry(f"{form.sheet}.xpt", form), _transport(form))
            archive.writestr(_entry(PROGRAM, own[0]), program(own[0].codelists).encode(xport_file.ENCODING))


def program(codelists: Mapping[str, Mapping[str, str]]) -> str:
    """Code lists as a PROC FORMAT."""
    lines = ["proc format;"]
    for name, codes in codelists.items():
        quoted = [f"    '{_quoted(code)}'='{_quoted(label)}'" for code, label in codes.items()]
        lines += [f"  value {name}", *quoted, "  ;"]
    return "\r\n".join([*lines, "run;", ""])


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _transport(form: Form) -> bytes:
    rows = [[row.cells[column] for column in form.columns] for row in form.rows]
    return xport_file.file(form.sheet or "", form.title, form.variables, rows, form.made)


def _entry(name: str, form: Form) -> zipfile.ZipInfo:
    m = form.made
    entry = zipfile.ZipInfo(name, (m.year, m.month, m.day, m.hour, m.minute, m.second))
    # stored: compression may differ between builds of zlib; system and rights fixed: the same on every machine
    entry.compress_type = zipfile.ZIP_STORED
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry
