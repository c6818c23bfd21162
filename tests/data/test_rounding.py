"""Rounding against exact decimal arithmetic, and the words for counts."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo.data.rounding import counted, interval, number, percent, plural


@given(st.floats(1e-12, 1e12) | st.floats(-1e12, -1e-12), st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_number_keeps_its_significant_digits_and_no_more(value, digits):
    text = number(value, digits).replace(",", "")
    assert re.fullmatch(r"-?\d+(\.\d*[1-9])?", text)  # no exponent, no trailing zero
    exact = Decimal(value)
    place = max(0, digits - 1 - exact.adjusted())
    assert Decimal(text) == exact.quantize(Decimal(1).scaleb(-place), rounding=ROUND_HALF_EVEN)


@given(st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_percent_is_the_nearest_whole_percent_and_never_certain(probability):
    text = percent(probability)
    nearest = int((100 * Decimal(probability)).to_integral_value(ROUND_HALF_UP))
    if text.startswith(("under", "over")):
        assert (text == "under 1 %" and probability < 0.0051) or (
            text == "over 99 %" and probability > 0.9949
        )
    else:
        assert abs(int(text.removesuffix(" %")) - 100 * probability) <= 0.5 + 1e-9
        assert int(text.removesuffix(" %")) in {nearest, nearest - 1, nearest + 1}
    assert text not in {"0 %", "100 %"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.0, "0"), (0.04567, "0.046"), (9.96, "10"), (99.6, "100"),
     (1234.5, "1,234"), (1e15, "1,000,000,000,000,000"),
     (math.nan, "unknown"), (math.inf, "unbounded"), (-math.inf, "unbounded below"), (5e-324, None)],
)  # fmt: skip
def test_numbers_at_the_edges(value, text):
    assert text is None or number(value) == text


def test_percents_at_the_edges():
    assert [percent(p) for p in (0, 0.004, 0.005, 0.5, 0.994, 0.995, 1, math.nan)] == [
        "under 1 %", "under 1 %", "1 %", "50 %", "99 %", "over 99 %", "over 99 %", "unknown",
    ]  # fmt: skip


def test_intervals_use_the_same_rounding():
    assert interval(0.04567, 1234.5, "a day") == "0.046 to 1,234 a day"
    assert interval(2, math.inf) == "2 to unbounded"


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("attack", "attacks"), ("heavy strike", "heavy strikes"), ("heavy strike on bases", "heavy strikes on bases"),
        ("casualty", "casualties"), ("ambush", "ambushes"), ("clash with police", "clashes with police"),
        ("loss", "losses"), ("missile box", "missile boxes"), ("raid (any)", "raids (any)"), ("base", "bases"),
        ("attack: rocket", "attacks: rocket"), ("day", "days"), ("vehicle-borne bomb", "vehicle-borne bombs"),
    ],
)  # fmt: skip
def test_singular_and_plural_are_each_others_inverse(one, many):
    assert plural(one) == plural(many) == many
    assert plural(one, one=True) == plural(many, one=True) == one
    assert counted(1, many) == f"1 {one}"
    assert counted(0, one) == f"0 {many}"
    assert counted(1200, one) == f"1,200 {many}"


@pytest.mark.parametrize(
    ("label", "one", "many"),
    [
        ("virus", "virus", "viruses"),
        ("attacks on bases", "attack on bases", "attacks on bases"),
        ("هجوم", "هجوم", "هجوم"),
        ("class 3", "class 3", "class 3"),
    ],
)
def test_nouns_end_as_english_nouns_do_and_names_stay(label, one, many):
    assert plural(label, one=True) == one
    assert plural(label) == many


def test_what_is_nearly_nothing_is_no_row_of_zeros():
    """A p-value of 1e-76 is said to be small, in few signs."""
    assert number(1.291e-76) == "under 0.000000000001"
    assert number(-1.291e-76) == "between -0.000000000001 and 0"
    assert number(1.2e-6) == "0.0000012"


@pytest.mark.parametrize("label", ["Governments of Iraq – IS", "JTJ – US", "SIGACTs"])
def test_a_label_that_is_a_name_stays_whole(label):
    """Names take no English endings, whatever their number."""
    assert (plural(label), plural(label, one=True)) == (label, label)
    assert counted(1, label) == f"1 {label}"
