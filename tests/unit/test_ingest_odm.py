"""ODM-XML: hand-written files, what each transaction type does, and files that are broken or hostile."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialpipe.ingest import odm, odm_events, run
from trialpipe.io.errors import DataError

SPACE = "http://www.cdisc.org/ns/odm/v1.3"
META = """<Study OID="S">
<BasicDefinitions>
<MeasurementUnit OID="MU.MG" Name="mg"/>
<MeasurementUnit OID="MU.C"><Symbol><TranslatedText xml:lang="en">°C</TranslatedText></Symbol></MeasurementUnit>
</BasicDefinitions>
<MetaDataVersion OID="1" Name="1">
<ItemGroupDef OID="IG.EX" Name="Exposure" Repeating="Yes">
<ItemRef ItemOID="IT.DOSE" Mandatory="No"/><ItemRef ItemOID="IT.TEMP" Mandatory="No"/>
<ItemRef ItemOID="IT.FREQ" Mandatory="No"/>
</ItemGroupDef>
<ItemGroupDef OID="IG.DM" Name="Demographics" Repeating="No"><ItemRef ItemOID="IT.SEX" Mandatory="No"/></ItemGroupDef>
<ItemDef OID="IT.DOSE" Name="Dose" DataType="float"><MeasurementUnitRef MeasurementUnitOID="MU.MG"/></ItemDef>
<ItemDef OID="IT.TEMP" Name="Temperature" DataType="float"><MeasurementUnitRef MeasurementUnitOID="MU.MG"/>
<MeasurementUnitRef MeasurementUnitOID="MU.C"/></ItemDef>
<ItemDef OID="IT.FREQ" Name="Frequency" DataType="text"><CodeListRef CodeListOID="CL.FREQ"/></ItemDef>
<ItemDef OID="IT.SEX" Name="Sex" DataType="integer"/>
<CodeList OID="CL.FREQ" Name="Frequency" DataType="text">
<CodeListItem CodedValue="BID"><Decode><TranslatedText>twice a day</TranslatedText></Decode></CodeListItem>
<EnumeratedItem CodedValue="QD"/>
</CodeList>
</MetaDataVersion></Study>
"""


def _odm(data: str, kind: str = "Snapshot", meta: str = META) -> str:
    blocks = f'<ClinicalData StudyOID="S" MetaDataVersionOID="1">\n{data}\n</ClinicalData>' if data else ""
    return f'<ODM xmlns="{SPACE}" FileType="{kind}" FileOID="F" ODMVersion="1.3.2">\n{meta}{blocks}\n</ODM>\n'


def _tag(name: str, inner: str, kind: str | None = None, **keys: str) -> str:
    given = {**keys, **({"TransactionType": kind} if kind else {})}
    attributes = "".join(f' {key}="{value}"' for key, value in given.items())
    return f"<{name}{attributes}>{inner}</{name}>"


def _subject(inner: str, kind: str | None = None, key: str = "01") -> str:
    return _tag("SubjectData", inner, kind, SubjectKey=key)


def _event(inner: str, kind: str | None = None, oid: str = "SE.D0") -> str:
    return _tag("StudyEventData", inner, kind, StudyEventOID=oid, StudyEventRepeatKey="1")


def _form(inner: str, kind: str | None = None, oid: str = "FO") -> str:
    return _tag("FormData", inner, kind, FormOID=oid, FormRepeatKey="1")


def _group(inner: str, kind: str | None = None, repeat: str | None = "1", oid: str = "IG.EX") -> str:
    keys = {"ItemGroupOID": oid, **({"ItemGroupRepeatKey": repeat} if repeat else {})}
    return _tag("ItemGroupData", inner, kind, **keys)


def _item(value: str, kind: str | None = None, oid: str = "IT.DOSE") -> str:
    return _tag("ItemData", "", kind, ItemOID=oid, Value=value)


def _all(inner: str) -> str:
    return _subject(_event(_form(inner)))


def _read(tmp_path: Path, *texts: str, sheet: str | None = "IG.EX", **dialect: object) -> list[dict]:
    names = [f"{number}.xml" for number in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return odm.read_all([tmp_path / name for name in names], names, {"sheet": sheet, **dialect}).to_pylist()


def _refused(tmp_path: Path, *texts: str, match: str, **dialect: object) -> DataError:
    with pytest.raises(DataError, match=match) as caught:
        _read(tmp_path, *texts, **dialect)
    assert caught.value.cure
    assert "\n" not in str(caught.value)
    return caught.value


# shape of the table


def test_a_row_per_item_group_with_keys_items_and_units(tmp_path):
    data = """<SubjectData SubjectKey="01"><SiteRef LocationOID="SITE.01"/>
<StudyEventData StudyEventOID="SE.D0"><FormData FormOID="FO.EX">
<ItemGroupData ItemGroupOID="IG.EX" ItemGroupRepeatKey="2">
<ItemData ItemOID="IT.DOSE" Value="5"/>
<ItemData ItemOID="IT.TEMP" Value="38,5"><MeasurementUnitRef MeasurementUnitOID="MU.C"/></ItemData>
<ItemData ItemOID="IT.FREQ" IsNull="Yes"/><ItemData ItemOID="IT.NEW" Value=" a &lt;b&gt; "/>
</ItemGroupData></FormData></StudyEventData></SubjectData>"""
    assert _read(tmp_path, _odm(data)) == [
        {
            "source_file": "0.xml",
            "source_row": _odm(data).splitlines().index('<ItemGroupData ItemGroupOID="IG.EX" ItemGroupRepeatKey="2">')
            + 1,
            "source_sheet": "IG.EX",
            "SubjectKey": "01",
            "StudySubjectID": None,
            "LocationOID": "SITE.01",
            "StudyEventOID": "SE.D0",
            "StudyEventRepeatKey": None,
            "FormOID": "FO.EX",
            "FormRepeatKey": None,
            "ItemGroupRepeatKey": "2",
            "IT.DOSE": "5",
            "IT.DOSE__UNIT": "mg",
            "IT.TEMP": "38,5",
            "IT.TEMP__UNIT": "°C",
            "IT.FREQ": None,
            "IT.NEW": " a <b> ",
        }
    ]


def test_a_unit_is_null_without_a_value_or_where_several_are_possible(tmp_path):
    null = '<ItemData ItemOID="IT.DOSE" IsNull="Yes"/>' + _item("38", oid="IT.TEMP")
    (row,) = _read(tmp_path, _odm(_all(_group(null))))
    assert [row["IT.DOSE__UNIT"], row["IT.TEMP"], row["IT.TEMP__UNIT"]] == [None, "38", None]


def test_a_unit_without_a_definition_is_its_oid(tmp_path):
    item = '<ItemData ItemOID="X" Value="1"><MeasurementUnitRef MeasurementUnitOID="MU.X"/></ItemData>'
    (row,) = _read(tmp_path, _odm(_all(_group(item)), meta=""))
    assert row["X__UNIT"] == "MU.X"


def test_a_unit_with_two_names_is_refused(tmp_path):
    other = META.replace('Name="mg"', 'Name="g"')
    error = _refused(tmp_path, _odm(_all(_group(_item("1")))), _odm("", meta=other), match="measurement unit is 'mg'")
    assert (error.file, error.item) == ("1.xml", "MU.MG")


def test_typed_items_have_their_text(tmp_path):
    items = """<ItemDataFloat ItemOID="IT.DOSE" MeasurementUnitOID="MU.C">
 5.0 </ItemDataFloat><ItemDataString ItemOID="IT.FREQ"> B<![CDATA[<&]]>D]]&gt;<!-- no --></ItemDataString>"""
    (row,) = _read(tmp_path, _odm(_all(_group(items))))
    assert [row["IT.DOSE"], row["IT.DOSE__UNIT"], row["IT.FREQ"]] == ["5.0", "°C", " B<&D]]>"]


def test_text_of_elements_inside_an_item_is_not_its_value(tmp_path):
    note = "<Annotation SeqNum='1'><Comment>checked</Comment></Annotation>"
    items = f"""<ItemDataString ItemOID="IT.FREQ">B{note}ID</ItemDataString>
<ItemData ItemOID="IT.DOSE" Value="5">{note}</ItemData>"""
    (row,) = _read(tmp_path, _odm(_all(_group(items))))
    assert (row["IT.FREQ"], row["IT.DOSE"]) == ("BID", "5")


def test_comments_quotes_entities_and_unicode(tmp_path):
    item = "<!-- <ItemData ItemOID='IT.DOSE' Value='9'/> --><?pi x?><ItemData\n Value='a \"b\" &#233;&amp;&#10;c'" + (
        ' ItemOID="IT.Größe 体重"/>'
    )
    (row,) = _read(tmp_path, _odm(_all(_group(item))))
    assert row["IT.DOSE"] is None
    assert row["IT.Größe 体重"] == 'a "b" é&\nc'


@pytest.mark.parametrize(
    ("declared", "codec"),
    [("UTF-8", "utf-8-sig"), ("utf-16", "utf-16"), ("ISO-8859-1", "latin-1"), ("windows-1252", "cp1252")],
)
def test_encodings(tmp_path, declared, codec):
    text = f'<?xml version="1.0" encoding="{declared}"?>\n' + _odm(_all(_group(_item("µé"))))
    (tmp_path / "a.xml").write_bytes(text.encode(codec))
    assert odm.read(tmp_path / "a.xml", "a.xml", {"sheet": "IG.EX"})["IT.DOSE"].to_pylist() == ["µé"]


@pytest.mark.parametrize("declared", ["shift_jis", "no-such", "hex", "../x"])
def test_encodings_that_cannot_be_read(tmp_path, declared):
    text = f'<?xml version="1.0" encoding="{declared}"?>\n' + _odm(_all(_group(_item("5"))))
    _refused(tmp_path, text, match="0.xml:1 ")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'xmlns="{SPACE}"', ""),
        (f'xmlns="{SPACE}"', 'xmlns="http://www.cdisc.org/ns/odm/v1.2"'),
        (f'xmlns="{SPACE}"', 'xmlns="urn:of-its-own"'),
    ],
)
def test_any_version_of_the_namespace(tmp_path, old, new):
    assert _read(tmp_path, _odm(_all(_group(_item("5")))).replace(old, new))[0]["IT.DOSE"] == "5"


def test_a_prefix_for_odm_itself(tmp_path):
    text = _odm(_all(_group(_item("5")))).replace("<", "<o:").replace("<o:/", "</o:").replace("xmlns=", "xmlns:o=")
    assert _read(tmp_path, text)[0]["IT.DOSE__UNIT"] == "mg"


def test_vendor_elements_are_passed_over_with_all_they_hold(tmp_path):
    vendor = (
        '<v:AuditLogs xmlns:v="urn:v"><ItemData ItemOID="IT.DOSE" Value="9"/><v:ItemData ItemOID="IT.DOSE" Value="8"/>'
        '<AuditRecord><UserRef UserOID="U"/></AuditRecord></v:AuditLogs>'
    )
    item = (
        '<ItemData ItemOID="IT.DOSE" v:Value="7" xmlns:v="urn:v" Value="5"><v:Note><MeasurementUnitRef '
        'MeasurementUnitOID="MU.C"/></v:Note></ItemData>'
    )
    text = _odm(_subject(vendor + _event(_form(vendor + _group(vendor + item + vendor)))))
    (row,) = _read(tmp_path, text)
    assert [row["IT.DOSE"], row["IT.DOSE__UNIT"]] == ["5", "mg"]
    assert len(list(odm.long(tmp_path / "0.xml"))) == 1
    assert _read(tmp_path, text, sheet="AuditRecord") == []


def test_subject_number_of_openclinica(tmp_path):
    data = _all(_group(_item("5"))).replace(
        'SubjectKey="01"', 'SubjectKey="SS_1" xmlns:OpenClinica="urn:oc" OpenClinica:StudySubjectID="FR-01"'
    )
    (row,) = _read(tmp_path, _odm(data))
    assert [row["SubjectKey"], row["StudySubjectID"]] == ["SS_1", "FR-01"]


def test_several_blocks_are_united(tmp_path):
    text = _odm(_all(_group(_item("5"))))
    second = '<ClinicalData StudyOID="S2">' + _subject(_event(_form(_group(_item("6")))), key="02") + "</ClinicalData>"
    rows = _read(tmp_path, text.replace("</ODM>", second + "</ODM>"))
    assert [(row["SubjectKey"], row["IT.DOSE"]) for row in rows] == [("01", "5"), ("02", "6")]


def test_definitions(tmp_path):
    (tmp_path / "a.xml").write_text(_odm(""), encoding="utf-8")
    meta = odm.metadata(tmp_path / "a.xml")
    assert {group: list(items) for group, items in meta.groups.items()} == {
        "IG.EX": ["IT.DOSE", "IT.TEMP", "IT.FREQ"],
        "IG.DM": ["IT.SEX"],
    }
    assert meta.units == {"MU.MG": "mg", "MU.C": "°C"}
    assert meta.codelists == {"CL.FREQ": {"BID": "twice a day", "QD": "QD"}}
    assert (meta.items["IT.FREQ"].name, meta.items["IT.FREQ"].codelist) == ("Frequency", "CL.FREQ")
    assert (meta.items["IT.SEX"].data_type, list(meta.items["IT.TEMP"].units)) == ("integer", ["MU.MG", "MU.C"])


# columns


def test_items_defined_but_never_filled_are_not_missing(tmp_path):
    expected = ["SubjectKey", "LocationOID", "IT.DOSE", "IT.DOSE__UNIT", "IT.FREQ"]
    (row,) = _read(tmp_path, _odm(_all(_group(_item("5")))), expected=expected, ignore=["IT.TEMP"])
    assert row["IT.FREQ"] is None


def test_columns_are_compared_with_those_declared(tmp_path):
    text = _odm(_all(_group(_item("5"))))
    error = _refused(tmp_path, text, match=r"unknown column 'IT.DOSE' \(nearest", expected=["IT.DOES"])
    assert error.file == "0.xml[IG.EX]"
    _refused(tmp_path, text, match="missing column 'IT.DOES'", expected=["IT.DOES", "IT.DOSE", "IT.TEMP", "IT.FREQ"])


def test_an_item_must_not_be_called_like_a_key(tmp_path):
    _refused(tmp_path, _odm(_all(_group(_item("5", oid="SubjectKey")))), match="reserved column name")
    both = _item("5") + _item("6", oid="IT.DOSE__UNIT")
    _refused(tmp_path, _odm(_all(_group(both))), match="same header")


def test_an_unknown_item_group_names_the_nearest(tmp_path):
    error = _refused(tmp_path, _odm(_all(_group(_item("5")))), match="no such item group", sheet="IG.EXX")
    assert "'IG.EX'" in (error.cure or "")


def test_without_a_sheet_there_must_be_one_group(tmp_path):
    text = _odm(_all(_group(_item("5"))), meta="")
    assert _read(tmp_path, text, sheet=None)[0]["IT.DOSE"] == "5"
    _refused(tmp_path, _odm(_all(_group(_item("5")))), match="'IG.EX', 'IG.DM'", sheet=None)


def test_metadata_alone_gives_no_rows(tmp_path):
    assert _read(tmp_path, _odm("")) == []


@pytest.mark.parametrize("key", ["SubjectKey", "StudyEventOID", "FormOID", "ItemGroupOID", "ItemOID"])
def test_a_missing_key_is_refused(tmp_path, key):
    text = _odm(_all(_group(_item("5"))), meta="").replace(f"{key}=", "Other=")
    error = _refused(tmp_path, text, match=f"has no {key}")
    assert error.row == 3


# transactions

LEVELS = ["subject", "event", "form", "group", "item"]


def _nested(level: str, kind: str | None, there: bool) -> str:
    """A transaction ``kind`` at one level of what `BASE` has (there) or has not; all above is context."""
    at = LEVELS.index(level)
    kinds = ["Context"] * at + [kind] + [None] * (4 - at)
    other = [""] * at + ["" if there else "2"] + [""] * (4 - at)
    data = _item("9", kinds[4], oid="IT.DOSE" if there or level != "item" else "IT.TEMP")
    data = _group(data, kinds[3], repeat="1" + other[3])
    data = _form(data, kinds[2], oid="FO" + other[2])
    data = _event(data, kinds[1], oid="SE.D0" + other[1])
    return _subject(data, kinds[0], key="01" + other[0])


BASE = _all(_group(_item("5") + _item("BID", oid="IT.FREQ")))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("kind", "there", "fits"),
    [
        ("Insert", False, True),
        ("Insert", True, False),
        ("Update", False, False),
        ("Update", True, True),
        ("Upsert", False, True),
        ("Upsert", True, True),
        ("Remove", False, False),
        ("Remove", True, True),
    ],
)
def test_truth_table_of_transactions(tmp_path, level, kind, there, fits):
    text = _odm(_nested(level, kind, there), "Transactional", meta="")
    if not fits:
        error = _refused(tmp_path, _odm(BASE), text, match=f"{kind} of what is")
        assert (error.file, error.row) == ("1.xml", 3)
        assert (
            error.item
            == {
                "subject": "SubjectData",
                "event": "StudyEventData",
                "form": "FormData",
                "group": "ItemGroupData",
                "item": "ItemData",
            }[level]
        )
        assert "01" in (error.value or "")
        return
    rows = _read(tmp_path, _odm(BASE), text)
    values = [(row["IT.DOSE"], row["IT.TEMP"], row["IT.FREQ"], row["source_file"]) for row in rows]
    before = ("5", None, "BID", "0.xml")
    if kind == "Remove":
        assert values == ([(None, None, "BID", "1.xml")] if level == "item" else [])
    elif there:
        assert values == [("9", None, "BID", "1.xml")]
    elif level == "item":
        assert values == [("5", "9", "BID", "1.xml")]
    else:
        assert values == [before, ("9", None, None, "1.xml")]


@pytest.mark.parametrize("kind", ["Upsert", None])
def test_transactions_without_a_type_are_upserts(tmp_path, kind):
    text = _odm(_all(_group(_item("9"), kind) + _group(_item("1"), kind, repeat="2")), "Transactional", meta="")
    assert [row["IT.DOSE"] for row in _read(tmp_path, _odm(BASE), text)] == ["9", "1"]


def test_children_of_an_updated_group_may_be_new(tmp_path):
    text = _odm(_all(_group(_item("38", oid="IT.TEMP"), "Update")), "Transactional", meta="")
    (row,) = _read(tmp_path, _odm(BASE), text)
    assert (row["IT.DOSE"], row["IT.TEMP"], row["IT.FREQ"]) == ("5", "38", "BID")


def test_children_of_an_inserted_event_are_inserted(tmp_path):
    text = _odm(_subject(_event(_form(_group(_item("1")) * 2), "Insert", oid="SE.D7")), "Transactional", meta="")
    _refused(tmp_path, _odm(BASE), text, match="Insert of what is there")


def test_an_update_sets_a_value_to_null_and_replaces_its_unit(tmp_path):
    old = '<ItemData ItemOID="IT.TEMP" Value="38"><MeasurementUnitRef MeasurementUnitOID="MU.C"/></ItemData>'
    new = '<ItemData ItemOID="IT.DOSE" IsNull="Yes" TransactionType="Update"/>' + _item("311", "Update", "IT.TEMP")
    text = _odm(_all(_group(new, "Context")), "Transactional", meta="")
    (row,) = _read(tmp_path, _odm(_all(_group(_item("5") + old))), text)
    assert (row["IT.DOSE"], row["IT.DOSE__UNIT"], row["IT.TEMP"], row["IT.TEMP__UNIT"]) == (None, None, "311", None)


def test_children_of_context_without_a_type_are_upserts(tmp_path):
    text = _odm(_all(_group(_item("9") + _item("38", oid="IT.TEMP"), "Context")), "Transactional", meta="")
    (row,) = _read(tmp_path, _odm(BASE), text)
    assert (row["IT.DOSE"], row["IT.TEMP"], row["source_file"]) == ("9", "38", "1.xml")


def test_context_alone_changes_nothing(tmp_path):
    text = _odm(_all(_group(_item("9", "Context"), "Context")), "Transactional", meta="")
    (row,) = _read(tmp_path, _odm(BASE), text)
    assert (row["IT.DOSE"], row["source_file"]) == ("5", "0.xml")


def test_items_in_the_context_of_a_group_that_is_not_there(tmp_path):
    text = _odm(_all(_group(_item("9", "Upsert"), "Context", repeat="7")), "Transactional", meta="")
    _refused(tmp_path, _odm(BASE), text, match="its item group is context, but not there")


def test_what_was_removed_can_be_inserted_again(tmp_path):
    gone = _odm(_subject("", "Remove"), "Transactional", meta="")
    again = _odm(_subject(_event(_form(_group(_item("7")))), "Insert"), "Transactional", meta="")
    (row,) = _read(tmp_path, _odm(BASE), gone, again)
    assert (row["IT.DOSE"], row["IT.FREQ"], row["source_file"]) == ("7", None, "2.xml")


def test_a_removal_of_one_subject_leaves_the_others(tmp_path):
    both = BASE + _subject(_event(_form(_group(_item("6")))), key="02")
    text = _odm(_subject("", "Remove"), "Transactional", meta="")
    assert [row["SubjectKey"] for row in _read(tmp_path, _odm(both), text)] == ["02"]


def test_data_inside_a_removal_are_refused(tmp_path):
    text = _odm(_subject(_event(_form(_group(_item("1"), "Insert")), "Remove")), "Transactional", meta="")
    _refused(tmp_path, _odm(BASE), text, match="Insert inside a FormData that is removed")


def test_an_unknown_transaction_or_file_type_is_refused(tmp_path):
    _refused(tmp_path, _odm(_all(_group(_item("1"), "Delete"))), match="TransactionType 'Delete'")
    _refused(tmp_path, _odm(BASE, "Snap"), match="FileType 'Snap' is no type")


def test_later_transactions_of_one_file_win(tmp_path):
    steps = _group(_item("1"), "Insert", "3") + _group(_item("2"), "Update", "3") + _group(_item("3"), "Upsert", "3")
    rows = _read(tmp_path, _odm(BASE), _odm(_all(steps), "Transactional", meta=""))
    assert [row["IT.DOSE"] for row in rows] == ["5", "3"]


def test_other_groups_do_not_hinder(tmp_path):
    text = _odm(_all(_group(_item("1", "Update"), "Update", oid="IG.OTHER")), "Transactional", meta="")
    assert [row["IT.DOSE"] for row in _read(tmp_path, _odm(BASE), text)] == ["5"]


def test_a_later_site_of_a_subject_counts(tmp_path):
    moved = _odm(_subject('<SiteRef LocationOID="SITE.02"/>', "Update"), "Transactional", meta="")
    first = BASE.replace("<StudyEventData", '<SiteRef LocationOID="SITE.01"/><StudyEventData')
    assert _read(tmp_path, _odm(first))[0]["LocationOID"] == "SITE.01"
    assert _read(tmp_path, _odm(first), moved)[0]["LocationOID"] == "SITE.02"


# duplicates


def test_a_snapshot_with_one_repeat_key_twice_is_refused(tmp_path):
    error = _refused(tmp_path, _odm(_all(_group(_item("1")) + "\n" + _group(_item("2")))), match="Insert of what is")
    assert error.row == _odm(_all("")).splitlines().index(_all("")) + 2
    assert error.value == "01/SE.D0/1/FO/1/IG.EX/1"


def test_a_snapshot_without_repeat_keys_keeps_both_rows(tmp_path):
    text = _odm(_all(_group(_item("1"), repeat=None) + "\n" + _group(_item("1"), "Insert", repeat=None)))
    rows = _read(tmp_path, text)
    assert [row["IT.DOSE"] for row in rows] == ["1", "1"]
    assert rows[0]["source_row"] + 1 == rows[1]["source_row"]
    change = _odm(_all(_group(_item("3"), "Upsert", repeat=None)), "Transactional", meta="")
    _refused(tmp_path, text, change, match="stands for several rows")
    assert _read(tmp_path, text, _odm(_all(_group("", "Remove", repeat=None)), "Transactional", meta="")) == []


@pytest.mark.parametrize("repeat", ["1", None])
def test_two_snapshots_with_the_same_rows_are_refused(tmp_path, repeat):
    text = _odm(_all(_group(_item("1"), repeat=repeat)))
    _refused(tmp_path, text, text, match="Insert of what is there")


def test_an_item_twice_in_one_group_is_refused(tmp_path):
    _refused(tmp_path, _odm(_all(_group(_item("1") + _item("2")))), match="ItemData .*Insert of what is there")


def test_no_repeat_key_is_not_the_key_one(tmp_path):
    rows = _read(tmp_path, _odm(_all(_group(_item("1"), repeat=None) + _group(_item("2"), repeat="1"))))
    assert [row["ItemGroupRepeatKey"] for row in rows] == [None, "1"]


# audit

RECORD = """<AuditRecord{id}><UserRef UserOID="USR.1"/><LocationRef LocationOID="SITE.01"/>
<DateTimeStamp>2024-06-03T08:15:00+02:00</DateTimeStamp><ReasonForChange>typing
 error</ReasonForChange><SourceID>src-1</SourceID></AuditRecord>"""
SAID = {
    "USER": "USR.1",
    "LOCATION": "SITE.01",
    "DATETIME": "2024-06-03T08:15:00+02:00",
    "REASON": "typing\n error",
    "SOURCEID": "src-1",
}


def test_audit_records_of_items_and_groups(tmp_path):
    record = RECORD.format(id="")
    item = f'<ItemData ItemOID="IT.DOSE" Value="9">{record}<Signature><UserRef UserOID="U.9"/></Signature></ItemData>'
    rows = _read(tmp_path, _odm(_all(_group(record + item, "Update")), "Transactional"), sheet="AuditRecord")
    assert [(row["ItemGroupOID"], row["ItemOID"], row["TRANSACTION"], row["VALUE"]) for row in rows] == [
        ("IG.EX", None, "Update", None),
        ("IG.EX", "IT.DOSE", "Update", "9"),
    ]
    assert rows[0]["SubjectKey"] == "01"
    assert rows[0]["source_sheet"] == "AuditRecord"
    assert all({name: row[name] for name in SAID} == SAID for row in rows)


def test_audit_records_that_stand_apart(tmp_path):
    apart = "<AuditRecords>" + RECORD.format(id=' ID="A.1"') + "</AuditRecords>"
    text = _odm(_all(_group('<ItemDataFloat ItemOID="IT.DOSE" AuditRecordID="A.1">5</ItemDataFloat>')) + apart)
    (row,) = _read(tmp_path, text, sheet="AuditRecord", expected=["SubjectKey", "USER"])
    assert (row["VALUE"], row["TRANSACTION"]) == ("5", None)
    assert {name: row[name] for name in SAID} == SAID


def test_ids_of_audit_records_hold_within_their_file(tmp_path):
    item = '<ItemDataFloat ItemOID="IT.DOSE" AuditRecordID="A.1">5</ItemDataFloat>'
    apart = "<AuditRecords>" + RECORD.format(id=' ID="A.1"') + "</AuditRecords>"
    texts = [
        _odm(_all(_group(item)) + apart),
        _odm(_all(_group(item)) + apart.replace("USR.1", "USR.2")),
        _odm(_all(_group(item))),
    ]
    rows = _read(tmp_path, *texts, sheet="AuditRecord")
    assert [(row["source_file"], row["USER"]) for row in rows] == [
        ("0.xml", "USR.1"),
        ("1.xml", "USR.2"),
        ("2.xml", None),
    ]


# broken and hostile files


def test_a_file_cut_anywhere_is_refused(tmp_path):
    whole = ('<?xml version="1.0" encoding="UTF-8"?>\n' + _odm(BASE + "<![CDATA[é]]>")).encode()
    end = whole.rindex(b">")
    lines = whole.count(b"\n") + 1
    for size in [*range(0, end, 10), end]:
        (tmp_path / "a.xml").write_bytes(whole[:size])
        for call in (odm.counts, lambda path: odm.read(path, "a.xml", {"sheet": "IG.EX"})):
            with pytest.raises(DataError, match="file is empty|ends before </ODM>|is no XML") as caught:
                call(tmp_path / "a.xml")
            assert caught.value.file == "a.xml"
            assert caught.value.cure
            assert size < 10 or 1 <= (caught.value.row or 0) <= lines


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "file is empty"),
        ("SUBJECT;AGE\n1;2\n", "is no XML file"),
        ("<html><body/></html>", "root element is <html>, not <ODM>"),
        ("<ODM><a></b></ODM>", "0.xml:1 is no well-formed XML: mismatched tag"),
        ("<ODM>\n<a x='1' x='2'/></ODM>", "0.xml:2 is no well-formed XML: duplicate attribute"),
        ("<ODM>&nbsp;</ODM>", "0.xml:1 is no well-formed XML: undefined entity"),
        ("<ODM></ODM><ODM></ODM>", "junk after document element"),
        ("<ODM></ODM><!-- ", "is no well-formed XML: unclosed token"),
        ("<ODM>a]]></ODM>", "is no well-formed XML"),
        ("<ODM>\x01</ODM>", "is no well-formed XML"),
        ("<ODM><v:a/></ODM>", "unbound prefix"),
        ("\n<?xml version='1.0'?><ODM/>", "XML or text declaration not at start"),
    ],
)
def test_broken_files_are_refused_by_line(tmp_path, text, match):
    _refused(tmp_path, text, match=match)


def test_bytes_that_are_not_of_the_encoding(tmp_path):
    (tmp_path / "a.xml").write_bytes(_odm(_all(_group(_item("é")))).encode("latin-1"))
    with pytest.raises(DataError, match="is no well-formed XML"):
        odm.counts(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (gzip.compress(b"<ODM/>", mtime=0), "compressed with gzip"),
        (b"PK\x03\x04", "zip archive"),
        (b"\0\1\2", "no XML file"),
    ],
)
def test_binary_files(tmp_path, content, match):
    (tmp_path / "a.xml").write_bytes(content)
    with pytest.raises(DataError, match=match):
        odm.counts(tmp_path / "a.xml")


LAUGHS = "<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE ODM>",
        "<!DOCTYPE ODM SYSTEM 'file:///etc/hostname'>",
        "<!DOCTYPE ODM PUBLIC '-//X//Y' 'https://example.org/odm.dtd'>",
        "<!DOCTYPE ODM [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>",
        "<!DOCTYPE ODM [<!ENTITY % p SYSTEM 'file:///etc/hostname'> %p;]>",
        f"<!DOCTYPE ODM [{LAUGHS}]>",
    ],
)
def test_a_doctype_is_refused(tmp_path, doctype):
    error = _refused(tmp_path, f"{doctype}<ODM>&x;&a9;</ODM>", match="has a DOCTYPE; entities are not read")
    assert error.cure == "export it without a DTD"


def test_nothing_an_odm_names_is_opened(tmp_path):
    text = _odm(_all(_group(_item("5")))).replace(
        "<ODM ",
        '<?xml-stylesheet href="file:///no/such.xsl"?><ODM xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="urn:x file:///no/such.xsd" ',
    )
    assert _read(tmp_path, text)[0]["IT.DOSE"] == "5"


@pytest.mark.parametrize(("depth", "fits"), [(odm_events.DEPTH, True), (odm_events.DEPTH + 1, False)])
def test_deep_nesting(tmp_path, depth, fits):
    (tmp_path / "a.xml").write_text("<ODM>" + "<a>" * (depth - 1) + "</a>" * (depth - 1) + "</ODM>")
    if fits:
        assert odm.counts(tmp_path / "a.xml")["Study"] == 0
    else:
        with pytest.raises(DataError, match="nested deeper than 64"):
            odm.counts(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("before", "after", "match"),
    [
        ("<ItemData ItemOID='IT.DOSE' Value='", "'/>", "longer than 8 MiB"),
        ("<!--", "-->", "longer than 8 MiB"),
        ("<ItemDataString ItemOID='IT.DOSE'>", "</ItemDataString>", "text is longer than 8 MiB"),
    ],
)
def test_long_tokens(tmp_path, before, after, match):
    text = _odm(_all(_group("{}")))
    fits = text.format(before + "x" * (odm_events.TOKEN - 200) + after)
    assert len(_read(tmp_path, fits)) == 1
    error = _refused(tmp_path, text.format(before + "x" * (odm_events.TOKEN + 200) + after), match=match)
    assert error.file == "0.xml"
    assert error.row


MEASURED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from trialpipe.ingest import odm
from trialpipe.io.errors import DataError
try:
    print(odm.read(Path(sys.argv[2]), "big.xml", {"sheet": "IG.A"}).num_rows)
except DataError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _measured(path: Path) -> tuple[str, int]:
    scripts = Path(odm.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(scripts), str(path)], capture_output=True, text=True, check=True
    )
    said, size = done.stdout.splitlines()
    return said, int(size)


@pytest.mark.slow
def test_200_mb_are_read_in_bounded_memory(tmp_path):
    path = tmp_path / "big.xml"
    size = number = 0
    with path.open("w", encoding="utf-8") as stream:
        stream.write('<ODM FileType="Snapshot"><ClinicalData>\n')
        while size < 200_000_000:
            values = "".join(_item(f"{number}.{k}", oid=f"IT.{k}") + "\n" for k in range(60))
            group = _group(values, oid="IG.A" if number % 1000 == 0 else "IG.B", repeat="1")
            size += stream.write(_subject(_event(_form(group)), key=str(number)) + "\n")
            number += 1
        stream.write("</ClinicalData></ODM>")
    rows, memory = _measured(path)
    assert int(rows) == -(-number // 1000)
    assert memory < 1 << 20  # KiB


@pytest.mark.slow
def test_an_attribute_of_200_mb_is_refused_in_bounded_memory(tmp_path):
    path = tmp_path / "big.xml"
    with path.open("w", encoding="utf-8") as stream:
        stream.write("<ODM>\n<ClinicalData><SubjectData SubjectKey='")
        for _ in range(200):
            stream.write("x" * 1_000_000)
        stream.write("'/></ClinicalData></ODM>")
    said, memory = _measured(path)
    assert said.startswith("ERROR big.xml:2 one tag, comment or text without end is longer than 8 MiB - ")
    assert memory < 1 << 19


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=30))
def test_any_text_comes_back(tmp_path_factory, value):
    from xml.sax.saxutils import escape, quoteattr

    path = tmp_path_factory.mktemp("odm") / "a.xml"
    items = (
        f"<ItemData ItemOID='A' Value={quoteattr(value)}/><ItemDataString ItemOID='B'>{escape(value)}</ItemDataString>"
    )
    if any(ord(c) in (0xFFFE, 0xFFFF) for c in value):
        return
    path.write_text(_odm(_all(_group(items)), meta=""), encoding="utf-8")
    table = odm.read(path, "a.xml", {"sheet": "IG.EX"})
    assert (table["A"].to_pylist(), table["B"].to_pylist()) == ([value], [value])


def test_the_stage_applies_the_files_of_a_form_in_order(tmp_path):
    (tmp_path / "s.xml").write_text(_odm(BASE), encoding="utf-8")
    change = _odm(_all(_group(_item("7", "Update"), "Update")), "Transactional", meta="")
    (tmp_path / "t.xml").write_text(change, encoding="utf-8")
    form = {"id": "ex", "files": ["s.xml", "t.xml"], "sheet": "IG.EX", "ignore": ["IT.TEMP"]}
    form["expected"] = ["SubjectKey", "IT.DOSE", "IT.DOSE__UNIT", "IT.FREQ"]
    table, _ = run.ingest({"id": "ecrf", "reader": "odm", "forms": [form]}, tmp_path, "ex")
    assert table["IT.DOSE"].to_pylist() == ["7"]
    assert table["source_file"].to_pylist() == ["t.xml"]


def test_no_heavy_import():
    code = "import sys, trialpipe.ingest.odm; print([m for m in ('pandas', 'lxml', 'scipy') if m in sys.modules])"
    scripts = Path(odm.__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
