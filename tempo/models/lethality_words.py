"""What to call the toll of an attack, so that killed and wounded are spoken of alike."""

from __future__ import annotations

from dataclasses import dataclass

from tempo.data.rounding import percent

__all__ = ["Words", "limits", "words_for"]


@dataclass(frozen=True, slots=True)
class Words:
    """Words for one column of tolls.

    Attributes
    ----------
    any : str
        What an attack does: "kills anyone".
    does : str
        Before a number: "kills".
    done : str
        After a number: "killed".
    had : str
        After "had" or "have": "killed anyone".
    toll : str
        A noun: "deaths".
    """

    any: str
    does: str
    done: str
    had: str
    toll: str


def words_for(column: str) -> Words:
    """Give the words for a column.

    Parameters
    ----------
    column : str
        ``"killed"``, ``"wounded"`` (columns that begin so follow suit), or any other.

    Returns
    -------
    Words
        Plain English.

    Examples
    --------
    >>> words_for("killed").any, words_for("wounded").toll
    ('kills anyone', 'wounded')
    """
    if column.startswith("killed"):
        return Words("kills anyone", "kills", "killed", "killed anyone", "deaths")
    if column.startswith("wounded"):
        return Words("wounds anyone", "wounds", "wounded", "wounded anyone", "wounded")
    name = column.replace("_", " ")
    return Words(f"has any {name}", "has", name, f"any {name}", name)


def limits(low: float, high: float) -> str:
    """Write the interval of a probability, without saying twice what rounding has made alike.

    Parameters
    ----------
    low, high : float
        Its ends.

    Returns
    -------
    str
        For example ``"3 % to 7 %"``.

    Examples
    --------
    >>> limits(0.03, 0.07), limits(0.001, 0.07), limits(0.9, 0.999), limits(0.001, 0.002)
    ('3 % to 7 %', 'up to 7 %', '90 % or more', 'under 1 %')
    """
    first, last = percent(low), percent(high)
    if first == last:
        return first
    if first.startswith("under"):
        return f"up to {last}"
    return f"{first} or more" if last.startswith("over") else f"{first} to {last}"
