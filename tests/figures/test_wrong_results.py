"""A chart that is given something else than its result says what it got, what it expects, and how to get it."""

from __future__ import annotations

import contextlib
import inspect
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import tempo
from tempo import figures
from tempo.errors import OptionError, TempoError

FUNCTIONS = sorted(name for name in figures.__all__ if name.startswith("plot_"))
WRONG = {
    "None": None,
    "a number": 3,
    "words": "weights",
    "a list": [1, 2],
    "an array": np.zeros(3),
    "a table": pd.DataFrame({"a": [1]}),
    "a model": tempo.Hawkes(),
    "a class": tempo.Incidents,
    "an object": object(),
}


def required(name: str) -> list[str]:
    parameters = inspect.signature(getattr(figures, name)).parameters.values()
    return [p.name for p in parameters if p.default is inspect.Parameter.empty]


@pytest.fixture(scope="module")
def results() -> dict[str, object]:
    """Give real results, one of each kind that is quickly made."""
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        [3 * k + k % 2 for k in range(60)], unit="D"
    )
    table = pd.DataFrame(
        {"date_start": dates, "munitions": [1, 2, 9] * 20, "killed": [0, 0, 3, 1, 0, 2] * 10}
    )
    past = tempo.Incidents(table.assign(kind=["rocket", "IED"] * 30), ("2020-01-01", "2020-07-01"))
    counts = past.counts("1D")
    stories = [tempo.Scenario.every("2-3 months", name="a"), tempo.Scenario.escalation(past)]
    weights = tempo.weigh(past, stories, rng=1)
    rule = tempo.Alarm(usual_rate=0.1, false_alarm_bins=365)
    fit = tempo.ConstantRate().fit(counts)
    return {
        "incidents": past,
        "counts": counts,
        "fit": fit,
        "shifts": tempo.Changepoints().fit(counts),
        "outlook": tempo.forecast(fit, "30D", draws=100, rng=1),
        "weights": weights,
        "scenario": stories[1],
        "preview": stories[1].preview("30D", draws=64),
        "lost days": tempo.impact(weights, tempo.StandDown("10-30 %", "5-30 days"), draws=200, rng=1),
        "verdict": tempo.explain(counts, rng=1),
        "alarm": rule,
        "watched": rule.watch(counts),
        "hawkes": tempo.Hawkes().fit(counts, method="mle", rng=1),
        "kinds": tempo.HawkesKinds().fit(past, method="mle", rng=1),
        "regimes": tempo.Regimes(n_regimes=2).fit(counts, method="mle", rng=1),
        "intent": tempo.Intent(outcomes=("killed",)).fit(past, rng=1, draws=100),
        "lethality": tempo.Lethality().fit(past, rng=1),
        "severity": tempo.Changepoints(observation="severity").fit(past),
        "shared": tempo.shared_changes(
            counts, pd.Series(np.arange(len(counts)) // 90, index=counts.index, name="others")
        ),
    }  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_result_is_refused_with_the_way_to_get_one(name: str, wrong: str) -> None:
    first, *others = required(name)
    with pytest.raises(TempoError) as caught:
        getattr(figures, name)(WRONG[wrong], *(None for _ in others))
    text = str(caught.value)
    assert "expected" in text
    if first != "counts":  # these are checked where counts are read, in words of their own
        assert isinstance(caught.value, OptionError)
        assert text.startswith(f"{first} is ")
        assert "tempo." in text
        assert ("None" if WRONG[wrong] is None else type(WRONG[wrong]).__name__) in text or (
            wrong == "a class" and "class Incidents" in text
        )
    if wrong == "a model" and first != "counts":
        assert "fit(...)" in text
    assert not plt.get_fignums()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_of_another_kind_are_drawn_or_refused(
    name: str, results: dict[str, object]
) -> None:
    for given in results.values():
        first, *others = [given for _ in required(name)]
        with contextlib.suppress(TempoError):
            getattr(figures, name)(first, *others)
        plt.close("all")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_chart_draws_its_own_result(name: str, results: dict[str, object]) -> None:
    """Guard against a check that refuses everything."""
    own = {
        "plot_timeline": "incidents", "plot_tempo": "counts", "plot_n_changes": "shifts", "plot_forecast": "outlook",
        "plot_odds": "weights", "plot_indicators": "weights", "plot_scenarios": "weights", "plot_story": "scenario",
        "plot_impact": "lost days", "plot_verdict": "verdict", "plot_deadliness": "severity",
        "plot_intensity": "hawkes", "plot_intent": "intent", "plot_regimes": "regimes", "plot_severity": "lethality",
        "plot_shared_changes": "shared", "plot_triggering": "kinds",
    }  # fmt: skip
    if name == "plot_alarm":
        ax = figures.plot_alarm(results["counts"], results["watched"], results["alarm"])
    else:
        ax = getattr(figures, name)(results[own[name]])
    assert any(part.has_data() for part in (*ax.figure.axes, *ax.child_axes))


def test_the_other_parts_of_a_chart_are_looked_at_too(results: dict[str, object]) -> None:
    counts, watched, rule = (results[name] for name in ("counts", "watched", "alarm"))
    with pytest.raises(OptionError, match=r"shifts is a ConstantRateFit; expected what tempo\.Ch"):
        figures.plot_tempo(counts, results["fit"])
    with pytest.raises(OptionError, match=r"outlook is a Weights; expected what tempo\.forecast"):
        figures.plot_tempo(counts, None, results["weights"])
    with pytest.raises(OptionError, match=r"alarm is None; expected what tempo\.Alarm"):
        figures.plot_alarm(counts, watched, None)
    with pytest.raises(OptionError, match=r"watched is None; expected the DataFrame that alarm\."):
        figures.plot_alarm(counts, None, rule)
    with pytest.raises(OptionError, match="watched has no column 'since'"):
        figures.plot_alarm(counts, watched.drop(columns="since"), rule)
    with pytest.raises(OptionError, match=r"the forecast 'a' is None; expected what tempo\.forec"):
        figures.plot_scenarios({"a": None})
    with pytest.raises(OptionError, match="ax is a list; expected one matplotlib Axes"):
        figures.plot_forecast(results["outlook"], ax=[])
    assert not plt.get_fignums()


def test_nothing_is_computed_to_see_what_was_given() -> None:
    class Costly:
        """Has everything, and computes nothing unless it is asked."""

        counts = bin_days = None

        @property
        def quantiles(self) -> None:
            raise AssertionError("computed")

    from tempo.figures.expected import expect

    expect(Costly(), "outlook", "tempo.forecast(fit)", "quantiles", "bin_days")
    expect(SimpleNamespace(a=1), "x", "y", "a")
