"""Tables out of a lethality fit: comparison of tails, groups, coefficients, changes, summary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.models.intervals import interval_levels
from tempo.models.laplace import pareto_smooth
from tempo.models.lethality_any import AnyDraws
from tempo.models.lethality_blocks import Block
from tempo.models.lethality_design import Covariates
from tempo.models.lethality_draws import TailDraws
from tempo.models.lethality_reading import Record
from tempo.models.severity_tails import FAMILIES

if TYPE_CHECKING:
    from tempo.models.lethality_fit import LethalityFit

__all__ = [
    "changes",
    "coefficients",
    "compare",
    "first_success",
    "groups",
    "parameters",
    "summary",
    "thinned",
    "toll_coefficients",
    "top_share",
]

type Floats = NDArray[np.float64]

#: What ``exp(shift)`` multiplies.
LOCATIONS = {
    "negbin": "mean, before zeros are cut off",
    "lognormal": "median",
    "power": "mean logarithm",
}
BOOTSTRAPS = 1_000
FOREVER = 1e9
MOST_CELLS = 20_000_000  # of a log-likelihood table


def first_success(chance: Floats, level: float) -> float:
    """Give a quantile of the number of trials until the first success, where the chance is uncertain.

    Parameters
    ----------
    chance : ndarray, shape (s,)
        Draws of the chance.
    level : float
        Of the quantile.

    Returns
    -------
    float
        A whole number, or infinity beyond a billion.

    Examples
    --------
    >>> first_success(np.array([0.5]), 0.5), first_success(np.array([0.5]), 0.8)
    (1.0, 3.0)
    """
    stay = np.log1p(-np.minimum(chance, 1 - 1e-16))

    def reached(n: float) -> bool:
        return float(-np.expm1(n * stay).mean()) >= level - 1e-12

    high = 1.0
    while not reached(high):
        high *= 2.0
        if high > FOREVER:
            return math.inf
    low = math.floor(high / 2.0)
    while high - low > 1:
        middle = math.floor((low + high) / 2)
        low, high = (low, float(middle)) if reached(middle) else (middle, high)
    return high


def top_share(values: Floats, top: float) -> Floats:
    """Give the share of the sum that the largest values hold.

    Parameters
    ----------
    values : ndarray, shape (s, n)
        Positive numbers.
    top : float
        Which share of the n counts as the largest; rounded up.

    Returns
    -------
    ndarray, shape (s,)
        Shares.

    Examples
    --------
    >>> top_share(np.array([[1.0, 1.0, 8.0]]), 0.1)
    array([0.8])
    """
    n = max(1, math.ceil(top * values.shape[1] - 1e-9))
    ordered = np.sort(values, axis=1)
    return np.asarray(ordered[:, -n:].sum(axis=1) / ordered.sum(axis=1))


def compare(blocks: Mapping[str, Block], prior: Floats, record: Record) -> pd.DataFrame:
    """Compare families by evidence and by leave-one-out.

    Parameters
    ----------
    blocks : mapping of str to Block
        Posterior draws of each family.
    prior : ndarray
        Weight of each before the data, adding up to one.
    record : Record
        The data; attacks that killed count.

    Returns
    -------
    pandas.DataFrame
        Indexed by family; without lethal attacks there is no leave-one-out.
    """
    rows = record.lethal()
    number_of = rows.number_of
    evidence = np.array([block.log_evidence for block in blocks.values()])
    table = pd.DataFrame(
        {"log_evidence": evidence, "posterior": special.softmax(evidence + np.log(prior))},
        index=pd.Index(list(blocks), name="tail"),
    )
    table["pseudo_bma"] = table["posterior"]
    if len(rows.tolls):
        pointwise, khats = [], []
        for block in blocks.values():
            some = block.take(np.arange(0, len(block), thinned(len(block), len(rows.tolls))))
            shift = None if some.effects.none else some.effects.shift(rows.design, rows.group)
            log_likelihood = some.tail.log_probability(rows.tolls, shift)
            terms = [pareto_smooth(-column) for column in log_likelihood.T]
            pointwise.append(
                [
                    special.logsumexp(w + ll)
                    for (w, _), ll in zip(terms, log_likelihood.T, strict=True)
                ]
            )
            khats.append(max(k for _, k in terms))
        by_row = np.array(pointwise)
        total = by_row @ number_of
        away = by_row - by_row[total.argmax()]
        # Every attack has an exponential weight; those of equal tolls add up to a gamma one.
        weight = np.random.default_rng(0).standard_gamma(number_of, (BOOTSTRAPS, len(number_of)))
        scaled = number_of.sum() * (weight @ by_row.T) / weight.sum(axis=1, keepdims=True)
        table["elpd"] = total
        table["elpd_se"] = _standard_error(by_row, number_of)
        table["difference"] = away @ number_of
        table["difference_se"] = _standard_error(away, number_of)
        table["pseudo_bma"] = special.softmax(scaled + np.log(prior), axis=1).mean(axis=0)
        table["khat"] = khats
    return table


def thinned(draws: int, rows: int) -> int:
    """Give every how many of the draws to take for a table of a size that fits: a long list needs no more of them.

    Parameters
    ----------
    draws, rows : int
        How many there are of each.

    Returns
    -------
    int
        1 where all fit.

    Examples
    --------
    >>> thinned(4_000, 100), thinned(4_000, 10_000)
    (1, 2)
    """
    return max(1, -(-draws * rows // MOST_CELLS))


def _standard_error(by_row: Floats, number_of: Floats) -> Floats:
    n = number_of.sum()
    mean = (by_row @ number_of / n)[:, None]
    variance = ((by_row - mean) ** 2 @ number_of) / max(n - 1.0, 1.0)
    return np.asarray(np.sqrt(n * variance))


def groups(block: Block, record: Record, at_least: int, prob: float) -> pd.DataFrame:
    """Tabulate the chance of each group and of a new one.

    Parameters
    ----------
    block : Block
        Posterior draws.
    record : Record
        The data.
    at_least : int
        How many killed.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each group.
    """
    n, tolls = len(record.groups), record.tolls
    codes = np.array([*range(n), -1]) if record.n_groups else np.array([0])
    each = np.ones((len(codes), 1))
    chance = block.anyone.chance(each * _average(record.anyone), codes)
    shift = block.effects.shift(each * _average(record.many), codes)
    own = None if block.effects.none else shift
    chance = chance * block.tail.survival(np.full(len(codes), float(at_least)), own)
    low, high = np.quantile(chance, interval_levels(prob), axis=0)
    known = (tolls.low >= at_least) | (tolls.high < at_least)
    known &= record.anyone.used
    attacks = np.bincount(record.group[known], minlength=n)
    lethal = np.bincount(record.group[known & (tolls.low >= at_least)], minlength=n)
    extra = [0] * (len(codes) - n)
    table = pd.DataFrame(
        {
            "attacks": [*attacks, *extra],
            "lethal": [*lethal, *extra],
            "probability": chance.mean(axis=0),
            "low": low,
            "high": high,
        },
        index=pd.Index([*record.groups, *(["a new one"] * len(extra))], name="group"),
    )
    table.attrs["prob"] = prob
    return table


def _average(covariates: Covariates) -> Floats:
    return np.asarray(covariates.matrix[covariates.used].mean(axis=0))


def coefficients(anyone: AnyDraws, record: Record, prob: float) -> pd.DataFrame:
    """Tabulate odds ratios.

    Parameters
    ----------
    anyone : AnyDraws
        Posterior draws.
    record : Record
        The data.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each covariate; none without a formula.
    """
    draws = np.ones((1, 0)) if anyone.coefficients is None else anyone.coefficients
    low, high = interval_levels(prob)
    middle = np.exp(np.quantile(draws, [0.5, low, high], axis=0))
    table = pd.DataFrame(
        {
            "odds_ratio": middle[0],
            "low": middle[1],
            "high": middle[2],
            "per": record.anyone.scale,
        },
        index=pd.Index(record.anyone.names, name="covariate", dtype="str"),
    )
    table.attrs["prob"] = prob
    return table


def toll_coefficients(blocks: Mapping[str, Block], record: Record, prob: float) -> pd.DataFrame:
    """Tabulate by what the covariates multiply the location of each tail.

    Parameters
    ----------
    blocks : mapping of str to Block
        Draws of each family.
    record : Record
        The data.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each family and covariate; none without a formula.
    """
    low, high = interval_levels(prob)
    rows = []
    for name, block in blocks.items():
        middle = np.exp(np.quantile(block.effects.coefficients, [0.5, low, high], axis=0))
        for i, covariate in enumerate(record.many.names):
            rows.append([name, covariate, *middle[:, i], record.many.scale[i], LOCATIONS[name]])
    columns = ["tail", "covariate", "factor", "low", "high", "per", "of"]
    table = pd.DataFrame(rows, columns=columns).set_index(["tail", "covariate"])
    table.attrs["prob"] = prob
    return table


def changes(record: Record, prob: float) -> pd.DataFrame:
    """Find changes of the chance through time, by an exact Beta-Bernoulli product partition over attacks.

    Parameters
    ----------
    record : Record
        The data.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each attack of which it is known whether it killed.
    """
    from tempo.models.changepoints import Changepoints

    tolls = record.tolls
    known = np.flatnonzero(tolls.some | tolls.none)
    known = known[np.argsort(record.dates[known], kind="stable")]
    lethal = tolls.some[known]
    # One bin for each attack: the calendar of the index means nothing.
    places = pd.date_range("2000-01-01", periods=len(known), freq="1D", unit="us")
    fit = Changepoints(observation="bernoulli").fit(pd.Series(lethal.astype(int), index=places))
    rate = fit.rate
    table = pd.DataFrame(
        {
            "date": record.dates[known],
            "lethal": lethal,
            "change_probability": fit.change_probability.to_numpy(),
            "chance": rate["mean"].to_numpy(),
            "low": rate["low"].to_numpy(),
            "high": rate["high"].to_numpy(),
        }
    )
    table.attrs["prob"] = prob
    table.attrs["changed"] = float(1.0 - fit.n_changes.iloc[0])
    return table


def summary(fit: LethalityFit, blocks: Mapping[str, Block], prob: float) -> pd.DataFrame:
    """Tabulate chances for the next attack and parameters of each family.

    Parameters
    ----------
    fit : LethalityFit
        The fit.
    blocks : mapping of str to Block
        Draws of each family.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        mean, sd, low, high.
    """
    from tempo.models.lethality_fit import MATERIAL

    k = [1, 2, 5, 10, 50]
    chances = fit.exceeds(k)
    columns = {f"P({fit.model.column} >= {at})": chances[:, i] for i, at in enumerate(k)}
    for name, block in blocks.items():
        columns |= parameters(name, block.tail)
    rows = {}
    for label, values in columns.items():
        low, high = np.quantile(values, interval_levels(prob))
        rows[label] = [values.mean(), values.std(), low, high]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "sd", "low", "high"])
    table.attrs |= {"prob": prob, "without_mean": fit.without_mean, "mean_shown": False}
    if fit.without_mean <= MATERIAL and set(blocks) == {"negbin"} and blocks["negbin"].effects.none:
        # Only a negative binomial has a mean that its parameters pin down well enough to print.
        mean, dispersion = fit.draws.parameters().T
        some = -np.expm1(-np.log1p(mean * dispersion) / dispersion)
        values = fit.chance * mean / some
        low, high = np.quantile(values, interval_levels(prob))
        table.loc[f"{fit.words.toll} for each attack"] = [values.mean(), values.std(), low, high]
        table.attrs["mean_shown"] = True
    return table


def parameters(name: str, tail: TailDraws) -> dict[str, Floats]:
    """Name the parameters of a family.

    Parameters
    ----------
    name : str
        The family.
    tail : TailDraws
        Draws of it.

    Returns
    -------
    dict of str to ndarray, shape (s,)
        Such as ``power_exponent``; where a power law begins only if that varies.
    """
    natural = tail.parameters()
    result = {f"{name}_{label}": natural[:, i] for i, label in enumerate(FAMILIES[name][1])}
    if name == "power" and (tail.x_min != tail.x_min[0]).any():
        result["power_x_min"] = tail.x_min.astype(float)
    return result
