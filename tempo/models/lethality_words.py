"""What to call the toll of an attack, so that killed and wounded are spoken of alike."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Words", "words_for"]


@dataclass(frozen=True, slots=True)
class Words:
    """Words for one column of tolls.

    Attributes
    ----------
    any : str
        What an attack may do: "kills anyone".
    some : str
        What it does: "kills someone".
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
    some: str
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
        return Words("kills anyone", "kills someone", "kills", "killed", "killed anyone", "deaths")
    if column.startswith("wounded"):
        return Words(
            "wounds anyone", "wounds someone", "wounds", "wounded", "wounded anyone", "wounded"
        )
    name = column.replace("_", " ")
    return Words(f"has any {name}", f"has some {name}", "has", name, f"any {name}", name)
