"""How the listener's examples are put in batches: nothing lost, nothing mixed, nothing empty."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from listener_batches import batches
from listener_corpus import Example


@st.composite
def corpora(draw: st.DrawFn) -> list[Example]:
    """Situations with good and bad written replies, samples, or only some of these."""
    out = []
    for number in range(draw(st.integers(1, 4))):
        good, bad, samples = (draw(st.integers(0, 40)) for _ in range(3))
        out += [Example(f"joy: {number}", f"good {n}", 1.0, "fine") for n in range(good)]
        out += [Example(f"joy: {number}", f"bad {n}", 0.0, "nonsense") for n in range(bad)]
        out += [Example(f"joy: {number}", f"sample {n}", n / 40, "", sampled=True) for n in range(samples)]
    return out


@given(examples=corpora(), size=st.integers(8, 20), seed=st.integers(0, 99))
def test_every_batch_is_of_one_situation_and_every_example_in_its_place(examples: list[Example], size: int, seed: int) -> None:
    work = batches(examples, size, random.Random(seed))
    assert all(len({(e.said, e.sampled) for e in batch}) == 1 for batch in work)
    seen = Counter(e for batch in work for e in batch)
    assert all(seen[e] == (2 if e.sampled else 1) for e in examples if e.sampled or e.grade == 0)
    assert all(len(batch) < 2 * size for batch in work)


def test_a_situation_with_samples_alone_gives_no_empty_batch() -> None:
    samples = [Example("joy: a", f"{n}", n / 8, "", sampled=True) for n in range(8)]
    assert sorted(map(len, batches(samples, 16, random.Random(0)))) == [8, 8]
