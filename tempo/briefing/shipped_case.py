"""What `tempo brief` answers when it is given no file: the question that tempo was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempo.data.window import DateLike
    from tempo.forecasting.impact_pauses import Pauses
    from tempo.forecasting.impact_totals import OperationsTotals

__all__ = [
    "DATASET",
    "LABEL",
    "PRIOR",
    "QUESTION",
    "RULE",
    "SCENARIOS",
    "STAND_DOWN",
    "operations",
    "pauses",
]

DATASET = "iraq-coalition"
RULE = "killed > 0 or munitions >= 10"
LABEL = "heavy strikes"
QUESTION = "One heavy strike every two to three months, or the start of an escalation?"
SCENARIOS = ("sporadic=2-3 months", "escalation=x3-8")
PRIOR = (0.7, 0.3)
STAND_DOWN = ("10-30 %", "5-30 days")


def pauses(before: DateLike) -> Pauses:
    """Give the documented pauses of operations that rocket attacks are stated as a cause of, as known on a date.

    Parameters
    ----------
    before : date-like
        Nothing from this day on is known.

    Returns
    -------
    Pauses
        Those of the shipped data set.
    """
    from tempo.forecasting.impact_pauses import Pauses

    return Pauses.load(DATASET, cause="rocket attacks", scope="operations", before=before)


def operations(before: DateLike) -> OperationsTotals:
    """Give the published totals of coalition strikes, as known on a date.

    Parameters
    ----------
    before : date-like
        Periods that had not ended are left out.

    Returns
    -------
    OperationsTotals
        Of the shipped data set.
    """
    from tempo.forecasting.impact_totals import OperationsTotals

    return OperationsTotals.load(DATASET, "cjtf_oir_strikes_derived", before=before)
