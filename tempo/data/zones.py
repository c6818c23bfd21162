"""Time zones of a file: one is declared, or all times carry the same one; nothing is mixed and nothing dropped."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo

from tempo.errors import OptionError

__all__ = ["offset_of", "zone_of"]

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})?", re.ASCII | re.IGNORECASE)


def offset_of(text: str) -> dt.timedelta | None:
    """Give the distance from UTC that is written behind a time, or None if it is no offset.

    Examples
    --------
    >>> str(offset_of("+03:00")), str(offset_of("Z"))
    ('3:00:00', '0:00:00')
    """
    if text.upper() in {"Z", "UTC", "GMT"}:
        return dt.timedelta(0)
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    hours, minutes = int(match[2]), int(match[3] or 0)
    if hours > 23 or minutes > 59:
        return None
    length = dt.timedelta(hours=hours, minutes=minutes)
    return -length if match[1] == "-" else length


def zone_of(timezone: str | None) -> dt.tzinfo | None:
    """Give the zone that the user declared.

    Parameters
    ----------
    timezone : str or None
        A name of the zone database (``"Asia/Baghdad"``), ``"UTC"``, or a fixed offset (``"+03:00"``).

    Returns
    -------
    datetime.tzinfo or None
        None for None.

    Raises
    ------
    OptionError
        If there is no such zone.

    Examples
    --------
    >>> zone_of("+03:00")
    datetime.timezone(datetime.timedelta(seconds=10800))
    """
    if timezone is None:
        return None
    if isinstance(timezone, str):
        offset = offset_of(timezone.strip())
        if offset is not None:
            return dt.timezone(offset)
        try:
            return zoneinfo.ZoneInfo(timezone.strip())
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass  # said below
    raise OptionError(
        f"timezone is {timezone!r}, which is no time zone; expected a name such as 'Asia/Baghdad', 'UTC', or an offset "
        "such as '+03:00'."
    )
