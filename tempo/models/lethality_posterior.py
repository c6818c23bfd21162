"""The posterior of a lethality fit as ArviZ takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tempo.models.lethality_blocks import Block
from tempo.models.lethality_reading import Record, Tolls
from tempo.models.lethality_tables import parameters, thinned
from tempo.models.posterior import CHAINS
from tempo.models.severity_tails import FAMILIES

if TYPE_CHECKING:
    import xarray as xr

    from tempo.models.lethality_fit import LethalityFit

__all__ = ["datatree"]

type Floats = NDArray[np.float64]


def datatree(
    fit: LethalityFit, mixture: Block, blocks: Mapping[str, Block], record: Record
) -> xr.DataTree:
    """Lay the draws out as ArviZ expects them.

    Parameters
    ----------
    fit : LethalityFit
        The fit.
    mixture : Block
        Draws of all families, mixed.
    blocks : mapping of str to Block
        Draws of each family.
    record : Record
        The data.

    Returns
    -------
    xarray.DataTree
        Groups posterior, log_likelihood, observed_data and sample_stats.
    """
    import xarray as xr

    tolls, anyone = record.tolls, mixture.anyone
    known = np.flatnonzero(~tolls.unknown & record.anyone.used & record.many.used)
    step = thinned(len(fit.chance), len(known))
    kept = np.arange(0, len(fit.chance) // step // CHAINS * CHAINS * step, step)

    def chains(values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
        some = values[kept]
        return np.asarray(some.reshape(CHAINS, -1, *some.shape[1:]))

    two = ("chain", "draw")
    variables: dict[str, tuple[tuple[str, ...], NDArray[np.float64]]] = {
        "chance": (two, chains(fit.chance))
    }
    for name, block in blocks.items():
        for label, values in parameters(name, block.tail).items():
            variables[label] = (two, chains(values))
        if record.many.names:
            variables[f"{name}_coefficients"] = (
                (*two, "toll_covariate"),
                chains(block.effects.coefficients),
            )
        if record.n_groups:
            variables[f"{name}_group_effect"] = ((*two, "group"), chains(block.effects.level))
    if len(blocks) > 1:
        variables["tail"] = (two, chains(fit.draws.family))
    coords: dict[str, object] = {}
    if record.n_groups:
        variables["group_level"] = ((*two, "group"), chains(anyone.level))
        coords["group"] = record.groups
    if anyone.coefficients is not None and record.anyone.names:
        variables["coefficients"] = ((*two, "covariate"), chains(anyone.coefficients))
        coords["covariate"] = record.anyone.names
    if record.many.names:
        coords["toll_covariate"] = record.many.names
    along = {"chain": np.arange(CHAINS), "draw": np.arange(len(kept) // CHAINS)}
    likelihood = _log_likelihood(mixture.take(kept), record, known)
    column = fit.model.column
    tree = {
        "posterior": xr.Dataset(variables, coords={**along, **coords}),
        "log_likelihood": xr.Dataset(
            {column: ((*two, "attack"), likelihood.reshape(CHAINS, -1, len(known)))},
            coords={**along, "attack": known},
        ),
        "observed_data": xr.Dataset(
            {
                column: (("attack",), tolls.low[known]),
                f"{column}_high": (("attack",), tolls.high[known]),
            },
            coords={"attack": known},
        ),
        "sample_stats": xr.Dataset(coords=along),
    }
    tree["posterior"].attrs.update(
        {"model": repr(fit.model), "tail": ", ".join(f"{c} {n}" for n, (c, _) in FAMILIES.items())}
    )
    return xr.DataTree.from_dict(tree)


def _log_likelihood(block: Block, record: Record, known: NDArray[np.int64]) -> Floats:
    tolls = record.tolls
    chance = block.anyone.chance(record.anyone.matrix[known], record.group[known])
    low, high = tolls.low[known], tolls.high[known]
    some, none = low >= 1, high == 0
    result = np.log1p(-chance * ~some)
    open_ = ~some & ~none
    result[:, open_] = np.log1p(-block.exceeds(record, known[open_], high[open_] + 1.0))
    table = np.column_stack([low, high, record.many.matrix[known], record.group[known]])[some]
    _, first, place = np.unique(table, axis=0, return_index=True, return_inverse=True)
    rows = known[some][first]
    by_sort = block.tail.log_probability(
        Tolls(low[some][first], high[some][first]), block.shift(record, rows)
    )
    result[:, some] = np.log(chance[:, some]) + by_sort[:, place]
    return np.asarray(result)
