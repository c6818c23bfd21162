"""Changepoints as users meet them: tables with dates, honesty, updates, forecasts, refusals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom

import tempo
from tempo.data.counts import Counts
from tempo.errors import DataError, FewEventsWarning, OptionError


def series(values, freq="1D", start="2019-01-01", name="attacks"):
    index = pd.date_range(start, periods=len(values), freq=freq)
    return pd.Series(values, index=index, name=name)


def stepped(seed=1, rates=(0.1, 0.8), days=150):
    rng = np.random.default_rng(seed)
    return series(rng.poisson(np.repeat(rates, days)))


@pytest.fixture(scope="module")
def fit():
    return tempo.Changepoints().fit(stepped())


def test_a_step_is_found_with_its_date_and_rates(fit):
    table = fit.segments
    assert table.attrs["n_changes"] == 1
    assert list(table.columns[:6]) == [
        "start",
        "start_low",
        "start_high",
        "rate",
        "rate_low",
        "rate_high",
    ]
    change = table.loc[2]
    assert change["start_low"] <= pd.Timestamp("2019-05-31") <= change["start_high"]
    assert abs(change["start"] - pd.Timestamp("2019-05-31")) < pd.Timedelta("15D")
    for rate, (_, row) in zip((0.1, 0.8), table.iterrows(), strict=True):
        assert row["rate_low"] < rate < row["rate_high"]
        assert row["rate_low"] < row["rate"] < row["rate_high"]
    assert table["rate_per_day"].tolist() == table["rate"].tolist()
    assert change["probability"] > 0.85


def test_tables_agree_with_each_other(fit):
    assert fit.n_changes.sum() == pytest.approx(1, abs=1e-9)
    expected = (fit.n_changes * fit.n_changes.index).sum()
    assert fit.change_probability.sum() == pytest.approx(expected, abs=1e-8)
    assert fit.change_probability.iloc[0] == 0
    assert fit.change_probability.idxmax() == fit.most_probable[0]
    rate = fit.rate
    assert (rate["low"] < rate["mean"]).all()
    assert (rate["mean"] < rate["high"]).all()
    wide, narrow = fit.rate_table(0.95), fit.rate_table(0.5)
    assert ((wide["high"] - wide["low"]) > (narrow["high"] - narrow["low"])).all()
    assert fit.grid["probability"].sum() == pytest.approx(1)
    assert fit.grid["prior"].sum() == pytest.approx(1)


def test_intervals_of_dates_hold_their_probability(fit):
    for prob in (0.5, 0.9, 0.99):
        row = fit.segment_table(prob).loc[2]
        dates = pd.Series(fit.parts[0].given(1).dates[0], index=fit.counts.index)
        inside = dates[row["start_low"] : row["start_high"]].sum()
        assert prob <= inside
        if row["start_high"] > row["start_low"]:  # without an end bin it would hold less
            assert dates[row["start_low"] : row["start_high"]].iloc[1:-1].sum() < prob


def test_no_change_is_an_answer():
    quiet = tempo.Changepoints().fit(series(np.random.default_rng(3).poisson(0.4, 400)))
    assert len(quiet.segments) == 1
    assert quiet.n_changes.idxmax() == 0
    assert "no clear change of pace" in quiet.describe()
    assert quiet.segments["start_low"].iloc[0] == quiet.counts.index[0]


def test_description_has_the_tables_numbers(fit):
    text = fit.describe()
    assert "most probable number of changes is 1 (" in text
    assert f"{fit.segments['start'].iloc[1]:%Y-%m-%d}" in text
    assert "Changepoints" in repr(fit)


def test_few_events_warn_and_say_so():
    counts = series([0, 1, 0, 0, 0, 0, 1, 1, 0, 0])
    with pytest.warns(FewEventsWarning, match="only 3 events"):
        fit = tempo.Changepoints().fit(counts)
    assert "Only 3 events" in fit.describe()
    assert fit.n_changes.iloc[0] > 0.4  # the prior says a half


@pytest.mark.filterwarnings("ignore::tempo.errors.FewEventsWarning")
@pytest.mark.parametrize(
    "values", [[0] * 40, [3], [0], [0, 0], [10**6, 0, 10**6], [0] * 20 + [10**5]]
)
@pytest.mark.parametrize("observation", ["poisson", "negbin", "bernoulli"])
def test_odd_series_get_an_answer(values, observation):
    fit = tempo.Changepoints(observation=observation).fit(series(values))
    assert math.isfinite(fit.log_evidence)
    assert fit.n_changes.sum() == pytest.approx(1, abs=1e-6)  # counts of a million cost digits
    assert np.isfinite(fit.rate.to_numpy()).all()
    assert (fit.rate["mean"] > 0).all()
    assert fit.change_probability.between(0, 1 + 1e-9).all()
    paths = fit.simulate(5, 20, np.random.default_rng(0))
    assert paths.shape == (20, 5)
    assert paths.dtype == np.int64
    assert isinstance(fit.describe(), str)


def test_a_missing_year_changes_nothing():
    counts = stepped(rates=(0.2, 0.9), days=100)
    missing = series([np.nan] * 365, start=counts.index[-1] + pd.Timedelta("1D"))
    with_gap = pd.concat([counts.astype(float), missing])
    a, b = tempo.Changepoints().fit(counts), tempo.Changepoints().fit(with_gap)
    assert b.log_evidence == pytest.approx(a.log_evidence, abs=1e-12)
    pd.testing.assert_series_equal(a.n_changes, b.n_changes)
    pd.testing.assert_series_equal(
        a.change_probability, b.change_probability.iloc[:200], check_freq=False
    )
    pd.testing.assert_frame_equal(a.rate, b.rate.iloc[:200], check_freq=False)
    pd.testing.assert_frame_equal(a.segments, b.segments)
    assert b.change_probability.iloc[200:].isna().all()
    assert b.rate.iloc[200:].isna().all().all()


def test_zero_counts_are_not_missing():
    values = np.repeat([2, 0], 30)
    with_zeros = tempo.Changepoints(rate_prior=(1, 1)).fit(series(values))
    without = tempo.Changepoints(rate_prior=(1, 1)).fit(
        series(np.where(values > 0, values, np.nan))
    )
    assert with_zeros.n_changes.iloc[0] < 1e-6
    assert without.n_changes.iloc[0] > 0.5


def test_exposure_scales_in_closed_form():
    values = np.random.default_rng(0).poisson(np.repeat([1.0, 5.0], 20))
    whole = series(values)

    def counts(share):
        return Counts.build(
            values,
            pd.DatetimeIndex(whole.index),
            np.full(40, share),
            freq="D",
            window=None,
            label="attacks",
            rule="",
        )

    # Half the exposure with the prior on half the scale is the same model; rates double.
    a = tempo.Changepoints(hazard=0.02, rate_prior=(2, 1)).fit(counts(1.0))
    b = tempo.Changepoints(hazard=0.02, rate_prior=(2, 0.5)).fit(counts(0.5))
    assert b.log_evidence == pytest.approx(a.log_evidence, abs=1e-9)
    np.testing.assert_allclose(b.rate["mean"], 2 * a.rate["mean"], rtol=1e-9)


def test_update_equals_a_fit_to_everything():
    counts = stepped(rates=(1.5, 6), days=40)
    model = tempo.Changepoints(hazard=0.01, rate_prior=(1, 2))
    online = model.fit(counts.iloc[:30])
    for t in range(30, 60):
        online = online.update(int(counts.iloc[t]))
    online = online.update(counts.iloc[60:75]).update(counts.iloc[75:76]).update(counts.iloc[76:])
    offline = model.fit(counts)
    assert online.log_evidence == pytest.approx(offline.log_evidence, abs=1e-10)
    pd.testing.assert_series_equal(
        online.change_probability, offline.change_probability, check_freq=False
    )
    pd.testing.assert_frame_equal(online.segments, offline.segments)
    assert online.counts.fingerprint == offline.counts.fingerprint
    assert online.provenance.n_bins == 80
    given = tempo.Changepoints(n_changes=1, rate_prior=(1, 2))
    assert given.fit(counts.iloc[:60]).update(counts.iloc[60:]).log_evidence == pytest.approx(
        given.fit(counts).log_evidence, abs=1e-9
    )


def test_update_refuses_bins_that_do_not_follow(fit):
    later = series([1, 2, 3], start="2030-01-01")
    with pytest.raises(DataError, match="where this fit ends"):
        fit.update(later)
    with pytest.raises(DataError, match="expected 0 or more"):
        fit.update(-1)


def test_update_leaves_the_old_fit_alone(fit):
    before = fit.log_evidence
    fit.update(50)
    assert fit.log_evidence == before
    assert len(fit.counts) == 300


def test_forecast_without_changes_is_negative_binomial():
    values = np.random.default_rng(1).poisson(2.0, 40)
    fit = tempo.Changepoints(n_changes=0, rate_prior=(3, 1.5)).fit(series(values))
    paths = fit.simulate(7, 100_000, np.random.default_rng(2))
    shape, rate = 3 + values.sum(), 1.5 + 40
    total = paths.sum(axis=1)
    expected = nbinom.pmf(np.arange(40), shape, rate / (rate + 7))
    found = np.bincount(total, minlength=40)[:40] / 100_000
    assert np.max(np.abs(found - expected)) < 5 * math.sqrt(0.1 / 100_000)


def test_forecast_with_changes_has_the_mean_that_the_hazard_gives():
    values = np.repeat([1, 6], 30)
    hazard, prior_mean = 0.05, 2.0
    fit = tempo.Changepoints(hazard=hazard, rate_prior=(1, 0.5)).fit(series(values))
    paths = fit.simulate(30, 100_000, np.random.default_rng(3))
    now = fit.rate["mean"].iloc[-1]
    stays = (1 - hazard) ** np.arange(1, 31)
    expected = stays * now + (1 - stays) * prior_mean
    np.testing.assert_allclose(paths.mean(axis=0), expected, rtol=0.03)


def test_a_gap_at_the_end_makes_a_change_more_likely_in_the_forecast():
    values = [9.0] * 60
    model = tempo.Changepoints(hazard=0.05, rate_prior=(1, 1))
    near = model.fit(series(values))
    far = model.fit(series(values + [np.nan] * 200))
    rng = np.random.default_rng
    assert near.simulate(1, 20_000, rng(1)).mean() == pytest.approx(8.55, abs=0.3)
    odds = 201 * 0.05 / 0.95
    expected = (near.rate["mean"].iloc[-1] + odds) / (1 + odds)
    assert far.simulate(1, 20_000, rng(1)).mean() == pytest.approx(expected, abs=0.1)


def test_draws_are_reproducible_and_follow_the_number(fit):
    a, b = fit.sample(2000, rng=5), fit.sample(2000, rng=5)
    pd.testing.assert_frame_equal(a, b)
    changes = a.groupby("draw")["segment"].max() - 1
    assert (changes == 1).mean() == pytest.approx(fit.n_changes.iloc[1], abs=0.05)
    assert (a.loc[a["segment"] == 1, "start"] == fit.counts.index[0]).all()


def test_checks_pass_on_a_step_and_fail_on_a_burst():
    assert tempo.Changepoints().fit(stepped(seed=4)).check()["passed"].all()
    burst = np.zeros(200, dtype=int)
    burst[::20] = 12
    table = tempo.Changepoints(n_changes=0).fit(series(burst)).check()
    assert not table["passed"].all()


def test_negbin_does_not_take_bursts_for_changes():
    rng = np.random.default_rng(8)
    values = rng.poisson(rng.gamma(0.5, 2.0, 300))
    poisson, negbin = (
        tempo.Changepoints(observation=o).fit(series(values)) for o in ("poisson", "negbin")
    )
    expected = [(f.n_changes * f.n_changes.index).sum() for f in (poisson, negbin)]
    assert expected[0] > 5
    assert expected[1] < 1
    assert negbin.log_evidence > poisson.log_evidence + 50
    assert negbin.grid.groupby("dispersion")["probability"].sum().idxmax() >= 1


def test_attack_days_ignore_how_many():
    values = np.random.default_rng(2).poisson(np.repeat([0.1, 1.2], 60))
    a = tempo.Changepoints(observation="bernoulli").fit(series(values))
    b = tempo.Changepoints(observation="bernoulli").fit(series(np.minimum(values, 1)))
    assert a.log_evidence == b.log_evidence
    assert any("attack days" in note for note in a.notes)
    assert a.segments.attrs["n_changes"] == 1


def test_uncertain_dates_are_averaged_over():
    days = pd.date_range("2019-01-01", periods=120)
    exact = days[::2].strftime("%Y-%m-%d")
    table = pd.DataFrame({"date_start": exact, "date_end": exact, "date_precision": "day"})
    month = pd.DataFrame(
        {
            "date_start": ["2019-02-01"] * 6,
            "date_end": ["2019-02-28"] * 6,
            "date_precision": ["month"] * 6,
        }
    )
    incidents = tempo.Incidents(pd.concat([table, month]), ("2019-01-01", "2019-05-01"))
    fit = tempo.Changepoints().fit(incidents, rng=3, imputations=4)
    assert len(fit.parts) == 4
    assert any("averages over 4 series" in note for note in fit.provenance.notes)
    values = [part.log_evidence for part in fit.parts]
    assert len(set(values)) > 1
    assert min(values) < fit.log_evidence < max(values)
    assert fit.n_changes.sum() == pytest.approx(1, abs=1e-9)
    assert fit.sample(50, rng=1)["draw"].nunique() == 50
    assert fit.segments["rate"].notna().all()
    again = tempo.Changepoints().fit(incidents, rng=3, imputations=4)
    assert again.log_evidence == fit.log_evidence
    table = fit.check()
    assert table["passed"].dtype == bool
    singles = [replace(fit, parts=(part,)).check() for part in fit.parts]
    dispersion = [single.loc["dispersion (Pearson)", "statistic"] for single in singles]
    found = table.loc["dispersion (Pearson)", "statistic"]
    assert found == pytest.approx(sorted(dispersion)[len(dispersion) // 2])


def test_sensitivity_shows_that_a_small_hazard_finds_fewer_changes(fit):
    table = fit.sensitivity()
    assert len(table) == 9
    means = table.groupby("hazard")["expected_changes"].mean()
    assert means.is_monotonic_increasing


# Leaving out a day next to a change moves the change, which importance sampling notices.
@pytest.mark.filterwarnings("ignore:Estimated shape parameter:UserWarning")
def test_posterior_is_what_arviz_reads(fit):
    import arviz as az

    tree = fit.posterior
    assert {"posterior", "log_likelihood", "observed_data", "sample_stats"} <= set(tree.children)
    summary = az.summary(tree, ci_prob=0.9)
    assert "n_changes" in summary.index
    assert tree["log_likelihood"]["counts"].shape == (4, 250, 300)
    assert math.isfinite(az.loo(tree).elpd)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"observation": "gaussian"}, "expected one of 'poisson'"),
        ({"hazard": 0}, "expected a probability"),
        ({"hazard": 1.5}, "expected a probability"),
        ({"rate_prior": (1, 0)}, "both positive"),
        ({"rate_prior": (1,)}, "both positive"),
        ({"n_changes": -1}, "whole number from 0 up"),
        ({"n_changes": 1.5}, "whole number from 0 up"),
        ({"n_changes": 1, "hazard": 0.1}, "Pass one of them"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        tempo.Changepoints(**options)


def test_wrong_data_are_refused():
    with pytest.raises(OptionError, match="room for 2 at most"):
        tempo.Changepoints(n_changes=3).fit(series([1, 2, 3]))
    with pytest.raises(DataError, match="none of the 3 bins was observed"):
        tempo.Changepoints().fit(series([np.nan] * 3))
    with pytest.raises(OptionError, match="exact answer"):
        tempo.Changepoints().fit(series([1, 2, 3]), method="nuts")
    with pytest.raises(OptionError, match="between 0 and 1"):
        tempo.Changepoints(n_changes=0).fit(stepped()).segment_table(90)


def test_many_changes_are_told_by_the_largest():
    rng = np.random.default_rng(3)
    values = rng.poisson(np.repeat(rng.gamma(1, 3, 20), 40))
    fit = tempo.Changepoints().fit(
        pd.Series(values, index=pd.date_range("2010-01-01", periods=800), name="attacks")
    )
    table, text = fit.segments, fit.describe()
    assert len(table) > 7
    assert (table["start_low"].to_numpy()[1:] > table["start_high"].to_numpy()[:-1]).all()
    assert (table["start_low"] <= table["start"]).all()
    assert (table["start"] <= table["start_high"]).all()
    assert text.count("rose to") + text.count("fell to") == 5
    assert f"and {len(table) - 6} smaller ones. At the end it was" in text
    told = [part[3:13] for part in text.split("; ") if part.startswith("on ")]
    assert told == sorted(told)


def test_a_change_that_is_not_sure_is_told_as_such():
    rng = np.random.default_rng(1)
    values = rng.poisson(np.repeat([0.3, 0.9, 0.3, 0.8], 40))
    fit = tempo.Changepoints(n_changes=3).fit(
        pd.Series(values, index=pd.date_range("2010-01-01", periods=160), name="attacks")
    )
    assert "69 % that it changed then" in fit.describe()


@pytest.mark.parametrize("seed", range(4))
def test_segments_of_counts_in_thousands_lie_inside_their_intervals(seed):
    """Forty months at levels far apart: what is said of each regime agrees with what is said of all numbers."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(500, 9000, 20), 2) if seed % 2 else rng.uniform(100, 9000, 40)
    y = rng.poisson(level)
    counts = pd.Series(y, index=pd.date_range("2020-01-01", periods=40, freq="MS"))
    fit = tempo.Changepoints().fit(counts)
    table = fit.segments
    assert len(table) > 10
    assert (table["rate_low"] <= table["rate"]).all()
    assert (table["rate"] <= table["rate_high"]).all()
    expected = (fit.n_changes * fit.n_changes.index).sum()
    assert fit.change_probability.sum() == pytest.approx(expected, abs=1e-6)
    fixed = tempo.Changepoints(n_changes=1).fit(counts)
    assert fixed.change_probability.sum() == pytest.approx(1, abs=1e-6)
    one, two = fixed.segments["rate"]
    start = fixed.segments["start"].iloc[1]
    assert one == pytest.approx(counts[counts.index < start].mean(), rel=0.01)
    assert two == pytest.approx(counts[counts.index >= start].mean(), rel=0.01)


@pytest.mark.parametrize("mean", [3, 300, 3000])
def test_negbin_holds_poisson(mean):
    """Without overdispersion it costs no more than the half of the prior that it gives away, at any level."""
    rng = np.random.default_rng(4)
    counts = series(rng.poisson(mean, 365))
    plain = tempo.Changepoints(n_changes=0).fit(counts)
    wide = tempo.Changepoints(observation="negbin", n_changes=0).fit(counts)
    assert plain.log_evidence - math.log(2) - 0.3 < wide.log_evidence < plain.log_evidence
    one, two = (fit.segments.iloc[0] for fit in (plain, wide))
    assert two["rate_high"] - two["rate_low"] == pytest.approx(
        one["rate_high"] - one["rate_low"], rel=0.1
    )
    spread = rng.negative_binomial(2, 2 / (2 + mean), 365)  # and costs nothing where there is some
    assert (
        tempo.Changepoints(observation="negbin", n_changes=0).fit(series(spread)).log_evidence
        > tempo.Changepoints(n_changes=0).fit(series(spread)).log_evidence + 5
    )
