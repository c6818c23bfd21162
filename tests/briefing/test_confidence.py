"""Confidence: each weakness caps the level, and no sentence mixes it with a likelihood."""

from __future__ import annotations

import pytest

from tempo.briefing.confidence import assess_confidence

SOUND = {
    "n_events": 400,
    "checks_failed": 0,
    "spread": 0.03,
    "n_inexact": 0,
    "n_undecided": 0,
    "gain_over_baseline": 12.0,
    "rules_agree": True,
}
WORDS = ("likely", "chance", "certain", "possibility")


def test_sound_evidence_gives_high_confidence():
    found = assess_confidence(**SOUND)
    assert found.level == "high"
    assert found.sentence == "Confidence in these judgements is high."


@pytest.mark.parametrize(
    ("weakness", "level"),
    [
        ({"n_events": 0}, "low"),
        ({"n_events": 24}, "low"),
        ({"n_events": 25}, "moderate"),
        ({"n_events": 99}, "moderate"),
        ({"n_events": 100}, "high"),
        ({"checks_failed": 1}, "low"),
        ({"spread": 0.104}, "high"),
        ({"spread": 0.11}, "moderate"),
        ({"spread": 0.21}, "low"),
        ({"spread": None}, "moderate"),
        ({"checks_untested": 1}, "moderate"),
        ({"n_inexact": 44}, "moderate"),
        ({"n_undecided": 140}, "low"),
        ({"gain_over_baseline": 0.0}, "moderate"),
        ({"gain_over_baseline": None}, "moderate"),
        ({"rules_agree": False}, "moderate"),
        ({"rules_agree": None}, "high"),
        ({"rules_agree": False, "checks_failed": 2}, "low"),
    ],
)
def test_each_weakness_caps_the_level(weakness, level):
    found = assess_confidence(**(SOUND | weakness))
    assert found.level == level
    for sentence in (found.sentence, *found.reasons):
        assert not any(word in sentence for word in WORDS)


def test_the_heaviest_weakness_comes_first():
    found = assess_confidence(**(SOUND | {"n_events": 50, "checks_failed": 1}))
    assert found.reasons[0] == "1 model check failed."
