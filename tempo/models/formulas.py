"""What formulaic says of a formula that it cannot evaluate, fit to be read in a message."""

from __future__ import annotations

import re

__all__ = ["plain"]


def plain(error: Exception) -> str:
    r"""Give the first line of a message, without the colours that formulaic puts into it.

    Parameters
    ----------
    error : Exception
        As it was raised.

    Returns
    -------
    str
        A sentence.

    Examples
    --------
    >>> plain(ValueError("Operator `+` is misplaced.\n\nkind \x1b[1;31m+\x1b[0m"))
    'Operator `+` is misplaced.'
    """
    text = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).split("\n")[0].strip()
    return text if text.endswith((".", "]")) else f"{text}."
