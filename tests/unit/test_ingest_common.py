from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.ingest import common


@settings(deadline=None)
@given(st.lists(st.none() | st.text(st.characters(exclude_categories=("Cs",)))))
def test_strings_are_what_arrow_makes_of_them(values):
    array = common.strings(values)
    array.validate(full=True)
    assert array.equals(pa.array(values, pa.string()))


@settings(deadline=None)
@given(st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_integers_are_what_arrow_makes_of_them(values):
    assert common.integers(values).equals(pa.array(values, pa.int32()))


def test_stack_keeps_the_order_and_fills():
    builder = common.Builder(["b", None, "a"], "f", 1)
    builder.add(2, ["1", "", "2"])
    other = common.Builder(["c", "a"], "g", 1, "S")
    other.add(2, ["3", "4"])
    table = common.stack([builder.table(), other.table()])
    assert table.column_names == ["source_file", "source_row", "source_sheet", "b", "a", "c"]
    assert table.select(["source_sheet", "b", "a", "c"]).to_pylist() == [
        {"source_sheet": None, "b": "1", "a": "2", "c": None},
        {"source_sheet": "S", "b": None, "a": "4", "c": "3"},
    ]


@pytest.mark.parametrize(("position", "name"), [(0, "1 (A)"), (25, "26 (Z)"), (26, "27 (AA)"), (702, "703 (AAA)")])
def test_column_names_as_a_spreadsheet_has_them(position, name):
    assert common.column_name(position) == name


def test_many_unknown_columns_are_cut():
    dialect = common.Dialect.of({"expected": [], "decimal": ","})
    with pytest.raises(common.DataError) as caught:
        common.check_columns([f"Q{k}" for k in range(8)], dialect, "f.csv", 1)
    assert caught.value.message.endswith("and 3 more")
