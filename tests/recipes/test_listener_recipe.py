"""The listener's recipe: batches lose nothing and mix nothing, and what readers marked falls on the right words."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from listener_batches import batches
from listener_corpus import Example, changed
from listener_losses import MARGIN, mark_loss, marks, reply_loss
from lowrank import LowRank, average, load, packed
from safetensors.torch import save_file
from transformers import AutoTokenizer

from emorl import embedded
from emorl.users.listener import KINDS, factors


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
    assert all(seen[e] == 1 for e in examples if e.sampled or e.grade == 0)
    assert all(len(batch) < 2 * size for batch in work)


def test_a_situation_with_samples_alone_gives_no_empty_batch() -> None:
    samples = [Example("joy: a", f"{n}", n / 8, "", sampled=True) for n in range(8)]
    assert sorted(map(len, batches(samples, 16, random.Random(0)))) == [8]


def test_what_was_changed_is_marked_and_nothing_else() -> None:
    text, other = "You were late,  and Denise wept about the clock.", "You were late, and he told you about the clock."
    assert [text[a:b] for a, b in changed(text, other)] == ["Denise wept"]
    assert changed(text, text) == ()


@given(st.text("ab \n", max_size=30), st.text("ab \n", max_size=30))
def test_what_is_not_marked_stands_in_the_other_text_in_order(text: str, other: str) -> None:
    marked = changed(text, other)
    kept = [m[0] for m in re.finditer(r"\S+", text) if not any(a <= m.start() < b for a, b in marked)]
    rest = iter(other.split())
    assert all(word in rest for word in kept)


def test_a_token_is_off_where_a_reader_marked_its_letters() -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded.minilm())
    text = "You were late, and Denise wept."
    batch = [Example("joy: a", text, 0.1, "", sampled=True, off=((19, 31),)), Example("joy: a", "Hm.", 0.3, "", sampled=True)]
    tokens = tokenizer.tokenize(text)
    off = marks(tokenizer, batch, torch.Size((2, len(tokens) + 1)))
    assert [token for token, value in zip(tokens, off[0], strict=False) if value == 1] == tokenizer.tokenize("Denise wept.")
    assert off[0, -1] == -1 and (off[1] == -1).all()


def test_a_loss_of_marks_is_the_mean_over_what_was_marked() -> None:
    off = torch.tensor([[1.0, 0.0, -1.0], [-1.0, -1.0, -1.0]])
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    expected = -(logits[0, 0].sigmoid().log() + (1 - logits[0, 1].sigmoid()).log()) / 2
    assert torch.allclose(mark_loss(logits, off), expected)
    assert mark_loss(logits, torch.full((2, 3), -1.0)) == 0


def test_pairs_pull_apart_what_readers_graded_apart() -> None:
    batch = [Example("joy: a", "x", grade, "", sampled=True) for grade in (0.9, 0.1, 0.1)]
    logits = torch.zeros(3, 1 + len(KINDS), requires_grad=True)
    grade = -(0.9 * math.log(0.5) + 0.1 * math.log(0.5))
    pair = math.log1p(math.exp(MARGIN * 0.8))
    loss = reply_loss(logits, batch)
    assert float(loss.detach()) == pytest.approx(grade + pair, abs=1e-5)
    loss.backward()
    assert logits.grad is not None and logits.grad[0, 0] < 0 < logits.grad[1, 0]


def test_eight_bits_hold_a_product_to_a_hundredth_of_each_component() -> None:
    rng = torch.Generator().manual_seed(0)
    up, down = torch.randn(12, 3, generator=rng) * torch.tensor([1.0, 1e-4, 0.0]), torch.randn(3, 9, generator=rng)
    held_up, held_down = factors(packed("layer.weight", up, down))["layer.weight"]
    for k in range(3):
        whole = torch.outer(up[:, k], down[k])
        assert (torch.outer(held_up[:, k], held_down[k]) - whole).abs().max() <= 0.01 * whole.abs().max()


def test_a_delta_is_gone_on_from_in_a_higher_rank(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    up, down = torch.randn(12, 2, generator=rng), torch.randn(2, 9, generator=rng)
    head = {"head.weight": torch.ones(3, 6), "head.bias": torch.arange(3.0)}
    save_file({**packed("layer.weight", up, down), **head}, tmp_path / "a")
    layer, judge = LowRank(torch.nn.Linear(9, 12), rank=5), torch.nn.Linear(6, 3)
    load(tmp_path / "a", judge, {"layer": layer})
    assert torch.allclose(layer.up @ layer.down, up @ down, atol=0.1)
    assert judge.weight.tolist() == [[1.0] * 6] * 3 and judge.bias.tolist() == [0.0, 1.0, 2.0]


def test_a_delta_of_an_older_format_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"recipes/listener\.py"):
        factors({"layer.weight|up": torch.ones(2, 1), "layer.weight|down": torch.ones(1, 2)})


def test_an_average_of_deltas_is_the_mean_of_their_products_as_far_as_the_rank_reaches(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    paths, products = [tmp_path / "a", tmp_path / "b"], []
    for value, path in zip((1.0, 3.0), paths, strict=True):
        up, down = torch.randn(12, 2, generator=rng), torch.randn(2, 9, generator=rng)
        products.append(up @ down)
        head = {"head.weight": torch.full((3, 6), value), "head.bias": torch.zeros(3)}
        save_file({**packed("layer.weight", up, down), **head}, path)
    mean = (products[0] + products[1]) / 2
    whole, cut = average(paths, rank=4), average(paths, rank=3)
    (up, down), (cut_up, cut_down) = factors(whole)["layer.weight"], factors(cut)["layer.weight"]
    assert torch.allclose(up @ down, mean, atol=0.05)
    lost = mean - cut_up @ cut_down
    assert torch.linalg.matrix_norm(lost, 2) == pytest.approx(float(torch.linalg.svdvals(mean)[3]), abs=0.05)
    assert whole["head.weight"].tolist() == [[2.0] * 6] * 3
