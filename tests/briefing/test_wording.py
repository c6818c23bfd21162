"""Estimative words: every edge, every whole percent, and the rule for gaps."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo.briefing import wording
from tempo.briefing.phrases import Noun
from tempo.briefing.wording import term, whole_percent, words_for_interval
from tempo.data.rounding import percent
from tempo.errors import OptionError

# Copied from the published tables, not from the code: word, lower edge, upper edge in percent.
ICD203 = [
    ("almost no chance", 1, 5),
    ("very unlikely", 5, 20),
    ("unlikely", 20, 45),
    ("roughly even chance", 45, 55),
    ("likely", 55, 80),
    ("very likely", 80, 95),
    ("almost certain", 95, 99),
]
PHIA = [
    ("remote chance", 0, 5),
    ("highly unlikely", 10, 20),
    ("unlikely", 25, 35),
    ("realistic possibility", 40, 49),
    ("likely", 55, 75),
    ("highly likely", 80, 90),
    ("almost certain", 95, 100),
]


@pytest.mark.parametrize(("word", "low", "high"), ICD203)
def test_an_edge_belongs_to_the_band_above(word, low, high):
    assert term(low / 100).word == word
    assert term((high - 1) / 100).word == word
    if high < 99:
        assert term(high / 100).word != word


@pytest.mark.parametrize(("word", "low", "high"), PHIA)
def test_phia_bands_hold_their_edges(word, low, high):
    for edge in (low, high):
        found = term(edge / 100, "phia")
        assert (found.word, found.in_gap) == (word, False)


@pytest.mark.parametrize(
    ("shown", "word"),
    [
        (6, "remote chance"), (7, "remote chance"), (8, "highly unlikely"), (9, "highly unlikely"),
        (21, "highly unlikely"), (22, "highly unlikely"), (23, "unlikely"), (24, "unlikely"),
        (36, "unlikely"), (39, "realistic possibility"), (50, "realistic possibility"),
        (52, "realistic possibility"), (53, "likely"), (76, "likely"), (79, "highly likely"),
        (91, "highly likely"), (92, "highly likely"), (93, "almost certain"),
    ],
)  # fmt: skip
def test_a_gap_takes_the_nearest_word_and_says_so(shown, word):
    found = term(shown / 100, "phia")
    assert (found.word, found.in_gap) == (word, True)
    assert found.text == f"{word} ({shown} %, between two bands)"


def test_phia_gaps_hold_one_tie_which_goes_down():
    ties = [
        shown
        for (_, _, high), (_, low, _) in itertools.pairwise(PHIA)
        for shown in range(high + 1, low)
        if shown - high == low - shown
    ]
    assert ties == [52]
    assert term(0.52, "phia").word == "realistic possibility"


def test_outside_one_to_ninety_nine_the_outermost_words_are_used():
    assert term(0.0).text == "almost no chance (under 1 %)"
    assert term(1.0).text == "almost certain (over 99 %)"


@given(st.floats(0, 1), st.sampled_from(wording.SCALES))
def test_the_printed_number_lies_in_the_band_of_the_printed_word(probability, scale):
    found = term(probability, scale)
    shown = whole_percent(probability)
    assert percent(probability) == found.percent
    if 1 <= shown <= 99:
        assert found.percent == f"{shown} %"
    assert found.in_gap != (found.first_percent <= shown <= found.last_percent)
    table = {"icd203": ICD203, "phia": PHIA}[scale]
    low, high = next((low, high) for word, low, high in table if word == found.word)
    if scale == "icd203":
        assert max(low, 1) <= max(shown, 1) <= high or shown == 100
        assert not found.in_gap
    elif not found.in_gap:
        assert low <= shown <= high


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(wording.SCALES))
def test_words_keep_the_order_of_numbers(one, other, scale):
    low, high = sorted((one, other))
    assert term(low, scale).last_percent <= term(high, scale).last_percent
    words = words_for_interval(low, high, scale)
    assert term(low, scale).word in words
    assert term(high, scale).word in words


@pytest.mark.parametrize("wrong", [-0.01, 1.01, 37.0, float("nan")])
def test_numbers_that_are_no_probabilities_are_refused(wrong):
    with pytest.raises(OptionError, match="between 0 and 1"):
        term(wrong)


def test_an_unknown_vocabulary_lists_the_known_ones():
    with pytest.raises(OptionError, match="'icd203' or 'phia'"):
        term(0.5, "kent")
    with pytest.raises(OptionError, match="in order"):
        words_for_interval(0.6, 0.2)


@pytest.mark.parametrize("scale", wording.SCALES)
def test_the_note_on_the_vocabulary_holds_every_word_and_no_synonym(scale):
    note = wording.explain_scale(scale)
    for word, *_ in {"icd203": ICD203, "phia": PHIA}[scale]:
        assert word in note
    for synonym in ("remote,", "improbable", "even odds", "probable", "nearly certain"):
        assert synonym not in note


@pytest.mark.parametrize(
    ("label", "one", "many"),
    [
        ("attacks on the coalition", "attack on the coalition", "attacks on the coalition"),
        ("attack on bases", "attack on bases", "attacks on bases"),
        ("#1 $x$", "event (#1 $x$)", "events (#1 $x$)"),
    ],
)
def test_a_noun_handed_in_again_stays_as_it_is(label, one, many):
    noun = Noun.of(label)
    assert (noun.one, noun.many) == (one, many)
    assert Noun.of(noun.many) == noun
    assert Noun.of(noun.one) == noun


@pytest.mark.parametrize("scale", wording.SCALES)
def test_a_word_never_changes_between_neighbouring_numbers_without_a_note(scale):
    for here, there in itertools.pairwise(term(k / 1000, scale) for k in range(1001)):
        if here.word != there.word:
            for found, other in ((here, there), (there, here)):
                for said in (found.text, found.opening, found.clause):
                    assert "between two bands" in said or "on the edge of" in said
                assert found.in_gap or found.beside == other.word


def test_only_numbers_within_a_point_of_an_edge_name_the_other_band():
    edges = [low for _, low, _ in ICD203[1:]]
    for shown in range(1, 100):
        near = any(abs(shown - edge) <= 1 for edge in edges)
        assert ("on the edge of" in term(shown / 100).text) == near
        assert "on the edge of" not in term(shown / 100, "phia").text
    assert term(0.549).opening == "It is likely (55 %, on the edge of a roughly even chance)"
    assert term(0.54).clause == "there is a roughly even chance (54 %, on the edge of likely)"
    assert term(0.2).text == "unlikely (20 %, on the edge of very unlikely)"
