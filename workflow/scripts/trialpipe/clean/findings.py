"""Findings domains, wide (a column per test) and long (a row per result): one record per result.

Results in words for 'no value' become records with --STAT NOT DONE; empty cells become none. A result outside
the hard range of its test, without a known unit, or unreadable has a null --STRESN and says so in flags and query.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from trialpipe.clean import numbers
from trialpipe.clean.codes import fold
from trialpipe.clean.reader import REDACTED, Reader
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.record import Record
from trialpipe.clean.reference import TestInfo
from trialpipe.clean.rows import Raw
from trialpipe.config.extracts import DomainMap, LongTest, Mapping, Test, Value
from trialpipe.io.errors import DataError
from trialpipe.io.sdtm import prefix


@dataclass(frozen=True)
class Source:
    """Where one result of a raw row stands."""

    code: str
    result: str
    type: str = "number"
    codelist: str | None = None
    words: str | None = None
    unit: str | None = None
    unit_item: str | None = None
    unit_codes: str | None = None
    low: str | None = None
    high: str | None = None
    date: str | None = None
    set: dict[str, Value] = field(default_factory=dict)
    required: bool = False
    limits: tuple[tuple[str, str], ...] = ()
    constants: tuple[tuple[str, float], ...] = ()


def record(
    reader: Reader, domain: DomainMap, mapping: Mapping, raw: Raw, subject: str, order: tuple[int, ...], ledger: Ledger
) -> list[Record]:
    """The records of a raw row's results; a row without any is set aside."""
    sources = _sources(reader, mapping, raw)
    if sources is None:
        ledger.set_aside(raw.form, raw.lines, "test not known")
        return []
    present = [(n, source) for n, source in enumerate(sources) if (raw.text(source.result) or "").strip()]
    for source in (s for s in sources if s.required and not (raw.text(s.result) or "").strip()):
        reader.query("required", Record(raw, subject, ()), source.result, None, f"{prefix(reader.domain)}ORRES")
    if not present:
        ledger.set_aside(raw.form, raw.lines, "no result")
        return []
    base = _base(reader, mapping, raw, subject)
    found = [_result(reader, mapping, base, source, (*order, n)) for n, source in present]
    ledger.keep(raw.form, raw.lines)
    return found


def _base(reader: Reader, mapping: Mapping, raw: Raw, subject: str) -> Record:
    """What all results of a raw row share: patient, visit, date, qualifiers."""
    base = Record(raw, subject, ())
    base.flags |= set(raw.flags)
    reader.visit(base, mapping.visit)
    for variable, spec in mapping.set.items():
        reader.value(base, variable, spec)
    if mapping.date is not None:
        reader.value(base, f"{prefix(reader.domain)}DTC", mapping.date)
    base.cells["USUBJID"] = raw.origin(mapping.subject)
    return base


def _sources(reader: Reader, mapping: Mapping, raw: Raw) -> list[Source] | None:
    if mapping.long is not None:
        return _long(reader, mapping.long, raw)
    return [_wide(test) for test in mapping.tests]


def _wide(test: Test) -> Source:
    return Source(
        test.code,
        test.result,
        test.type,
        test.codelist,
        test.words,
        test.unit,
        test.unit_item,
        test.unit_codes,
        test.low,
        test.high,
        test.date,
        dict(test.set),
        test.required,
    )


def _long(reader: Reader, long: LongTest, raw: Raw) -> list[Source] | None:
    text = raw.text(long.code)
    code = reader.codes(long.codelist).get(text or "")
    if code is None:
        record = Record(raw, "", ())
        reader.query("test_unknown", record, long.code, text, codelist=long.codelist)
        return None
    limits = []
    for name, item in (("LLOQ", long.lloq), ("ULOQ", long.uloq)):
        if item is not None:
            limits.append((name, item))
        elif raw.prepared and name in raw.cells:
            limits.append((name, name))
    constants = [(n, v) for n, v in (("LLOQ", long.lloq_value), ("ULOQ", long.uloq_value)) if v is not None]
    return [
        Source(
            code,
            long.result,
            words=long.words,
            unit=long.unit,
            unit_item=long.unit_item,
            unit_codes=long.unit_codes,
            low=long.low,
            high=long.high,
            limits=tuple(limits),
            constants=tuple(constants),
        )
    ]


def _result(reader: Reader, mapping: Mapping, base: Record, source: Source, order: tuple[int, ...]) -> Record:
    stem = prefix(reader.domain)
    raw = base.raw
    record = Record(raw, base.subject, order, dict(base.values), {}, dict(base.shown), set(base.flags), base.visit)
    record.cells[f"{stem}ORRES"] = raw.origin(source.result)
    record.cells.update(base.cells)
    for variable, value in source.set.items():
        reader.value(record, variable, value)
    if source.date is not None:
        reader.value(record, f"{stem}DTC", Value.model_validate({"item": source.date, "type": "date"}))
    info = _test(reader, stem, source.code, record.text(f"{stem}SPEC"))
    text = (raw.text(source.result) or "").strip()
    record.values |= {f"{stem}TESTCD": source.code, f"{stem}TEST": info.name, f"{stem}ORRES": text}
    if text.startswith(REDACTED):
        record.flags.add("REDACTED")
        reader.query("redacted", record, source.result, text)
    elif source.type == "number":
        _number(reader, record, source, info, text, stem)
    else:
        _word(reader, record, source, text, stem)
    return record


def _test(reader: Reader, stem: str, code: str, spec: str | None) -> TestInfo:
    info = reader.context.reference.tests.get(stem, code, spec)
    if info is None:
        message = f"is no test of {stem} in resources/reference/tests.csv"
        cure = "add it there or under tests in extracts.yaml, or correct the code"
        raise DataError("extracts.yaml", None, f"domains {reader.domain}", code, message, cure)
    return info


def _word(reader: Reader, record: Record, source: Source, text: str, stem: str) -> None:
    value = reader.codes(source.codelist).get(text) if source.type == "code" else " ".join(text.split())
    missing = {fold(word) for word in reader.dialect.missing}
    words = missing | (numbers.NO_VALUE - {"x"} if source.type == "code" else set())
    if fold(text) in words and (value is None or source.type == "text"):
        record.values[f"{stem}STAT"] = "NOT DONE"
        return
    if value is None:
        value = reader.code(record, source.result, text, source.codelist, f"{stem}ORRES")
    record.values[f"{stem}STRESC"] = value


def _number(reader: Reader, record: Record, source: Source, info: TestInfo, text: str, stem: str) -> None:
    word = reader.codes(source.words).get(text) if source.words is not None else None
    if word is not None:
        record.values |= {f"{stem}STRESC": word, f"{stem}CENS": "none"}
        return
    units = reader.context.reference.units
    decimal = reader.decimal(record, source.result)
    found = numbers.parse(
        text, decimal, reader.dialect.missing, lambda unit: units.canonical(unit, info.code) is not None
    )
    unit_text, unit_item = _unit(reader, record, source)
    record.values[f"{stem}ORRESU"] = unit_text or found.unit
    if found.status == "missing":
        record.values[f"{stem}STAT"] = "NOT DONE"
        _limits(reader, record, source, _factor(reader, info, unit_text), stem)
        return
    if found.status == "invalid":
        record.flags.add("NUMBER_INVALID")
        reader.query("number_invalid", record, source.result, text)
        _limits(reader, record, source, _factor(reader, info, unit_text), stem)
        return
    if found.odd:
        reader.query("decimal_mark", record, source.result, text, read=numbers.shown(found.value or 0.0))
    factor = _resolve(reader, record, source, info, found, text, unit_text, unit_item)
    _limits(reader, record, source, factor, stem)
    if factor is None:
        return
    record.values[f"{stem}STRESU"] = info.unit
    if factor != 1:
        record.flags.add("UNIT_CONVERTED")
    shown_unit = unit_text or found.unit or ""
    if found.cens == "none":
        _standard(reader, record, source, info, text, _times(found.value, factor), shown_unit, stem)
    else:
        _censored(reader, record, source, found.cens, text, _times(found.value, factor), stem)


def _unit(reader: Reader, record: Record, source: Source) -> tuple[str | None, str | None]:
    """(unit text, item it stands in): the row's own unit, else the one the mapping fixes.

    What a preparer read in its file (UNIT) is the row's own: a plate in ng/mL is not in the pg/mL of the mapping.
    """
    if record.raw.prepared and record.raw.cells.get("UNIT"):
        return record.raw.cells["UNIT"], None
    if source.unit_item is not None:
        text = (record.raw.text(source.unit_item) or "").strip()
        missing = {fold(word) for word in reader.dialect.missing}
        if text and fold(text) not in missing:
            record.cells["unit"] = record.raw.origin(source.unit_item)
            coded = reader.codes(source.unit_codes).get(text) if source.unit_codes is not None else None
            return coded or text, source.unit_item
    return source.unit, None


def _factor(reader: Reader, info: TestInfo, unit_text: str | None) -> float | None:
    """Factor to the test's unit; None if the unit is missing, unknown or not convertible."""
    if info.unit is None:
        return 1.0
    if unit_text is None:
        return None
    unit = reader.context.reference.units.canonical(unit_text, info.code, info.unit)
    return None if unit is None else reader.context.reference.units.factor(info.code, unit, info.unit)


def _resolve(
    reader: Reader,
    record: Record,
    source: Source,
    info: TestInfo,
    found: numbers.Number,
    text: str,
    unit_text: str | None,
    unit_item: str | None,
) -> float | None:
    """Factor for a result, with flags and queries where its unit is missing, unknown or contradicted."""
    units = reader.context.reference.units
    if found.unit is not None:
        own = units.canonical(found.unit, info.code)
        if unit_text is not None and units.canonical(unit_text, info.code, info.unit) != own:
            record.flags.add("UNIT_SUSPECT")
            reader.query("unit_conflict", record, source.result, text, unit=unit_text)
            return None
        reader.query("unit_in_value", record, source.result, text, read=numbers.shown(found.value or 0.0))
        unit_text = unit_text or found.unit
    # a test of several kinds of unit (a rate by weight or not) has no unit of its own, and yet its result needs one
    absent = unit_text is None and source.unit_item is not None
    factor = None if absent else _factor(reader, info, unit_text)
    if factor is None:
        record.flags.add("UNIT_SUSPECT")
        if unit_text is None:
            if source.unit_item is None:
                cure = "give unit or unit_item"
                raise DataError("extracts.yaml", None, f"domains {reader.domain}", info.code, "has no unit", cure)
            origin = (*record.raw.origin(source.unit_item), *record.raw.origin(source.result))
            place = {"subject": record.subject, "form": reader.form, "visit": record.visit, "item": source.unit_item}
            reader.log.add("unit_missing", origin, **place, value=text)
        else:
            item = unit_item or source.result
            reader.query("unit_unknown", record, item, text, unit=unit_text, test=info.code)
    return factor


def _times(value: float | None, factor: float) -> float | None:
    """The product without binary noise: 12 significant digits."""
    return None if value is None else float(f"{value * factor:.12g}")


def _standard(
    reader: Reader,
    record: Record,
    source: Source,
    info: TestInfo,
    text: str,
    value: float | None,
    unit: str,
    stem: str,
) -> None:
    """Keep a figure that is plausible; query one that is unusual; null one that is impossible."""
    assert value is not None
    low, high = info.hard
    units = reader.context.reference.units
    named = {"unit": unit, "canonical": info.unit or ""}
    # pure numbers have no unit to print
    words = {name: "" if code == "1" else code for name, code in named.items()}
    words |= {"low": _edge(low), "high": _edge(high)}
    if _outside(value, info.hard):
        record.flags.add("OUT_OF_RANGE")
        own = units.canonical(unit, info.code, info.unit) or ""
        raw_value = value / (_factor(reader, info, unit) or 1.0)
        soft = (info.soft[0] if info.soft[0] is not None else low, info.soft[1] if info.soft[1] is not None else high)
        suspect = units.suspect(info.code, info.unit, raw_value, own, *soft) if info.unit else None
        if suspect is not None:
            record.flags.add("UNIT_SUSPECT")
        kind, more = ("range_hard", ()) if suspect is None else ("unit_factor", record.cells.get("unit", ()))
        reader.query(kind, record, source.result, text, more=more, suspect=suspect, **words)
        return
    if _outside(value, info.soft):
        words |= {"low": _edge(info.soft[0]), "high": _edge(info.soft[1])}
        reader.query("range_soft", record, source.result, text, **words)
    limits = [limit if isinstance(limit := record.values.get(f"{stem}{n}"), float) else None for n in ("LLOQ", "ULOQ")]
    if _outside(value, (limits[0], limits[1])):
        # a laboratory that prints a figure beyond its own limit has to say which of the two holds
        words |= {"low": _edge(limits[0]), "high": _edge(limits[1])}
        reader.query("limit_crossed", record, source.result, text, **words)
    record.values[f"{stem}STRESN"] = value
    record.values[f"{stem}STRESC"] = numbers.shown(value)
    record.values[f"{stem}CENS"] = "none"


def _outside(value: float, limits: tuple[float | None, float | None]) -> bool:
    low, high = limits
    return (low is not None and value < low) or (high is not None and value > high)


def _edge(value: float | None) -> str:
    return "any" if value is None else numbers.shown(value)


def _censored(
    reader: Reader, record: Record, source: Source, cens: str, text: str, bound: float | None, stem: str
) -> None:
    """A result below or above a bound: null --STRESN, the bound in --LLOQ or --ULOQ."""
    left = cens == "left"
    name = f"{stem}{'LLOQ' if left else 'ULOQ'}"
    record.flags.add("BLQ" if left else "ALQ")
    if bound is not None:
        record.values[name] = bound
    limit = record.values.get(name)
    record.values[f"{stem}CENS"] = cens
    if limit is None:
        reader.query("bound_missing", record, source.result, text)
        return
    assert isinstance(limit, float)
    record.values[f"{stem}STRESC"] = ("<" if left else ">") + numbers.shown(limit)


def _limits(reader: Reader, record: Record, source: Source, factor: float | None, stem: str) -> None:
    """Limits of quantification and of normal, in the test's unit; null where the result's unit is not known."""
    read: dict[str, float | None] = {f"{stem}{name}": value for name, value in source.constants}
    items = [(f"{stem}{name}", item) for name, item in source.limits]
    items += [(f"{stem}{n}", i) for n, i in (("STNRLO", source.low), ("STNRHI", source.high)) if i is not None]
    for name, item in items:
        text = record.raw.text(item)
        found = reader.number(record, item, text) if (text or "").strip() else None
        read[name] = None if found is None else found.value
        if found is not None:
            record.cells[name] = record.raw.origin(item)
    for name in (f"{stem}LLOQ", f"{stem}ULOQ"):
        value = record.values.get(name)
        if name not in read and isinstance(value, float):
            read[name] = value
    for name, value in read.items():
        record.values[name] = None if factor is None else _times(value, factor)
