"""Draws of a story where the data say much: most of them near what agrees with the data, and weights that undo it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["nearer"]

type Floats = NDArray[np.float64]

_EVERYWHERE = 0.3  # share of the draws that still come from the story itself
_WIDER = 1.3
_LEAST = 60.0


def nearer(levels: Floats, log_weights: Floats, fresh: Floats) -> tuple[Floats, Floats]:
    """Move fresh draws to where earlier draws agreed with the data.

    Levels become normal quantiles, where the story is a standard normal distribution; 70 % of the fresh draws are
    moved to a normal distribution with mean and covariance of the earlier draws by weight, 1.3 times as wide. The
    others stay, so that no weight is much larger than three times that of a draw from the story.

    Parameters
    ----------
    levels : ndarray of float, shape (m, k)
        Earlier draws, between 0 and 1.
    log_weights : ndarray of float, shape (m,)
        Their log-weights.
    fresh : ndarray of float, shape (n, k)
        Draws from the story.

    Returns
    -------
    moved : ndarray of float, shape (n, k)
        Draws, between 0 and 1.
    log_ratio : ndarray of float, shape (n,)
        Log-density of the story over that of the draws: what to add to their log-likelihood.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> levels = rng.random((4096, 1))
    >>> moved, log_ratio = nearer(levels, -((levels[:, 0] - 0.9) ** 2) / 2e-4, rng.random((4096, 1)))
    >>> bool(np.std(moved[np.exp(log_ratio) < 1]) < 0.05), round(float(np.exp(log_ratio).mean()), 1)
    (True, 1.0)
    """
    weights = _tempered(log_weights)
    z, new = special.ndtri(levels), special.ndtri(fresh)
    mean = weights @ z
    centred = z - mean
    cov = (weights[:, None] * centred).T @ centred * _WIDER**2 + 1e-8 * np.eye(z.shape[1])
    root = np.linalg.cholesky(cov)
    n = len(new)
    stay = np.random.default_rng(0).permutation(n) < _EVERYWHERE * n
    new = np.where(stay[:, None], new, mean + new @ root.T)
    moved = np.clip(special.ndtr(new), 1e-12, 1 - 1e-12)
    new = special.ndtri(moved)
    own = -0.5 * (new**2).sum(axis=1)
    shifted = np.linalg.solve(root, (new - mean).T)
    near = -0.5 * (shifted**2).sum(axis=0) - np.log(np.diag(root)).sum()
    drawn = np.logaddexp(np.log(_EVERYWHERE) + own, np.log1p(-_EVERYWHERE) + near)
    return moved, own - drawn


def _tempered(log_weights: Floats) -> Floats:
    """Give weights, flattened until enough draws share them to tell where they lie."""
    power = 1.0
    while True:
        weights = np.asarray(special.softmax(power * log_weights))
        if 1.0 / np.sum(weights**2) >= min(_LEAST, 0.5 * len(weights)) or power < 1e-6:
            return weights
        power *= 0.7
