"""Typed model of ``extracts.yaml``: raw files, their dialects, and how their items map to clean domains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trialpipe.config.names import Domain, Name, Variable, Where
from trialpipe.config.types import OneOrMany, RelPath, Strict, Text

Item = Annotated[str, Field(min_length=1, description="column of the raw form, as spelled in its header")]
ItemWhere = dict[Item, OneOrMany[str]]


class Dialect(Strict):
    """How text in a source is written."""

    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "iso-8859-15"] = "utf-8"
    separator: str = ","
    decimal: Literal[".", ","] = "."
    dates: Literal["DMY", "MDY", "ISO"] = "ISO"
    missing: tuple[str, ...] = Field((), description="texts that mean: no value, e.g. NSP, non fait")
    unknown_part: tuple[str, ...] = Field((), description="texts for an unknown day or month, e.g. ND, NK")
    day_zero: Text | None = Field(None, description="nominal calendar date of elapsed day 0 (ISO), for type day")


class DeriveAge(Strict):
    birth: Item
    at: Item


class Privacy(Strict):
    """What the pseudonymity gate must know about a form beyond its general rules."""

    derive_age: DeriveAge | None = None
    patterns: dict[Name, Text] = Field({}, description="extra content rules: name to regular expression")
    allow: dict[Item, tuple[Name, ...]] = Field(
        {}, description="rules that do not apply to an item, e.g. a tube number"
    )


class Form(Strict):
    """One raw table: one file, or several files of one layout."""

    id: Name
    files: OneOrMany[RelPath] = Field((), description="default: the files of the source; * ? [...] stand for names")
    sheet: Text | None = Field(None, description="sheet of a workbook, item group (ItemGroupOID) of an ODM file")
    ignore: tuple[Item, ...] = Field((), description="columns that are read but map to nothing")
    privacy: Privacy = Field(default_factory=lambda: Privacy.model_validate({}))


class Source(Strict):
    """A delivery: e-CRF, biobank, PK laboratory."""

    id: Name
    files: OneOrMany[RelPath] = Field((), description="files of every form that names none of its own")
    label: Text
    reader: Text = Field(description="name in the ingest table: delimited, workbook, bioplex, ...")
    dialect: Dialect = Field(default_factory=lambda: Dialect.model_validate({}))
    forms: tuple[Form, ...]

    @model_validator(mode="after")
    def _files(self) -> Source:
        if not self.files and any(not form.files for form in self.forms):
            raise ValueError("a form needs files, its own or those of its source")
        forms = tuple(form if form.files else form.model_copy(update={"files": self.files}) for form in self.forms)
        object.__setattr__(self, "forms", forms)
        return self


class Value(Strict):
    """Where a clean variable comes from. Exactly one of ``item`` and ``const``."""

    item: Item | None = None
    const: Text | None = None
    type: Literal["text", "number", "code", "date", "day"] = "text"
    time: Item | None = Field(None, description="item with the clock time of a date")
    codelist: Text | None = Field(None, description="id in resources/reference/codelists.csv or codelists below")
    unit: Text | None = None
    unit_item: Item | None = None
    required: bool = False


class Test(Strict):
    """One test of a wide findings form."""

    __test__ = False

    code: Variable = Field(description="--TESTCD; must stand in resources/reference/tests.csv")
    result: Item
    type: Literal["number", "text", "code"] = "number"
    codelist: Text | None = None
    words: Text | None = Field(None, description="code list of results in words beside numbers, e.g. negative")
    unit: Text | None = None
    unit_item: Item | None = None
    unit_codes: Text | None = Field(None, description="code list of unit_item, where the form codes its units")
    low: Item | None = Field(None, description="lower limit of normal, in the result's unit")
    high: Item | None = None
    date: Item | None = Field(None, description="own date, if not the form's")
    set: dict[Variable, Value] = Field({}, description="qualifiers of this test only, e.g. LBSPEC")


class LongTest(Strict):
    """Test, result and limits of a long findings form (one row per result)."""

    code: Item
    codelist: Text
    result: Item
    words: Text | None = Field(None, description="code list of results in words beside numbers, e.g. negative")
    unit: Text | None = None
    unit_item: Item | None = None
    lloq: Item | None = None
    uloq: Item | None = None
    lloq_value: float | None = None
    uloq_value: float | None = None


class Join(Strict):
    """Columns of another ingested form, looked up by equal keys (this item: that item)."""

    form: Text
    on: dict[Item, Item]


class Mapping(Strict):
    """Rows of one raw form become records of a domain."""

    form: Text = Field(description="<source>.<form>")
    prepare: Text | None = Field(None, description="name of a preparer that needs all rows, e.g. bioplex")
    join: Join | None = None
    where: ItemWhere = {}
    subject: Item
    site: Item | None = None
    visit: Value | None = None
    date: Value | None = Field(None, description="--DTC of findings")
    set: dict[Variable, Value] = {}
    tests: tuple[Test, ...] = ()
    long: LongTest | None = None


class DomainMap(Strict):
    domain: Domain
    label: Text
    observation: Literal["special", "event", "intervention", "finding"]
    key: tuple[Variable, ...] = Field(description="natural key beside USUBJID; repeats get an occurrence number")
    rows: tuple[Mapping, ...]


class Codelist(Strict):
    id: Text
    values: dict[str, Text] = Field(description="raw text (case and accents folded) to submission value")


class Check(Strict):
    """Switches a rule of resources/reference/checks.csv off for this trial, with the reason."""

    rule: Text
    off: Text


class Extracts(Strict):
    """``extracts.yaml``."""

    root: RelPath = Field(description="folder of the extracts, relative to the data root")
    sources: tuple[Source, ...]
    codelists: tuple[Codelist, ...] = ()
    domains: tuple[DomainMap, ...]
    subject_pattern: Text = Field(description="regular expression of a valid patient number")
    checks: tuple[Check, ...] = ()
    where: Where = {}
