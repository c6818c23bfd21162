"""The doors of the house: every file from outside is read here, and every file for outside is written here.

In: only ordinary files (or a pipe, up to a limit), of a bounded size. Out: a file is there whole or not at all, an old
one keeps its permissions, a link stays a link, and what is no ordinary file is never replaced.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from pathlib import Path

from tempo.errors import TempoError

__all__ = ["MOST_BYTES", "cannot_write", "read_bytes", "write_whole"]

MOST_BYTES = 2_000_000_000
_MOST_FROM_A_PIPE = 200_000_000
_DAY = 86_400.0


def shown(path: str | os.PathLike[str]) -> str:
    """Give a path as it can be printed: no byte that is no text, and of bounded length."""
    text = os.fsdecode(path).encode("utf-8", "replace").decode("utf-8")
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return text if len(text) <= 200 else f"{text[:120]}…{text[-60:]}"


def read_bytes(path: Path, error: type[TempoError]) -> bytes:
    """Read a file whole.

    Parameters
    ----------
    path : Path
        An ordinary file, or a pipe that somebody writes to.
    error : type
        What to raise.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    TempoError
        Of the given type: there is no such file, it is no ordinary one, or it is too large.
    FileNotFoundError
        If it is not there, so that the caller can say what is.
    """
    try:
        kind = path.stat()
        if stat.S_ISDIR(kind.st_mode):
            raise error(f"{shown(path)} is a folder. Give the path of a file inside it.")
        if stat.S_ISFIFO(kind.st_mode):
            return _from_pipe(path, error)
        if not stat.S_ISREG(kind.st_mode):
            raise error(
                f"{shown(path)} is a device or socket, not a file. Give the path of a file."
            )
        if kind.st_size > MOST_BYTES:
            raise error(
                f"{shown(path)} has {kind.st_size / 1e9:.1f} GB; the limit is {MOST_BYTES / 1e9:g} GB. Keep "
                "the rows and "
                "columns that are needed, or save it as Parquet."
            )
        return path.read_bytes()
    except (FileNotFoundError, TempoError):
        raise
    except MemoryError:
        raise error(
            f"{shown(path)} does not fit into memory. Keep the rows that are needed."
        ) from None
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or str(failure)
        raise error(
            f"{shown(path)} cannot be opened: {reason}. Check its name and permissions."
        ) from failure


def _from_pipe(path: Path, error: type[TempoError]) -> bytes:
    """Read a pipe that has a writer; one without would be waited for without end."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.set_blocking(handle, True)
        found = bytearray()
        while part := os.read(handle, 1 << 20):
            found += part
            if len(found) > _MOST_FROM_A_PIPE:
                raise error(
                    f"{shown(path)} is a pipe that gave over {_MOST_FROM_A_PIPE / 1e6:g} MB. Save it as a file."
                )
    finally:
        os.close(handle)
    if not found:
        raise error(
            f"{shown(path)} is a pipe that nobody writes to. Save the data as a file first."
        )
    return bytes(found)


def cannot_write(path: str | os.PathLike[str]) -> str:
    """Say why a file cannot be written there, or nothing; tried with an empty file beside it.

    Parameters
    ----------
    path : path-like
        Where to.

    Returns
    -------
    str
        A sentence with its remedy; empty where nothing stands against it.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            return f"{shown(target)} is a folder. Give the name of a file in it."
        if target.exists() and not target.is_file():
            return f"{shown(target)} is a device, pipe or socket, not a file. Choose another path."
        if not target.parent.is_dir():
            return f"The folder {shown(target.parent)} does not exist. Make it first, or choose another path."
        probe = _beside(target)
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        probe.unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"Nothing can be written to {shown(path)}: {reason}. Choose another path."
    return ""


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file under another name in its folder, then rename it: nobody ever sees half of it.

    Parameters
    ----------
    path : path-like
        Where to; of a link, what it points to.
    content : bytes
        All of it.

    Raises
    ------
    OSError
        If it cannot be written; nothing is then left behind, and an old file is as it was.
    """
    target = Path(os.path.realpath(path))
    mode = 0o666 & ~_umask()
    if target.exists():
        if not target.is_file():
            raise OSError(f"{shown(target)} is no ordinary file")
        mode = stat.S_IMODE(target.stat().st_mode)
    _sweep(target)
    part = _beside(target)
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}.part")


def _sweep(target: Path) -> None:
    """Remove what runs that were killed more than a day ago left of this file."""
    for left in target.parent.glob(f".{_escaped(target.name[:60])}.????????.part"):
        try:
            if left.is_file() and time.time() - left.stat().st_mtime > _DAY:
                left.unlink()
        except OSError:  # somebody else's, or gone meanwhile
            continue


def _escaped(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _umask() -> int:
    """Give what a new file is not allowed to be; there is no way to ask without setting it."""
    before = os.umask(0o077)
    os.umask(before)
    return before
