"""Severity tails: exact sums, other people's code and brute force as judges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from tempo.errors import DataError
from tempo.models import severity_tails as tails
from tempo.models.severity_kernels import hurwitz_zeta

THETA = {
    "negbin": [[0.5, 0.0], [-3.0, 4.0], [3.0, -2.0], [2.0, -12.0]],
    "lognormal": [[-0.25, 0.0], [-4.0, 1.0], [3.0, -1.5]],
    "power": [[math.log(1.5)], [1.2], [-1.0]],
}
CASES = [(name, theta) for name, rows in THETA.items() for theta in rows]


@settings(max_examples=60, deadline=None)
@given(s=st.floats(1.001, 60.0), q=st.floats(0.3, 5_000.0))
def test_hurwitz_zeta_is_scipys(s: float, q: float) -> None:
    truth = special.zeta(s, q)
    if truth > 1e-280:
        assert hurwitz_zeta(s, q) == pytest.approx(truth, rel=1e-11)


@pytest.mark.parametrize(("family", "theta"), CASES)
def test_masses_add_up_with_the_survival_function(family, theta) -> None:
    x = np.arange(1, 400)
    row = np.array([theta])
    mass = np.exp(tails.log_pmf(family, row, x))[0]
    beyond = np.exp(tails.log_survival(family, row, np.append(x, 400)))[0]
    assert beyond[0] == 1
    np.testing.assert_allclose(mass, beyond[:-1] - beyond[1:], atol=1e-12)
    assert mass.sum() + beyond[-1] == pytest.approx(1, abs=1e-10)
    parts = tails.log_interval(family, row, [1, 3, 5], [2, 9, np.inf])
    expected = [mass[:2].sum(), mass[2:9].sum(), 1 - mass[:4].sum()]
    np.testing.assert_allclose(np.exp(parts[0]), expected, rtol=1e-9, atol=1e-13)


def test_far_tail_of_the_log_normal_keeps_its_precision() -> None:
    got = tails.log_pmf("lognormal", np.array([[0.0, 0.0]]), [10**6])[0, 0]
    density = stats.lognorm.logpdf(10**6, 1.0)  # flat over one whole number out there
    assert got == pytest.approx(density - stats.norm.logcdf(math.log(2)), abs=1e-4)


def test_far_tail_of_the_negative_binomial_does_not_underflow() -> None:
    """An interval out there adds up to its masses, though each of them is below the smallest float."""
    theta = np.array([[0.5, -2.0]])
    x = np.arange(900, 1_000)
    mass = special.logsumexp(tails.log_pmf("negbin", theta, x)[0])
    assert mass < -745
    wide = tails.log_interval("negbin", theta, [900], [999])[0, 0]
    assert wide == pytest.approx(mass, abs=1e-3)


def test_power_law_begins_at_x_min() -> None:
    x = np.arange(12, 200_000)
    row = np.array([[0.5]])
    mass = np.exp(tails.log_pmf("power", row, x, x_min=12))[0]
    exponent = 1 + math.exp(0.5)
    direct = x**-exponent / special.zeta(exponent, 12)
    np.testing.assert_allclose(mass, direct, rtol=1e-12)
    assert np.exp(tails.log_survival("power", row, [13], x_min=12))[0, 0] == pytest.approx(
        1 - mass[0]
    )


@pytest.mark.parametrize(("family", "theta"), CASES)
def test_draws_follow_the_probabilities(family, theta) -> None:
    draws = tails.sample(family, np.array([theta]), np.random.default_rng(3), each=40_000)[0]
    assert draws.min() >= 1
    k = np.array([2, 3, 5, 10, 30, 200])
    expected = np.exp(tails.log_survival(family, np.array([theta]), k))[0]
    got = (draws[:, None] >= k).mean(axis=0)
    assert (np.abs(got - expected) < 4.5 * np.sqrt(expected / 40_000) + 1e-4).all()


def test_draws_of_a_late_power_law() -> None:
    draws = tails.sample(
        "power", np.array([[0.3]]), np.random.default_rng(3), each=40_000, x_min=12
    )
    expected = np.exp(tails.log_survival("power", np.array([[0.3]]), [12, 13, 50], x_min=12))[0]
    assert (np.abs((draws[0][:, None] >= [12, 13, 50]).mean(axis=0) - expected) < 0.012).all()


def test_truncated_negative_binomial_is_statsmodels() -> None:
    from statsmodels.discrete.truncated_model import TruncatedLFNegativeBinomialP

    x = np.repeat([1, 2, 3, 4, 5, 7, 9, 14, 22], [40, 22, 15, 9, 7, 5, 3, 2, 1])
    ours = tails.fit_tail(x, "negbin")
    theirs = TruncatedLFNegativeBinomialP(x, np.ones(len(x)), truncation=0)
    at = [math.log(ours.parameters["mean"]), ours.parameters["dispersion"]]
    assert ours.log_likelihood == pytest.approx(float(theirs.loglike(np.array(at))), abs=1e-6)
    for step in ([0.05, 0.0], [0.0, 0.05], [-0.05, 0.0], [0.0, -0.05]):
        assert float(theirs.loglike(np.add(at, step))) < ours.log_likelihood


def test_power_law_by_hand() -> None:
    """The score equation: minus the derivative of log zeta is the mean logarithm."""
    x = np.array([1] * 60 + [2] * 15 + [3] * 8 + [4] * 4 + [5, 5, 6, 8, 13, 40])
    law = tails.fit_power_law(x, 1)
    h = 1e-5
    slope = (
        math.log(special.zeta(law.exponent + h)) - math.log(special.zeta(law.exponent - h))
    ) / (2 * h)
    assert -slope == pytest.approx(np.log(x).mean(), abs=1e-6)
    model = 1 - special.zeta(law.exponent, np.arange(2, 42)) / special.zeta(law.exponent)
    empirical = (x[:, None] <= np.arange(1, 41)).mean(axis=0)
    assert law.distance == pytest.approx(np.abs(model - empirical).max(), abs=1e-9)


def test_x_min_that_was_not_observed() -> None:
    law = tails.fit_power_law([1, 1, 1, 4, 5, 6, 9, 20], 3)
    assert (law.x_min, law.n_tail) == (3, 5)
    wide = tails.fit_tail([4, 5, 6, 9, 20], "power", x_min=3).parameters["exponent"]
    assert law.exponent == pytest.approx(wide, abs=1e-4)


def test_recovers_x_min_and_exponent() -> None:
    rng = np.random.default_rng(8)
    body = rng.integers(1, 10, 3_000)
    tail = tails.sample("power", np.array([[math.log(1.4)]]), rng, each=1_500, x_min=10)[0]
    law = tails.fit_power_law(np.concatenate([body, tail]))
    assert 9 <= law.x_min <= 14
    assert abs(law.exponent - 2.4) < 3.5 * law.exponent_se


@pytest.mark.parametrize("values", [[], [0, 1, 2], [1.5, 2], [1, np.nan], [3, 3, 3]])
def test_what_is_no_tail_is_refused(values) -> None:
    with pytest.raises(DataError, match=r"expected|leave out"):
        tails.fit_power_law(values)
