"""Typed model of ``extracts.yaml``: raw files, their dialects, and how their items map to clean domains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trialpipe.config.names import Domain, Name, Variable
from trialpipe.config.types import OneOrMany, RelPath, Strict, Text

Item = Annotated[str, Field(min_length=1, description="column of the raw form, as spelled in its header")]
ItemWhere = dict[Item, OneOrMany[str]]


class Dialect(Strict):
    """How text in a source is written."""

    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "iso-8859-15"] = Field("utf-8", description="of text files")
    separator: str = Field(",", description="between the columns of text files")
    decimal: Literal[".", ","] = Field(".", description="sign between units and tenths")
    dates: Literal["DMY", "MDY", "ISO"] = Field("ISO", description="order of day, month and year")
    missing: tuple[str, ...] = Field((), description="texts that mean: no value, e.g. NSP, non fait")
    unknown_part: tuple[str, ...] = Field((), description="texts for an unknown day or month, e.g. ND, NK")
    day_zero: Text | None = Field(None, description="nominal calendar date of elapsed day 0 (ISO), for type day")


class DeriveAge(Strict):
    """Two dates of a form that give an age."""

    birth: Item = Field(description="item with the date of birth")
    at: Item = Field(description="item with the date at which the age counts")


class Privacy(Strict):
    """What the pseudonymity gate must know about a form beyond its general rules."""

    derive_age: DeriveAge | None = Field(
        None, description="dates from which an age is made before the date of birth is removed"
    )
    patterns: dict[Name, Text] = Field({}, description="extra content rules: name to regular expression")
    allow: dict[Item, tuple[Name, ...]] = Field(
        {}, description="rules that do not apply to an item, e.g. a tube number"
    )


class Form(Strict):
    """One raw table: one file, or several files of one layout."""

    id: Name = Field(description="name in the source; elsewhere a form is `<source>.<form>`")
    files: OneOrMany[RelPath] = Field((), description="default: the files of the source; * ? [...] stand for names")
    sheet: Text | None = Field(None, description="sheet of a workbook, item group (ItemGroupOID) of an ODM file")
    ignore: tuple[Item, ...] = Field((), description="columns that are read but map to nothing")
    privacy: Privacy = Field(
        default_factory=lambda: Privacy.model_validate({}), description="what the pseudonymity gate must know"
    )


class Source(Strict):
    """A delivery: e-CRF, biobank, PK laboratory."""

    id: Name = Field(description="name of the delivery")
    files: OneOrMany[RelPath] = Field((), description="files of every form that names none of its own")
    label: Text = Field(description="name in the report")
    reader: Text = Field(description="name in the ingest table: delimited, workbook, bioplex, ...")
    dialect: Dialect = Field(default_factory=lambda: Dialect.model_validate({}), description="how its text is written")
    ignore: tuple[Item, ...] = Field((), description="columns of any of its forms that are read but need no mapping")
    forms: tuple[Form, ...] = Field(description="raw tables of the source")

    @model_validator(mode="after")
    def _files(self) -> Source:
        if not self.files and any(not form.files for form in self.forms):
            raise ValueError("a form needs files, its own or those of its source")
        object.__setattr__(self, "forms", tuple(self._completed(form) for form in self.forms))
        return self

    def _completed(self, form: Form) -> Form:
        """The form with what its source says for all of them."""
        ignore = tuple(dict.fromkeys([*form.ignore, *self.ignore]))
        return form.model_copy(update={"files": form.files or self.files, "ignore": ignore})


class Value(Strict):
    """Where a clean variable comes from. Exactly one of ``item`` and ``const``."""

    item: Item | None = Field(None, description="column of the form")
    const: Text | None = Field(None, description="a fixed text")
    type: Literal["text", "number", "code", "date", "day"] = Field(
        "text", description="how the text is read; day: elapsed days"
    )
    time: Item | None = Field(None, description="item with the clock time of a date")
    codelist: Text | None = Field(None, description="id in resources/reference/codelists.csv or codelists below")
    unit: Text | None = Field(None, description="unit of a number, UCUM")
    unit_item: Item | None = Field(None, description="item with the own unit of a number, which is converted to unit")
    unit_codes: Text | None = Field(None, description="code list of unit_item, where the form codes its units")
    required: bool = Field(False, description="an empty value is a query")


class Test(Strict):
    """One test of a wide findings form."""

    __test__ = False

    code: Variable = Field(description="--TESTCD; must stand in resources/reference/tests.csv or under tests")
    result: Item = Field(description="item with the result")
    type: Literal["number", "text", "code"] = Field("number", description="how the result is read")
    codelist: Text | None = Field(None, description="code list of a result of type code")
    words: Text | None = Field(None, description="code list of results in words beside numbers, e.g. negative")
    unit: Text | None = Field(None, description="unit of the result, UCUM")
    unit_item: Item | None = Field(None, description="item that names the unit of each row")
    unit_codes: Text | None = Field(None, description="code list of unit_item, where the form codes its units")
    low: Item | None = Field(None, description="lower limit of normal, in the result's unit")
    high: Item | None = Field(None, description="upper limit of normal, in the result's unit")
    date: Item | None = Field(None, description="own date, if not the form's")
    set: dict[Variable, Value] = Field({}, description="qualifiers of this test only, e.g. LBSPEC")
    required: bool = Field(False, description="an empty result is a query")


class LongTest(Strict):
    """Test, result and limits of a long findings form (one row per result)."""

    code: Item = Field(description="item that names the test")
    codelist: Text = Field(description="code list from the form's names to --TESTCD")
    result: Item = Field(description="item with the result")
    words: Text | None = Field(None, description="code list of results in words beside numbers, e.g. negative")
    unit: Text | None = Field(None, description="unit of all results, UCUM")
    unit_item: Item | None = Field(None, description="item that names the unit of each row")
    unit_codes: Text | None = Field(None, description="code list of unit_item, where the form codes its units")
    low: Item | None = Field(None, description="item with the lower limit of normal, in the result's unit")
    high: Item | None = Field(None, description="item with the upper limit of normal, in the result's unit")
    lloq: Item | None = Field(None, description="item with the lower limit of quantification")
    uloq: Item | None = Field(None, description="item with the upper limit")
    lloq_value: float | None = Field(None, description="lower limit where the form has none")
    uloq_value: float | None = Field(None, description="upper limit where the form has none")


class Join(Strict):
    """Columns of another ingested form, looked up by equal keys (this item: that item)."""

    form: Text = Field(description="`<source>.<form>` to look up")
    on: dict[Item, Item] = Field(description="item of this form to the equal item of the other")


class Mapping(Strict):
    """Rows of one raw form become records of a domain."""

    form: Text = Field(description="<source>.<form>")
    prepare: Text | None = Field(None, description="name of a preparer that needs all rows, e.g. bioplex")
    join: Join | None = Field(None, description="columns looked up in another form")
    where: ItemWhere = Field({}, description="filter on the form's items; other rows are set aside")
    subject: Item = Field(description="item with the patient number")
    site: Item | None = Field(None, description="item with the site")
    visit: Value | None = Field(None, description="item with the visit, through a code list")
    date: Value | None = Field(None, description="--DTC of findings")
    set: dict[Variable, Value] = Field({}, description="variable to where it comes from")
    tests: tuple[Test, ...] = Field((), description="tests of a form with a column per test")
    long: LongTest | None = Field(None, description="tests of a form with a row per result")


class DomainMap(Strict):
    """A clean table and the forms that fill it."""

    domain: Domain = Field(description="name of the clean table")
    label: Text = Field(description="name in listings")
    observation: Literal["special", "event", "intervention", "finding"] = Field(
        description="SDTM class; it decides which columns are checked"
    )
    key: tuple[Variable, ...] = Field(description="natural key beside USUBJID; repeats get an occurrence number")
    rows: tuple[Mapping, ...] = Field(description="forms whose rows become records")


class Codelist(Strict):
    """Raw texts and what they mean."""

    id: Text = Field(description="name that mappings use")
    values: dict[str, Text] = Field(description="raw text (case and accents folded) to submission value")


class OwnTest(Strict):
    """A test of findings that resources/reference/tests.csv lacks, or that this trial has in another unit."""

    domain: Domain = Field(description="clean domain of its results")
    code: Variable = Field(description="--TESTCD; takes the place of a test of that code in the table")
    label: Text = Field(description="--TEST")
    unit: Text | None = Field(None, description="unit of the clean results, UCUM or as the extract spells it")
    low: float | None = Field(None, description="results below are no results, in that unit")
    high: float | None = Field(None, description="results above are no results, in that unit")


class Check(Strict):
    """Switches a rule of resources/reference/checks.csv off for this trial, with the reason."""

    rule: Text = Field(description="id in resources/reference/checks.csv")
    off: Text = Field(description="why it does not apply")


class Extracts(Strict):
    """``extracts.yaml``."""

    root: RelPath = Field(description="folder of the extracts, relative to the data root")
    sources: tuple[Source, ...] = Field(description="deliveries")
    codelists: tuple[Codelist, ...] = Field((), description="the trial's own code lists")
    domains: tuple[DomainMap, ...] = Field(description="clean domains and what they are made of")
    subject_pattern: Text = Field(description="regular expression of a valid patient number")
    tests: tuple[OwnTest, ...] = Field((), description="the trial's own tests of findings")
    checks: tuple[Check, ...] = Field((), description="checks that do not apply")
