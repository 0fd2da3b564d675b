"""Identity, canonical text and row sets of results."""

from __future__ import annotations

import hashlib
import math
from importlib import import_module
from typing import get_args

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialpipe.analyse import formats
from trialpipe.analyse.formats import Bounded, Undefined
from trialpipe.analyse.rows import Behind, Manner, Place, Store, cell, rowset_id, slug
from trialpipe.analyse.run import KINDS
from trialpipe.analyse.stack import stack, stack_rowsets
from trialpipe.config.analyses import AnyAnalysis

PLACE = Place("t", "os", "kaplan_meier", "primary", "treated")
PEOPLE = Behind("adsl", ("adsl:t/1", "adsl:t/2"))
ROWS = Behind("adtte", ("adtte:t/1",))


def made(stats, place=PLACE, manner=None, roles=None, store=None):
    return cell(place, stats, roles or {"n": ROWS}, manner or Manner(), "adtte", False, store or Store())


def test_every_kind_of_the_configuration_has_a_module() -> None:
    models = get_args(get_args(AnyAnalysis)[0])
    assert {get_args(model.model_fields["kind"].annotation)[0] for model in models} == set(KINDS)
    for path in KINDS.values():
        assert callable(import_module(path).run)


def test_closed_list_refuses_another_statistic() -> None:
    with pytest.raises(KeyError):
        made({"r_squared": 0.5})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("n", 12, "12"),
        ("percent", 82.75862068965517, "82.8"),
        ("percent", 12.45, "12.5"),
        ("percent", 0.25, "0.3"),
        ("survival", 0.5835, "0.584"),
        ("survival", 0.5825, "0.583"),
        ("hr", 2.675, "2.68"),
        ("p", 0.0004, "<0.001"),
        ("p", 0.9996, ">0.999"),
        ("p", 0.001, "0.001"),
        ("p", 0.0375, "0.038"),
        ("median", Bounded(0.50, "<"), "<0.5"),
        ("median", Undefined("NR", "not reached"), "NR"),
        ("coef", -0.0001, "0.000"),
    ],
)
def test_canonical_text(name: str, value: object, text: str) -> None:
    assert formats.text_of(name, value, 0, 0) == text  # type: ignore[arg-type]


def test_limits_have_the_decimals_and_unit_of_their_estimate() -> None:
    rows = {r["statistic"]: r for r in made({"percent": 80.0, "lower": 64.22524, "upper": 94.15439})}
    assert (rows["lower"]["formatted"], rows["upper"]["formatted"]) == ("64.2", "94.2")
    assert rows["lower"]["unit"] == "%"
    manner = Manner(unit="g/L", data_decimals=1)
    rows = {
        r["statistic"]: r
        for r in made({"median": 3.25, "lower": 1.0, "upper": 4.0, "sd": 1.0, "min": 0.1}, manner=manner)
    }
    assert [rows[s]["formatted"] for s in ("median", "lower", "sd", "min")] == ["3.25", "1.00", "1.000", "0.1"]
    assert {rows[s]["unit"] for s in ("median", "lower", "sd", "min")} == {"g/L"}


def test_nan_is_null_with_text_and_note() -> None:
    row = made({"survival": math.nan}, manner=Manner(note="no patient"))[0]
    assert (row["value"], row["value_text"], row["formatted"], row["note"]) == (None, "NE", "NE", "no patient")
    assert made({"survival": math.nan})[0]["note"] == "not estimable"


def test_method_and_level_stand_where_they_belong() -> None:
    manner = Manner("M", 0.9, "greater", 0.4, 2.0)
    rows = {r["statistic"]: r for r in made({"n": 1, "percent": 5.0, "lower": 1.0, "p": 0.5}, manner=manner)}
    assert [rows[s]["method"] for s in ("n", "percent", "lower", "p")] == [None, None, "M", "M"]
    assert [rows[s]["conf_level"] for s in ("n", "lower", "p")] == [None, 0.9, None]
    assert [rows[s]["alternative"] for s in ("n", "lower", "p")] == [None, None, "greater"]
    assert rows["p"]["null_value"] == 0.4
    assert rows["p"]["df"] == 2.0


def test_identity_holds_the_parts_that_are_given() -> None:
    place = PLACE._replace(
        group="Bras A",
        comparator="B",
        term="Log-rank",
        parameter="IL_6",
        category="≥ 3",
        visit="HSCT + 6 months",
        time=365.0,
    )
    assert place.slug() == ("os/kaplan-meier/primary/treated/bras-a/vs-b/log-rank/il-6/3/hsct-+-6-months/t365")
    assert PLACE._replace(variable="SEX", category="F").slug().endswith("/overall/sex/f")
    assert PLACE._replace(variable="AVAL").slug() == PLACE.slug()


def test_texts_with_one_slug_keep_apart() -> None:
    store = Store()
    ids = [made({"n": 1}, PLACE._replace(category=c), store=store)[0]["result_id"] for c in ("< 5", "> 5", "< 5")]
    assert ids[0] == ids[2] != ids[1]
    assert ids[1].endswith("/5+2/n")


@given(st.text())
def test_slug_alphabet(text: str) -> None:
    assert slug(text)
    assert set(slug(text)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.+-")


@given(st.lists(st.tuples(st.text("ab", min_size=1), st.text("xy:/", min_size=1), st.sampled_from(["n", "event"]))))
def test_rowset_id_depends_on_content_only(triples: list[tuple[str, str, str]]) -> None:
    assert rowset_id(triples) == rowset_id([*reversed(triples), *triples])
    text = "\n".join("\t".join(t) for t in sorted(set(triples)))
    assert rowset_id(triples) == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_denominator_and_count_have_their_own_rows() -> None:
    store = Store()
    stats = {"n": 1, "denominator": 2, "percent": 50.0}
    rows = {r["statistic"]: r for r in made(stats, roles={"n": ROWS, "denominator": PEOPLE}, store=store)}
    sets = {name: store.sets[row["rowset"]] for name, row in rows.items()}
    assert sets["n"] == (("adtte", "adtte:t/1", "n"),)
    assert [t[1] for t in sets["denominator"]] == ["adsl:t/1", "adsl:t/2"]
    assert set(sets["percent"]) == set(sets["n"]) | set(sets["denominator"])
    assert rows["denominator"]["dataset"] == "adsl"


def test_a_count_of_zero_leads_to_those_looked_at() -> None:
    store = Store()
    roles = {"n": Behind("adtte", ()), "denominator": PEOPLE}
    row = made({"n": 0, "denominator": 2}, roles=roles, store=store)[0]
    assert [t[1] for t in store.sets[row["rowset"]]] == ["adsl:t/1", "adsl:t/2"]


def test_stack_orders_by_outcome_and_refuses_doubles() -> None:
    from helpers.analyse_frames import outcome

    def frame(name: str, *ids: str) -> pd.DataFrame:
        return pd.DataFrame({"result_id": ids, "outcome": name, "order": range(len(ids))})

    outcomes = tuple(outcome("populations", {"kind": "subjects"}, id=name) for name in ("a", "b"))
    joined = stack([frame("b", "b1", "b2"), frame("a", "a1")], outcomes)
    assert joined["result_id"].tolist() == ["a1", "b1", "b2"]
    assert joined["order"].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="a1"):
        stack([frame("a", "a1"), frame("a", "a1")], outcomes)
    sets = pd.DataFrame({"rowset": ["x"], "dataset": ["d"], "row_key": ["k"], "role": ["n"]})
    assert len(stack_rowsets([sets, sets])) == 1
