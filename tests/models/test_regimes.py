"""Regimes as users meet them: fits, tables, forecasts, odd data."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import gammaln, softmax
from scipy.stats import kstest

import tempo
from tempo.errors import ConvergenceWarning, DataError, FewEventsWarning, OptionError
from tempo.models import regime_density as density
from tempo.models.regime_data import ordered, prepare
from tempo.models.regime_engine import Reading, step_matrix
from tempo.models.regime_posterior import RegimesPrior


def simulated(n, rates, leave, rng, *, branching=0.0, kept=0.0, dispersion=0.0, stages=1):
    """Counts and regimes by the plain definition."""
    state, passed, excited = 0, 0, 0.0
    counts, regimes = np.zeros(n), np.zeros(n, dtype=int)
    for t in range(n):
        if t and rng.random() < leave[state]:
            passed += 1
            if passed == stages:
                state, passed = (state + 1) % len(rates), 0
        mean = rates[state] + branching * excited
        if dispersion:
            mean *= rng.gamma(1 / dispersion, dispersion)
        counts[t], regimes[t] = rng.poisson(mean), state
        excited = kept * excited + (1 - kept) * counts[t]
    return counts, regimes


def series(counts, start="2018-01-01"):
    return pd.Series(
        counts, index=pd.date_range(start, periods=len(counts), freq="1D"), name="attacks"
    )


@pytest.fixture(scope="module")
def daily():
    counts, _ = simulated(900, (0.1, 1.2), (0.01, 0.03), np.random.default_rng(3))
    counts[300:340] = np.nan
    return series(counts)


@pytest.fixture(scope="module")
def fit(daily):
    return tempo.Regimes(n_regimes=2).fit(daily, rng=7)


def test_carries_what_the_contract_says(fit, daily):
    assert fit.rates.is_monotonic_increasing
    np.testing.assert_allclose(fit.rates, [0.1, 1.2], rtol=0.4)
    np.testing.assert_allclose(fit.rates_per_day, fit.rates)
    np.testing.assert_allclose(fit.transition.sum(axis=1), 1.0)
    for table in (fit.filtered, fit.smoothed):
        assert table.index.equals(fit.counts.index)
        assert table.columns.tolist() == [0, 1]
        np.testing.assert_allclose(table.sum(axis=1), 1.0)
    assert fit.aic == pytest.approx(8 - 2 * fit.llf)
    assert fit.bic == pytest.approx(4 * np.log(860) - 2 * fit.llf)
    assert fit.name == "Regimes"
    assert fit.provenance.n_events == int(daily.sum())
    assert fit.provenance.seed == "7"
    assert fit.summary().index.tolist() == [
        "rate_0", "rate_1", "transition_0_1", "transition_1_0", "stay_days_0", "stay_days_1",
    ]  # fmt: skip
    assert (fit.summary()["low"] < fit.summary()["high"]).all()
    assert fit.check()["passed"].all()
    assert "assumed, and Regimes.compare weighs it" in fit.describe()
    with pytest.raises(OptionError, match="maximum likelihood has no posterior"):
        _ = fit.posterior


def test_filtered_never_uses_later_data(fit, daily):
    cut = 500
    assert fit.filter(daily).equals(fit.filtered)
    np.testing.assert_allclose(fit.filter(daily.iloc[:cut]), fit.filtered.iloc[:cut], atol=1e-12)
    changed = daily.copy()
    changed.iloc[cut:] = 9
    np.testing.assert_allclose(fit.filter(changed).iloc[:cut], fit.filtered.iloc[:cut], atol=1e-12)
    assert np.abs(fit.smoothed - fit.filtered).to_numpy()[:cut].max() > 0.2  # hindsight differs


@pytest.mark.parametrize("options", [{}, {"duration": "negbin", "stages": 2}, {"contagion": True}])
def test_a_missing_year_changes_nothing(daily, options):
    longer = pd.concat([daily, series(np.full(365, np.nan), start="2020-06-19")]).asfreq("1D")
    assert len(longer) == 900 + 365
    model = tempo.Regimes(n_regimes=2, **options)
    first, second = model.fit(daily, rng=7), model.fit(longer, rng=7)
    assert second.llf == pytest.approx(first.llf, abs=1e-6)
    assert second.bic == pytest.approx(first.bic, abs=1e-5)
    np.testing.assert_allclose(second.rates, first.rates, rtol=1e-2)
    np.testing.assert_allclose(second.smoothed.iloc[:900], first.smoothed, atol=5e-3)
    # Unwatched, the chain forgets where it was.
    part = second.parts[0]
    if not options:
        np.testing.assert_allclose(
            second.filtered.iloc[-1], Reading(part.data, part.optimum.natural).share, atol=1e-3
        )


def test_exposure_scales_the_mean():
    """Half of each bin watched, half the counts: the same rates per whole bin."""
    rng = np.random.default_rng(8)
    counts, _ = simulated(3_000, (1.0, 6.0), (0.02, 0.05), rng)
    thinned = rng.binomial(counts.astype(int), 0.5)
    days = pd.date_range("2010-01-01", periods=3_000, freq="1D")
    half = tempo.Counts.build(
        thinned, days, np.full(3_000, 0.5), freq="1D", window=None, label="attacks", rule="made up"
    )
    np.testing.assert_allclose(tempo.Regimes().fit(half).rates, [1.0, 6.0], rtol=0.1)


def test_hmmlearn_finds_no_higher_likelihood():
    hmm = pytest.importorskip("hmmlearn.hmm")
    rng = np.random.default_rng(11)
    counts, _ = simulated(1_500, (0.2, 2.0, 7.0), (0.02, 0.05, 0.1), rng)
    ours = tempo.Regimes(n_regimes=3).fit(series(counts))
    theirs = hmm.PoissonHMM(3, n_iter=300, tol=1e-6, init_params="")
    theirs.lambdas_ = ours.rates.to_numpy()[:, None]
    theirs.transmat_ = ours.transition.to_numpy()
    theirs.startprob_ = Reading(ours.parts[0].data, ours.parts[0].optimum.natural).share
    assert theirs.score(counts.astype(int)[:, None]) == pytest.approx(ours.llf, abs=1e-6)
    theirs.fit(counts.astype(int)[:, None])  # with a start of its own choice: one bin's worth more
    assert theirs.score(counts.astype(int)[:, None]) < ours.llf + 3.0
    np.testing.assert_allclose(np.sort(theirs.lambdas_.ravel()), ours.rates, rtol=0.02)


def test_markov_switching_contagion_is_recovered():
    rng = np.random.default_rng(12)
    counts, _ = simulated(2_500, (0.2, 1.5), (0.005, 0.01), rng, branching=0.5, kept=0.7)
    fit = tempo.Regimes(contagion=True).fit(series(counts), rng=1)
    np.testing.assert_allclose(fit.rates, [0.2, 1.5], rtol=0.3)
    assert fit.params["branching_ratio"] == pytest.approx(0.5, abs=0.1)
    assert fit.params["decay"] == pytest.approx(-np.log(0.7), rel=0.5)
    plain = tempo.Regimes().fit(series(counts))
    assert fit.aic < plain.aic - 20
    assert "no earlier one set off" in fit.describe()
    assert fit.conf_int().loc["branching_ratio"].between(0.2, 0.8).all()


def test_semi_markov_stays_are_recovered():
    rng = np.random.default_rng(13)
    counts, _ = simulated(3_000, (0.3, 3.0), (0.15, 0.15), rng, stages=5)
    fit = tempo.Regimes(duration="negbin").fit(series(counts), rng=1)
    assert fit.stages in {3, 5, 8}
    np.testing.assert_allclose(fit.durations()["mean_days"], 5 / 0.15, rtol=0.15)
    assert fit.llf > tempo.Regimes().fit(series(counts)).llf + 10
    assert fit.n_parameters == 5


def test_forecast_is_the_chain_run_forward(fit):
    part = fit.parts[0]
    sure = Reading(part.data, part.optimum.natural)
    step = step_matrix(part.optimum.natural, 2, 1)
    expected = sure.filtered[-1] @ np.linalg.matrix_power(step, 30)
    assert fit.probability_in(1, "30D") == pytest.approx(expected[1], abs=0.05)
    assert fit.probability_in(-1, 30) == fit.probability_in(1, "30D")
    assert fit.probability_in(0, 0) == fit.filtered.iloc[-1, 0]
    ahead = fit.ahead(40)
    assert ahead.index[0] == fit.counts.end
    np.testing.assert_allclose(ahead.sum(axis=1), 1.0)
    paths = fit.simulate(40, 20_000, np.random.default_rng(1))
    assert paths.shape == (20_000, 40)
    assert paths.dtype == np.int64
    mean = (ahead * fit.rates).sum(axis=1)
    np.testing.assert_allclose(paths.mean(axis=0)[[0, 10, 39]], mean.iloc[[0, 10, 39]], rtol=0.08)
    outlook = tempo.forecast(fit, horizon="30D", draws=500, rng=1)
    assert 0 < outlook.probability(at_least=1) <= 1
    with pytest.raises(OptionError, match="numbered from 0"):
        fit.probability_in(2, 1)


def test_semi_markov_simulation_keeps_to_its_stages():
    from tempo.models.regime_engine import simulate

    natural = np.array([0.0, 50.0, 0.5, 0.5, 0, 1, 1, 0, 0, 0, 0])
    start = np.tile([1.0, 0, 0, 0, 0, 0], (4_000, 1))
    out = simulate(
        np.tile(natural, (4_000, 1)),
        start,
        np.zeros(4_000),
        (2, 3),
        60,
        1e5,
        np.random.default_rng(1),
    )
    busy = out > 0
    first = busy.argmax(axis=1)
    assert first.min() == 2  # two more stages and a move before the first busy bin
    assert first.mean() == pytest.approx(
        6 - 1, rel=0.03
    )  # three stages of two bins, one of which is over


def test_paths_and_episodes(fit):
    drawn = fit.sample_paths(400, rng=1)
    np.testing.assert_allclose((drawn == 1).mean(axis=0), fit.smoothed[1], atol=0.12)
    table = fit.episodes
    assert (table["regime"].diff().iloc[1:].abs() == 1).all()
    assert table["start"].iloc[0] == fit.counts.index[0]
    assert table["end"].iloc[-1] == fit.counts.end
    assert table["events"].sum() == fit.counts.events
    assert (table["start"].iloc[1:].to_numpy() == table["end"].iloc[:-1].to_numpy()).all()


def test_bayesian_fits_read_like_arviz(daily):
    laplace = tempo.Regimes().fit(daily, method="laplace", rng=7, draws=500)
    nuts = tempo.Regimes().fit(daily, method="nuts", rng=7, draws=500)
    for name in laplace.parameter_names:
        one, other = (f.posterior["posterior"][name].to_numpy().ravel() for f in (laplace, nuts))
        assert np.log(one).mean() == pytest.approx(
            np.log(other).mean(), abs=0.15 * np.log(other).std()
        )
        assert np.log(one).std() == pytest.approx(np.log(other).std(), rel=0.15)
    tree = nuts.posterior
    assert set(tree.children) == {"posterior", "log_likelihood", "observed_data", "sample_stats"}
    assert tree["log_likelihood"]["counts"].shape == (4, 500, 860)
    assert (tree["posterior"]["rate_0"] < tree["posterior"]["rate_1"]).all()
    assert nuts.check()["passed"].all()
    again = tempo.Regimes().fit(daily, method="nuts", rng=7, draws=500)
    assert again.rates.equals(nuts.rates)
    assert nuts.filtered.shape == (900, 2)


def test_evidence_agrees_with_a_sum_over_the_prior():
    """Few data, so that plain Monte Carlo over the prior gives the evidence too."""
    counts = np.array([0, 1, 0, 4, 5, 3, 0, 0, 6, 4, 2, 5, 0, 1, 1, 0, 7, 4, 3], dtype=float)
    prior = RegimesPrior(rate_median_per_day=2.0, rate_log_sd=1.0)
    fit = tempo.Regimes(prior=prior).fit(series(counts))
    drawn = prior.sample(40_000, np.random.default_rng(1), n_regimes=2)
    data, spare = fit.parts[0].data, np.zeros(4)
    values = [density.log_posterior(*data.arrays, np.zeros(0), one, spare) for one in drawn]
    top = max(values)
    brute = top + np.log(np.mean(np.exp(np.array(values) - top)))
    assert fit.log_evidence == pytest.approx(brute, abs=0.06)


@pytest.mark.parametrize("method", ["mle", "laplace"])
@pytest.mark.parametrize(
    "counts",
    [np.zeros(60), np.ones(60), np.r_[np.zeros(59), 3.0], np.array([2.0]), np.r_[np.zeros(40), np.full(40, 500.0)]],
    ids=["silent", "regular", "one burst", "one bin", "huge step"],
)  # fmt: skip
def test_odd_counts_give_an_answer_with_its_doubts(counts, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tempo.errors.TempoWarning)
        fit = tempo.Regimes().fit(series(counts), rng=1, method=method, draws=100)
        future = fit.simulate(5, 50, np.random.default_rng(1))
    assert np.isfinite(fit.llf)
    assert np.isfinite(fit.rates).all()
    assert fit.rates.is_monotonic_increasing
    assert np.isfinite(fit.filtered.to_numpy()).all()
    assert future.shape == (50, 5)
    assert fit.summary().shape == (6, 4)
    if method == "mle":
        assert len(fit.provenance.notes) >= 1
    assert fit.describe()
    assert len(fit.check()) >= 4


def test_few_events_are_said():
    counts = np.zeros(100)
    counts[[10, 50, 51, 52]] = 1
    with pytest.warns(FewEventsWarning, match="only 4 events"):
        fit = tempo.Regimes().fit(series(counts), rng=1)
    assert any("Only 4 events" in note for note in fit.provenance.notes)
    assert any("Only 4 events" in note for note in [fit.describe()])


def test_a_regime_seen_once_and_one_of_silence_are_noted():
    rng = np.random.default_rng(2)
    counts = np.r_[np.zeros(150), rng.poisson(2.0, 100)]
    fit = tempo.Regimes().fit(series(counts))
    notes = " ".join(fit.provenance.notes)
    assert "visited about once" in notes
    assert "zero as far as the data tell" in notes
    assert "visited about once" in fit.describe()


def test_uncertain_dates_are_averaged_over():
    days = pd.date_range("2020-01-01", periods=120, freq="3D", unit="us")
    table = pd.DataFrame({"date_start": days, "date_end": days, "date_precision": "day"})
    table.loc[:9, "date_end"] = table.loc[:9, "date_start"] + pd.Timedelta("6D")
    table.loc[:9, "date_precision"] = "week"
    incidents = tempo.Incidents(table, tempo.Window("2020-01-01", "2021-03-01"))
    fit = tempo.Regimes().fit(incidents, rng=1, imputations=3, draws=90)
    assert len(fit.parts) == 3
    assert any("averages over 3 series" in note for note in fit.provenance.notes)
    assert fit.chains.shape[:2] == (4, 90)
    assert (fit.bse > 0).all()
    assert fit.simulate(5, 10, np.random.default_rng(1)).shape == (10, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_regimes": 0}, "n_regimes is 0"),
        ({"n_regimes": 2.5}, "n_regimes is 2.5"),
        ({"observation": "normal"}, "expected one of poisson, negbin"),
        ({"stages": 2}, "with duration='negbin'"),
        ({"contagion": "yes"}, "expected True or False"),
        ({"prior": 3}, "RegimesPrior"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(OptionError, match=message):
        tempo.Regimes(**options)


def test_arguments_are_checked(daily):
    with pytest.raises(OptionError, match="method is 'em'"):
        tempo.Regimes().fit(daily, method="em")
    with pytest.raises(DataError, match="none of the 30 bins"):
        tempo.Regimes().fit(series(np.full(30, np.nan)))
    with pytest.raises(OptionError, match="stay_days"):
        RegimesPrior(stay_days=(5, 2))
    with pytest.raises(OptionError, match="up_to"):
        tempo.Regimes.compare(daily, up_to=0)


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """Asymptotic 90 % intervals of rates and stays over 50 simulated records."""
    rng = np.random.default_rng(31)
    truth = np.array([0.2, 2.0, 0.02, 0.05])
    inside = np.zeros(4)
    for _ in range(50):
        counts, _ = simulated(1_000, truth[:2], truth[2:], rng)
        limits = tempo.Regimes().fit(series(counts), rng=rng, draws=100).conf_int(0.9)
        inside += ((limits["low"] < truth) & (truth < limits["high"])).to_numpy()
    assert (inside / 50 > 0.78).all()
    assert inside.mean() / 50 < 0.98


@pytest.mark.slow
def test_sampler_is_calibrated_over_its_prior():
    """Simulation-based calibration: ranks of parameters drawn from the prior are uniform among posterior draws."""
    prior = RegimesPrior(rate_median_per_day=1.0, rate_log_sd=1.0)
    rng = np.random.default_rng(41)
    places = []
    for _ in range(40):
        theta = prior.sample(1, rng, n_regimes=2)[0]
        natural = ordered(density.to_natural(theta, 2, False, False)[None], 2)[0]
        share = Reading(
            prepare(np.zeros(1), np.ones(1), 2, 1, negbin=False, contagion=False), natural
        ).share
        state = int(rng.random() > share[0])
        counts = np.zeros(50)
        for t in range(50):
            if t and rng.random() < natural[2 + state]:
                state = 1 - state
            counts[t] = rng.poisson(natural[state])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tempo.errors.TempoWarning)
            fit = tempo.Regimes(prior=prior).fit(series(counts), method="nuts", rng=rng, draws=50)
        flat = fit.chains.reshape(-1, fit.chains.shape[2])[:, :4]
        places.append((flat < natural[:4]).mean(axis=0))
    for column in np.array(places).T:
        assert kstest(np.clip(column, 1e-6, 1 - 1e-6), "uniform").pvalue > 0.005


@pytest.mark.slow
def test_pymc_model_has_the_same_density():
    from tempo.models.regime_pymc import pymc_model

    rng = np.random.default_rng(5)
    counts = rng.poisson(2.0, 60).astype(float)
    data = prepare(counts, np.ones(60), 2, 2, negbin=True, contagion=True)
    prior = RegimesPrior()
    model = pymc_model(data, prior, bin_days=7.0)
    names = [
        "rate_log__",
        "leave_logodds__",
        "dispersion_log__",
        "branching_ratio_log__",
        "decay_log__",
    ]
    logp, dlogp = model.compile_logp(), model.compile_dlogp()
    hyper = prior.array(2, 2, 7.0)
    for _ in range(3):
        point = {
            name: np.asarray(value + 0.3 * rng.standard_normal(np.shape(value)))
            for name, value in model.initial_point().items()
        }
        theta = np.concatenate([np.atleast_1d(point[name]) for name in names])
        gradient = np.zeros(len(theta))
        value = density.log_posterior(*data.arrays, hyper, theta, gradient)
        assert float(logp(point)) == pytest.approx(value, abs=1e-8)
        order = [names.index(variable.name) for variable in model.value_vars]
        blocks = np.split(gradient, [2, 4, 5, 6])
        np.testing.assert_allclose(
            dlogp(point), np.concatenate([blocks[i] for i in order]), atol=1e-7
        )


def test_a_silent_regime_is_said_without_a_number() -> None:
    days = pd.date_range("2020-01-01", periods=90, freq="1D")
    with pytest.warns(FewEventsWarning):
        fit = tempo.Regimes(n_regimes=2).fit(
            pd.Series([0] * 60 + [3, 2, 4] * 2 + [0] * 24, index=days)
        )
    said = fit.describe()
    assert "In the quieter regime there are next to no" in said
    assert "unknown" not in said.split(", and a stay")[0]


# fmt: off
EARTHQUAKES = [
    13, 14, 8, 10, 16, 26, 32, 27, 18, 32, 36, 24, 22, 23, 22, 18, 25, 21, 21, 14,
    8, 11, 14, 23, 18, 17, 19, 20, 22, 19, 13, 26, 13, 14, 22, 24, 21, 22, 26, 21,
    23, 24, 27, 41, 31, 27, 35, 26, 28, 36, 39, 21, 17, 22, 17, 19, 15, 34, 10, 15,
    22, 18, 15, 20, 15, 22, 19, 16, 30, 27, 29, 23, 20, 16, 21, 21, 25, 16, 18, 15,
    18, 14, 10, 15, 8, 15, 6, 11, 8, 7, 18, 16, 13, 12, 13, 20, 15, 16, 12, 18,
    15, 16, 13, 15, 16, 11, 11,
]
# fmt: on


def dense_log_likelihood(counts, rates, step):
    """Log-likelihood of a Poisson chain from its long-run start, one product of matrices a bin."""
    k = len(rates)
    system = np.vstack([step.T - np.eye(k), np.ones(k)])
    state = np.linalg.lstsq(system, np.append(np.zeros(k), 1.0), rcond=None)[0]
    total = 0.0
    for t, y in enumerate(counts):
        state = (state @ step if t else state) * np.exp(
            y * np.log(rates) - rates - gammaln(y + 1.0)
        )
        total += np.log(state.sum())
        state = state / state.sum()
    return total


@pytest.mark.parametrize(
    ("k", "peak", "rates"),
    [
        (2, -342.31827, [15.472, 26.125]),
        (3, -329.46028, [13.146, 19.721, 29.714]),
        (4, -327.83159, [11.283, 13.853, 19.695, 29.700]),
    ],
)
def test_the_highest_peak_of_the_earthquakes_is_found(k, peak, rates):
    """Two states as published, more as the best known climbs; a dense likelihood agrees at the place."""
    fit = tempo.Regimes(n_regimes=k).fit(series(EARTHQUAKES), rng=1)
    assert fit.llf == pytest.approx(peak, abs=3e-5)
    np.testing.assert_allclose(fit.rates, rates, atol=2e-3)
    dense = dense_log_likelihood(EARTHQUAKES, fit.rates.to_numpy(), fit.transition.to_numpy())
    assert dense == pytest.approx(fit.llf, abs=1e-6)
    gradient = fit.check().loc["gradient vanished"]
    assert gradient["passed"]
    assert gradient["statistic"] < 2e-3


def test_random_climbs_of_a_dense_likelihood_reach_no_higher():
    """scipy from random starts, on the dense likelihood, for three regimes."""
    fit = tempo.Regimes(n_regimes=3).fit(series(EARTHQUAKES), rng=1)

    def loss(theta):
        step = softmax(np.insert(theta[3:].reshape(3, 2), 0, 0.0, axis=1), axis=1)
        return -dense_log_likelihood(EARTHQUAKES, np.exp(theta[:3]), step)

    rng = np.random.default_rng(0)
    best = -np.inf
    for _ in range(2):
        start = np.concatenate([np.log(rng.uniform(8, 35, 3)), rng.normal(0, 1, 6)])
        found = minimize(
            loss,
            start,
            method="L-BFGS-B",
            bounds=[(1, 4)] * 3 + [(-15, 15)] * 6,
            options={"maxiter": 60},
        )
        best = max(best, -found.fun)
    assert best < fit.llf + 1e-4


@pytest.mark.parametrize(("mean", "k"), [(2.0, 1), (2.0, 2), (300.0, 1), (300.0, 2)])
def test_negative_binomial_regimes_are_never_below_poisson(mean, k):
    """A larger model cannot have a lower maximum: counts that scatter less than Poisson reach it."""
    counts = np.random.default_rng(5).binomial(int(2 * mean), 0.5, 150)
    plain = tempo.Regimes(n_regimes=k).fit(series(counts), rng=1)
    wide = tempo.Regimes(n_regimes=k, observation="negbin").fit(series(counts), rng=1)
    assert wide.llf >= plain.llf - 1e-6


@pytest.mark.parametrize(("seed", "k"), [(2, 2), (11, 2), (12, 3)])
@pytest.mark.parametrize("observation", ["poisson", "negbin"])
def test_regimes_that_are_not_there_do_not_explode_forecasts(seed, k, observation):
    """One rate and too many regimes: the mean of 30 days is 30 means, and no future is far from Poisson's."""
    counts = np.random.default_rng(seed).poisson(2, 200)
    fit = tempo.Regimes(n_regimes=k, observation=observation).fit(series(counts), rng=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        totals = fit.simulate(30, 4_000, np.random.default_rng(1)).sum(axis=1)
    assert totals.mean() == pytest.approx(30 * counts.mean(), rel=0.1)
    assert totals.max() < 10 * 30 * counts.mean()
