"""Dates as written: truth table and properties."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialpipe.clean import dates
from trialpipe.io import dates as iso


@pytest.mark.parametrize(
    ("text", "order", "date", "precision"),
    [
        ("ND/10/2019", "DMY", "2019-10", "month"),
        ("NK/NK/2019", "DMY", "2019", "year"),
        ("15/ND/2019", "DMY", "2019---15", "year"),
        ("JJ/MM/2019", "DMY", "2019", "year"),
        ("/03/2021", "DMY", "2021-03", "month"),
        ("--/03/2021", "DMY", "2021-03", "month"),
        ("99/05/2020", "DMY", "2020-05", "month"),
        ("xx/05/2020", "DMY", "2020-05", "month"),
        ("05/2018", "DMY", "2018-05", "month"),
        ("12/03/ND", "DMY", None, "missing"),
        ("12/25/2019", "MDY", "2019-12-25", "day"),
        ("25/12/2019", "MDY", None, "invalid"),
        ("25/12/2019", "ISO", None, "invalid"),
        ("03/04/2019", "ISO", None, "invalid"),
        ("2019-12-25", "MDY", "2019-12-25", "day"),
        ("2019/12/25", "DMY", "2019-12-25", "day"),
        ("2 mars 2020", "DMY", "2020-03-02", "day"),
        ("1er août 2020", "DMY", "2020-08-01", "day"),
        ("ND févr. 2020", "DMY", "2020-02", "month"),
        ("29FEB2020", "ISO", "2020-02-29", "day"),
        ("29FEB2021", "ISO", None, "invalid"),
        ("15APR27", "ISO", "2027-04-15", "day"),
        ("JUL2022", "ISO", "2022-07", "month"),
        # 22 July or July 2022
        ("JUL22", "ISO", None, "invalid"),
        ("March 3 2020", "MDY", "2020-03-03", "day"),
        ("2019-07--", "ISO", "2019-07", "month"),
        ("2019---18", "ISO", "2019---18", "year"),
        ("31.12.2019", "DMY", "2019-12-31", "day"),
        ("31-12-2019", "DMY", "2019-12-31", "day"),
        ("\u00a031/12/2019\u00a0", "DMY", "2019-12-31", "day"),
        ("1/2/3/2019", "DMY", None, "invalid"),
        ("hier", "DMY", None, "invalid"),
        ("0", "DMY", None, "invalid"),
        ("31/02/ND", "DMY", None, "missing"),
        ("29/02/1900", "DMY", None, "invalid"),
    ],
)
def test_readings(text, order, date, precision):
    found = dates.parse(text, order)
    assert (found.date, found.precision) == (date, precision)


def test_words_of_the_dialect():
    assert dates.parse("NSP", "DMY", missing=("NSP",)).precision == "missing"
    assert dates.parse("inc./03/2020", "DMY").precision == "invalid"
    assert dates.parse("jour inconnu/03/2020", "DMY", unknown=("jour inconnu",)).date == "2020-03"


@pytest.mark.parametrize(("latest", "precision"), [(2020, "day"), (2019, "invalid"), (None, "day")])
def test_two_digit_years_only_up_to_the_latest_and_marked(latest, precision):
    found = dates.parse("01/02/20", "DMY", latest=latest)
    assert found.precision == precision
    assert found.short == (precision == "day")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("16/08/2015 10:35", "10:35"),
        ("16/08/2015 10h35", "10:35"),
        ("16/08/2015 à 9h", "09:00"),
        ("2015-08-16T10:35:20", "10:35"),
        ("16/08/2015", None),
    ],
)
def test_times(text, time):
    found = dates.parse(text, "DMY")
    assert (found.date, found.time) == ("2015-08-16", time)


@pytest.mark.parametrize("text", ["24:00", "12:60", "midi", "1035", "-1:00"])
def test_clock_times_that_do_not_exist(text):
    assert dates.clock(text) is None
    joined = dates.join(dates.parse("2015-08-16"), text)
    assert (joined.time, joined.bad_time, joined.date) == (None, True, "2015-08-16")


def test_a_fraction_of_a_day_is_a_time():
    assert dates.clock("0.5") == "12:00"
    assert dates.clock("0.999999") is None


def test_time_beside_a_partial_date_is_not_in_its_text():
    found = dates.join(dates.parse("ND/03/2020", "DMY"), "10:35")
    assert (found.text, found.time) == ("2020-03", "10:35")


@pytest.mark.parametrize(
    ("text", "date"), [("0", "1990-01-01"), ("2081", "1995-09-13"), ("-5", "1989-12-27"), ("7.0", "1990-01-08")]
)
def test_elapsed_days(text, date):
    assert dates.elapsed(text, "1990-01-01").date == date


@pytest.mark.parametrize(
    ("text", "precision"), [("", "missing"), (None, "missing"), ("7.5", "invalid"), ("J7", "invalid")]
)
def test_elapsed_days_that_are_none(text, precision):
    assert dates.elapsed(text, "1990-01-01").precision == precision


@given(st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31)), st.sampled_from(["DMY", "MDY", "ISO"]))
def test_full_dates_read_back(day, order):
    text = {"DMY": f"{day:%d/%m/%Y}", "MDY": f"{day:%m/%d/%Y}", "ISO": day.isoformat()}[order]
    found = dates.parse(text, order)
    assert (found.low, found.high, found.date) == (day, day, day.isoformat())


@given(st.text(alphabet="0123456789/-. ND", max_size=12), st.sampled_from(["DMY", "MDY", "ISO"]))
def test_bounds_are_ordered_and_agree_with_the_text(text, order):
    found = dates.parse(text, order)
    assert (found.low is None) == (found.high is None) == (found.precision in ("missing", "invalid"))
    if found.low is not None:
        assert found.low <= found.high
        assert (found.low == found.high) == (found.precision == "day")
        assert iso.bounds(found.date) == (found.low, found.high)


@given(st.dates(dt.date(1901, 1, 1), dt.date(2099, 12, 31)))
def test_a_partial_date_holds_every_full_one_it_may_mean(day):
    for text in (f"ND/{day:%m/%Y}", f"ND/ND/{day:%Y}", f"{day:%d}/ND/{day:%Y}"):
        found = dates.parse(text, "DMY")
        assert found.low <= day <= found.high


@pytest.mark.parametrize(
    ("text", "date", "precision"),
    [
        ("2020-00-00", "2020", "year"),
        ("2020-99-99", "2020", "year"),
        ("2020-03-00", "2020-03", "month"),
        ("2020-00-15", "2020---15", "year"),
        ("2020-13-01", None, "invalid"),
        ("2020-02-30", None, "invalid"),
    ],
)
def test_iso_dates_with_figures_for_unknown_parts(text, date, precision):
    found = dates.parse(text, "ISO")
    assert (found.date, found.precision) == (date, precision)


@pytest.mark.parametrize(
    ("text", "precision"), [("12/03/99", "invalid"), ("ND/ND/99", "missing"), ("99/99/99", "missing")]
)
def test_a_year_99_is_unknown_only_where_the_day_is(text, precision):
    assert dates.parse(text, "DMY", latest=2021).precision == precision


@pytest.mark.parametrize("text", ["01/02/0020", "01/02/2920", "0020-02-01", "2920", "1799-12-31", "ND/02/2201"])
def test_years_that_no_table_can_hold_are_no_dates(text):
    assert dates.parse(text, "DMY") == dates.INVALID


@pytest.mark.parametrize("text", ["999999", "-999999", "80000"])
def test_elapsed_days_beyond_any_study(text):
    assert dates.elapsed(text, "1990-01-01") == dates.INVALID


@pytest.mark.parametrize("order", ["ISO", "DMY", "MDY"])
@pytest.mark.parametrize(
    ("text", "date", "precision"),
    [
        # partialDate: cut off on the right
        ("2024", "2024", "year"),
        ("2024-10", "2024-10", "month"),
        ("2024-10-12", "2024-10-12", "day"),
        # incompleteDate: a hyphen for each missing part
        ("2024-10--", "2024-10", "month"),
        ("2024---12", "2024---12", "year"),
        ("2024----", "2024", "year"),
        ("--10-12", None, "missing"),
        ("--10--", None, "missing"),
        ("----12", None, "missing"),
        ("-----", None, "missing"),
        ("2024-13--", None, "invalid"),
        ("2024-02-30", None, "invalid"),
        ("2024---32", None, "invalid"),
        # date with an offset (xs:date)
        ("2024-10-12Z", "2024-10-12", "day"),
        ("2024-10-12-05:00", "2024-10-12", "day"),
        ("2024-02-30Z", None, "invalid"),
    ],
)
def test_dates_of_odm(text, order, date, precision):
    found = dates.parse(text, order)
    assert (found.date, found.precision, found.time, found.bad_time) == (date, precision, None, False)


@pytest.mark.parametrize(
    ("text", "date", "time"),
    [
        ("2024-10-12T08:15", "2024-10-12", "08:15"),
        ("2024-10-12T08:15:30", "2024-10-12", "08:15"),
        ("2024-10-12T08:15:30.123", "2024-10-12", "08:15"),
        ("2024-10-12T08:15:30Z", "2024-10-12", "08:15"),
        ("2024-10-12T23:15:30+02:00", "2024-10-12", "23:15"),
        ("2024-10-12T00:15-05:00", "2024-10-12", "00:15"),
        # partialDatetime, incompleteDatetime
        ("2024-10-12T08", "2024-10-12", None),
        ("2024-10-12T08:15:-", "2024-10-12", "08:15"),
        ("2024-10-12T08:-:-", "2024-10-12", None),
        ("2024-10-12T08:-:30", "2024-10-12", None),
        ("2024-10-12T-:15:-", "2024-10-12", None),
        ("2024-10-12T-:-:-", "2024-10-12", None),
        ("2024-10--T-:-:-", "2024-10", None),
        ("2024---12T08:15:-", "2024---12", "08:15"),
        ("2024----T-:-:-", "2024", None),
        ("--10-12T08:15:-", None, None),
        ("-----T-:-:-", None, None),
        ("-----T08:15:30", None, None),
    ],
)
def test_date_times_of_odm(text, date, time):
    found = dates.parse(text)
    assert (found.date, found.time, found.bad_time) == (date, time, False)
    assert found.precision != "invalid"


@pytest.mark.parametrize("text", ["2024-10-12T25:00", "2024-10-12T08:60:00", "2024-10-12T25:00:00+02:00"])
def test_clock_times_of_odm_that_do_not_exist(text):
    found = dates.parse(text)
    assert (found.date, found.time, found.bad_time) == ("2024-10-12", None, True)


@pytest.mark.parametrize("text", ["2024-10-12T", "2024-10T", "2024-10-12T08:15+25:00", "2024-02-30T08:15", "T08:15"])
def test_texts_that_are_no_date_time_of_odm(text):
    assert dates.parse(text) == dates.INVALID
