"""Reads mapped values of a raw row into a record: text, number, code, date, elapsed day; queries the unreadable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trialpipe.clean import dates, numbers, subjects
from trialpipe.clean.codes import Codes, fold
from trialpipe.clean.context import CleanContext
from trialpipe.clean.record import Record
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log
from trialpipe.config.extracts import Dialect, Value
from trialpipe.io.errors import DataError
from trialpipe.io.sdtm import date_columns, prefix

REDACTED = "[REDACTED:"
DECIMAL = "__DECIMAL"


@dataclass(frozen=True)
class Reader:
    """Reading one form for one domain."""

    context: CleanContext
    log: Log
    domain: str
    form: str
    dialect: Dialect

    def subject(self, raw: Raw, item: str) -> str | None:
        """The patient number; None and a query if it is missing or malformed."""
        number = subjects.tidy(raw.text(item))
        if number is not None and self.context.subject.fullmatch(number):
            return number
        kind = "subject_missing" if number is None else "subject_invalid"
        self.log.add(kind, raw.origin(item), subject=number, form=self.form, item=item, value=number)
        return None

    def visit(self, record: Record, spec: Value | None) -> None:
        """VISIT through its code list; null, flag and query if the label is not in it."""
        record.values["VISIT"] = None
        if spec is None:
            return
        text, item = self._text(record, "VISIT", spec)
        record.visit = text
        if text is None or self._blank(text):
            return
        record.cells["VISIT"] = record.raw.origin(item)
        if spec.type != "code":
            record.values["VISIT"] = text.strip()
            return
        value = self._codes(spec.codelist).get(text)
        record.values["VISIT"] = value
        if value is None:
            record.flags.add("VISIT_UNKNOWN")
            self.query("visit_unknown", record, item, text, variable="VISIT", codelist=spec.codelist)

    def value(self, record: Record, variable: str, spec: Value) -> bool:
        """Read one variable (a date with its companions); returns whether the raw cell held anything."""
        if spec.const is not None and spec.type not in ("date", "day"):
            record.values[variable] = self._constant(spec)
            return False
        text, item = self._text(record, variable, spec)
        if text is not None and item:
            record.cells[variable] = record.raw.origin(item)
        record.shown[variable] = text
        filled = text is not None and not self._blank(text)
        if text is not None and text.startswith(REDACTED):
            record.flags.add("REDACTED")
            self.query("redacted", record, item, text, variable=variable)
            text, filled = None, True
        elif spec.required and not filled:
            self.query("required", record, item, text, variable=variable)
        _READ[spec.type](self, record, variable, spec, text if filled else None, item)
        if spec.required and not filled and spec.type in ("date", "day"):
            record.flags.add("DATE_PARTIAL")
        return filled and spec.item is not None

    def _constant(self, spec: Value) -> object:
        return float(spec.const or "nan") if spec.type == "number" else spec.const

    def _text(self, record: Record, variable: str, spec: Value) -> tuple[str | None, str]:
        if spec.item is None:
            return spec.const, ""
        return record.raw.text(spec.item), spec.item

    def _blank(self, text: str) -> bool:
        """White space only, or a word of the dialect for no value."""
        folded = fold(text)
        return not folded or folded in {fold(word) for word in self.dialect.missing}

    def _read_text(self, record: Record, variable: str, spec: Value, text: str | None, item: str) -> None:
        record.values[variable] = " ".join(text.split()) if text is not None else None

    def _read_number(self, record: Record, variable: str, spec: Value, text: str | None, item: str) -> None:
        found = self.number(record, item, text)
        plain = found is not None and found.cens == "none"
        if found is not None and not plain:
            record.flags.add("NUMBER_INVALID")
            self.query("number_invalid", record, item, text, variable=variable)
        value = found.value if found is not None and plain else None
        if value is not None and spec.unit_item is not None:
            value = self._converted(record, variable, spec, spec.unit_item, value)
        record.values[variable] = value

    def _converted(self, record: Record, variable: str, spec: Value, item: str, value: float) -> float | None:
        """The number in ``spec.unit``; None, flag and query where the unit beside it is missing or not known."""
        text = (record.raw.text(item) or "").strip()
        record.cells[f"{item}*"] = record.raw.origin(item)
        units, target = self.context.reference.units, spec.unit or ""
        coded = text if spec.unit_codes is None else self._codes(spec.unit_codes).get(text)
        unit = units.canonical(coded, target=target) if coded else None
        factor = units.factor("*", unit, target) if unit is not None else None
        if factor is None:
            record.flags.add("UNIT_SUSPECT")
            kind = "unit_unknown" if text else "unit_missing"
            self.query(kind, record, item, record.shown.get(variable), variable, unit=text, test=variable)
            return None
        if factor != 1:
            record.flags.add("UNIT_CONVERTED")
        # 12 digits: without binary noise
        return float(f"{value * factor:.12g}")

    def decimal(self, record: Record, item: str) -> str:
        """The decimal mark of a cell: that beside it (``<item>__DECIMAL``) if there is one, else the dialect's."""
        return record.raw.cells.get(f"{item}{DECIMAL}") or self.dialect.decimal

    def number(self, record: Record, item: str, text: str | None) -> numbers.Number | None:
        """A figure without unit; None if there is none or (flag and query) it cannot be read."""
        found = numbers.parse(text, self.decimal(record, item), self.dialect.missing)
        if found.status == "invalid":
            record.flags.add("NUMBER_INVALID")
            self.query("number_invalid", record, item, text)
        return found if found.status == "number" else None

    def _read_code(self, record: Record, variable: str, spec: Value, text: str | None, item: str) -> None:
        record.values[variable] = None if text is None else self.code(record, item, text, spec.codelist, variable)

    def code(self, record: Record, item: str, text: str, codelist: str | None, variable: str) -> str | None:
        """Submission value; None, flag and query if the list does not hold the text."""
        value = self._codes(codelist).get(text)
        if value is None:
            record.flags.add("CODE_UNKNOWN")
            self.query("code_unknown", record, item, text, variable=variable, codelist=codelist)
        return value

    def codes(self, name: str | None) -> Codes:
        """The code list; DataError if it is not declared."""
        return self._codes(name)

    def _codes(self, name: str | None) -> Codes:
        if name is None or name not in self.context.codelists:
            cure = "declare it under codelists in extracts.yaml"
            message = f"of domain {self.domain} is not known"
            raise DataError("extracts.yaml", None, "codelist", name or "none", message, cure)
        return self.context.codelists[name]

    def _read_date(self, record: Record, variable: str, spec: Value, text: str | None, item: str) -> None:
        found = self._date(record, spec, text)
        names = date_columns(variable)
        values = (found.text, found.low, found.high, found.time)
        record.values.update(zip(names, values, strict=True))
        self._judge_date(record, variable, item, text, found)
        if found.bad_time:
            record.flags.add("DATE_INVALID")
            clock = spec.time if spec.time and dates.clock(record.raw.text(spec.time)) is None else item
            self.query("time_invalid", record, clock, record.raw.text(clock), variable=variable)

    def _date(self, record: Record, spec: Value, text: str | None) -> dates.Parsed:
        dialect = self.dialect
        if spec.type == "day":
            if dialect.day_zero is None:
                cure = "declare day_zero in the dialect of the source"
                raise DataError("extracts.yaml", None, spec.item, None, "is of type day without a day zero", cure)
            return dates.elapsed(text, dialect.day_zero[:10], dialect.missing)
        order = "ISO" if spec.const is not None else dialect.dates
        latest = self.context.cutoff.year
        found = dates.parse(text, order, dialect.unknown_part, dialect.missing, latest, record.raw.serial)
        if spec.time is None:
            return found
        joined = dates.join(found, record.raw.text(spec.time), dialect.missing)
        if joined is not found:
            record.cells[f"{spec.time}*"] = record.raw.origin(spec.time)
        return joined

    def _judge_date(self, record: Record, variable: str, item: str, text: str | None, found: dates.Parsed) -> None:
        read = found.text
        if found.precision == "invalid":
            record.flags.add("DATE_INVALID")
            self.query("date_invalid", record, item, text, variable=variable)
        elif text is not None and found.precision != "day":
            record.flags.add("DATE_PARTIAL")
            self.query("date_partial", record, item, text, variable=variable, read=read or "unknown")
        if found.short:
            self.query("date_short_year", record, item, text, variable=variable, read=read)
        if found.low is not None and found.high is not None:
            self._judge_day(record, variable, item, text, found)

    def _judge_day(self, record: Record, variable: str, item: str, text: str | None, found: dates.Parsed) -> None:
        cutoff = self.context.cutoff
        assert found.low is not None
        assert found.high is not None
        late = found.low > cutoff
        if late and is_main(variable, self.domain):
            record.flags.add("AFTER_CUTOFF")
        rule = self.context.rules.find("date_year", self.domain, variable)
        years = rule.number("years") if rule else 1e9
        earliest = rule.number("earliest") if rule else 0
        if found.low.year > cutoff.year + years or found.high.year < earliest:
            self.query("date_year", record, item, text, variable=variable, cutoff=cutoff.isoformat())
        elif late and is_main(variable, self.domain):
            self.query("after_cutoff", record, item, text, variable=variable, cutoff=cutoff.isoformat())

    def query(
        self,
        kind: str,
        record: Record,
        item: str,
        text: str | None,
        variable: str | None = None,
        more: Sequence[str] = (),
        **fields: object,
    ) -> None:
        """A finding at one item of the record's raw row; ``more``: other cells that may be wrong instead."""
        stem = prefix(self.domain)
        decod = record.text(f"{stem}DECOD") or record.text(f"{stem}TRT")
        origin = record.raw.origin(item) if item else (f"{record.raw.row}:{variable}",)
        self.log.add(
            kind,
            (*origin, *more),
            subject=record.subject,
            form=self.form,
            visit=record.visit,
            item=item or variable,
            value=text,
            variable=variable,
            decod=decod,
            **fields,
        )


def is_main(variable: str, domain: str) -> bool:
    """Whether a date variable is the one that dates the record: --DTC, --STDTC, consent in dm."""
    stem = prefix(domain)
    return variable in (f"{stem}DTC", f"{stem}STDTC") or (domain == "dm" and variable == "RFICDTC")


_READ = {
    "text": Reader._read_text,
    "number": Reader._read_number,
    "code": Reader._read_code,
    "date": Reader._read_date,
    "day": Reader._read_date,
}
