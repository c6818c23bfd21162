"""Random numbers: one way in, one record out (SPEC 7 of Scientific Python).

Every function of tempo that draws takes ``rng``: ``None``, a seed, a ``SeedSequence``, a bit generator or a
``Generator``. Parallel work draws from spawned child streams, so that neither the order nor the number of workers
changes an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tempo.errors import OptionError

__all__ = ["RNGLike", "Randomness", "resolve", "spawn"]

type RNGLike = (
    int | np.integer | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None
)


@dataclass(frozen=True, slots=True)
class Randomness:
    """A generator and the text that reproduces it.

    Attributes
    ----------
    generator : numpy.random.Generator
        Draws from this one.
    record : str
        What to pass as ``rng`` to get the same draws again, or a description where that is not one value.
    """

    generator: np.random.Generator
    record: str


def resolve(rng: RNGLike = None) -> Randomness:
    """Give a generator for any accepted ``rng``, and the record that reproduces it.

    Parameters
    ----------
    rng : None, int, SeedSequence, BitGenerator or Generator
        ``None`` takes fresh entropy from the operating system; the record then holds that entropy, so that
        even an unseeded result can be repeated.

    Returns
    -------
    Randomness
        The generator and its record.

    Raises
    ------
    OptionError
        If it is none of these.

    Examples
    --------
    >>> resolve(7).record
    '7'
    >>> bool(resolve(7).generator.random() == resolve(7).generator.random())
    True
    """
    if isinstance(rng, np.random.Generator):
        return Randomness(rng, _describe(rng.bit_generator))
    if isinstance(rng, np.random.BitGenerator):
        return Randomness(np.random.default_rng(rng), _describe(rng))
    if not isinstance(rng, int | np.integer | np.random.SeedSequence | None) or isinstance(
        rng, bool
    ):
        raise OptionError(
            f"rng is {rng!r}; expected None, a seed such as 7, or a numpy SeedSequence, BitGenerator or Generator."
        )
    if isinstance(rng, int | np.integer) and rng < 0:
        raise OptionError(f"rng is {rng}; a seed is a whole number from 0 up, such as 7.")
    if rng is None:
        sequence = np.random.SeedSequence()
        return Randomness(np.random.default_rng(sequence), str(sequence.entropy))
    if isinstance(rng, np.random.SeedSequence):
        key = "" if not rng.spawn_key else f", spawn_key={rng.spawn_key}"
        return Randomness(
            np.random.default_rng(rng),
            f"SeedSequence({rng.entropy}{key})" if key else str(rng.entropy),
        )
    return Randomness(np.random.default_rng(rng), str(int(rng)))


def spawn(generator: np.random.Generator, n: int) -> list[np.random.Generator]:
    """Give ``n`` independent child generators, the same ones for the same parent state.

    Parameters
    ----------
    generator : numpy.random.Generator
        The parent. Its own stream is not advanced, but each call spawns new children.
    n : int
        How many children.

    Returns
    -------
    list of numpy.random.Generator
        The children, in an order that does not depend on who uses them.

    Examples
    --------
    >>> import numpy as np
    >>> [int(child.integers(100)) for child in spawn(np.random.default_rng(1), 2)]
    [1, 94]
    """
    return list(generator.spawn(n))


def _describe(bits: np.random.BitGenerator) -> str:
    sequence = bits.seed_seq
    name = type(bits).__name__
    if isinstance(sequence, np.random.SeedSequence):
        return f"{name} seeded with {sequence.entropy}, spawn key {sequence.spawn_key}, state as passed"
    return f"{name}, state as passed"
