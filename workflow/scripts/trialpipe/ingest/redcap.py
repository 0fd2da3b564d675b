"""Reader of REDCap exports: data CSV with its data dictionary; one instrument, a row per filled-in form.

The form's files are the data file or files and the dictionary ("Download the current Data Dictionary", or the API's
metadata), in any order: the dictionary is told by its header. The data is the export "CSV / Microsoft Excel (raw
data)": headers are field names; cells may be codes or labels and stay as they stand (`choices` gives both). Dates and
times are ISO in every REDCap export, whatever the validation type says of their entry (date_dmy, date_mdy, date_ymd).

Columns of an instrument, after those of every ingested table (``source_sheet`` is null: the rows are the data file's):
the record id (the dictionary's first field), `KEYS` (always all of them), further ``redcap_*`` columns that are there,
``<form>_timestamp``, the fields in the dictionary's order, check boxes as ``field___code``, ``<form>_complete``. A
field that the export left out is left out here too. ``<field>__DECIMAL`` stands beside numbers and calculated fields
and holds the decimal mark of each filled cell, because one file may mix them (`_marks`).

Rows of an instrument, so that none is lost and none invented:

* ``redcap_repeat_instrument`` filled: the row is of that instrument alone; content of another one is refused;
* else (single events, repeating events): the row is of every instrument with content. A form status of 0 and unticked
  boxes are no content, because REDCap writes them for forms that were never opened;
* a row without content goes to the instrument of the record id: a record that was only created is still seen.

``sheet: dictionary`` gives the dictionary itself, a row per field; ``sheet: choices`` a row per choice of a field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from trialpipe.ingest import delimited
from trialpipe.ingest.common import ORIGIN, Builder, Dialect, check_columns, integers, nearest, stack, strings
from trialpipe.io.errors import DataError

KEYS = ("redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group")
DECIMAL = "__DECIMAL"
DICTIONARY, CHOICES = "dictionary", "choices"
_NAME = "Variable / Field Name"
COLUMNS = {
    _NAME: "field_name",
    "Form Name": "form_name",
    "Section Header": "section_header",
    "Field Type": "field_type",
    "Field Label": "field_label",
    "Choices, Calculations, OR Slider Labels": "select_choices_or_calculations",
    "Field Note": "field_note",
    "Text Validation Type OR Show Slider Number": "text_validation_type_or_show_slider_number",
    "Text Validation Min": "text_validation_min",
    "Text Validation Max": "text_validation_max",
    "Identifier?": "identifier",
    "Branching Logic (Show field only if...)": "branching_logic",
    "Required Field?": "required_field",
    "Custom Alignment": "custom_alignment",
    "Question Number (surveys only)": "question_number",
    "Matrix Group Name": "matrix_group_name",
    "Matrix Ranking?": "matrix_ranking",
    "Field Annotation": "field_annotation",
}
_VALIDATION = "text_validation_type_or_show_slider_number"
_NEEDED = ("field_name", "form_name", "field_type", "select_choices_or_calculations", _VALIDATION, "identifier")
_HEADER = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*"?(?:Variable / Field Name|field_name)"?([,;\t|^])"?(?:Form Name|form_name)'
)
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*[<{]")
_WITH_CHOICES = frozenset(["radio", "dropdown", "checkbox"])
_FIXED = {"yesno": {"1": "Yes", "0": "No"}, "truefalse": {"1": "True", "0": "False"}}
_CHOICE = re.compile(r"\s*(?P<code>[^,|]*?)\s*,(?P<label>.*)", re.DOTALL)
_MARKED = re.compile(r"[+-]?[0-9]*([.,])[0-9]+")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3},[0-9]{3}")
_UNTICKED = frozenset(["0", "Unchecked"])
_UNTOUCHED = frozenset(["0", "Incomplete"])
_NEW_DICTIONARY = "download the data dictionary of the same day from REDCap, unchanged"
_RAW = "export again from REDCap as 'CSV / Microsoft Excel (raw data)', with the dictionary of the same day"


@dataclass(frozen=True)
class Item:
    """A field of the dictionary; ``row`` is its line there, ``choices`` its codes and labels."""

    name: str
    form: str
    type: str
    validation: str
    identifier: bool
    row: int
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def mark(self) -> str | None:
        """The decimal mark that its validation type states; None for no number. Calculations have a point."""
        if self.type == "calc":
            return "."
        if self.type != "text" or not self.validation.startswith("number"):
            return None
        return "," if self.validation.endswith("comma_decimal") else "."

    def owns(self, column: str) -> bool:
        """Whether a column of the data is of this field."""
        return column.startswith(f"{self.name}___") if self.type == "checkbox" else column == self.name


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """As `read_all`, of one file; useful for ``sheet: dictionary`` alone."""
    return read_all([path], [rel], dialect)


def read_all(paths: Sequence[Path], rels: Sequence[str], dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Read one instrument of an export into an ingested table (see the module).

    Dialect keys: ``sheet`` (instrument, ``dictionary`` or ``choices``; None: the only instrument), ``encoding``,
    ``separator``, ``quote``, ``expected`` (`KEYS`, ``redcap_*`` and ``__DECIMAL`` columns need not be named),
    ``ignore`` (also columns that the dictionary does not know). Raises DataError as `delimited.read`, and for a
    dictionary that is missing, double or not whole, columns without a field, an unknown instrument, rows of two
    instruments, and commas that may be decimal or not.
    """
    form = Dialect.of(dialect)
    book, data = _sort(paths, rels)
    table = _dictionary(*book, form)
    fields = _fields(table, book[1])
    forms = list(dict.fromkeys(item.form for item in fields))
    if form.sheet in (DICTIONARY, CHOICES) and form.sheet not in forms:
        found = table if form.sheet == DICTIONARY else _choice_table(fields, book[1])
        check_columns(found.column_names[len(ORIGIN) :], form, book[1], 1)
        return found
    sheet = _sheet(form.sheet, forms, book[1])
    if not data:
        message = "stands alone: there is no data file"
        raise DataError(book[1], None, None, None, message, "add the data file under files in extracts.yaml")
    return stack([_instrument(path, rel, form, fields, sheet) for path, rel in data])


def identifiers(
    names: Sequence[str], paths: Sequence[Path], rels: Sequence[str], dialect: Dialect | Mapping[str, Any]
) -> list[str]:
    """Those of the columns ``names`` that the dictionary tags as identifying, and the survey identifier (often an
    e-mail address), for the pseudonymity gate."""
    form = Dialect.of(dialect)
    book, _ = _sort(paths, rels)
    tagged = [item for item in _fields(_dictionary(*book, form), book[1]) if item.identifier]
    survey = "redcap_survey_identifier"
    return [name for name in names if name == survey or any(item.owns(name) for item in tagged)]


def dictionary(path: Path, rel: str) -> pa.Table:
    """The data dictionary as an ingested table: a row per field, columns named as the API names them."""
    return _dictionary(Path(path), rel, Dialect())


def choices(table: pa.Table) -> dict[str, dict[str, str]]:
    """Field -> code -> label, of a table as `dictionary` gives it; fields without choices are left out."""
    return {item.name: dict(item.choices) for item in _fields(table, DICTIONARY) if item.choices}


def _sort(paths: Sequence[Path], rels: Sequence[str]) -> tuple[tuple[Path, str], list[tuple[Path, str]]]:
    """(dictionary, data files)."""
    pairs = [(Path(path), rel) for path, rel in zip(paths, rels, strict=True)]
    heads = {}
    for path, rel in pairs:
        with path.open("rb") as stream:
            heads[rel] = stream.read(200)
        if _MARKUP.match(heads[rel]):
            message = "file is a web page or an error message of the API, not CSV"
            raise DataError(rel, None, None, None, message, "log in to REDCap and export again")
    books = [pair for pair in pairs if _HEADER.match(heads[pair[1]])]
    if len(books) == 1:
        return books[0], [pair for pair in pairs if pair not in books]
    if books:
        raise DataError(books[1][1], None, None, None, "is a second data dictionary", "keep one of them under files")
    message = "no data dictionary: no file of the form has the header 'Variable / Field Name, Form Name, ...'"
    cure = "download the data dictionary from REDCap and add it under files in extracts.yaml"
    raise DataError(rels[-1] if rels else None, None, None, None, message, cure)


def _dictionary(path: Path, rel: str, form: Dialect) -> pa.Table:
    with path.open("rb") as stream:
        match = _HEADER.match(stream.read(200))
    separator = match[1].decode() if match else ","
    found = delimited.read(path, rel, Dialect(encoding=form.encoding, separator=separator))
    table = found.rename_columns([COLUMNS.get(name, name) for name in found.column_names])
    for name in _NEEDED:
        if name not in table.column_names:
            shown = next((long for long, short in COLUMNS.items() if short == name), name)
            raise DataError(rel, 1, shown, None, "is no column of the data dictionary", _NEW_DICTIONARY)
    return table


def _fields(table: pa.Table, rel: str) -> list[Item]:
    columns = [table.column(name).to_pylist() for name in ("source_row", *_NEEDED)]
    found: dict[str, Item] = {}
    for row, name, form, kind, options, validation, tag in zip(*columns, strict=True):
        if not name or not form:
            raise DataError(rel, row, _NAME if not name else "Form Name", None, "is empty", _NEW_DICTIONARY)
        if name in found:
            raise DataError(rel, row, name, None, "stands twice in the data dictionary", _NEW_DICTIONARY)
        listed = parse_choices(options) if kind in _WITH_CHOICES else _FIXED.get(kind or "", {})
        identifier = (tag or "").strip().casefold() in ("y", "yes", "1", "true")
        found[name] = Item(name, form, kind or "text", validation or "", identifier, row, listed)
    if not found:
        raise DataError(rel, None, None, None, "data dictionary has no fields", _NEW_DICTIONARY)
    return list(found.values())


def parse_choices(text: str | None) -> dict[str, str]:
    """Codes and labels of ``r, Red | g, Green``, trimmed.

    A label may hold commas; a part without comma continues the label before it (a pipe in a label), unless no part
    has one: then each part is code and label in one, as REDCap reads it. The first of two equal codes is kept.
    """
    parts = [part for part in re.split(r"\||\r?\n", text or "") if part.strip()]
    pairs: list[list[str]] = []
    bare = not any("," in part for part in parts)
    for part in parts:
        match = _CHOICE.fullmatch(part)
        if match and match["code"]:
            pairs.append([match["code"], match["label"].strip()])
        elif bare or not pairs:
            pairs.append([part.strip(), part.strip()])
        else:
            pairs[-1][1] += " | " + part.strip()
    found: dict[str, str] = {}
    for code, label in pairs:
        found.setdefault(code, label)
    return found


def _choice_table(fields: Sequence[Item], rel: str) -> pa.Table:
    builder = Builder(["field_name", "code", "label"], rel, 1)
    for item in fields:
        for code, label in item.choices.items():
            builder.add(item.row, [item.name, code, label])
    return builder.table()


def _sheet(sheet: str | None, forms: Sequence[str], rel: str) -> str:
    if sheet is None and len(forms) == 1:
        return forms[0]
    if sheet in forms:
        return str(sheet)
    listed = ", ".join(forms[:12]) + (", ..." if len(forms) > 12 else "")
    if sheet is None:
        message, cure = f"the dictionary has several instruments: {listed}", "name one under sheet in extracts.yaml"
        raise DataError(rel, None, None, None, message, cure)
    near = nearest(sheet, forms)
    cure = "correct sheet in extracts.yaml" + (f", nearest is '{near}'" if near else f"; there are {listed}")
    raise DataError(rel, None, "sheet", sheet, "is no instrument of the dictionary", cure)


def _instrument(path: Path, rel: str, form: Dialect, fields: Sequence[Item], sheet: str) -> pa.Table:
    whole = delimited.read(path, rel, replace(form, expected=None, ignore=(), sheet=None))
    names = [name for name in whole.column_names[len(ORIGIN) :] if name not in form.ignore]
    record_id = fields[0].name
    owned = _owned(names, fields, record_id, rel)
    mine = [name for name in _in_order(names, fields, sheet) if name != record_id]
    found = {name: whole.column(name).to_pylist() for name in names}
    rows = _rows(whole, found, fields, owned, sheet, rel)
    further = [name for name in names if name.startswith("redcap_") and name not in KEYS]
    columns = {name: found.get(name, [None] * whole.num_rows) for name in (record_id, *KEYS, *further, *mine)}
    _check([*columns], (record_id, *KEYS, *further), form, rel)
    marks = _marks(fields, found, whole.column("source_row").to_pylist(), rel)
    columns = _with_marks(columns, [item.name for item in fields if item.form == sheet], marks)
    kept = whole.select([name for name, _ in ORIGIN]).take(integers(rows))
    for name, cells in columns.items():
        kept = kept.append_column(name, strings([cells[row] for row in rows]))
    return kept


def _check(names: Sequence[str], given: Sequence[str], form: Dialect, rel: str) -> None:
    if form.expected is not None:
        expected = tuple(name for name in form.expected if name not in given and not name.endswith(DECIMAL))
        check_columns(names, Dialect(expected=expected, ignore=(*form.ignore, *given)), rel, 1)


def _owned(names: Sequence[str], fields: Sequence[Item], record_id: str, rel: str) -> dict[str, str]:
    """Column -> its instrument, without record id and ``redcap_*``; DataError for a column without a field."""
    if record_id not in names:
        message = "is the dictionary's first field, but no column of the data"
        raise DataError(rel, 1, record_id, None, message, _RAW)
    plain = {item.name: item.form for item in fields if item.type != "checkbox"}
    boxes = {item.name: item.form for item in fields if item.type == "checkbox"}
    made = {f"{item.form}_{end}": item.form for item in fields for end in ("complete", "timestamp")}
    found: dict[str, str] = {}
    for name in names:
        if name == record_id or name.startswith("redcap_"):
            continue
        instrument = plain.get(name) or made.get(name) or boxes.get(name.partition("___")[0])
        if instrument is None:
            near = nearest(name, [*plain, *made])
            message = "is no field of the data dictionary" + (f" (nearest: '{near}')" if near else "")
            raise DataError(rel, 1, name, None, message, f"{_RAW}; or add it under ignore of the form")
        found[name] = instrument
    return found


def _in_order(names: Sequence[str], fields: Sequence[Item], sheet: str) -> list[str]:
    """The instrument's columns among ``names``, in the dictionary's order."""
    found = [f"{sheet}_timestamp"] if f"{sheet}_timestamp" in names else []
    for item in fields:
        if item.form == sheet:
            found += [name for name in names if item.owns(name)]
    return found + ([f"{sheet}_complete"] if f"{sheet}_complete" in names else [])


def _rows(
    whole: pa.Table,
    found: Mapping[str, Sequence[str | None]],
    fields: Sequence[Item],
    owned: Mapping[str, str],
    sheet: str,
    rel: str,
) -> list[int]:
    """Positions of the instrument's rows (rule: see the module)."""
    boxes = {item.name for item in fields if item.type == "checkbox"}
    empty = {
        name: _UNTICKED if name.partition("___")[0] in boxes else _UNTOUCHED if name == f"{form}_complete" else ()
        for name, form in owned.items()
    }
    repeats = found.get(KEYS[1], [None] * whole.num_rows)
    lines = whole.column("source_row").to_pylist()
    named = {_folded(item.form): item.form for item in fields}
    kept = []
    for row, (line, label) in enumerate(zip(lines, repeats, strict=True)):
        filled = {owned[name]: name for name in owned if (cell := found[name][row]) and cell not in empty[name]}
        if label is None:
            here = sheet in filled or (not filled and sheet == fields[0].form)
        else:
            instrument = named.get(_folded(label))
            if instrument is None:
                raise DataError(rel, line, KEYS[1], label, "is no instrument of the dictionary", _RAW)
            other = next((name for form, name in filled.items() if form != instrument), None)
            if other is not None:
                message = f"has content in a row of the repeating instrument '{instrument}'"
                raise DataError(rel, line, other, None, message, _RAW)
            here = instrument == sheet
        if here:
            kept.append(row)
    return kept


def _folded(label: str) -> str:
    """An instrument's name; of a label (exports with labels) the name that REDCap makes of it."""
    return re.sub(r"[^a-z0-9]+", "_", label.casefold()).strip("_")


def _with_marks(
    columns: Mapping[str, Sequence[str | None]], mine: Sequence[str], marks: Mapping[str, str]
) -> dict[str, Sequence[str | None]]:
    """``columns`` with ``<field>__DECIMAL`` behind each number of the instrument."""
    result: dict[str, Sequence[str | None]] = {}
    for name, cells in columns.items():
        result[name] = cells
        if name in mine and name in marks:
            result[f"{name}{DECIMAL}"] = [None if cell is None else marks[name] for cell in cells]
    return result


def _marks(
    fields: Sequence[Item], found: Mapping[str, Sequence[str | None]], lines: Sequence[int], rel: str
) -> dict[str, str]:
    """Field -> decimal mark: that of its validation type, or the one that the export forced on all numbers.

    REDCap can write all numbers with one mark; it did so if no number of the file has the other one. Else the
    dictionary's hold, and the clean stage queries cells that do not fit. DataError for a cell that it could misread:
    1,234 in a field with decimal points may be 1234 (REDCap never groups thousands) or 1.234.
    """
    stated = {item.name: item.mark for item in fields if item.mark and item.name in found}
    seen = {match[1] for name in stated for cell in found[name] if cell and (match := _MARKED.fullmatch(cell))}
    if len(seen) == 1:
        return dict.fromkeys(stated, seen.pop())
    for name, mark in stated.items():
        row = next((n for n, cell in enumerate(found[name]) if mark == "." and _GROUPED.fullmatch(cell or "")), None)
        if row is not None:
            message = "has a comma before three digits in a file that has decimal points too: thousands or decimals?"
            raise DataError(rel, lines[row], name, None, message, "correct it in REDCap and export again")
    return {name: str(mark) for name, mark in stated.items()}
