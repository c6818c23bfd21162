"""Simulating several kinds of attacks that excite each other, bin by bin: arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempo.models import observation as obs
from tempo.models.hawkes_kinds_recursions import EACH_PAIR, SHARED

__all__ = ["kind_paths"]

type Floats = NDArray[np.float64]


def kind_paths(
    parameters: Floats,
    state: Floats,
    mode: int,
    width: float,
    n_bins: int,
    rng: np.random.Generator,
    *,
    negbin: bool,
    cap: float = np.inf,
) -> NDArray[np.int64]:
    """Simulate the bins that follow a state, one path for each row of parameters.

    Parameters
    ----------
    parameters : ndarray, shape (draws, p)
        As ``hawkes_kinds_kernels`` lays them out.
    state : ndarray, shape (draws, 1 or K, K)
        Excitation that the past left behind; zeros for an empty past.
    mode : int
        How decays are shared.
    width : float
        Days in a bin.
    n_bins : int
        How many bins.
    rng : numpy.random.Generator
        Source of randomness.
    negbin : bool
        Whether the last K parameters are dispersions.
    cap : float
        Largest mean of a bin; a path that reaches it has exploded.

    Returns
    -------
    ndarray of int64, shape (draws, n_bins, K)
        Attacks.
    """
    draws, k = len(parameters), state.shape[2]
    baseline = parameters[:, :k] * width
    A = parameters[:, k : k + k * k].reshape(draws, k, k)
    end = parameters.shape[1] - (k if negbin else 0)
    decay = parameters[:, k + k * k : end]
    if mode == EACH_PAIR:
        decay = decay.reshape(draws, k, k)
    elif mode == SHARED:
        decay = np.broadcast_to(decay[:, :, None], (draws, 1, k))
    else:
        decay = decay[:, None, :]
    fresh = -np.expm1(-decay * width)
    dispersion = parameters[:, end:] if negbin else 0.0
    state = state.copy()
    out = np.empty((draws, n_bins, k), dtype=np.int64)
    for t in range(n_bins):
        pairs = mode == EACH_PAIR
        triggered = (A * state).sum(axis=2) if pairs else (A @ state[:, 0, :, None])[:, :, 0]
        out[:, t] = obs.draw(np.minimum(baseline + triggered, cap), dispersion, rng)
        state += fresh * (out[:, t][:, None, :] - state)
    return out
