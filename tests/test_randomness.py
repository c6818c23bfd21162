"""One way in for random numbers, and a record that gives the same draws again."""

from __future__ import annotations

import numpy as np
import pytest

from tempo.errors import OptionError
from tempo.randomness import resolve, spawn


def first(rng) -> float:
    return float(resolve(rng).generator.random())


def test_every_kind_of_seed_gives_numpys_own_stream():
    assert first(7) == first(np.int64(7)) == float(np.random.default_rng(7).random())
    assert first(np.random.SeedSequence(7)) == first(7)
    assert first(np.random.PCG64(7)) == first(7)
    assert first(np.random.default_rng(7)) == first(7)
    assert first(7) != first(8)


@pytest.mark.parametrize("rng", [None, 0, 7, np.int32(3), np.random.SeedSequence(9)])
def test_the_record_reproduces_the_draws(rng):
    made = resolve(rng)
    assert first(int(made.record)) == float(made.generator.random())


def test_without_a_seed_no_two_streams_agree():
    assert len({first(None) for _ in range(20)}) == 20


def test_a_spawned_sequence_is_not_recorded_as_its_parent():
    child = np.random.SeedSequence(7).spawn(2)[1]
    made = resolve(child)
    assert made.record == "SeedSequence(7, spawn_key=(1,))"
    assert first(eval(made.record, {"SeedSequence": np.random.SeedSequence})) == float(
        made.generator.random()
    )


def test_a_generator_is_used_and_advanced_and_described():
    generator = np.random.default_rng(5)
    assert resolve(generator).generator is generator
    assert first(generator) != first(generator)
    assert "PCG64 seeded with 5" in resolve(generator).record


def test_children_do_not_depend_on_how_many_are_asked_for_or_on_the_order_of_use():
    few, many = spawn(np.random.default_rng(3), 2), spawn(np.random.default_rng(3), 4)
    backwards = [child.random(4).tolist() for child in reversed(many)]
    forwards = [child.random(4).tolist() for child in few]
    assert forwards == backwards[::-1][:2]
    parent = np.random.default_rng(3)
    spawn(parent, 4)
    assert parent.random() == np.random.default_rng(3).random()
    again = spawn(parent, 1)[0].random()
    assert again not in {values[0] for values in backwards}


@pytest.mark.parametrize("rng", ["7", 7.0, True, [1, 2], -1, object()])
def test_what_is_no_seed_is_refused(rng):
    with pytest.raises(OptionError, match="rng is"):
        resolve(rng)
