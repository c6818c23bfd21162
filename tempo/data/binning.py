"""Putting incidents into bins: whose bin is not known, and where uncertain dates may have fallen. Arrays only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["binned", "drawn_days", "edges_that_matter", "spans_an_edge"]

type Days = NDArray[np.int64]


def edges_that_matter(starts: Days, window: tuple[int, int], gaps: Days) -> Days:
    """Give the days on which it begins to make a difference when an incident began.

    These are the starts of bins and of gaps, and the ends of gaps and of the window. A window may begin in the middle
    of a calendar bin, and a gap may end in one: an incident of that month then counts on some of its days only.

    Parameters
    ----------
    starts : ndarray of int, shape (n,)
        First day of each bin, counted from any fixed day.
    window : tuple of int
        First day of the window, and the day after its last.
    gaps : ndarray of int, shape (m, 2)
        The same for each gap.

    Returns
    -------
    ndarray of int
        Sorted, without repetition.

    Examples
    --------
    >>> edges_that_matter(np.array([0, 7, 14]), (2, 20), np.array([[9, 17]])).tolist()
    [2, 7, 9, 17, 20]
    """
    edges = np.unique(np.concatenate([starts, np.asarray(window), gaps.ravel()]))
    edges = edges[(edges >= window[0]) & (edges <= window[1])]
    hidden = ((edges[:, None] > gaps[:, 0]) & (edges[:, None] < gaps[:, 1])).any(axis=1)
    return np.asarray(edges[~hidden], dtype=np.int64)


def spans_an_edge(first: Days, last: Days, edges: Days) -> NDArray[np.bool_]:
    """Tell for each incident whether it matters on which day of its interval it began.

    Parameters
    ----------
    first, last : ndarray of int, shape (n,)
        Inclusive interval of the days on which each may have begun.
    edges : ndarray of int
        From ``edges_that_matter``.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where the interval holds days on both sides of an edge.

    Examples
    --------
    >>> spans_an_edge(np.array([0, 5]), np.array([6, 8]), np.array([0, 7, 14])).tolist()
    [False, True]
    """
    before = np.searchsorted(edges, first, side="right")
    after = np.searchsorted(edges, last, side="right")
    return np.asarray(before != after)


def drawn_days(
    first: Days, last: Days, uncertain: NDArray[np.bool_], rng: np.random.Generator
) -> Days:
    """Draw the day of each uncertain incident uniformly from its interval.

    Parameters
    ----------
    first, last : ndarray of int, shape (n,)
        Inclusive interval of the days on which each may have begun.
    uncertain : ndarray of bool, shape (n,)
        Which to draw; the others keep their first day, because any day of theirs counts alike.
    rng : numpy.random.Generator
        Draws them; one number for each incident, so that the draw of one does not hang on the others being exact.

    Returns
    -------
    ndarray of int, shape (n,)
        Days.

    Examples
    --------
    >>> drawn_days(np.array([3, 5]), np.array([3, 9]), np.array([False, True]), np.random.default_rng(1)).tolist()
    [3, 9]
    """
    shift = np.floor(rng.random(len(first)) * (last - first + 1)).astype(np.int64)
    return np.asarray(first + shift * uncertain)


def binned(days: Days, starts: Days, window: tuple[int, int], gaps: Days) -> Days:
    """Count days in bins, leaving out those that nobody watched.

    Parameters
    ----------
    days : ndarray of int, shape (k,)
        The day on which each incident began.
    starts : ndarray of int, shape (n,)
        First day of each bin.
    window : tuple of int
        First day of the window, and the day after its last.
    gaps : ndarray of int, shape (m, 2)
        The same for each gap.

    Returns
    -------
    ndarray of int, shape (n,)
        How many lie in each bin.

    Examples
    --------
    >>> binned(np.array([1, 3, 3, 8, 9]), np.array([0, 7]), (2, 14), np.array([[9, 10]])).tolist()
    [2, 1]
    """
    watched = (days >= window[0]) & (days < window[1])
    for start, end in gaps:
        watched &= (days < start) | (days >= end)
    places = np.searchsorted(starts, days[watched], side="right") - 1
    return np.bincount(places, minlength=len(starts)).astype(np.int64)
