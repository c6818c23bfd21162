"""Levels of central intervals, and what is no probability, wherever a model is asked for one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from tempo.errors import OptionError
from tempo.models.constant import ConstantRate
from tempo.models.elicited import beta_within
from tempo.models.hawkes_kinds_posterior import KindsPrior
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.intervals import central_levels, interval_levels, require_prob

WRONG = [None, "90", 0, 1, 90, -0.5, float("nan"), True]


@pytest.mark.parametrize("prob", [0.9, np.float64(0.9), np.float32(0.5), Fraction(1, 2)])
def test_levels_are_central(prob):
    low, high = interval_levels(prob)
    assert low + high == pytest.approx(1.0)
    assert high - low == pytest.approx(float(prob))
    assert central_levels(prob) == [low, 0.5, high]


@pytest.mark.parametrize("prob", WRONG)
def test_what_is_no_probability_is_refused(prob):
    for ask in (require_prob, interval_levels, central_levels):
        with pytest.raises(OptionError, match="expected a probability between 0 and 1"):
            ask(prob)


@pytest.mark.parametrize("prob", WRONG)
def test_every_interval_needs_a_probability(prob):
    days = pd.date_range("2020-01-01", periods=60, freq="1D")
    fit = ConstantRate().fit(pd.Series(np.arange(60) % 2, index=days), rng=1)
    for ask in (
        lambda: fit.summary(prob=prob),
        lambda: HawkesPrior().quantiles(prob),
        lambda: KindsPrior().quantiles(2, prob),
        lambda: beta_within(0.1, 0.6, prob),
    ):
        with pytest.raises(OptionError, match="prob is"):
            ask()
