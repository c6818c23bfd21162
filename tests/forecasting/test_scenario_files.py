"""Scenarios survive being written, and files in words say what the builders say."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tempo
from tempo.data.counts import as_counts
from tempo.data.incidents import Incidents
from tempo.data.window import Window
from tempo.errors import TempoError
from tempo.forecasting.killed import Killed
from tempo.forecasting.phases import Phase
from tempo.forecasting.scenario_files import read_scenarios, write_scenarios
from tempo.forecasting.scenarios import Scenario

PAST = Incidents(
    pd.DataFrame(
        {
            "date_start": pd.date_range("2020-01-03", periods=20, freq="4D"),
            "kind": ["rocket", "bomb"] * 10,
            "killed": [0, 2, None, 0] * 5,
        }
    ),
    Window("2020-01-01", "2020-04-10"),
)

TOLD = [
    Scenario.every("2-3 months", name="every"),
    Scenario.escalation(PAST, "x3 to x8 of the last 6 weeks", duration="about 3 weeks", name="jump"),
    Scenario.surge_and_return(PAST, settle=(0.5, 1.5)),
    Scenario.ceasefire(PAST, "half to a third", duration="2-3 months"),
    Scenario.retaliation_spiral(PAST),
    Scenario.of_phases(
        "own",
        [
            Phase.of("lull", "past", kinds="past", lethality="past"),
            Phase.of("more", "1-2 a week", onset="now", duration="at least 30 days", lethality="30-60 %"),
        ],
        PAST,
        deaths=Killed.power(2.4),
        dispersion=(0.5, 2),
    ),
]  # fmt: skip


@pytest.mark.parametrize("scenario", TOLD, ids=lambda s: s.name)
def test_a_scenario_survives_json(scenario, tmp_path):
    assert (
        Scenario.from_dict(json.loads(json.dumps(scenario.to_dict(), allow_nan=False))) == scenario
    )
    file = write_scenarios(tmp_path / "all.json", [scenario], [1.0])
    (again,), prior = read_scenarios(file)
    assert again == scenario
    assert prior == [1.0]
    assert [path.name for path in tmp_path.iterdir()] == ["all.json"]


@given(
    st.floats(0.01, 5), st.floats(1.1, 50), st.sampled_from([0.5, 0.8, 0.9, 0.99]),
    st.integers(1, 300), st.integers(1, 60), st.sampled_from(["return", "end"]),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_any_story_survives_json(low, ratio, prob, first, length, then):
    day = pd.Timestamp("2020-01-01") + pd.Timedelta(days=first)
    phases = [
        Phase.of("a", (low, low * ratio), prob=prob),
        Phase.of(
            "b", "x2-4", onset=(day, day + pd.Timedelta(days=length)), duration=(length, 2 * length), then=then,
            prob=prob,
        ),
    ]  # fmt: skip
    scenario = Scenario.of_phases("s", phases)
    assert Scenario.from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario


def test_a_continuation_survives_json():
    counts = as_counts(pd.Series([0, 1, 0, 2] * 20, index=pd.date_range("2020-01-01", periods=80)))
    for fit in (
        tempo.Changepoints().fit(counts),
        tempo.ConstantRate(observation="negbin").fit(counts, rng=1),
    ):
        scenario = Scenario.continuation(fit)
        again = Scenario.from_dict(json.loads(json.dumps(scenario.to_dict())))
        days = pd.date_range("2020-03-21", periods=400, freq="3D")
        levels = scenario.draw(64, np.random.default_rng(1))
        one, two = scenario.story(levels, days), again.story(levels, days)
        np.testing.assert_array_equal(one.rate, two.rate)
        assert (one.dispersion is None) == (two.dispersion is None)
        assert again.since == scenario.since == pd.Timestamp("2020-03-21")


TOML = """
[[scenario]]
name = "every"
every = "2-3 months"
prior = 0.4

[[scenario]]
name = "jump"
prior = 0.3
[scenario.escalation]
rate_multiplier = "x3 to x8 of the last 6 weeks"
duration = "about 3 weeks"

[[scenario]]
name = "spiral"
prior = 0.2
prob = 0.8
[scenario.retaliation_spiral]
branching = [0.2, 0.5]
onset = ["2020-03-01", "2020-03-15"]

[[scenario]]
name = "own"
prior = 0.1
deaths = "1-6"
[[scenario.phases]]
name = "lull"
rate = "past"
lethality = "past"
[[scenario.phases]]
name = "more"
rate = "1-2 a week"
onset = 2020-03-20
duration = "at least 30 days"
then = "end"
lethality = "30-60 %"
"""


def test_a_file_in_words_says_what_the_builders_say(tmp_path):
    file = tmp_path / "campaign.toml"
    file.write_text(TOML, encoding="utf-8")
    scenarios, prior = read_scenarios(file, PAST)
    assert prior == [0.4, 0.3, 0.2, 0.1]
    assert scenarios == [
        TOLD[0],
        TOLD[1],
        Scenario.retaliation_spiral(
            PAST, (0.2, 0.5), onset=("2020-03-01", "2020-03-15"), name="spiral", prob=0.8
        ),
        Scenario.of_phases(
            "own",
            [
                Phase.of("lull", "past", lethality="past"),
                Phase.of(
                    "more", "1-2 a week", onset="2020-03-20", duration="at least 30 days", then="end",
                    lethality="30-60 %",
                ),
            ],
            PAST,
            deaths="1-6",
        ),
    ]  # fmt: skip


PHASE = "[[scenario]]\nname = 'a'\n[[scenario.phases]]\nname = 'p'\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no scenarios"), ("x = 1", "no scenarios"), ("[[scenario]", "cannot read"),
        ("scenario = 3", "no scenarios"),
        ("[[scenario]]\nevery = '2-3 months'", "with a name"),
        ("[[scenario]]\nname = 'a'", "exactly one of"),
        ("[[scenario]]\nname = 'a'\nevery = '2 months'", "Accepted forms"),
        ("[[scenario]]\nname = 'a'\nevery = '2-3 months'\nonset = 'now'", "'onset'"),
        ("[[scenario]]\nname = 'a'\nevery = '2-3 months'\n[scenario.ceasefire]", "exactly one of"),
        ("[[scenario]]\nname = 'a'\n[scenario.escalation]\nmultiple = 'x3-8'", "'multiple'"),
        ("[[scenario]]\nname = 'a'\n[[scenario.phases]]\nrate = 'past'", "with a name"),
        ("[[scenario]]\nname = 'a'\n[[scenario.phases]]\nname = 'p'\nrat = 'past'", "'rat'"),
        (PHASE + "rate = {law = 'Guess'}", "'Guess'"),
        (PHASE + "rate = {law = 'GammaRate', shape = 1}", "GammaRate"),
        (PHASE + "rate = {law = 'GammaRate', shape = 'x', rate_days = 1, words = ''}", "expected a number"),
        ("[[scenario]]\nname = 'a'\nevery = '2-3 months'\nprior = 0.5\n[[scenario]]\nname = 'b'\nevery = '2-3 months'",
         "1 of 2"),
    ],
)  # fmt: skip
def test_files_that_are_wrong_are_refused_with_the_place(text, says, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TempoError, match=says) as error:
        read_scenarios(file, PAST)
    assert len(str(error.value)) > 40


def test_what_cannot_be_read_or_written(tmp_path):
    with pytest.raises(TempoError, match="cannot read"):
        read_scenarios(tmp_path / "none.toml")
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    with pytest.raises(TempoError, match="cannot read"):
        read_scenarios(tmp_path / "x.json")
    with pytest.raises(TempoError, match="json"):
        write_scenarios(tmp_path / "x.toml", TOLD)
    with pytest.raises(TempoError, match="priors"):
        write_scenarios(tmp_path / "y.json", TOLD, [1.0])
    with pytest.raises(TempoError, match="no past"):
        Scenario.from_dict({"name": "a", "escalation": {}})
    with pytest.raises(TempoError, match="in words"):
        Scenario.from_dict(TOLD[-1].to_dict() | {"deaths": "1-6"})
    assert not (tmp_path / "y.json").exists()
