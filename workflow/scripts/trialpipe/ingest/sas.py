"""Reader of SAS data: transport files (XPT version 5), sas7bdat, and zips of transport files (`trialmaster`).

Columns after those of every ingested table: the variables in file order, under their names. ``source_row`` is the
number of the observation; ``source_sheet`` is null, and a member of a zip stands in ``source_file`` behind the zip's
name. Cells are text: characters without the blanks that SAS pads them with, numbers in the shortest notation, dates,
moments and times by their format in ISO 8601 (`sas_values.writer`), special missing values as ``.A`` to ``.Z`` and
``._``, ordinary missing as null. Formats of the trial's own (code lists) are not applied: codes stay codes.

``sheet`` names a data set of a file that holds several; ``variables`` gives a row per variable instead (name, label,
format, type, length), ``formats`` the code lists of a SAS program (a file ``.sas``, or those of a zip).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from trialpipe.ingest import sas_values, trialmaster, xport
from trialpipe.ingest.common import Dialect
from trialpipe.ingest.sas_values import Dataset, Variable, unknown
from trialpipe.io.errors import DataError

VARIABLES = "variables"
_SAS7 = bytes(12) + bytes.fromhex("c2ea8160b31411cfbd92080009c7318c181f1011")
_CATALOG = bytes(12) + bytes.fromhex("c2ea8163b31411cfbd92080009c7318c181f1011")
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<")


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Read one data set into an ingested table (see the module); the kind of file is told by its content.

    Dialect keys: ``sheet`` (data set, ``variables`` or ``formats``; None: the only data set), ``encoding`` (of
    transport files and programs; a sas7bdat states its own), ``expected``, ``ignore``. Raises DataError for a file that
    is none of these, is cut, damaged or locked by a password, an unknown data set, columns that do not agree.
    """
    form = Dialect.of(dialect)
    path = Path(path)
    with path.open("rb") as stream:
        head = stream.read(200)
    if head.startswith(trialmaster.ZIP):
        return trialmaster.read(path, rel, form)
    if path.suffix.lower() == ".sas" and head and not _MARKUP.match(head):
        return trialmaster.formats([(rel, path.read_bytes())], form)
    if head.startswith(_SAS7):
        found = [sas7bdat(path, rel)]
    elif head.startswith((xport.LIBRARY, xport.V8, xport.CPORT)):
        data = path.read_bytes()
        wanted = None if form.sheet in (None, VARIABLES) else form.sheet
        found = xport.read(data, rel, form, wanted)
        if not found:
            raise unknown(str(form.sheet), xport.names(data, rel), rel)
    else:
        raise _no_sas(head, rel)
    return _chosen(found, rel, form)


def sas7bdat(path: Path, rel: str) -> Dataset:
    """The data set of a sas7bdat file (by ReadStat: the format is not published)."""
    import pyreadstat

    try:
        values, meta = pyreadstat.read_sas7bdat(
            str(path), output_format="dict", disable_datetime_conversion=True, user_missing=True
        )
    except Exception as error:  # a damaged file makes it raise its own errors and those of Python
        message = f"sas7bdat is cut, damaged or locked by a password: {error}"
        raise DataError(rel, None, None, None, message, "ask for the file again, or as XPT") from error
    found = []
    for name in meta.column_names:
        shown = meta.original_variable_types[name] or ""
        shown = "" if shown in ("", "NULL") else shown if "." in shown else f"{shown}."
        kind = "char" if meta.readstat_variable_types[name] == "string" else "num"
        width = int(meta.variable_storage_width[name])
        found.append(Variable(name, meta.column_names_to_labels[name] or "", shown, kind, width))
    columns = [_column(variable, list(values[variable.name])) for variable in found]
    return Dataset(meta.table_name or path.stem, meta.file_label or "", found, columns)


def _column(variable: Variable, values: list[Any]) -> list[str | None]:
    if variable.type == "char":
        return [value or None for value in values]
    return sas_values.texts(values, sas_values.writer(variable.format))


def _chosen(found: list[Dataset], rel: str, form: Dialect) -> pa.Table:
    names = [data.name for data in found]
    if form.sheet == VARIABLES and VARIABLES not in names:
        return sas_values.variables([(rel, data) for data in found], form)
    if form.sheet is not None:
        found = [data for data in found if data.name.casefold() == form.sheet.casefold()]
    if not found:
        raise unknown(str(form.sheet), names, rel)
    if len(found) > 1:
        message = f"holds several data sets: {', '.join(names[:12])}"
        raise DataError(rel, None, None, None, message, "name one under sheet in extracts.yaml")
    return sas_values.table(found[0], form, rel)


def _no_sas(head: bytes, rel: str) -> DataError:
    again = "export it again as XPT (version 5) or sas7bdat"
    if not head:
        return DataError(rel, None, None, None, "file is empty", again)
    if _MARKUP.match(head):
        return DataError(rel, None, None, None, "file is a web page or XML, no SAS data", again)
    if head.startswith(_CATALOG):
        cure = "give the program with the code lists (procformat.sas) instead"
        return DataError(rel, None, None, None, "is a SAS catalog, no data set", cure)
    return DataError(rel, None, None, None, "is no SAS data set (neither XPT, sas7bdat nor a zip of XPT)", again)
