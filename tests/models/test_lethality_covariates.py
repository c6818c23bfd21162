"""Covariates and groups of the number killed: likelihoods, posteriors by brute force, calibration, and what is said."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import tempo
from tempo.errors import DataError, OptionError, UnknownValuesWarning
from tempo.models import severity_tails as tails
from tempo.models.lethality_effects import EFFECT_SD, regression_posterior
from tempo.models.lethality_reading import LethalRows, Tolls

pytestmark = pytest.mark.filterwarnings("ignore::tempo.errors.FewEventsWarning")

FAMILIES = ["negbin", "lognormal", "power"]


def attacks(**columns) -> tempo.Incidents:
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({"date_start": pd.date_range("2000-01-01", periods=n), **columns})
    return tempo.Incidents(table, ("2000-01-01", table["date_start"].iloc[-1] + pd.Timedelta("1D")))


def fit(incidents: tempo.Incidents, *, draws: int = 4_000, **options):
    return tempo.Lethality(**options).fit(incidents, rng=7, draws=draws)


def prior_draws(family: str, n: int, rng: np.random.Generator) -> np.ndarray:
    mean, sd = np.array(tails.PRIORS[family]).T
    return rng.normal(mean, sd, (n, len(mean)))


def rows(low, high, design, group=None) -> LethalRows:
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    group = np.zeros(len(low), dtype=np.int64) if group is None else np.array(group)
    return LethalRows(Tolls(low, high), np.array(design, dtype=float), group, np.ones(len(low)))


# -- likelihood ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_shift_moves_the_parameter_and_nothing_else(family) -> None:
    rng = np.random.default_rng(1)
    theta, shift = prior_draws(family, 6, rng), rng.normal(size=(6, 5))
    low, high = np.array([1.0, 2, 3, 7, 40]), np.array([1.0, 2, 9, np.inf, 40])
    ours = tails.log_interval(family, theta, low, high, shift=shift)
    beyond = tails.log_survival(family, theta, low, shift=shift)
    sign = -1.0 if family == "power" else 1.0
    for d in range(6):
        for i in range(5):
            moved = theta[d : d + 1].copy()
            moved[0, 0] += sign * shift[d, i]
            alone = tails.log_interval(family, moved, low[i : i + 1], high[i : i + 1])
            assert ours[d, i] == pytest.approx(alone[0, 0], rel=1e-12)
            assert beyond[d, i] == pytest.approx(
                tails.log_survival(family, moved, low[i : i + 1])[0, 0], rel=1e-12, abs=1e-14
            )


def test_power_law_sum_from_the_spline_is_the_exact_one() -> None:
    rng = np.random.default_rng(2)
    theta = rng.uniform(-9.0, 8.0, (100, 1))
    shift = rng.uniform(-1.0, 1.0, (100, 100))
    for x_min in (1, 2, 12, 150):
        at = np.full(100, float(x_min))
        many = tails.log_pmf("power", theta, at, x_min=x_min, shift=shift)
        few = np.vstack(
            [
                tails.log_pmf("power", theta[i : i + 1], at, x_min=x_min, shift=shift[i : i + 1])
                for i in range(100)
            ]
        )
        np.testing.assert_allclose(many, few, rtol=1e-9, atol=1e-9)


def test_zeta_where_it_underflows() -> None:
    mpmath = pytest.importorskip("mpmath")
    for exponent, q in [(365.0, 12.0), (61.0, 1e6), (2_000.0, 3.0), (120.0, 900.0), (2.4, 5.0)]:
        ours = tails._log_zeta(np.array([[exponent]]), np.array([q]))[0, 0]
        with mpmath.workdps(40):
            exact = mpmath.log(mpmath.zeta(mpmath.mpf(exponent), mpmath.mpf(q)))
        assert ours == pytest.approx(float(exact), rel=1e-9)


def test_truncated_negative_binomial_regression_is_statsmodels() -> None:
    from statsmodels.discrete.truncated_model import TruncatedLFNegativeBinomialP

    rng = np.random.default_rng(3)
    x = rng.normal(size=60)
    y = 1 + rng.poisson(np.exp(0.4 + 0.5 * x))
    theirs = TruncatedLFNegativeBinomialP(y, np.column_stack([np.ones(60), x]), truncation=0)
    for log_mean, slope, dispersion in [(0.4, 0.5, 0.7), (-0.3, -0.2, 1.9), (1.0, 0.0, 0.2)]:
        theta = np.array([[log_mean, math.log(dispersion)]])
        ours = tails.log_pmf("negbin", theta, y, shift=slope * x[None]).sum()
        assert ours == pytest.approx(
            float(theirs.loglike(np.array([log_mean, slope, dispersion]))), abs=1e-6
        )


# -- posterior -------------------------------------------------------------------------------------------------

LOW, HIGH = [1, 2, 1, 1, 6, 4, 3, 9], [1, 2, 3, 1, 6, np.inf, 3, 9]
X = [[-1.0], [-0.5], [-1.2], [0.1], [1.0], [0.8], [0.3], [1.4]]


@pytest.mark.parametrize("family", FAMILIES)
def test_regression_by_brute_force(family) -> None:
    data = rows(LOW, HIGH, X)
    tail, effects, evidence, khat = regression_posterior(
        family, data, 0, 1, 20_000, np.random.default_rng(1)
    )
    assert khat < 0.7
    rng = np.random.default_rng(2)
    n = 400_000
    theta = prior_draws(family, n, rng)
    slope = rng.normal(0.0, EFFECT_SD[family], (n, 1))
    log_w = np.empty(n)
    for part in np.array_split(np.arange(n), 40):
        log_w[part] = tails.log_interval(
            family, theta[part], LOW, HIGH, shift=slope[part] @ np.array(X).T
        ).sum(axis=1)
    assert evidence == pytest.approx(special.logsumexp(log_w) - math.log(n), abs=0.03)
    w = np.exp(log_w - special.logsumexp(log_w))
    mean = float(w @ slope[:, 0])
    assert effects.coefficients.mean() == pytest.approx(mean, abs=0.02)
    assert effects.coefficients.std() == pytest.approx(
        math.sqrt(w @ (slope[:, 0] - mean) ** 2), rel=0.05
    )
    kept = rng.choice(n, 4_000, p=w)
    k = np.array([3.0, 10.0])
    truth = np.exp(
        tails.log_survival(family, theta[kept], k, shift=np.repeat(slope[kept], 2, axis=1))
    ).mean(axis=0)
    ours = tail.survival(k, np.repeat(effects.coefficients, 2, axis=1)).mean(axis=0)
    np.testing.assert_allclose(ours, truth, rtol=0.06)


@pytest.mark.parametrize("family", FAMILIES)
def test_groups_by_brute_force(family) -> None:
    group = [0, 0, 0, 1, 1, 1, 2, 1]
    data = rows(LOW, HIGH, np.zeros((8, 0)), group)
    tail, effects, evidence, khat = regression_posterior(
        family, data, 3, 1, 20_000, np.random.default_rng(1)
    )
    assert khat < 0.7
    rng = np.random.default_rng(2)
    n = 400_000
    theta = prior_draws(family, n, rng)
    scale = EFFECT_SD[family] * np.abs(rng.normal(size=n))
    level = scale[:, None] * rng.normal(size=(n, 3))
    log_w = np.empty(n)
    for part in np.array_split(np.arange(n), 40):
        log_w[part] = tails.log_interval(
            family, theta[part], LOW, HIGH, shift=level[part][:, group]
        ).sum(axis=1)
    w = np.exp(log_w - special.logsumexp(log_w))
    # The grid of scales has sixteen nodes: it ends where one chance in thirty-two is left.
    assert evidence == pytest.approx(special.logsumexp(log_w) - math.log(n), abs=0.06)
    np.testing.assert_allclose(effects.level.mean(axis=0), w @ level, atol=0.06)
    assert effects.newcomer.std() == pytest.approx(math.sqrt(w @ scale**2), rel=0.15)
    assert tail.theta[:, 0].mean() == pytest.approx(float(w @ theta[:, 0]), abs=0.06)


@pytest.mark.parametrize("x_min", [1, 3])
def test_limits_and_covariates_together_by_brute_force(x_min) -> None:
    """Chance and number with a covariate each; tolls known to limits, across the beginning of the tail too."""
    best = [0, 0, 1, np.nan, 5, np.nan, 0, 2, np.nan, 7, 3, 0]
    low = [0, 0, 1, 0, 5, 2, 0, 2, np.nan, 7, 3, 0]
    high = [0, 0, 1, 4, 5, 6, 0, 2, np.nan, 7, 3, 0]
    size = np.array([1.0, 2, 1, 4, 9, 8, 3, 4, 2, 10, 6, 2])
    incidents = attacks(killed=best, killed_low=low, killed_high=high, munitions=size)
    fitted = fit(incidents, tail="power", formula="munitions", x_min=x_min, draws=20_000)
    assert fitted.khat < 0.7
    x = (size - size.mean()) / size.std()
    rng = np.random.default_rng(5)
    n = 200_000
    theta, b = prior_draws("power", n, rng), rng.normal(0, EFFECT_SD["power"], n)
    intercept, c = rng.normal(0, 1.5, n), rng.normal(0, 1.0, n)
    cells = 1.0 / np.arange(1, x_min) ** 2.5 / special.zeta(2.5, 1)
    body = rng.dirichlet(np.append(cells, 1 - cells.sum()), n) if x_min > 1 else np.ones((n, 1))
    chance = special.expit(intercept[:, None] + c[:, None] * x)

    def beyond(k: float, at: int) -> np.ndarray:
        if k < x_min:
            return np.asarray(1.0 - body[:, : int(k) - 1].sum(axis=1))
        shift = (b * x[at])[:, None]
        tail = np.exp(tails.log_survival("power", theta, [k], x_min=x_min, shift=shift))[:, 0]
        return np.asarray(body[:, x_min - 1 :].sum(axis=1) * tail)

    log_w = np.zeros(n)
    for i in range(12):
        if np.isnan(low[i]):
            continue
        at_least = chance[:, i] * beyond(max(low[i], 1), i) if low[i] else np.ones(n)
        more = chance[:, i] * beyond(high[i] + 1, i)
        log_w += np.log(np.maximum(at_least - more, 1e-300))
    w = np.exp(log_w - special.logsumexp(log_w))
    for munitions in (1.0, 9.0):
        at = int(np.flatnonzero(size == munitions)[0])
        for k in (1, 2, 5, 20):
            truth = float(w @ (chance[:, at] * beyond(k, at)))
            ours = fitted.probability(k, given={"munitions": munitions})
            assert float(ours) == pytest.approx(truth, rel=0.08, abs=2e-3), (munitions, k)


def test_recovers_what_made_attacks_deadlier() -> None:
    rng = np.random.default_rng(3)
    n = 400
    size, kind = rng.integers(1, 20, n), rng.choice(["rocket", "bomb"], n)
    place = 0.3 + 0.08 * size + 0.7 * (kind == "bomb")
    theta = np.column_stack([place, np.full(n, math.log(0.8))])
    killed = tails.sample("lognormal", theta, rng)[:, 0] * (rng.random(n) < 0.5)
    incidents = attacks(killed=killed.astype(float), munitions=size, kind=kind)
    fitted = fit(incidents, tail="lognormal", formula="munitions + kind")
    table = fitted.toll_coefficients().loc["lognormal"]
    scale = float(table.loc["munitions", "per"])
    assert scale == pytest.approx(size.std())
    assert table.loc["munitions", "low"] < math.exp(0.08 * scale) < table.loc["munitions", "high"]
    rocket = table.loc["kind[T.rocket]"]
    assert rocket["low"] < math.exp(-0.7) < rocket["high"] < 0.8
    large = {"munitions": 18, "kind": "bomb"}
    truth = 0.5 * math.exp(
        tails.log_survival("lognormal", np.array([[0.3 + 0.08 * 18 + 0.7, math.log(0.8)]]), [10])[
            0, 0
        ]
    )
    found = fitted.probability(10, given=large)
    assert found.low < truth < found.high
    assert found > 5 * fitted.probability(10, given={"munitions": 2, "kind": "rocket"})
    # Chance and number have coefficients of their own.
    odds = fitted.coefficients().loc["munitions"]
    assert odds["low"] < 1 < odds["high"]


def test_formula_of_the_toll_alone_and_of_the_chance_alone() -> None:
    rng = np.random.default_rng(4)
    munitions = rng.integers(1, 9, 80)
    killed = rng.geometric(0.4, 80) * (rng.random(80) < 0.5)
    incidents = attacks(killed=killed.astype(float), munitions=munitions)

    def ratio(fitted, munitions: int) -> float:
        given = {"munitions": munitions}
        return float(fitted.probability(5, given=given) / fitted.probability(1, given=given))

    toll = fit(incidents, toll_formula="munitions")
    low, high = ({"munitions": m} for m in (1, 8))
    assert toll.probability(1, given=low) == toll.probability(1, given=high)
    assert ratio(toll, 1) != pytest.approx(ratio(toll, 8), rel=0.05)
    assert list(toll.coefficients().index) == []
    chance = fit(incidents, formula="munitions", toll_formula="1")
    assert chance.toll_coefficients().empty
    assert chance.probability(1, given=low) != chance.probability(1, given=high)
    # Tail and chance are independent then, but for the noise of draws.
    assert ratio(chance, 1) == pytest.approx(ratio(chance, 8), rel=0.05)


# -- the next attack -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed_fit():
    rng = np.random.default_rng(8)
    n = 120
    kind = rng.choice(["rocket", "bomb", "drone"], n, p=[0.6, 0.3, 0.1])
    size = rng.integers(1, 6, n)
    theta = np.column_stack([0.2 * size + (kind == "bomb"), np.zeros(n)])
    killed = tails.sample("lognormal", theta, rng)[:, 0] * (rng.random(n) < 0.3 + 0.1 * size)
    incidents = attacks(killed=killed.astype(float), munitions=size, kind=kind)
    return fit(incidents, formula="munitions", group="kind"), size, kind


def test_next_attack_is_one_of_those_of_the_data(mixed_fit) -> None:
    fitted, size, kind = mixed_fit
    for k in (1, 5, 20):
        each = [
            float(fitted.probability(k, given={"munitions": m, "kind": word}))
            for m, word in zip(size, kind, strict=True)
        ]
        assert float(fitted.probability(k)) == pytest.approx(np.mean(each), rel=0.03, abs=1e-3)
    rng = np.random.default_rng(1)
    drawn = fitted.simulate(4, 20_000, rng)
    for k in (1, 5, 20):
        assert np.mean(drawn >= k) == pytest.approx(float(fitted.probability(k)), abs=0.01)
    lethal = fitted.concentration(0.2)
    assert 0.2 < lethal["low"] < lethal["median"] < lethal["high"] < 1


def test_deaths_by_kind_with_covariates(mixed_fit) -> None:
    fitted, size, kind = mixed_fit
    n = 20_000
    futures = np.ones((n, 1, 4), dtype=np.int64)
    words = ["rocket", "bomb", "drone", "mine"]
    total, deadliest = fitted.simulate_deaths_by_group(futures, words, np.random.default_rng(2))
    np.testing.assert_array_equal(total, deadliest)
    for i, word in enumerate(words[:3]):
        each = [
            float(fitted.probability(5, given={"munitions": m, "kind": word}))
            for m in size[kind == word]
        ]
        assert np.mean(total[:, 0, i] >= 5) == pytest.approx(np.mean(each), abs=0.02)
    bomb, rocket, mine = (np.mean(total[:, 0, i] >= 5) for i in (1, 0, 3))
    assert rocket < mine < bomb
    table = fitted.groups(at_least=5)
    assert table.loc["rocket", "probability"] < table.loc["bomb", "probability"]
    assert list(table.index) == ["bomb", "drone", "rocket", "a new one"]
    certain = table.loc["bomb"]
    new = table.loc["a new one"]
    assert new["high"] - new["low"] > certain["high"] - certain["low"]


def test_three_deadly_attacks_are_pulled_towards_the_others() -> None:
    kind = ["bomb"] * 3 + ["rocket"] * 40
    killed = [20.0, 35, 18] + [1.0, 2, 1, 1, 0, 3, 1, 0] * 5
    grouped = fit(attacks(killed=killed, kind=kind), group="kind")
    alone = fit(attacks(killed=killed[:3]))
    bomb = grouped.probability(10, given={"kind": "bomb"})
    rocket = grouped.probability(10, given={"kind": "rocket"})
    assert rocket < 0.05 < 0.3 < bomb < 0.95
    assert bomb.low < 0.55
    assert alone.probability(10) < 0.9


def test_answers_with_covariates_hang_together(mixed_fit) -> None:
    fitted, _, _ = mixed_fit
    assert fitted.check()["passed"].all()
    table = fitted.exceedance([1, 5, 20])
    assert (np.diff(table["probability"]) < 0).all()
    by_tail = fitted.by_tail(5)
    average = (by_tail["weight"] * by_tail["probability"]).sum()
    assert float(fitted.probability(5)) == pytest.approx(average, rel=0.05)
    posterior = fitted.posterior["posterior"]
    assert posterior["lognormal_coefficients"].dims == ("chain", "draw", "toll_covariate")
    assert posterior["power_group_effect"].sizes["group"] == 3
    likelihood = fitted.posterior["log_likelihood"]["killed"]
    assert np.isfinite(likelihood).all()


def test_a_tail_that_covariates_explain_passes_its_check_and_a_wrong_one_does_not() -> None:
    rng = np.random.default_rng(6)
    big = np.arange(300) % 2
    theta = np.column_stack([0.2 + 3.0 * big, np.full(300, math.log(0.3))])
    killed = tails.sample("lognormal", theta, rng)[:, 0].astype(float)
    incidents = attacks(killed=killed, big=big)
    wrong = fit(incidents, tail="lognormal")
    right = fit(incidents, tail="lognormal", formula="big")
    assert not wrong.check().loc["shape of the tail (KS)", "passed"]
    assert right.check().loc["shape of the tail (KS)", "passed"]
    ours, theirs = (f.tails.loc["lognormal", "elpd"] for f in (right, wrong))
    assert ours > theirs + 50


def test_late_power_law_with_covariates_keeps_its_body() -> None:
    rng = np.random.default_rng(5)
    body = rng.integers(1, 8, 300)
    size = np.repeat([0.0, 1.0], 100)
    exponent = np.where(size > 0, 1.9, 3.0)
    late = tails.sample("power", np.log(exponent - 1.0)[:, None], rng, x_min=8)[:, 0]
    killed = np.concatenate([body, late]).astype(float)
    incidents = attacks(killed=killed, size=np.concatenate([rng.integers(0, 2, 300), size]))
    fitted = fit(incidents, tail="power", formula="size", x_min=8)
    factor = fitted.toll_coefficients().loc[("power", "size")]
    few, many = (
        tails.fit_tail(part, "power", x_min=8).parameters["exponent"] - 1.0
        for part in np.split(late, 2)
    )
    assert factor["low"] < few / many < factor["high"]
    small, large = ({"size": s} for s in (0, 1))
    ratio = [
        fitted.probability(8, given=g) / fitted.probability(1, given=g) for g in (small, large)
    ]
    assert ratio[0] == pytest.approx(ratio[1], rel=0.02)
    assert fitted.probability(60, given=large) > 3 * fitted.probability(60, given=small)


def test_unknown_covariates_are_left_out_of_both_parts_and_said() -> None:
    incidents = attacks(killed=[0.0, 1, 0, 2] * 8, munitions=[1, 2, np.nan, 4] * 8)
    with pytest.warns(UnknownValuesWarning) as caught:
        fitted = fit(incidents, formula="munitions")
    said = [str(w.message) for w in caught if w.category is UnknownValuesWarning]
    assert len(said) == 1
    assert "how often an attack kills anyone, and how many" in said[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownValuesWarning)
        toll = fit(incidents, toll_formula="munitions")
    assert "how many it kills" in " ".join(toll.provenance.notes)
    assert fitted.probability(2) > 0
    with pytest.raises(OptionError, match="'munitions'"):
        toll.probability(1, given={"kind": "rocket"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "mine", "munitions": 2}, "never seen fit with group='kind'"),
        ({"kind": None, "munitions": 2}, "kind is None"),
        ({"kind": "bomb", "munitions": "many"}, "munitions='many'"),
        ({"kind": "bomb", "munitions": None}, "finite numbers"),
        ({"kind": "bomb", "munitions": math.inf}, "finite numbers"),
        ({"kind": "bomb"}, "also needs 'munitions'"),
        ({"kind": "bomb", "munitions": 2, "date": "soon"}, "date"),
    ],
)
def test_a_description_that_says_nothing_is_refused(given, message) -> None:
    incidents = attacks(
        killed=[0.0, 1, 2, 0] * 5, kind=["bomb", "rocket"] * 10, munitions=[1, 2, 3, 4] * 5
    )
    fitted = fit(incidents, formula="kind + munitions", draws=100)
    assert 0 < fitted.probability(1, given={"kind": "bomb", "munitions": 2.5}) < 1
    with pytest.raises(ValueError, match=message):
        fitted.probability(1, given=given)


def test_a_formula_that_formulaic_refuses_is_refused_in_plain_text() -> None:
    with pytest.raises(OptionError, match="misplaced") as caught:
        fit(attacks(killed=[1.0, 0], kind=["a", "b"]), formula="kind +")
    assert "\x1b" not in str(caught.value)


def test_covariates_known_to_limits_are_taken_at_their_middle() -> None:
    low, high = [2.0, 1, 5, np.nan], [4.0, 1, 9, 3]
    incidents = attacks(
        killed=[0.0, 1, 2, 0],
        munitions=[np.nan, 1, 6, np.nan],
        munitions_low=low,
        munitions_high=high,
    )
    with pytest.warns(UnknownValuesWarning, match="1 of 4 attacks lack"):
        fitted = fit(incidents, formula="munitions")
    design = fitted._record.anyone.design
    assert (design.matrix[:, 0] * design.scale + design.centre).tolist() == [3, 1, 6]
    assert "For 1 attack a value that the formula needs" in " ".join(fitted.provenance.notes)
    other = fit(incidents, formula="season")
    assert "known to limits" not in " ".join(other.provenance.notes)


def test_no_lethal_attack_leaves_the_prior_of_the_coefficients() -> None:
    incidents = attacks(killed=[0.0] * 20, munitions=np.arange(20))
    fitted = fit(incidents, formula="munitions", tail="lognormal")
    factor = fitted.toll_coefficients().loc[("lognormal", "munitions")]
    edge = math.exp(stats.norm.ppf(0.95))
    assert factor["factor"] == pytest.approx(1, abs=0.1)
    assert factor["high"] == pytest.approx(edge, rel=0.1)


def test_same_seed_same_fit() -> None:
    incidents = attacks(killed=[0.0, 1, 3, 2, 0, 9] * 5, munitions=[1, 2, 3, 4, 5, 6] * 5)
    one, two = (fit(incidents, formula="munitions") for _ in range(2))
    np.testing.assert_array_equal(one.chance, two.chance)
    assert one.probability(5) == two.probability(5)


# -- attacks counted because they killed -----------------------------------------------------------------------


def test_where_the_rule_asks_for_deaths_the_chance_is_one() -> None:
    incidents = attacks(
        killed=[0.0, 1, 3, np.nan, 12, 0, 2] * 3, munitions=[1.0, 2, 3, 4, 5, 6, 7] * 3
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tempo.errors.UndecidedRowsWarning)
        lethal = incidents.where("killed > 0", label="lethal attacks")
        other = incidents.where("killed > 0 or munitions >= 6")
    fitted = fit(lethal)
    assert fitted.probability(1) == 1
    assert fitted.probability(1).low == 1
    assert fitted.probability(2) < 1
    assert fitted.describe().startswith(
        "Each of the lethal attacks kills someone, by the counting rule"
    )
    assert "By the counting rule each" in " ".join(fitted.provenance.notes)
    assert "Only 12 attacks are known" in " ".join(fitted.provenance.notes)
    assert (fitted.simulate(3, 100, np.random.default_rng(1)) > 0).all()
    by_size = fit(lethal, formula="munitions")
    assert by_size.probability(1, given={"munitions": 3}) == 1
    assert list(by_size.toll_coefficients().loc["power"].index) == ["munitions"]
    free = fit(other)
    assert free.probability(1) < 1
    assert free.describe().startswith("The next attack kills anyone with probability")


# -- what a hostile reading found ------------------------------------------------------------------------------


def test_a_power_law_whose_exponents_covariates_explain_begins_at_one() -> None:
    """Without covariates a mixture of exponents looks like a law that begins late."""
    rng = np.random.default_rng(12)
    exponent = np.repeat([1.4, 2.0, 3.0, 4.0], 100)
    killed = tails.sample("power", np.log(exponent - 1.0)[:, None], rng)[:, 0].astype(float)
    kind = np.repeat(list("abcd"), 100)
    grouped = fit(attacks(killed=np.minimum(killed, 1e6), kind=kind), group="kind")
    assert grouped.weights["power"] > 0.9
    assert (grouped._blocks["power"].tail.x_min <= 2).mean() > 0.9
    deadly = grouped.probability(1_000, given={"kind": "a"})
    truth = math.exp(tails.log_survival("power", np.array([[math.log(0.4)]]), [1_000])[0, 0])
    assert deadly.low < truth < deadly.high


def test_many_attacks_of_few_sorts_keep_their_number() -> None:
    rng = np.random.default_rng(3)
    big = rng.integers(0, 2, 4_000)
    killed = (rng.random(4_000) < 0.1 + 0.17 * big) * 1.0
    found = fit(
        attacks(killed=killed, big=big), formula="big", toll_formula="1", draws=2_000
    ).probability(1)
    assert float(found) == pytest.approx(killed.mean(), abs=0.004)
    assert found.high - found.low == pytest.approx(
        2 * 1.645 * math.sqrt(0.185 * 0.815 / 4_000), rel=0.2
    )


def test_rare_deadly_sorts_are_not_lost_among_many() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=900)
    theta = np.column_stack([0.2 + 1.2 * x, np.full(900, math.log(0.8))])
    killed = tails.sample("lognormal", theta, rng)[:, 0].astype(float)
    fitted = fit(attacks(killed=killed, x=x), tail="lognormal", formula="1", toll_formula="x")
    each = np.mean([float(fitted.probability(60, given={"x": value})) for value in x])
    assert float(fitted.probability(60)) == pytest.approx(each, rel=0.12)
    assert fitted.by_tail(60).loc["lognormal", "probability"] == pytest.approx(each, rel=0.12)


def test_the_next_attack_comes_after_the_last_day() -> None:
    rng = np.random.default_rng(5)
    killed = np.concatenate([rng.random(200) < 0.05, rng.random(40) < 0.6]) * 1.0
    fitted = fit(attacks(killed=killed), formula="after(date, '2000-07-19')")
    assert float(fitted.probability(1)) == pytest.approx(
        float(fitted.probability(1, given={})), abs=0.01
    )
    assert fitted.probability(1) > 0.4


def test_rules_that_cut_off_small_tolls_are_refused() -> None:
    incidents = attacks(killed=[0.0, 1, 3, 12, 0, 2, 7, 9] * 3).where("killed >= 5")
    with pytest.raises(DataError, match="only attacks with 5 or more killed"):
        tempo.Lethality().fit(incidents, rng=1)


def test_a_group_that_stands_alone_says_little_of_a_new_one() -> None:
    incidents = attacks(killed=[0.0, 1] * 30, kind=["bomb"] * 60, munitions=[1, 2, 3] * 20)
    fitted = fit(incidents, formula="munitions", group="kind")
    table = fitted.groups()
    old, new = table.loc["bomb"], table.loc["a new one"]
    assert new["high"] - new["low"] > 2 * (old["high"] - old["low"])


def test_what_is_given_is_known_to_the_fit_or_refused() -> None:
    incidents = attacks(killed=[0.0, 1, 2, 0] * 5, zone=[1, 2] * 10, kind=[1.0, np.nan] * 10)
    fitted = fit(incidents, formula="C(zone)", group="kind", draws=100)
    one = fitted.probability(1, given={"zone": 1, "kind": 1})
    assert one == fitted.probability(1, given={"zone": 1, "kind": 1.0})
    assert one != fitted.probability(
        1, given={"zone": 1, "kind": None}
    )  # the data's blanks are a group
    with pytest.warns(UnknownValuesWarning, match="never seen"):
        fitted.probability(1, given={"zone": 1, "kind": 7})
    for given, message in (
        ({"zone": 1, "kind": 1, "colour": 3}, "'colour', which the fit does not know"),
        ({"zone": 99, "kind": 1}, "zone is 99"),
        ({"zone": [1], "kind": 1}, "zone is"),
        ("zone", "given is a str"),
    ):
        with pytest.raises(OptionError, match=message):
            fitted.probability(1, given=given)
    with pytest.raises(OptionError, match="at_least is 'x'"):
        fitted.probability("x")


def test_covariates_that_say_nothing_change_nothing() -> None:
    killed = [0.0, 1, 2, 0] * 5
    constant = fit(attacks(killed=killed, x=[0.1] * 20), formula="x", draws=2_000)
    assert constant.coefficients().loc["x", "per"] == 1
    assert math.isfinite(constant.probability(1, given={"x": 0.11}))
    huge = fit(attacks(killed=killed, x=[1.0, 2, 3, 4] * 5), formula="x", draws=2_000)
    assert 0 <= huge.probability(10, given={"x": 1e9}) <= 1
    with pytest.raises(DataError, match="not finite"):
        fit(attacks(killed=killed, x=[1.0, math.inf] * 10), formula="x")
    part = attacks(killed=killed, x=[1.0, np.nan] * 10, y=[np.nan, 1.0] * 10)
    with pytest.raises(DataError, match="both formulas"):
        fit(part, formula="x", toll_formula="y")
    with pytest.raises(OptionError, match="what it is to explain"):
        fit(attacks(killed=killed), formula="killed")


def test_few_attacks_are_those_that_the_tail_has_seen() -> None:
    x = [1.0, 2, 3, 4] + [np.nan] * 56
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownValuesWarning)
        fitted = fit(attacks(killed=[1.0] * 60, x=x), toll_formula="x")
    assert "Only 4 of 60 attacks are known" in " ".join(fitted.provenance.notes)


def test_weights_of_tails_that_leave_one_out_cannot_judge_are_called_doubtful() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=14)
    killed = np.round(np.exp(2.5 * x)).clip(1, 10**5)
    fitted = fit(attacks(killed=killed, x=x), formula="1", toll_formula="x")
    doubted = fitted.tails["khat"].max() > 0.7
    assert doubted == ("attacks left out is doubtful" in " ".join(fitted.provenance.notes))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_ranks_of_covariates_are_uniform(family) -> None:
    """Simulation-based calibration (Talts et al. 2018): coefficients of both parts, and P(at least k) of an attack."""
    rng = np.random.default_rng(21)
    ranks = []
    for _ in range(80):
        theta = prior_draws(family, 1, rng)
        slope, intercept, odds = (
            rng.normal(0, EFFECT_SD[family]),
            rng.normal(0, 1.5),
            rng.normal(),
        )
        n = int(rng.integers(15, 50))
        x = rng.normal(size=n)
        x = (x - x.mean()) / x.std()
        place = tails.shifted(family, theta[0, 0], slope * x)
        own = np.column_stack([place, np.full(n, theta[0, -1])])[:, : theta.shape[1]]
        lethal = rng.random(n) < special.expit(intercept + odds * x)
        killed = np.minimum(tails.sample(family, own, rng)[:, 0], 10**6) * lethal
        fitted = fit(
            attacks(killed=killed.astype(float), x=x),
            draws=400,
            tail=family,
            formula="x",
            **({"x_min": 1} if family == "power" else {}),
        )
        posterior = fitted.posterior["posterior"]
        moved = theta.copy()
        moved[0, 0] = tails.shifted(family, theta[0, 0], slope)
        k = [3, 15]
        truth = special.expit(intercept + odds) * np.exp(tails.log_survival(family, moved, k))[0]
        ours = fitted.exceeds(k, {"x": 1.0})
        ranks.append(
            [
                float((posterior[f"{family}_coefficients"] < slope).mean()),
                float((posterior["coefficients"] < odds).mean()),
                *(ours < truth).mean(axis=0),
            ]
        )
    for column in np.array(ranks).T:
        assert stats.kstest(column, "uniform").pvalue > 0.002


@pytest.mark.slow
def test_ranks_of_groups_of_tolls_are_uniform() -> None:
    rng = np.random.default_rng(22)
    group = np.repeat([0, 1, 2, 3], [2, 5, 10, 20])
    ranks = []
    for _ in range(60):
        theta = prior_draws("lognormal", 1, rng)
        level = abs(rng.normal()) * EFFECT_SD["lognormal"] * rng.normal(size=4)
        own = np.column_stack([theta[0, 0] + level[group], np.full(37, theta[0, 1])])
        killed = np.minimum(tails.sample("lognormal", own, rng)[:, 0], 10**6).astype(float)
        fitted = fit(
            attacks(killed=killed, kind=np.array(list("abcd"))[group]),
            draws=400,
            tail="lognormal",
            group="kind",
        )
        drawn = fitted.posterior["posterior"]["lognormal_group_effect"].to_numpy().reshape(-1, 4)
        ranks.append((drawn < level).mean(axis=0))
    for column in np.array(ranks).T:
        assert stats.kstest(column, "uniform").pvalue > 0.002
