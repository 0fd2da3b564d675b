"""Numbers as written: truth table and properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialpipe.clean import numbers

NBSP, NNBSP = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("61,5", ",", 61.5),
        (f"1{NBSP}204,5", ",", 1204.5),
        (f"100{NNBSP}000", ",", 100000),
        ("1 204", ",", 1204),
        ("8.2", ",", 8.2),
        ("0.125", ",", 0.125),
        ("1,2E3", ",", 1200),
        ("1,234,567.5", ".", 1234567.5),
        ("\u22125", ".", -5),
        ("٣", ".", None),
        ("1.234", ",", None),
        ("1.234,5", ",", None),
        ("1,23", ".", None),
        ("1,234.5", ",", None),
        ("12 34", ",", None),
        ("1 2345", ",", None),
        ("1,234 567", ".", None),
        ("10⁹", ".", None),
        ("5 %", ".", None),
        ("l186", ",", None),
        ("O,5", ",", None),
        ("1,5,2", ",", None),
        ("inf", ",", None),
        ("Infinity", ".", None),
        ("1e400", ".", None),
        ("1e308", ".", None),
        ("1-2", ".", None),
        ("++3", ".", None),
        ("12*", ".", None),
        ("3/4", ".", None),
    ],
)
def test_figures(text, decimal, value):
    found = numbers.parse(text, decimal)
    if value is None:
        assert found == numbers.INVALID
    else:
        assert (found.status, found.value, found.cens) == ("number", value, "none")


@pytest.mark.parametrize(
    ("text", "cens", "bound"),
    [
        ("<0,5", "left", 0.5),
        (f">{NBSP}100{NBSP}000", "right", 100000),
        ("inf. à 0,5", "left", 0.5),
        ("Inférieur à 0,5", "left", 0.5),
        ("inf 0,5", "left", 0.5),
        ("sup. à 40", "right", 40),
        ("≤ 2", "left", 2),
        (">=3", "right", 3),
        ("<LQ", "left", None),
        ("< LIQ", "left", None),
        ("BLQ", "left", None),
        ("indétectable", "left", None),
        (">LSQ", "right", None),
        ("ALQ", "right", None),
    ],
)
def test_censored(text, cens, bound):
    found = numbers.parse(text, ",")
    assert (found.status, found.cens, found.value) == ("number", cens, bound)


@pytest.mark.parametrize("text", ["<", "<<5", "<abc", "inf. à", "> -", "<1.2.3"])
def test_signs_without_a_figure(text):
    assert numbers.parse(text, ",").status == "invalid"


@pytest.mark.parametrize("text", [None, "", "  ", "NR", "QNS", "hémolysé", "Non fait", "ND", "-", ".", "NaN", NBSP])
def test_words_for_no_value(text):
    assert numbers.parse(text, ",") == numbers.MISSING


def test_words_of_the_dialect():
    assert numbers.parse("perdu", ",").status == "invalid"
    assert numbers.parse("Perdu", ",", ("perdu",)).status == "missing"


def test_a_unit_behind_the_figure_must_be_known():
    found = numbers.parse("10,8 g/dL", ",", is_unit=lambda unit: unit == "g/dL")
    assert (found.value, found.unit) == (10.8, "g/dL")
    assert numbers.parse("10,8 g/dL", ",", is_unit=lambda unit: False).status == "invalid"
    assert numbers.parse("<5 UI/mL", ",", is_unit=lambda unit: True).cens == "left"


def test_a_point_for_a_comma_is_marked():
    assert numbers.parse("8.2", ",").odd
    assert not numbers.parse("8,2", ",").odd


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=3, allow_nan=False))
def test_french_figures_read_back(value):
    text = f"{value:,.3f}".replace(",", NBSP).replace(".", ",")
    assert numbers.parse(text, ",").value == float(value)


@given(st.text(max_size=10), st.sampled_from([".", ","]))
def test_nothing_raises_and_no_value_is_infinite(text, decimal):
    found = numbers.parse(text, decimal)
    assert found.status in ("number", "missing", "invalid")
    assert found.value is None or math.isfinite(found.value)
    assert (found.value is None) or found.status == "number"


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_shown_reads_back(value):
    assert numbers.parse(numbers.shown(value)).value == pytest.approx(value, rel=1e-9)
