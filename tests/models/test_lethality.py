"""Lethality: brute force, unknown tolls, pooling, formulas, and what is said about it."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import tempo
from tempo.errors import DataError, FewEventsWarning, OptionError, UnknownValuesWarning
from tempo.models import severity_tails as tails
from tempo.models.laplace import _adapted
from tempo.models.lethality_any import beta_posterior, grouped_posterior, logistic_posterior
from tempo.models.lethality_blocks import Block, finished
from tempo.models.lethality_design import no_covariates
from tempo.models.lethality_draws import TailDraws
from tempo.models.lethality_effects import no_effects
from tempo.models.lethality_reading import Record, Tolls, read_tolls
from tempo.models.lethality_tails import joint_posterior, power_posterior, smooth_posterior
from tempo.models.severity_kernels import MOST

pytestmark = pytest.mark.filterwarnings("ignore::tempo.errors.FewEventsWarning")


def attacks(**columns) -> tempo.Incidents:
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=n), **columns})
    return tempo.Incidents(table, ("2020-01-01", table["date_start"].iloc[-1] + pd.Timedelta("1D")))


def fit(incidents: tempo.Incidents, *, draws: int = 4_000, **options):
    return tempo.Lethality(**options).fit(incidents, rng=7, draws=draws)


MIXED = {
    "killed": [0, 0, 1, np.nan, np.nan, 3, 0, 2, np.nan, 1, np.nan, 0],
    "killed_low": [0, 0, 1, np.nan, 2, 3, 0, 1, 0, 1, 3, 0],
    "killed_high": [0, 0, 1, np.nan, 5, 3, 0, 4, 2, 1, np.nan, 0],
}


def brute_force(family: str) -> tuple[float, np.ndarray]:
    """Evidence and P(next >= k) by a plain sum over chance and parameters."""
    chance = (np.arange(200) + 0.5) / 200
    axes = [
        np.linspace(mean - 7 * sd, mean + 7 * sd, 141 if len(tails.PRIORS[family]) == 2 else 3_001)
        for mean, sd in tails.PRIORS[family]
    ]
    theta = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
    prior = sum(
        stats.norm.logpdf(theta[:, i], *tails.PRIORS[family][i]) for i in range(theta.shape[1])
    )
    cell = sum(math.log(a[1] - a[0]) for a in axes)
    some = tails.log_interval(family, theta, [1, 2, 3, 1, 1, 3], [1, 5, 3, 4, 1, np.inf])
    tail = prior + some.sum(axis=1) + cell
    up_to_two = 1 - np.exp(tails.log_survival(family, theta, [3]))[:, 0]
    zeros = 4
    log_joint = (
        tail[:, None]
        + (6 * np.log(chance) + zeros * np.log1p(-chance))[None]
        + np.log((1 - chance)[None] + chance[None] * up_to_two[:, None])
        - math.log(len(chance))
    )
    evidence = special.logsumexp(log_joint)
    weight = np.exp(log_joint - evidence)
    k = np.array([1, 2, 5, 20])
    beyond = np.exp(tails.log_survival(family, theta, k))
    return float(evidence), np.array([(weight * beyond[:, [i]] * chance).sum() for i in range(4)])


@pytest.mark.parametrize("family", ["negbin", "lognormal", "power"])
def test_intervals_and_unknown_tolls_by_brute_force(family) -> None:
    fitted = fit(attacks(**MIXED), tail=family, draws=20_000)
    evidence, chances = brute_force(family)
    ours = fitted.tails.loc[family, "log_evidence"]
    assert ours + special.betaln(7, 5) == pytest.approx(evidence, abs=0.03)
    table = fitted.exceedance([1, 2, 5, 20])
    np.testing.assert_allclose(table["probability"], chances, rtol=0.03, atol=3e-4)


@pytest.mark.parametrize("family", ["lognormal", "power"])
def test_joint_draws_and_importance_weights_agree(family) -> None:
    """Attacks that perhaps killed nobody come in by the joint target, or by weights: one answer."""
    incidents = attacks(**MIXED)
    tolls, n, rng = read_tolls(incidents, "killed"), 12, np.random.default_rng(1)
    alike = no_covariates(n)
    record = Record(tolls, np.zeros(n), np.zeros(n, dtype=int), ["all"], alike, alike)
    joint, chance, evidence, khat = joint_posterior(family, tolls, (1.0, 1.0), 20_000, rng)
    apart, separate, _ = smooth_posterior(family, tolls.at(tolls.some), 80_000, rng)
    anyone = beta_posterior(6, 4, (1.0, 1.0), 80_000, rng)
    block = Block(apart, no_effects(80_000), anyone, separate)
    block, further = finished(block, record, tolls.open, 20_000, rng)
    assert max(khat, further) < 0.7
    assert block.log_evidence == pytest.approx(evidence, abs=0.03)
    ours = chance[:, None] * joint.survival(np.array([1.0, 5.0]))
    theirs = block.anyone.level * block.tail.survival(np.array([1.0, 5.0]))
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), rtol=0.04)
    np.testing.assert_allclose(ours.std(axis=0), theirs.std(axis=0), rtol=0.06)


def test_many_limits_are_no_obstacle() -> None:
    rng = np.random.default_rng(6)
    killed = tails.sample("lognormal", np.array([[0.3, 0.2]]), rng, each=600)[0] * (
        rng.random(600) < 0.5
    )
    high = np.where(rng.random(600) < 0.5, killed + 3, killed).astype(float)
    low = np.where(high > killed, np.maximum(killed - 3, 0), killed).astype(float)
    fitted = fit(attacks(killed=killed.astype(float), killed_low=low, killed_high=high))
    assert fitted.khat < 0.7
    assert "later beginnings" in " ".join(fitted.provenance.notes)
    assert float(fitted.probability(1)) == pytest.approx(0.5, abs=0.07)


def test_weights_follow_from_the_evidence_where_asked() -> None:
    fitted = fit(attacks(**MIXED), weighing="evidence")
    evidence = np.array([brute_force(name)[0] for name in fitted.weights])
    expected = special.softmax(evidence + np.log([0.2, 0.3, 0.5]))
    np.testing.assert_allclose(list(fitted.weights.values()), expected, atol=0.02)
    even = fit(attacks(**MIXED), weighing="evidence", tail_prior=(1, 1, 1))
    np.testing.assert_allclose(list(even.weights.values()), special.softmax(evidence), atol=0.02)
    drawn = pd.Series(fitted.draws.family).value_counts(normalize=True)
    np.testing.assert_allclose(drawn.sort_index(), list(fitted.weights.values()), atol=0.01)


def test_chance_of_any_is_the_beta_posterior() -> None:
    fitted = fit(attacks(killed=[0.0] * 9 + [1, 2, 5]), draws=40_000)
    truth = stats.beta(4, 10)
    any_ = fitted.probability(1)
    assert float(any_) == pytest.approx(truth.mean(), abs=0.003)
    assert (any_.low, any_.high) == pytest.approx(tuple(truth.ppf([0.05, 0.95])), abs=0.006)
    assert fitted.probability(0) == 1


def test_three_lethal_attacks_in_a_row_are_no_certainty() -> None:
    any_ = fit(attacks(killed=[1.0, 3, 1])).probability(1)
    assert 0.7 < any_ < 0.85
    assert any_.low < 0.55
    # The same three in a group of their own are pulled towards the rest.
    pooled = fit(
        attacks(killed=[1.0, 3, 1] + [0.0] * 30, kind=["rocket"] * 3 + ["mortar"] * 30),
        group="kind",
    )
    assert 0.4 < pooled.probability(1, given={"kind": "rocket"}) < 0.8
    assert pooled.probability(1, given={"kind": "mortar"}) < 0.1
    with pytest.warns(UnknownValuesWarning, match="kind='drone'"):
        new = pooled.probability(1, given={"kind": "drone"})
    assert new.high - new.low > 0.6


def test_unknown_is_not_zero() -> None:
    known = [0.0, 0, 0, 2, 1, 0]
    without = fit(attacks(killed=known))
    unknown = fit(attacks(killed=[*known, np.nan, np.nan, np.nan]))
    as_zero = fit(attacks(killed=[*known, 0, 0, 0]))
    assert float(unknown.probability(1)) == pytest.approx(float(without.probability(1)), abs=0.01)
    assert as_zero.probability(1) < unknown.probability(1) - 0.05
    assert "unknown for 3 of 9" in " ".join(unknown.provenance.notes)


def test_no_lethal_attack_leaves_the_prior() -> None:
    fitted = fit(attacks(killed=[0.0] * 20))
    assert fitted.record is None
    assert fitted.probability(1) == pytest.approx(1 / 22, abs=0.003)
    prior = np.random.default_rng(0).normal(*np.array(tails.PRIORS["power"]).T, size=(200_000, 1))
    expected = np.exp(tails.log_survival("power", prior, [10])).mean() / 22
    only = fit(attacks(killed=[0.0] * 20), tail="power", draws=20_000)
    assert only.probability(10) == pytest.approx(expected, rel=0.1)


def test_prior_predictive_is_what_the_documentation_says() -> None:
    rng = np.random.default_rng(1)
    for family, stated in {"negbin": 0.09, "lognormal": 0.07, "power": 0.04}.items():
        mean, sd = np.array(tails.PRIORS[family]).T
        theta = rng.normal(mean, sd, (50_000, len(mean)))
        ten = np.exp(tails.log_survival(family, theta, [10])).mean()
        assert round(ten, 2) == stated


def test_grouped_posterior_by_brute_force() -> None:
    some, none = np.array([3, 0, 1]), np.array([0, 30, 4])
    draws = grouped_posterior(some, none, (1.0, 1.0), 60_000, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    n = 400_000
    mean, weight = rng.random(n), np.exp(rng.normal(math.log(10), 1.0, n))
    chance = np.clip(
        rng.beta((mean * weight)[:, None] * np.ones(3), ((1 - mean) * weight)[:, None]),
        1e-12,
        1 - 1e-12,
    )
    log_w = (some * np.log(chance) + none * np.log1p(-chance)).sum(axis=1)
    w = np.exp(log_w - special.logsumexp(log_w))
    np.testing.assert_allclose(draws.level.mean(axis=0), w @ chance, atol=0.02)
    assert draws.log_evidence == pytest.approx(special.logsumexp(log_w) - math.log(n), abs=0.08)


def test_logistic_posterior_by_brute_force() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=40)
    y = (rng.random(40) < special.expit(-1 + x)).astype(float)
    draws = logistic_posterior(x[:, None], y, np.zeros(40, dtype=int), 1, 20_000, rng)
    a, b = np.meshgrid(np.linspace(-6, 4, 301), np.linspace(-4, 5, 301), indexing="ij")
    eta = a[..., None] + b[..., None] * x
    log_post = (
        stats.norm.logpdf(a, 0, 1.5)
        + stats.norm.logpdf(b)
        - np.logaddexp(0, -eta * (2 * y - 1)).sum(axis=-1)
    )
    w = np.exp(log_post - special.logsumexp(log_post))
    assert draws.level[:, 0].mean() == pytest.approx((w * a).sum(), abs=0.02)
    assert draws.coefficients.mean() == pytest.approx((w * b).sum(), abs=0.02)
    assert draws.coefficients.std() == pytest.approx(
        math.sqrt((w * b**2).sum() - (w * b).sum() ** 2), rel=0.04
    )
    assert draws.khat < 0.7


def test_group_effects_next_to_covariates_shrink() -> None:
    rng = np.random.default_rng(4)
    kind = np.repeat(["a", "b", "c"], [40, 40, 3])
    lethal = np.concatenate([rng.random(40) < 0.1, rng.random(40) < 0.6, [True] * 3])
    fitted = fit(
        attacks(killed=lethal.astype(float), kind=kind, munitions=rng.integers(1, 9, 83)),
        formula="munitions",
        group="kind",
    )
    table = fitted.groups()
    assert table.loc["a", "probability"] < 0.25 < 0.45 < table.loc["b", "probability"]
    assert table.loc["b", "probability"] < table.loc["c", "probability"] < 0.93
    assert fitted.khat < 0.7
    odds = fitted.coefficients().loc["munitions"]
    assert odds["low"] < 1 < odds["high"]


def test_formula_finds_a_change_and_answers_for_a_given_attack() -> None:
    rng = np.random.default_rng(3)
    killed = np.concatenate([rng.random(60) < 0.1, rng.random(60) < 0.7]) * 1.0
    incidents = attacks(killed=killed)
    fitted = fit(incidents, formula="after(date, '2020-03-01')")
    assert fitted.coefficients().iloc[0]["low"] > 2
    before = fitted.probability(1, given={"date": "2020-02-01"})
    assert before < 0.25
    assert fitted.probability(1, given={}) > 0.55  # left out, the date is the end of the data
    table = fit(incidents).changes()
    assert table.attrs["changed"] > 0.95
    assert abs(int(table["change_probability"].to_numpy().argmax()) - 60) < 8
    assert not fit(incidents).check().loc["chance through time (CUSUM)", "passed"]
    assert fitted.check().loc["chance through time (CUSUM)", "passed"]


def test_missing_covariates_are_left_out_and_said() -> None:
    incidents = attacks(killed=[0.0, 1, 0, 2] * 8, munitions=[1, 2, np.nan, 4] * 8)
    with pytest.warns(UnknownValuesWarning, match="8 of 32"):
        fitted = fit(incidents, formula="munitions")
    assert "8 of 32 attacks lack" in " ".join(fitted.provenance.notes)
    with pytest.raises(OptionError, match="'munitions'"):
        fitted.probability(1, given={"kind": "rocket"})


def test_late_power_laws_are_weighed_against_early_ones() -> None:
    rng = np.random.default_rng(5)
    body = rng.integers(1, 8, 400)
    tail = tails.sample("power", np.array([[math.log(1.5)]]), rng, each=200, x_min=8)[0]
    x = np.concatenate([body, tail]).astype(float)
    tolls = Tolls(x, x)
    draws, evidence, weights = power_posterior(tolls, [1, 4, 8, 12], 2_000, rng)
    assert weights.argmax() == 2
    assert evidence > power_posterior(tolls, [1], 500, rng)[1] + 20
    at = draws.survival(np.array([1.0, 8.0, np.inf]))
    assert (at[:, 0] == 1).all()
    assert (at[:, 2] == 0).all()
    assert at[:, 1].mean() == pytest.approx(np.mean(x >= 8), abs=0.01)
    # Masses and survival agree across the seam.
    k = np.arange(1, 40)
    mass = np.exp(draws.take(np.arange(50)).log_probability(Tolls(k * 1.0, k * 1.0)))
    beyond = draws.take(np.arange(50)).survival(np.arange(1, 41))
    np.testing.assert_allclose(mass, beyond[:, :-1] - beyond[:, 1:], atol=1e-9)


def test_evidence_of_smooth_tails_is_normalised() -> None:
    """Over all tolls of one attack, evidences add up to one."""
    total = 0.0
    for x in range(1, 30):
        toll = Tolls(np.array([float(x)]), np.array([float(x)]))
        total += math.exp(smooth_posterior("lognormal", toll, 100, np.random.default_rng(x))[1])
    rest = Tolls(np.array([30.0]), np.array([np.inf]))
    total += math.exp(smooth_posterior("lognormal", rest, 100, np.random.default_rng(0))[1])
    assert total == pytest.approx(1, abs=0.01)


def test_few_lethal_attacks_are_said() -> None:
    with pytest.warns(FewEventsWarning, match="Only 2 of 4"):
        fitted = tempo.Lethality().fit(attacks(killed=[0.0, 1, 2, 0]), rng=1)
    assert any("Only 2 of 4" in note for note in fitted.provenance.notes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tempo.Lethality().fit(attacks(killed=[0.0, 1, 2, 0] * 15), rng=1)


def test_answers_hang_together() -> None:
    fitted = fit(attacks(killed=[0.0, 0, 1, 0, 2, 9] * 10))
    q = fitted.chance * fitted.draws.survival(np.array([10.0]))[:, 0]
    waiting = fitted.attacks_until(10)
    n = waiting["median"]
    assert np.mean(1 - (1 - q) ** n) >= 0.5 > np.mean(1 - (1 - q) ** (n - 1))
    assert waiting["low"] <= n <= waiting["high"]
    assert fitted.record == 9
    by_tail = fitted.by_tail(10)
    assert by_tail["weight"].sum() == pytest.approx(1)
    average = (by_tail["weight"] * by_tail["probability"]).sum()
    assert float(fitted.probability(10)) == pytest.approx(average, rel=0.1)
    assert (by_tail["low"] < by_tail["probability"]).all()
    share = fitted.concentration(0.2)
    assert share["observed"] == pytest.approx(6 * 9 / (10 * 12))
    assert 0.2 < share["low"] < share["median"] < share["high"] < 1
    drawn = fitted.simulate(5, 20_000, np.random.default_rng(1))
    assert drawn.shape == (20_000, 5)
    for k in (1, 2, 10):
        assert np.mean(drawn >= k) == pytest.approx(float(fitted.probability(k)), abs=0.01)


def test_no_mean_where_there_may_be_none() -> None:
    heavy = fit(attacks(killed=[0.0, 1, 1, 2, 60, 900] * 8))
    assert heavy.without_mean > 0.2
    assert "No mean is given" in heavy.describe()
    assert not heavy.summary().attrs["mean_shown"]
    light = fit(attacks(killed=[0.0, 1, 1, 2, 3, 2] * 8), tail="negbin")
    assert light.without_mean == 0
    row = light.summary().loc["deaths for each attack"]
    assert row["low"] < 9 / 6 < row["high"]


def test_posterior_is_what_arviz_expects() -> None:
    import arviz as az

    fitted = fit(attacks(**MIXED, kind=["a", "b"] * 6), group="kind", draws=1_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = az.summary(fitted.posterior)
        loo = az.loo(fitted.posterior)
    assert {"chance", "power_exponent", "lognormal_mu", "negbin_mean"} <= set(table.index)
    assert np.isfinite(loo.elpd)
    assert (
        fitted.posterior["observed_data"].sizes["attack"] == 11
    )  # the unknown toll is not among them


def test_leave_one_out_by_refitting() -> None:
    x = np.array([1.0, 1, 1, 2, 2, 3, 4, 11])
    elpd = 0.0
    whole = None
    for i in [None, *range(len(x))]:
        kept = x if i is None else np.delete(x, i)
        evidence = smooth_posterior(
            "lognormal", Tolls(kept, kept), 8_000, np.random.default_rng(1)
        )[1]
        if whole is None:
            whole = evidence
        else:
            elpd += whole - evidence
    fitted = fit(attacks(killed=x), tail="lognormal", draws=8_000)
    assert fitted.tails.loc["lognormal", "elpd"] == pytest.approx(elpd, abs=0.15)


def test_wounded_are_counted_alike() -> None:
    fitted = fit(attacks(wounded=[0.0, 4, 6, 0]), column="wounded")
    assert fitted.toll == "wounded"
    assert "wounds anyone" in fitted.describe()


def test_shipped_chronology() -> None:
    past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    fitted = fit(past)
    any_ = fitted.probability(1)
    assert 0.08 < any_ < 0.18  # 3 of the 29 whose toll is known
    assert any_.low < 0.06
    assert any_.high > 0.2
    ten = fitted.probability(10)
    assert 0.001 < ten < 0.02
    assert ten.high > 3 * ten
    assert fitted.check()["passed"].all()
    assert repr(any_).startswith("13 % (90 % interval")


def test_same_seed_same_fit_and_order_does_not_matter() -> None:
    one, two = fit(attacks(**MIXED)), fit(attacks(**MIXED))
    np.testing.assert_array_equal(one.chance, two.chance)
    np.testing.assert_array_equal(one.draws.theta, two.draws.theta)
    assert one.provenance.fingerprint == two.provenance.fingerprint
    assert one.provenance.seed == "7"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tail": "pareto"}, "'lognormal'"),
        ({"any_prior": (0, 1)}, "Beta"),
        ({"x_min": 0}, "'ks'"),
        ({"x_min": 3, "tail": "negbin"}, "only power laws"),
        ({"weighing": "stacking"}, "'evidence'"),
        ({"tail_prior": (1, 1)}, "three positive weights"),
        ({"tail_prior": (1, 0, 1)}, "three positive weights"),
        ({"formula": "munitions", "any_prior": (1, 2)}, "log odds"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message) -> None:
    with pytest.raises(OptionError, match=message):
        tempo.Lethality(**options)


def test_data_that_say_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="no column 'killed'"):
        fit(attacks(wounded=[1.0]))
    with pytest.raises(DataError, match="incidents"):
        tempo.Lethality().fit(pd.Series([1, 2]))
    with pytest.raises(DataError, match="no column 'kind' to group by"):
        fit(attacks(killed=[1.0]), group="kind")
    with pytest.raises(OptionError, match="cannot be evaluated"):
        fit(attacks(killed=[1.0, 0.0]), formula="nosuch")
    with pytest.raises(OptionError, match="intercept"):
        fit(attacks(killed=[1.0, 0.0], munitions=[1, 2]), formula="0 + munitions")
    with pytest.raises(OptionError, match="neither formula nor group"):
        fit(attacks(killed=[1.0, 0.0])).probability(1, given={"kind": "rocket"})


def test_tail_draws_know_their_means() -> None:
    code = tails.FAMILIES["power"][0]
    draws = TailDraws(
        np.array([code, code, 1]),
        np.array([[-0.1, 0.0], [0.1, 0.0], [-0.1, 0.0]]),
        np.ones(3, dtype=int),
        np.zeros((3, 1)),
    )
    assert draws.endless_mean(np.zeros((3, 1))).tolist() == [True, False, False]
    assert draws.endless_mean(np.full((3, 1), 0.2)).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("family", "theta"),
    [
        ("power", [math.log(0.02)]),
        ("power", [math.log(0.1)]),
        ("lognormal", [20.0, math.log(8.0)]),
        ("lognormal", [400.0, math.log(8.0)]),
        ("negbin", [20.0, 2.0]),
        ("negbin", [5.0, 9.0]),
    ],
)
def test_draws_of_any_tail_are_whole_numbers_from_one_to_the_limit(family, theta):
    """A draw that no whole number could hold is the limit, never what overflow makes of it."""
    drawn = tails.sample(family, np.array([theta]), np.random.default_rng(1), each=20_000)
    assert drawn.min() >= 1
    assert drawn.max() <= MOST
    if family == "power":  # P(X >= k) of a heavy tail, from the definition
        expected = float(
            special.zeta(1 + math.exp(theta[0]), 1000) / special.zeta(1 + math.exp(theta[0]), 1)
        )
        assert (drawn >= 1000).mean() == pytest.approx(expected, abs=0.02)


def test_deaths_are_at_least_as_probable_as_a_lethal_attack():
    tolls = [1.0, 8, 60, 500, 3000]
    table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=5), "killed": tolls})
    past = tempo.Incidents(table, ("2020-01-01", "2020-01-06"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lethal = tempo.Lethality().fit(past, rng=1)
        rate = tempo.ConstantRate().fit(past, rng=1)
    outlook = tempo.forecast(rate, horizon="90D", rng=0, lethality=lethal)
    deaths, attacks = np.asarray(outlook.deaths), np.asarray(outlook.counts)
    assert deaths.min() >= 0
    assert not ((attacks == 0) & (deaths > 0)).any()


@pytest.mark.parametrize("tail", ["average", "power", "lognormal", "negbin"])
@pytest.mark.parametrize("toll", [1e10, 1e12])
def test_an_absurd_toll_is_answered(tail, toll):
    """All weights but one may underflow to zero, which no tempering evens out."""
    table = pd.DataFrame(
        {"date_start": pd.date_range("2020-01-01", periods=32), "killed": [0.0, 1, 2, toll] * 8}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = tempo.Lethality(tail=tail).fit(
            tempo.Incidents(table, ("2020-01-01", "2020-02-02")), rng=1
        )
    assert sum(fit.weights.values()) == pytest.approx(1)


def test_a_proposal_is_fitted_to_a_single_draw_that_has_all_the_weight():
    places = np.random.default_rng(0).normal(size=(500, 2))
    logs = np.full(500, -np.inf)
    logs[7] = 0.0
    components, shares = _adapted(places, logs, (np.zeros(2), np.eye(2)), np.random.default_rng(1))
    assert len(components) == len(shares)
    assert np.isfinite(shares).all()
