"""``HawkesKinds``: the kernel against its definition, the engines against each other, and what fits say."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import halfnorm, lomax, norm

import tempo
from tempo.data.counts import Counts
from tempo.errors import (
    ConvergenceWarning,
    DataError,
    FewEventsWarning,
    OptionError,
    StationarityWarning,
)
from tempo.models import hawkes_daily, hawkes_kinds_fitting
from tempo.models import hawkes_kinds_kernels as kernels
from tempo.models import hawkes_kinds_recursions as recursions
from tempo.models.hawkes_kinds import HawkesKinds
from tempo.models.hawkes_kinds_data import kind_series
from tempo.models.hawkes_kinds_mle import KindsArrays, maximum_likelihood
from tempo.models.hawkes_kinds_posterior import KindsPrior, posterior_peaks
from tempo.models.hawkes_kinds_reading import CANNOT_TELL, YES
from tempo.models.observation import log_pmf

METHODS = ("mle", "laplace", "nuts")
MODES = (kernels.SHARED, kernels.EACH_SOURCE, kernels.EACH_PAIR)


def frame(values, kinds=None):
    values = np.asarray(values)
    names = kinds or [f"k{i}" for i in range(values.shape[1])]
    days = pd.date_range("2018-01-01", periods=len(values), freq="1D")
    return pd.DataFrame(values, index=days, columns=names)


def arrays(values, mode=kernels.SHARED, *, negbin=False, days=None):
    values = np.asarray(values, dtype=float)
    days = np.where(np.isnan(values), 0.0, 1.0) if days is None else days
    return KindsArrays(values, days, np.ones(len(values)), mode, negbin)


def by_definition(data: KindsArrays, parameters: np.ndarray) -> float:
    """The likelihood as it is written down: a sum over all lags for every bin and pair."""
    n, K = data.counts.shape
    baselines, branching, decays, dispersions = data.parts
    mu, A = parameters[baselines], parameters[branching].reshape(K, K)
    decay = np.empty((K, K))
    decay[:] = parameters[decays].reshape(
        {kernels.SHARED: (1, 1), kernels.EACH_SOURCE: (1, K), kernels.EACH_PAIR: (K, K)}[data.mode]
    )
    spread = parameters[dispersions] if data.negbin else np.zeros(K)
    happened, value = data.counts.copy(), 0.0
    for t in range(n):
        for i in range(K):
            triggered = 0.0
            for j in range(K):
                for lag in range(1, t + 1):
                    fading = math.exp(-decay[i, j] * data.width * (lag - 1))
                    share = (1 - math.exp(-decay[i, j] * data.width)) * fading
                    triggered += A[i, j] * share * happened[t - lag, j]
            if math.isnan(data.counts[t, i]):
                happened[t, i] = mu[i] * data.bin_days[t] + triggered
            else:
                value += log_pmf(data.counts[t, i], mu[i] * data.days[t, i] + triggered, spread[i])
    return float(value)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    K, n = draw(st.integers(1, 3)), draw(st.integers(1, 14))
    mode, negbin = draw(st.sampled_from(MODES)), draw(st.booleans())
    counts = rng.poisson(draw(st.sampled_from([0.2, 1.0, 6.0])), (n, K)).astype(float)
    days = rng.uniform(0.2, 1.0, (n, K)) if draw(st.booleans()) else np.ones((n, K))
    if draw(st.booleans()):
        counts[rng.random((n, K)) < 0.25] = np.nan
        days[np.isnan(counts)] = 0.0
    bin_days = np.full(n, draw(st.sampled_from([1.0, 7.0])))
    data = KindsArrays(counts, days * bin_days[:, None], bin_days, mode, negbin)
    parameters = rng.uniform(0.05, 1.2, data.n_parameters)
    parameters[data.parts[1]][rng.random(K * K) < 0.3] = 0.0
    return data, parameters


# -- the kernel ----------------------------------------


@settings(max_examples=40, deadline=None)
@given(problems())
def test_value_and_gradient_are_those_of_the_definition(problem):
    data, parameters = problem
    value, gradient = data.log_likelihood(parameters)
    assert value == pytest.approx(by_definition(data, parameters), rel=1e-9, abs=1e-9)
    step = 1e-6
    for i in range(len(parameters)):
        above, below = parameters.copy(), parameters.copy()
        above[i] += step
        below[i] -= step
        slope = (by_definition(data, above) - by_definition(data, below)) / (2 * step)
        assert gradient[i] == pytest.approx(slope, rel=1e-4, abs=1e-4)
    bins = recursions.pointwise(
        data.counts, data.days, data.bin_days, data.width, data.mode, data.negbin, parameters[None]
    )
    assert bins.sum() == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dispersion", [0.0, 0.4])
@pytest.mark.parametrize("gap", [False, True])
def test_one_kind_is_the_univariate_model(mode, dispersion, gap):
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.4, 300).astype(float)
    if gap:
        counts[100:130] = np.nan
    parameters = [0.2, 0.5, 0.3, dispersion]
    value, gradient = hawkes_daily.exponential(counts, *parameters)
    data = arrays(counts[:, None], mode, negbin=dispersion > 0)
    mine, slopes = data.log_likelihood(np.array(parameters[: data.n_parameters]))
    assert mine == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-9)


def test_blocks_factorise():
    rng = np.random.default_rng(2)
    counts = rng.poisson(0.3, (400, 4))
    A = np.zeros((4, 4))
    A[:2, :2] = [[0.3, 0.1], [0.2, 0.1]]
    A[2:, 2:] = [[0.2, 0.3], [0.0, 0.4]]
    mu = np.array([0.1, 0.2, 0.15, 0.05])
    whole, _ = arrays(counts).log_likelihood(np.concatenate([mu, A.ravel(), [0.4]]))
    parts = [
        arrays(counts[:, s]).log_likelihood(np.concatenate([mu[s], A[s, s].ravel(), [0.4]]))[0]
        for s in (slice(0, 2), slice(2, 4))
    ]
    assert whole == pytest.approx(sum(parts), rel=1e-12)


@pytest.mark.parametrize("decay", ["shared", "own"])
def test_relabelling_kinds_permutes_the_answer(decay, three):
    order = [2, 0, 1]
    model = HawkesKinds(decay=decay)
    plain = model.fit(three, method="mle", rng=1)
    turned = model.fit(three.iloc[:, order], method="mle", rng=1)
    assert turned.llf == pytest.approx(plain.llf, abs=1e-6)
    kinds = plain.kinds
    np.testing.assert_allclose(
        turned.branching_matrix.loc[kinds, kinds], plain.branching_matrix, atol=2e-3
    )
    assert turned.params["baseline[k1]"] == pytest.approx(plain.params["baseline[k1]"], rel=1e-2)


def test_prior_is_standard_normal_in_z():
    prior, K = KindsPrior(), 3
    z = np.linspace(-7, 7, 29)
    rows = np.tile(z[:, None], (1, kernels.n_parameters(K, 0, negbin=True)))
    out = kernels.natural_rows(rows, prior.array(K), K, True)
    numbers = prior.array(K)
    np.testing.assert_allclose(
        norm.sf(z), halfnorm.sf(out[:, K] / prior.own_sd), rtol=1e-8, atol=1e-16
    )
    np.testing.assert_allclose(norm.sf(z), lomax.sf(out[:, K + 1] / numbers[3], 3), rtol=1e-8)
    np.testing.assert_allclose(np.log(out[:, 0]), numbers[0] + numbers[1] * z)
    assert prior.probability_above(0.05, K)[0, 1] == pytest.approx(
        lomax.sf(0.05, 3, scale=2 * 0.2 / 2)
    )
    with pytest.raises(OptionError, match="cross_shape"):
        KindsPrior(cross_shape=1.0)
    with pytest.raises(OptionError, match="own_sd"):
        KindsPrior(own_sd=0.0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("negbin", [False, True])
def test_gradient_of_the_posterior(mode, negbin):
    rng = np.random.default_rng(3)
    data = arrays(rng.poisson(0.5, (60, 2)), mode, negbin=negbin)
    prior = KindsPrior().array(2)
    z, gradient, scrap = rng.normal(0, 1, data.n_parameters), np.empty(20), np.empty(20)
    p = data.n_parameters
    kernels.log_posterior(*data.arrays, prior, z, gradient[:p])
    for i in range(p):
        up, down = z.copy(), z.copy()
        up[i] += 1e-5
        down[i] -= 1e-5
        slope = kernels.log_posterior(*data.arrays, prior, up, scrap[:p])
        slope -= kernels.log_posterior(*data.arrays, prior, down, scrap[:p])
        assert gradient[i] == pytest.approx(slope / 2e-5, rel=1e-5, abs=1e-5)


# -- maximum likelihood ----------------------------------------


@pytest.fixture(scope="module")
def three():
    A = [[0.4, 0.0, 0.2], [0.0, 0.3, 0.0], [0.0, 0.0, 0.2]]
    return frame(HawkesKinds().simulate([0.1, 0.1, 0.2], A, 0.3, n_bins=1_500, rng=11))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("negbin", [False, True])
def test_maximum_is_one(mode, negbin):
    rng = np.random.default_rng(4)
    counts = HawkesKinds().simulate([0.1, 0.2], [[0.4, 0.2], [0.0, 0.3]], 0.4, n_bins=500, rng=4)
    data = arrays(counts, mode, negbin=negbin)
    optimum = maximum_likelihood(data)
    assert optimum.converged
    _, gradient = data.log_likelihood(optimum.parameters + 1e-300)
    inside = optimum.free
    scale = np.maximum(optimum.parameters, 1e-3)
    assert np.abs(gradient * scale)[inside].max() < 1e-2
    bounded = (optimum.parameters == 0) & optimum.known
    assert (gradient[bounded] <= 1e-6).all()
    for _ in range(300):  # nothing near is better
        near = optimum.parameters * np.exp(rng.normal(0, 0.05, len(optimum.parameters)))
        near += np.where(rng.random(len(near)) < 0.2, 0.01, 0.0)
        assert data.log_likelihood(near)[0] <= optimum.llf + 1e-6


def test_univariate_maximum_is_the_same():
    counts = frame(HawkesKinds().simulate([0.2], [[0.5]], 0.3, n_bins=800, rng=5))
    mine = HawkesKinds().fit(counts, method="mle", rng=1)
    other = tempo.Hawkes().fit(counts["k0"], method="mle", rng=1)
    assert mine.llf == pytest.approx(other.llf, abs=1e-5)
    np.testing.assert_allclose(mine.params, other.params, rtol=1e-3)
    np.testing.assert_allclose(mine.bse, other.bse, rtol=0.02)


def test_upper_limit_on_the_boundary_is_that_of_the_profile(three):
    fit = HawkesKinds().fit(three, method="mle", rng=1)
    data, optimum = fit.arrays[0], fit.optima[0]
    zeros = np.flatnonzero((optimum.parameters == 0) & optimum.known)
    assert len(zeros) > 1
    high = optimum.interval(0.9)[1]
    from scipy.optimize import minimize

    for place in zeros[:2]:
        free = np.arange(len(optimum.parameters)) != place
        start = np.maximum(optimum.parameters, 1e-6)

        def negative(x, place=place, free=free):
            whole = np.full(len(free), high[place])
            whole[free] = x
            value, gradient = data.log_likelihood(whole)
            return -value, -gradient[free]

        bounds = [(1e-9, None)] * int(free.sum())
        best = minimize(negative, start[free], jac=True, method="L-BFGS-B", bounds=bounds)
        fall = optimum.llf + best.fun
        assert fall == pytest.approx(0.5 * norm.ppf(0.9) ** 2, rel=0.35)


def test_reads_like_statsmodels(three):
    fit = HawkesKinds().fit(three, method="mle", rng=1)
    assert list(fit.params.index[:4]) == [
        "baseline[k0]",
        "baseline[k1]",
        "baseline[k2]",
        "branching_ratio[k0, k0]",
    ]
    assert fit.aic == pytest.approx(2 * 13 - 2 * fit.llf)
    assert fit.bic == pytest.approx(13 * math.log(1_500) - 2 * fit.llf)
    table = fit.summary()
    assert (table["low"] <= table["estimate"]).all()
    assert (table["estimate"] <= table["high"]).all()
    zero = table["estimate"] == 0
    assert zero.any()
    assert table.loc[zero, "std_error"].isna().all()
    assert (table.loc[zero, "high"] > 0).all()
    matrix = fit.branching_matrix
    assert matrix.loc["k0", "k2"] == fit.params["branching_ratio[k0, k2]"]
    assert table.loc["spectral_radius", "estimate"] == pytest.approx(
        np.abs(np.linalg.eigvals(matrix)).max()
    )
    assert fit.spectral_radius()["above_one"] == 0
    with pytest.raises(OptionError, match="no posterior"):
        _ = fit.posterior
    triggers = fit.triggers()
    assert triggers.loc[("k0", "k0"), "triggers"] == YES
    assert triggers["probability"].isna().all()
    assert "k0 triggers more k0" in fit.describe()
    assert "spectral radius" in repr(fit)


# -- posteriors ----------------------------------------


@pytest.fixture(scope="module")
def two():
    drawn = HawkesKinds().simulate([0.15, 0.1], [[0.5, 0.0], [0.3, 0.1]], 0.3, n_bins=700, rng=3)
    return frame(drawn, ["rocket", "IED"])


@pytest.fixture(scope="module")
def fits(two):
    return {method: HawkesKinds().fit(two, method=method, rng=1, draws=600) for method in METHODS}


def test_engines_agree(fits):
    laplace, nuts = fits["laplace"], fits["nuts"]
    assert (laplace.method, nuts.method) == ("laplace", "nuts")
    assert ((laplace.params - nuts.params).abs() < 0.2 * nuts.bse).all()
    np.testing.assert_allclose(laplace.bse, nuts.bse, rtol=0.2)
    assert nuts.check()["passed"].all()
    assert laplace.check()["passed"].all()
    share = [fit.triggered().attrs["share"] for fit in fits.values()]
    assert np.ptp(share) < 0.1


@pytest.mark.parametrize("method", ["laplace", "nuts"])
def test_reads_like_arviz(fits, method):
    import arviz as az

    fit = fits[method]
    tree = fit.posterior
    assert {"posterior", "log_likelihood", "observed_data", "sample_stats"} <= set(tree.children)
    assert tree["posterior"]["branching_ratio"].dims == ("chain", "draw", "kind", "source")
    table = az.summary(tree, round_to="none")
    assert table.loc["branching_ratio[IED, rocket]", "mean"] == pytest.approx(
        fit.chains[:, :, 4].mean(), rel=1e-6
    )
    assert table.loc["spectral_radius", "mean"] < 1
    assert az.loo(tree).elpd == pytest.approx(fit.llf - 5, abs=5)
    row = fit.chains[0, 0]
    assert tree["log_likelihood"]["counts"].to_numpy()[0, 0].sum() == pytest.approx(
        fit.arrays[0].log_likelihood(row)[0], rel=1e-9
    )


def test_who_triggers_whom(fits):
    table = fits["nuts"].triggers()
    assert table.loc[("rocket", "rocket"), "triggers"] == YES
    assert table.loc[("IED", "rocket"), "triggers"] == YES
    assert table.loc[("rocket", "IED"), "triggers"] != YES
    assert table["branching_ratio"].is_monotonic_decreasing
    assert table.loc[("IED", "rocket"), "prior_probability"] == pytest.approx(0.702, abs=0.001)
    split = fits["nuts"].triggered()
    np.testing.assert_allclose(
        split["attacks"].groupby("kind").sum()[["rocket", "IED"]], fits["nuts"].n_events
    )
    by_source = fits["nuts"].triggered_by_source()
    assert by_source["share"].sum() == pytest.approx(1)
    assert by_source.loc[["rocket", "IED"], "share"].sum() == pytest.approx(split.attrs["share"])
    assert by_source.loc["rocket", "low"] < by_source.loc["rocket", "share"]


def test_intensity_adds_up(fits, two):
    for fit in fits.values():
        total = fit.intensity()
        each = [fit.intensity(kind) for kind in fit.kinds]
        np.testing.assert_allclose(
            sum(table["intensity"] for table in each), total["intensity"], rtol=1e-9
        )
        assert total["intensity"].sum() == pytest.approx(two.sum().sum(), rel=0.1)
        assert (total["baseline"] <= total["intensity"] + 1e-9).all()
    with pytest.raises(OptionError, match="mortar"):
        fit.intensity("mortar")


def test_words(fits):
    text = fits["laplace"].describe()
    for word in ("Risk", "Volatility", "rocket triggers IED", "Resilience", "names no cause"):
        assert word in text


def test_forecasts_by_kind_add_up_to_the_total(fits, two):
    for fit in fits.values():
        paths = fit.simulate_kinds(60, 3_000, np.random.default_rng(1))
        assert paths.shape == (3_000, 60, 2)
        again = fit.simulate(60, 3_000, np.random.default_rng(1))
        np.testing.assert_array_equal(paths.sum(axis=2), again)
        outlooks = tempo.forecast_kinds(fit, "60D", 3_000, rng=1)
        whole = tempo.forecast(fit, "60D", 3_000, rng=1)
        assert list(outlooks) == ["rocket", "IED"]
        np.testing.assert_array_equal(
            sum(outlook.totals() for outlook in outlooks.values()), whole.totals()
        )
        assert outlooks["IED"].label == "attacks: IED"
        assert paths[:, 30:, 0].mean() == pytest.approx(two["rocket"].mean(), rel=0.3)
    with pytest.raises(OptionError, match="knows no kinds"):
        tempo.forecast_kinds(tempo.ConstantRate().fit(two["IED"]), "30D")


def test_excitation_is_carried_over(two):
    busy = two.copy()
    busy.iloc[-3:, 0] = 9
    fit = HawkesKinds().fit(busy, method="laplace", rng=1)
    paths = fit.simulate_kinds(60, 3_000, np.random.default_rng(1))
    assert paths[:, 0, 1].mean() > 2 * paths[:, -10:, 1].mean()  # rockets yesterday, IEDs tomorrow
    rows = fit.chains.reshape(-1, fit.chains.shape[2])[:3]
    data = fit.arrays[0]
    state = recursions.final_state(data.counts, data.bin_days, data.width, data.mode, rows)
    lags = np.arange(len(busy), 0, -1)
    for row, found in zip(rows, state, strict=True):
        r = math.exp(-row[6])
        direct = ((1 - r) * r ** (lags - 1)) @ busy.to_numpy()
        np.testing.assert_allclose(found[0], direct, rtol=1e-9)


def test_reproducible(two):
    short = two.iloc[:200]
    for method in ("laplace", "nuts"):
        one, other = (HawkesKinds().fit(short, method=method, rng=5, draws=600) for _ in range(2))
        np.testing.assert_array_equal(one.chains, other.chains)
        assert one.provenance == other.provenance
    swapped = two.copy()
    swapped.iloc[[0, 1]] = swapped.iloc[[1, 0]].to_numpy()
    swapped.iloc[5, 0] += 1
    changed = HawkesKinds().fit(swapped, method="mle", rng=5)
    assert changed.provenance.fingerprint != one.provenance.fingerprint


def test_laplace_falls_back_to_sampling(two, monkeypatch):
    monkeypatch.setattr(hawkes_kinds_fitting, "MOST_FOR_LAPLACE", 3)
    with pytest.warns(ConvergenceWarning, match="does not work with 7 parameters"):
        fit = HawkesKinds().fit(two.iloc[:200], method="laplace", rng=1, draws=600)
    assert fit.method == "nuts"
    monkeypatch.setattr(hawkes_kinds_fitting, "MOST_FOR_LAPLACE", 60)
    monkeypatch.setattr(hawkes_kinds_fitting, "KHAT_LIMIT", -10.0)
    with pytest.warns(ConvergenceWarning, match="k-hat"):
        fit = HawkesKinds().fit(two.iloc[:200], method="laplace", rng=1, draws=600)
    assert any("k-hat" in note for note in fit.provenance.notes)


# -- data of every kind ----------------------------------------


def test_gaps_and_exposure():
    A, mu = [[0.4, 0.1], [0.3, 0.2]], [0.2, 0.15]
    counts = HawkesKinds().simulate(mu, A, 0.4, n_bins=1_200, rng=6).astype(float)
    whole = HawkesKinds().fit(frame(counts), method="mle", rng=1)
    gap = counts.copy()
    gap[400:700] = np.nan
    holes = HawkesKinds().fit(frame(gap), method="mle", rng=1)
    assert holes.nobs == 900
    assert holes.params["baseline[k0]"] == pytest.approx(whole.params["baseline[k0]"], rel=0.5)
    quiet = HawkesKinds().fit(frame(np.nan_to_num(gap)), method="mle", rng=1)
    expected = holes.intensity()["intensity"].mean()
    assert expected > 1.15 * quiet.intensity()["intensity"].mean()
    # One kind alone unobserved for a while.
    half = counts.copy()
    half[400:700, 1] = np.nan
    one = HawkesKinds().fit(frame(half), method="mle", rng=1)
    assert one.nobs == 1_200
    assert one.counts.isna().sum() == 300
    assert one.check()["passed"].iloc[:6].all()
    # Half the day watched: half the attacks, the same baseline.
    rng = np.random.default_rng(7)
    watched = rng.poisson(0.5 * 0.4, (1_000, 2))
    index = pd.date_range("2018-01-01", periods=1_000, freq="1D", unit="us")
    parts = {
        kind: Counts.build(
            watched[:, i], index, np.full(1_000, 0.5), freq="1D", window=None, label=kind, rule="r"
        )
        for i, kind in enumerate(["a", "b"])
    }
    fit = HawkesKinds().fit(parts, method="laplace", rng=1, draws=500)
    assert fit.posterior["log_likelihood"].sizes["time"] == 1_000
    assert fit.params["baseline[a]"] == pytest.approx(0.4, abs=0.12)


@pytest.mark.filterwarnings("ignore::tempo.errors.FewEventsWarning")
@pytest.mark.parametrize(
    ("method", "observation"),
    [("mle", "poisson"), ("mle", "negbin"), ("laplace", "negbin"), ("nuts", "poisson")],
)
def test_kinds_that_hardly_happen(method, observation):
    values = np.zeros((120, 3), dtype=int)
    values[50, 1] = 1
    values[::8, 2] = 1
    data = frame(values, ["never", "once", "often"])
    model = HawkesKinds(observation=observation)
    fit = model.fit(data, method=method, rng=1, draws=500)
    assert np.isfinite(fit.params["baseline[once]"])
    assert fit.params["baseline[never]"] < 0.02
    table = fit.triggers()
    sources = table.index.get_level_values("source")
    assert (table.loc[sources != "often", "triggers"] == CANNOT_TELL).all()
    assert any("never there was no attack" in note for note in fit.provenance.notes)
    assert any("once there were fewer than 10" in note for note in fit.provenance.notes)
    if method == "mle":
        assert np.isinf(fit.conf_int().loc["branching_ratio[often, never]", "high"])
    else:
        # What nothing is known of stays at the prior.
        assert table.loc[("often", "never"), "probability"] == pytest.approx(
            table.loc[("often", "never"), "prior_probability"], abs=0.06
        )
    assert fit.simulate(10, 50, np.random.default_rng(1)).shape == (50, 10)
    assert isinstance(fit.describe(), str)
    assert len(fit.check()) >= 11


@pytest.mark.parametrize("method", ["mle", "laplace"])
def test_nothing_at_all(method):
    with pytest.warns(FewEventsWarning, match="only 0 events"):
        fit = HawkesKinds().fit(frame(np.zeros((60, 2), int)), method=method, rng=1)
    assert fit.simulate(10, 200, np.random.default_rng(1)).mean() < 0.5
    assert "nothing can be said" in fit.describe()


def test_chronology_with_uncertain_dates():
    attacks = tempo.load_dataset("iraq-coalition")
    fit = HawkesKinds().fit(
        attacks, method="laplace", kinds=["rocket", "IED"], imputations=3, draws=600, rng=7
    )
    assert fit.kinds == ["rocket", "IED"]
    assert len(fit.arrays) == 3
    assert sorted(np.unique(fit.origin)) == [0, 1, 2]
    notes = " ".join(fit.provenance.notes)
    assert "4 of 108 incidents are of other or unknown kind" in notes
    assert "averages over 3 series" in notes
    assert "of the kinds rocket, IED" in fit.counts.rule
    table = fit.triggers()
    assert table.loc[("rocket", "rocket"), "triggers"] == YES
    assert table.loc[("rocket", "IED"), "triggers"] == CANNOT_TELL
    assert fit.posterior["posterior"].sizes["draw"] == 600


def test_explosive_series_warn():
    rng = np.random.default_rng(1)
    growing = rng.poisson(np.exp(np.linspace(-3, 4, 120))[:, None] * [0.5, 0.5])
    with pytest.warns(StationarityWarning, match="spectral radius"):
        fit = HawkesKinds(prior=KindsPrior(own_sd=2.0)).fit(frame(growing), method="mle", rng=1)
    assert any("spectral radius" in note for note in fit.provenance.notes)
    with pytest.warns(StationarityWarning, match="exploded"):
        fit.simulate(1_500, 20, np.random.default_rng(1))


def test_ordinary_data_give_no_warning(two):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = HawkesKinds(observation="negbin")
        for method in ("mle", "laplace"):
            model.fit(two.iloc[:300], method=method, rng=2).check()


def test_input_is_checked(two):
    model = HawkesKinds()
    with pytest.raises(OptionError, match="decay"):
        HawkesKinds(decay="none")
    with pytest.raises(OptionError, match="KindsPrior"):
        HawkesKinds(prior=3)
    with pytest.raises(OptionError, match="method"):
        model.fit(two, method="magic")
    with pytest.raises(OptionError, match="mortar"):
        model.fit(two, kinds=["mortar"])
    with pytest.raises(OptionError, match="list of names"):
        model.fit(two, kinds="IED")
    with pytest.raises(OptionError, match="named twice"):
        model.fit(two, kinds=["IED", "IED"])
    with pytest.raises(DataError, match="one column of counts"):
        model.fit(two["IED"])
    with pytest.raises(DataError, match="the same bins"):
        model.fit({"a": two["IED"], "b": two["IED"].iloc[1:]})
    table = pd.DataFrame({"date_start": ["2020-01-05"]})
    unknown = tempo.Incidents(table, ("2020-01-01", "2021-01-01"))
    with pytest.raises(DataError, match="no kinds"):
        model.fit(unknown)
    with pytest.raises(OptionError, match="shapes"):
        model.simulate([0.1, 0.2], [[0.1]], 0.3, n_bins=5)
    with pytest.raises(OptionError, match="negbin"):
        model.simulate([0.1], [[0.1]], 0.3, n_bins=5, dispersion=[0.3])
    with pytest.raises(OptionError, match="not negative"):
        model.simulate([0.1], [[-0.1]], 0.3, n_bins=5)
    series, notes = kind_series(two, ["IED"], 1, np.random.default_rng(1))
    assert series[0].kinds == ("IED",)
    assert "Only the kinds IED" in notes[0]


# -- simulation and recovery ----------------------------------------


@pytest.mark.parametrize("decay", ["shared", "own", "pair"])
def test_simulated_means_are_the_stationary_ones(decay):
    mu, A = np.array([0.3, 0.2]), np.array([[0.3, 0.3], [0.1, 0.4]])
    memory = {"shared": 0.8, "own": [0.5, 1.0], "pair": [[0.5, 1.0], [2.0, 0.7]]}[decay]
    path = HawkesKinds(decay=decay).simulate(mu, A, memory, n_bins=8_000, rng=8)
    wanted = np.linalg.solve(np.eye(2) - A, mu)
    np.testing.assert_allclose(path.mean(axis=0), wanted, rtol=0.09)
    spread = HawkesKinds(decay=decay, observation="negbin").simulate(
        mu, A, memory, n_bins=8_000, dispersion=[1.0, 0.5], rng=8
    )
    np.testing.assert_allclose(spread.mean(axis=0), wanted, rtol=0.13)
    assert (spread.var(axis=0) > 1.1 * path.var(axis=0)).all()


@pytest.mark.slow
@pytest.mark.parametrize("observation", ["poisson", "negbin"])
def test_recovery(observation):
    mu, decay = [0.15, 0.1, 0.2], [0.3, 0.6, 0.2]
    A = np.array([[0.4, 0.0, 0.2], [0.3, 0.2, 0.0], [0.0, 0.0, 0.5]])
    negbin = {"dispersion": [0.5, 0.2, 0.8]} if observation == "negbin" else {}
    model = HawkesKinds(decay="own", observation=observation)
    counts = frame(model.simulate(mu, A, decay, n_bins=8_000, rng=9, **negbin))
    fit = model.fit(counts, method="mle", rng=1)
    truth = np.concatenate([mu, A.ravel(), decay, *negbin.values()])
    inside = fit.bse.notna().to_numpy()
    assert (np.abs(fit.params - truth)[inside] < 3.5 * fit.bse[inside]).all()
    assert (truth[~inside] == 0).all()
    assert fit.check()["passed"].sum() >= len(fit.check()) - 1


@pytest.mark.slow
def test_coverage():
    """Of the 90 % intervals about nine tenths hold the truth, for zero entries too."""
    mu, A, decay = [0.12, 0.1], np.array([[0.4, 0.0], [0.25, 0.2]]), 0.4
    truth = np.concatenate([mu, A.ravel(), [decay]])
    model, inside = HawkesKinds(), {"mle": [], "laplace": []}
    for seed in range(30):
        counts = frame(model.simulate(mu, A, decay, n_bins=900, rng=100 + seed))
        for method, held in inside.items():
            if method == "laplace" and seed >= 15:
                continue
            table = model.fit(counts, method=method, rng=seed, draws=250).conf_int(0.9)
            held.append((table["low"] <= truth) & (truth <= table["high"]))
    zero = 3  # a posterior puts no mass on exactly zero, and its central interval never holds it
    for method, held in inside.items():
        cover = np.mean(held, axis=0)
        kept = np.delete(cover, zero) if method == "laplace" else cover
        assert (kept >= 0.66).all(), (method, cover)
        assert kept.mean() >= 0.83, (method, cover)


@pytest.mark.slow
def test_ranks_of_the_truth_are_uniform():
    """Simulation-based calibration of the Laplace engine: parameters from the prior, ranks in the posterior."""
    prior = KindsPrior(
        baseline_median_per_day=0.3, baseline_log_sd=0.4, own_sd=0.3, cross_mean=0.15
    )
    model = HawkesKinds(prior=prior)
    rng = np.random.default_rng(12)
    z = rng.standard_normal((45, 7))
    truths = kernels.natural_rows(z, prior.array(2), 2, False)
    ranks = []
    for seed, truth in enumerate(truths):
        if np.abs(np.linalg.eigvals(truth[2:6].reshape(2, 2))).max() > 0.95:
            continue
        values = model.simulate(truth[:2], truth[2:6].reshape(2, 2), truth[6], n_bins=250, rng=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = model.fit(frame(values), method="laplace", rng=seed, draws=100)
        draws = fit.chains.reshape(-1, 7)
        ranks.append((draws < truth).mean(axis=0))
    from scipy.stats import kstest

    ranks = np.array(ranks)
    assert len(ranks) > 35
    for column in ranks.T:
        assert kstest(column, "uniform").pvalue > 0.002


def test_peaks_start_at_the_mode(two):
    data = kind_series(two, None, 1, np.random.default_rng(1))[0][0].arrays(0, negbin=False)
    prior = KindsPrior().array(2)
    peaks = posterior_peaks(data, prior)
    gradient = np.empty(7)
    kernels.log_posterior(*data.arrays, prior, peaks[0][0], gradient)
    assert np.abs(gradient).max() < 1e-2
    assert (np.linalg.eigvalsh(peaks[0][1]) > 0).all()
