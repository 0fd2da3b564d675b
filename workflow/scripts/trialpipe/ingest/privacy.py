"""The pseudonymity gate: the only place where something is taken away from an ingested table.

It stands before the first write. A cell that may identify a person becomes ``[REDACTED:<rule>]`` and is
counted. Rules are data (resources/reference/privacy_rules.csv); names cannot be detected by content except
behind a title, so the gate is a net and no proof.
"""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from trialpipe.ingest import ages
from trialpipe.ingest.common import ORIGIN, integers, strings
from trialpipe.io.errors import DataError

REPORT = pa.schema([*ORIGIN, ("item", pa.string()), ("rule", pa.string())])
BIRTH = "birth_date"
IDENTIFIER = "identifier"
# cells of these columns are JSON objects, gated key by key
JSON_ITEMS = ("PLATE_META",)
_SKIP = tuple(name for name, _ in ORIGIN)

Hit = tuple[int, str, str]


@dataclass(frozen=True)
class Rule:
    """A line of the rule table. ``column``: the pattern fits a whole normalised column name (`normalise`);
    ``content``: it occurs anywhere in a cell. ``check`` names a further test of a content hit."""

    name: str
    kind: str
    pattern: re.Pattern[str]
    check: str = ""


def load_rules(path: Path) -> list[Rule]:
    """Rules of a CSV table with columns rule, kind, pattern, check, citation.

    Raises DataError naming the line for an unknown kind or check, or a pattern that does not compile.
    """
    rules = []
    with Path(path).open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines, strict=True):
            rules.append(_rule(line["rule"], line["kind"], line["pattern"], line["check"], Path(path).name))
    return rules


def gate(table: pa.Table, rules: Sequence[Rule], keep: Mapping[str, Any] | None = None) -> tuple[pa.Table, pa.Table]:
    """Redact an ingested table; returns (table, report).

    ``keep`` is the form's privacy declaration: ``patterns`` {rule name: regular expression} are further
    content rules; ``allow`` {item: [rule names]} exempts a column from rules that hit it wrongly;
    ``derive_age`` {birth, at, dates} adds, before the birth date is redacted, the text columns
    ``<birth>__AGE_YEARS``, ``<birth>__AGE_MONTHS`` (null from 24 months on) and ``<birth>__NEONATE`` (Y below
    28 days, else N) at the date in column ``at`` of the same row; ``dates`` is DMY, MDY or ISO. ``identifiers``
    are columns that the source itself tags as identifying: rule ``identifier`` hits all their cells that no
    other column rule does.

    The report has a row per redacted cell: source_file, source_row, source_sheet, item, rule - never the
    text; rule ``age_not_derived`` counts rows whose birth date gave no age. Raises DataError when a column
    of ``derive_age`` is missing.
    """
    keep = keep or {}
    extra = keep.get("patterns") or {}
    every = [*rules, *(_rule(n, "content", p, "", "extracts.yaml") for n, p in extra.items())]
    hits: list[Hit] = []
    added: dict[str, list[str | None]] = {}
    birth = None
    if keep.get("derive_age"):
        declared = keep["derive_age"]
        birth = str(declared["birth"])
        added, failed = _ages(table, birth, str(declared["at"]), str(declared.get("dates") or "ISO"))
        hits += [(row, birth, "age_not_derived") for row in failed]
    allow: Mapping[str, Sequence[str]] = keep.get("allow") or {}
    for position, item in enumerate(table.column_names):
        if item in _SKIP:
            continue
        mine = [rule for rule in every if rule.name not in allow.get(item, ())]
        tagged = item in keep.get("identifiers", ()) and IDENTIFIER not in allow.get(item, ())
        by_name = BIRTH if item == birth else _column_rule(item, mine) or (IDENTIFIER if tagged else None)
        column, found = _column(table.column(position), item, mine, by_name)
        if found:
            table = table.set_column(position, item, column)
            hits += found
    for item, values in added.items():
        table = table.append_column(item, strings(values))
    return table, _report(table, hits)


def normalise(name: str) -> str:
    """Column name for comparison: no accents, lower case, runs of other characters than a-z0-9 as ``_``."""
    plain = unicodedata.normalize("NFKD", name.replace("\u00b0", " "))
    ascii_only = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "_", ascii_only.lower()).strip("_")


def nir_key_is_valid(text: str) -> bool:
    """Whether 15 characters of a NIR carry the right key: 97 - number modulo 97, 2A read as 19, 2B as 18.

    Source: INSEE, numero d'inscription au repertoire; Corsica by arrete of 1976.
    """
    digits = re.sub(r"[\s.\-]", "", text).upper()
    number = digits[:13].replace("2A", "19", 1) if digits[5:7] == "2A" else digits[:13]
    number = number[:5] + "18" + number[7:] if digits[5:7] == "2B" else number
    return number.isdigit() and digits[13:].isdigit() and int(digits[13:]) == 97 - int(number) % 97


_CHECKS = {"": lambda text: True, "nir_key": nir_key_is_valid}


def _rule(name: str, kind: str, pattern: str, check: str, file: str) -> Rule:
    if kind not in ("column", "content") or check not in _CHECKS:
        message = f"kind '{kind}' with check '{check}' is unknown"
        raise DataError(file, None, name, None, message, "kind is column or content, check empty or nir_key")
    try:
        return Rule(name, kind, re.compile(pattern), check)
    except re.error as error:
        message = f"is no regular expression: {error}"
        raise DataError(file, None, name, pattern, message, "correct the pattern") from error


def _column(
    column: pa.ChunkedArray, item: str, rules: Sequence[Rule], by_name: str | None
) -> tuple[pa.Array, list[Hit]]:
    """The redacted column and its hits; ``by_name``: the rule that hits it all. Each distinct text is judged once."""
    content = [rule for rule in rules if rule.kind == "content"]
    verdicts: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    cells: list[str | None] = []
    hits: list[Hit] = []
    for row, text in enumerate(column.to_pylist()):
        if text is None:
            cells.append(None)
            continue
        if text not in verdicts:
            verdicts[text] = _judge(text, item, by_name, content, rules)
        shown, found = verdicts[text]
        cells.append(shown)
        hits += [(row, where, rule) for where, rule in found]
    return strings(cells), hits


def _judge(
    text: str, item: str, by_name: str | None, content: Sequence[Rule], rules: Sequence[Rule]
) -> tuple[str, list[tuple[str, str]]]:
    if by_name is None and item in JSON_ITEMS:
        return _judge_json(text, item, content, rules)
    rule = by_name or _content_rule(text, content)
    return (f"[REDACTED:{rule}]", [(item, rule)]) if rule else (text, [])


def _judge_json(
    text: str, item: str, content: Sequence[Rule], rules: Sequence[Rule]
) -> tuple[str, list[tuple[str, str]]]:
    """``text`` is a mapping, or a list of lines each of which starts with its key."""
    whole = json.loads(text)
    lines = [(key, [key, value]) for key, value in whole.items()] if isinstance(whole, dict) else _keyed(whole)
    found = []
    for key, line in lines:
        shown = ", ".join(str(value) for value in line[1:] if value is not None)
        rule = (_column_rule(key, rules) or _content_rule(f"{key}: {shown}", content)) if shown else None
        if not rule:
            continue
        found.append((f"{item}.{key}", rule))
        if isinstance(whole, dict):
            whole[key] = f"[REDACTED:{rule}]"
        else:
            line[1:] = [f"[REDACTED:{rule}]"]
    return (json.dumps(whole, ensure_ascii=False), found) if found else (text, [])


def _keyed(lines: list[list[str]]) -> list[tuple[str, list[str]]]:
    return [(str(line[0] or ""), line) for line in lines if line]


def _column_rule(item: str, rules: Sequence[Rule]) -> str | None:
    name = normalise(item)
    return next((r.name for r in rules if r.kind == "column" and r.pattern.fullmatch(name)), None)


def _content_rule(text: str, rules: Sequence[Rule]) -> str | None:
    for rule in rules:
        for match in rule.pattern.finditer(text):
            if _CHECKS[rule.check](match.group()):
                return rule.name
    return None


def _ages(table: pa.Table, birth: str, at: str, order: str) -> tuple[dict[str, list[str | None]], list[int]]:
    for item in (birth, at):
        if item not in table.column_names:
            cure = "correct derive_age of the form in extracts.yaml"
            raise DataError("extracts.yaml", None, item, None, "is no column of the form", cure)
    columns: dict[str, list[str | None]] = {f"{birth}__{suffix}": [] for suffix in ages.SUFFIXES}
    failed = []
    pairs = zip(table.column(birth).to_pylist(), table.column(at).to_pylist(), strict=True)
    for row, (born, seen) in enumerate(pairs):
        values = ages.age(born, seen, order)
        if born is not None and values[0] is None:
            failed.append(row)
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    return columns, failed


def _report(table: pa.Table, hits: list[Hit]) -> pa.Table:
    places = {item: position for position, item in enumerate(table.column_names)}
    hits = sorted(hits, key=lambda hit: (hit[0], places.get(hit[1].partition(".")[0], 0), hit[1], hit[2]))
    files, rows, sheets = (table.column(name).to_pylist() if hits else [] for name, _ in ORIGIN)
    arrays = [
        strings([files[hit[0]] for hit in hits]),
        integers([rows[hit[0]] for hit in hits]),
        strings([sheets[hit[0]] for hit in hits]),
        strings([hit[1] for hit in hits]),
        strings([hit[2] for hit in hits]),
    ]
    return pa.Table.from_arrays(arrays, schema=REPORT)
