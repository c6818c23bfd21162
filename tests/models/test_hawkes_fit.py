"""``Hawkes``: the specification, its fits, and what they say."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln
from scipy.stats import kstest

from tempo.data.incidents import Incidents
from tempo.errors import (
    ConvergenceWarning,
    FewEventsWarning,
    OptionError,
    StationarityWarning,
)
from tempo.models import hawkes_fitting
from tempo.models.checks import count_checks, pit_residuals
from tempo.models.hawkes import Hawkes
from tempo.models.hawkes_posterior import HawkesPrior

METHODS = ("mle", "laplace", "nuts")


def series(values, freq="1D"):
    return pd.Series(
        np.asarray(values), index=pd.date_range("2018-01-01", periods=len(values), freq=freq)
    )


@pytest.fixture(scope="module")
def counts():
    return series(Hawkes().simulate([0.15, 0.5, 0.2], n_bins=700, rng=3))


@pytest.fixture(scope="module")
def fits(counts):
    return {method: Hawkes().fit(counts, method=method, rng=1) for method in METHODS}


def test_engines_agree(fits):
    estimates = pd.DataFrame({method: np.log(fit.params) for method, fit in fits.items()})
    errors = fits["nuts"].bse / fits["nuts"].params
    assert (estimates.std(axis=1) < 0.5 * errors).all()
    assert fits["nuts"].log_evidence == pytest.approx(fits["laplace"].log_evidence, abs=0.1)
    assert len({fit.llf for fit in fits.values()}) == 1


def test_reads_like_statsmodels(fits, counts):
    fit = fits["mle"]
    assert list(fit.params.index) == ["baseline", "branching_ratio", "decay"]
    assert fit.aic == pytest.approx(6 - 2 * fit.llf)
    assert fit.bic == pytest.approx(3 * math.log(700) - 2 * fit.llf)
    assert fit.nobs == 700
    interval = fit.conf_int(prob=0.9)
    assert ((interval["low"] < fit.params) & (fit.params < interval["high"])).all()
    wider = fit.conf_int(prob=0.99)
    assert (wider["high"] > interval["high"]).all()
    summary = fit.summary()
    assert list(summary.columns) == ["estimate", "std_error", "low", "high"]
    assert summary.loc["half_life_days", "estimate"] == pytest.approx(
        math.log(2) / fit.params["decay"]
    )
    assert summary.attrs["llf"] == fit.llf
    with pytest.raises(OptionError, match="no posterior"):
        _ = fit.posterior
    assert math.isnan(fit.log_evidence)


@pytest.mark.parametrize("method", ["laplace", "nuts"])
def test_reads_like_arviz(fits, method):
    import arviz as az

    tree = fits[method].posterior
    assert {"posterior", "log_likelihood", "observed_data", "sample_stats"} <= set(tree.children)
    assert tree["posterior"]["baseline"].dims == ("chain", "draw")
    assert tree["log_likelihood"]["counts"].shape == (4, 1000, 700)
    table = az.summary(tree, round_to="none")
    assert table.loc["branching_ratio", "mean"] == pytest.approx(
        fits[method].chains[:, :, 1].mean(), rel=1e-6
    )
    loo = az.loo(tree)
    assert loo.elpd == pytest.approx(fits["mle"].llf - 3, abs=3)


def test_arviz_compares_and_plots(fits, counts):
    import arviz as az
    import matplotlib as mpl

    from tempo.models.constant import ConstantRate

    mpl.use("agg")
    constant = ConstantRate().fit(counts, rng=1)
    table = az.compare({"hawkes": fits["nuts"].posterior, "constant": constant.posterior})
    assert table.index[0] == "hawkes"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ArviZ's own drawing
        az.plot_trace(fits["nuts"].posterior)
    mpl.pyplot.close("all")


def test_log_likelihood_adds_up(fits):
    fit = fits["laplace"]
    rows = fit.chains.reshape(-1, 4)[:5]
    pointwise = fit.posterior["log_likelihood"]["counts"].to_numpy().reshape(-1, fit.nobs)[:5]
    with np.errstate(divide="ignore"):
        theta = np.log(rows)
    np.testing.assert_allclose(
        pointwise.sum(axis=1), fit.engines[0].total_log_likelihood(theta), rtol=1e-9
    )


def test_intensity_and_decomposition_add_up(fits, counts):
    for fit in fits.values():
        table = fit.intensity(prob=0.8)
        assert list(table.columns) == ["intensity", "low", "high", "baseline"]
        assert table.attrs["prob"] == 0.8
        assert (table["low"] <= table["intensity"] + 1e-9).all()
        assert (table["baseline"] <= table["intensity"] + 1e-9).all()
        # The score equation of the baseline: expected and observed numbers agree.
        assert table["intensity"].sum() == pytest.approx(counts.sum(), rel=0.1)
        split = fit.triggered()
        np.testing.assert_allclose(split["baseline"] + split["triggered"], counts, atol=1e-9)
        assert split.attrs["share_low"] < split.attrs["share"] < split.attrs["share_high"]
        assert split.attrs["share"] == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("method", METHODS)
def test_checks_pass_on_the_truth(fits, method):
    table = fits[method].check()
    assert list(table.columns) == ["statistic", "threshold", "passed", "meaning"]
    assert table["passed"].all(), table
    pd.testing.assert_frame_equal(table, fits[method].check())


def test_checks_fail_where_the_model_is_wrong():
    # A Poisson model of counts that burst within the day.
    rng = np.random.default_rng(1)
    bursts = rng.negative_binomial(0.15, 0.15 / (0.15 + 0.8), 800)
    table = Hawkes().fit(series(bursts), method="laplace", rng=1).check()
    assert not table.loc["dispersion (Pearson)", "passed"]
    better = Hawkes(observation="negbin").fit(series(bursts), method="laplace", rng=1)
    assert better.check().loc["dispersion (Pearson)", "passed"]
    assert better.params["dispersion"] == pytest.approx(1 / 0.15, rel=0.3)


def test_words(fits):
    text = fits["nuts"].describe()
    for word in ("Risk", "Volatility", "Resilience", "triggered by earlier ones", "90 % interval"):
        assert word in text
    share = fits["nuts"].triggered().attrs["share"]
    assert f"{round(100 * share)} %" in text
    assert "HawkesFit(nuts, daily" in repr(fits["nuts"])


# -- simulation ----------------------------------------


def test_simulation_carries_history_and_uncertainty(fits, counts):
    for fit in fits.values():
        paths = fit.simulate(60, 4_000, np.random.default_rng(1))
        assert paths.shape == (4_000, 60)
        assert paths.dtype == np.int64
        again = fit.simulate(60, 4_000, np.random.default_rng(1))
        np.testing.assert_array_equal(paths, again)
        long_run = fit.params["baseline"] / (1 - fit.params["branching_ratio"])
        assert paths[:, 30:].mean() == pytest.approx(long_run, rel=0.2)
    # After a burst the next day is busier than the long run.
    busy = counts.copy()
    busy.iloc[-3:] = 8
    after = (
        Hawkes().fit(busy, method="laplace", rng=1).simulate(60, 4_000, np.random.default_rng(1))
    )
    assert after[:, 0].mean() > 3 * after[:, -1].mean()


def test_explosive_paths_are_said():
    growing = np.random.default_rng(1).poisson(np.exp(np.linspace(-3, 4, 120)))
    with pytest.warns(StationarityWarning, match="branching ratio"):
        fit = Hawkes(prior=HawkesPrior(branching_sd=3)).fit(
            series(growing), method="laplace", rng=1
        )
    assert any("branching ratio" in note for note in fit.provenance.notes)
    assert not fit.check()["passed"].iloc[3]
    with pytest.warns(StationarityWarning, match="exploded"):
        fit.simulate(1_000, 50, np.random.default_rng(1))


# -- data of every kind ----------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "values", [[0] * 60, [0] * 30 + [1] + [0] * 29, [12] + [0] * 59], ids=["none", "one", "burst"]
)
@pytest.mark.filterwarnings("ignore::tempo.errors.FewEventsWarning")
def test_hardly_any_events(method, values):
    fit = Hawkes(observation="negbin").fit(series(values), method=method, rng=1)
    assert np.isfinite(fit.params["baseline"])
    assert fit.simulate(10, 100, np.random.default_rng(1)).mean() < 2
    assert isinstance(fit.describe(), str)
    assert len(fit.check()) >= 4
    fit.intensity()
    fit.triggered()
    fit.summary()
    if method != "mle":
        # So few events teach next to nothing about branching: the posterior is near the prior.
        # Unless a burst has no successors, which is news.
        branching = fit.params["branching_ratio"]
        assert branching == pytest.approx(0.33, abs=0.12) if sum(values) < 2 else branching < 0.25


@pytest.mark.parametrize("model", [Hawkes(), Hawkes(kernel="gamma", baseline="trend")])
@pytest.mark.filterwarnings("ignore::tempo.errors.FewEventsWarning")
def test_no_event_bounds_the_baseline(model):
    """The likelihood exp(-100 baseline) falls by half a chi-square quantile at its limit."""
    fit = model.fit(series([0] * 100), method="mle")
    low, high = fit.conf_int(prob=0.95).loc["baseline"]
    assert low == 0
    assert high == pytest.approx(3.8415 / 200, rel=1e-4)
    said = fit.describe(prob=0.95)
    assert "about 0 attacks in 30 days" in said
    assert "(95 % interval 0 to 0.58). None was counted" in said


def test_few_events_warn():
    with pytest.warns(FewEventsWarning, match="only 2 events"):
        fit = Hawkes().fit(series([1, 0, 0, 1] + [0] * 30), method="laplace", rng=1)
    assert any("2 events" in note for note in fit.provenance.notes)


def test_ordinary_data_give_no_warning(counts):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in METHODS:
            Hawkes().fit(counts, method=method, rng=2).check()


def test_weeks_report_per_day(counts):
    weekly = counts.resample("7D").sum()
    fit = Hawkes().fit(weekly, method="mle")
    daily = Hawkes().fit(counts, method="mle")
    assert fit.params["baseline"] == pytest.approx(daily.params["baseline"], rel=0.5)
    assert fit.intensity()["intensity"].mean() == pytest.approx(counts.mean(), rel=0.1)
    assert fit.simulate(5, 2_000, np.random.default_rng(1)).mean() == pytest.approx(
        7 * counts.mean(), rel=0.4
    )


def test_gaps_are_not_quiet(counts):
    gap = counts.astype(float)
    gap.iloc[200:400] = np.nan
    quiet = counts.copy()
    quiet.iloc[200:400] = 0
    with_gap = Hawkes().fit(gap, method="mle")
    as_zero = Hawkes().fit(quiet, method="mle")
    assert with_gap.nobs == 500
    assert with_gap.intensity()["intensity"].mean() > 1.2 * as_zero.intensity()["intensity"].mean()
    assert with_gap.triggered()["probability"].isna().sum() == 200
    assert (
        Hawkes().fit(gap, method="laplace", rng=1).posterior["log_likelihood"].sizes["time"] == 500
    )


def table_of(dates, precision="day", ends=None):
    table = pd.DataFrame({"date_start": pd.to_datetime(dates), "date_precision": precision})
    if ends is not None:
        table["date_end"] = pd.to_datetime(ends)
    return table


def test_uncertain_dates_are_averaged():
    rng = np.random.default_rng(1)
    days = np.sort(rng.choice(720, 60, replace=False))
    dates = pd.Timestamp("2018-01-01") + pd.to_timedelta(days, unit="D")
    starts = dates.to_period("M").start_time
    ends = dates.to_period("M").end_time.normalize()
    vague = Incidents(table_of(starts, "month", ends), ("2018-01-01", "2020-01-01"))
    sharp = Incidents(table_of(dates), ("2018-01-01", "2020-01-01"))
    for method in METHODS:
        fit = Hawkes().fit(vague, method=method, rng=1, imputations=5)
        assert len(fit.engines) == 5
        assert len({engine.counts.fingerprint for engine in fit.engines}) == 5
        assert any("averages over 5 series" in note for note in fit.provenance.notes)
        assert fit.simulate(7, 50, np.random.default_rng(1)).shape == (50, 7)
        assert fit.triggered().attrs["share"] >= 0
        if method != "mle":
            assert fit.chains.shape == (4, 1000, 4)
            assert sorted(np.unique(fit.origin)) == list(range(5))
            assert fit.posterior["log_likelihood"].sizes["draw"] == 1000
    assert len(Hawkes().fit(sharp, method="mle").engines) == 1
    # Rubin: what the dates leave open adds to the standard error.
    many = Hawkes().fit(vague, method="mle", rng=2, imputations=8)
    single = np.mean(
        [np.sqrt(e.optimum.covariance[0, 0]) * e.optimum.parameters[0] for e in many.engines]
    )
    assert many.bse["baseline"] > single


def test_time_is_chosen_from_the_precision():
    from tempo.models.hawkes_simulation import by_clusters

    times = by_clusters(400.0, 0.1, 0.5, 1.0, np.random.default_rng(2))
    stamps = pd.Timestamp("2018-01-01") + pd.to_timedelta(times, unit="D").round("1s")
    window = ("2018-01-01", "2019-02-05")
    exact = Incidents(table_of(stamps, "time"), window)
    dated = Incidents(table_of(stamps.normalize()), window)
    for method in METHODS:
        continuous = Hawkes().fit(exact, method=method, rng=1)
        assert continuous.time == "continuous"
        assert "no two coincide" in continuous.time_reason
        assert continuous.params["branching_ratio"] == pytest.approx(0.5, abs=0.25)
        assert continuous.check()["passed"].all()
        table = continuous.intensity()
        assert table["intensity"].sum() == pytest.approx(len(times), rel=0.1)
        assert continuous.simulate(30, 500, np.random.default_rng(1)).mean() == pytest.approx(
            0.2, abs=0.1
        )
    orders = gammaln(continuous.counts.to_numpy() + 1.0).sum()
    np.testing.assert_allclose(
        continuous.posterior["log_likelihood"]["counts"].to_numpy().sum(axis=-1).ravel()[:3]
        + orders,
        continuous.engines[0].total_log_likelihood(
            np.log(np.maximum(continuous.chains.reshape(-1, 4)[:3], 1e-300))
        ),
        rtol=1e-8,
    )
    daily = Hawkes().fit(dated, method="mle")
    assert daily.time == "daily"
    assert "no time of day" in daily.time_reason
    assert Hawkes(time="daily").fit(exact, method="mle").time == "daily"
    with pytest.raises(OptionError, match="no time of day"):
        Hawkes(time="continuous").fit(dated)
    tied = Incidents(table_of([*stamps[:30], stamps[5]], "time"), window)
    assert "share their time" in Hawkes().fit(tied, method="mle").time_reason


def test_reproducible(counts):
    for method in ("laplace", "nuts"):
        one, two = (Hawkes().fit(counts, method=method, rng=11) for _ in range(2))
        np.testing.assert_array_equal(one.chains, two.chains)
        assert one.provenance == two.provenance
        assert one.provenance.seed == "11"
        other = Hawkes().fit(counts, method=method, rng=12)
        assert not np.array_equal(one.chains, other.chains)


def test_laplace_falls_back_when_khat_is_high(counts, monkeypatch):
    monkeypatch.setattr(hawkes_fitting, "KHAT_LIMIT", -10.0)
    with pytest.warns(ConvergenceWarning, match="k-hat"):
        fit = Hawkes().fit(counts, method="laplace", rng=1)
    assert fit.method == "nuts"
    assert any("k-hat" in note for note in fit.provenance.notes)


def test_options_are_checked(counts):
    with pytest.raises(OptionError, match="kernel"):
        Hawkes(kernel="cubic")
    with pytest.raises(OptionError, match="observation"):
        Hawkes(observation="normal")
    with pytest.raises(OptionError, match="daily"):
        Hawkes(observation="negbin", time="continuous")
    with pytest.raises(OptionError, match="method"):
        Hawkes().fit(counts, method="magic")
    with pytest.raises(OptionError, match="counts were given"):
        Hawkes(time="continuous").fit(counts)
    with pytest.raises(OptionError, match="prob"):
        Hawkes().fit(counts, method="mle").conf_int(prob=90)
    with pytest.raises(OptionError, match="expected 3 numbers"):
        Hawkes().simulate([0.1, 0.5], n_bins=5)


@pytest.mark.parametrize("observation", ["poisson", "negbin"])
def test_randomised_residuals_of_the_truth_are_uniform(observation):
    from tempo.data.counts import as_counts
    from tempo.models import observation as obs
    from tempo.models.hawkes_binned import BinnedEngine

    truth = [0.3, 0.5, 0.2, 0.7][: 4 if observation == "negbin" else 3]
    counts = as_counts(series(Hawkes(observation=observation).simulate(truth, n_bins=3_000, rng=7)))
    row = np.array([[*truth, 0.0][:4]])
    baseline, triggered = BinnedEngine(counts, observation == "negbin").means(row)
    mean = (baseline + triggered)[0]
    y = counts.to_numpy()
    residuals = pit_residuals(
        obs.cdf(y - 1, mean, row[0, 3]), obs.cdf(y, mean, row[0, 3]), np.random.default_rng(1)
    )
    assert kstest(residuals, "uniform").pvalue > 0.01
    ones = np.ones(len(y))
    flat = np.full(len(y), y.mean())
    for centre, good in ((mean, True), (flat, False)):
        table = count_checks(
            y,
            ones,
            obs.cdf(y - 1, centre, row[0, 3]),
            obs.cdf(y, centre, row[0, 3]),
            centre,
            obs.variance(centre, row[0, 3]),
            np.random.default_rng(1),
        )
        assert table["passed"].all() == good
        assert table.loc["residuals independent (Ljung-Box)", "passed"] == good
