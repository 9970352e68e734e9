"""The lean passes against the host's own BERT, and what padding and the delta may not change."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from emorl import embedded
from emorl.users.encoder import MiniLMEncoder
from emorl.users.listener import DELTA, KINDS, Listener, attend, build, features, heard, listen, merge
from emorl.users.signals import understanding
from emorl.users.text import sentences
from emorl.users.wording import counts

SAID = heard("grief", "My dog Pip died on Monday. I still put his bowl out this morning.")
REPLIES = ("You must miss Pip so much.", "Putting his bowl out shows how much he was part of your day. Tell me about him.")


@pytest.fixture(scope="module")
def host() -> torch.nn.Module:
    return AutoModel.from_pretrained(embedded.minilm(), attn_implementation="eager").eval()


@torch.inference_mode()
def test_the_encoder_is_the_hosts_mean_of_tokens_whole_and_in_parts(host: torch.nn.Module) -> None:
    encoder, parts = MiniLMEncoder(), sentences(REPLIES[1])
    hidden = host(**encoder.tokenizer(REPLIES[1], return_tensors="pt")).last_hidden_state[0]
    first = len(encoder.tokenizer(parts[0], add_special_tokens=False)["input_ids"])
    means = torch.stack([hidden.mean(0), hidden[1 : 1 + first].mean(0), hidden[1 + first : -1].mean(0)])
    assert torch.allclose(encoder._vectors(REPLIES[1], parts), torch.nn.functional.normalize(means, dim=-1), atol=1e-5)


def test_a_part_beyond_what_the_encoder_reads_has_no_row() -> None:
    text = "It was his bowl. " * 40
    rows = MiniLMEncoder().similarities(text, sentences(text), ("his bowl",))
    assert 10 < len(rows) < 40
    assert all(-1.0 <= value <= 1.0 for row in rows for value in row)


@torch.inference_mode()
def test_a_reply_heard_in_the_light_of_the_words_equals_one_masked_pass(host: torch.nn.Module) -> None:
    tokenizer, model, _ = build(embedded.minilm())
    model.eval()
    counted = counts(SAID, REPLIES[1])
    mine = features(*attend(model, tokenizer, listen(model, tokenizer, SAID), [REPLIES[1]]), [counted])[0]
    said, reply = tokenizer(SAID)["input_ids"], tokenizer(REPLIES[1])["input_ids"][1:]
    count, total = len(said), len(said) + len(reply)
    visible = torch.ones(total, total).bool()
    visible[:count, count:] = False  # the words were said before the reply was there
    mask = torch.zeros(1, 1, total, total).masked_fill(~visible, torch.finfo(torch.float32).min)
    types = torch.tensor([[0] * count + [1] * len(reply)])
    out = host(input_ids=torch.tensor([said + reply]), token_type_ids=types, attention_mask=mask).last_hidden_state[0, count:]
    assert torch.allclose(mine, torch.cat([out.mean(0), out.amax(0), out[-1], torch.tensor(counted)]), atol=1e-4)


@torch.inference_mode()
def test_padding_changes_nothing() -> None:
    tokenizer, model, _ = build(embedded.minilm())
    model.eval()
    memory = listen(model, tokenizer, SAID)
    together = features(*attend(model, tokenizer, memory, REPLIES), [counts(SAID, reply) for reply in REPLIES])
    alone = torch.cat([features(*attend(model, tokenizer, memory, [reply]), [counts(SAID, reply)]) for reply in REPLIES])
    assert torch.allclose(together, alone, atol=1e-4)


def test_the_delta_is_small_and_adds_its_products(host: torch.nn.Module) -> None:
    tensors = load_file(DELTA)
    assert DELTA.stat().st_size < 1_000_000
    name = "encoder.layer.0.attention.self.query.weight"
    _, model, _ = build(embedded.minilm())
    merge(model, tensors)
    up, down, scale = (tensors[f"{name}|{part}"].double() for part in ("up", "down", "scale"))
    expected = host.get_parameter(name) + torch.einsum("k,ok,ki->oi", scale, up, down)
    assert torch.allclose(model.get_parameter(name).double(), expected, atol=1e-5)


def test_a_verdict_is_a_probability_and_a_distribution_and_never_changes() -> None:
    listener = Listener()
    first, *_ = verdicts = [listener.judge(SAID, reply) for reply in (*REPLIES, "x")]
    assert all(0 <= v.sense <= 1 and len(v.kinds) == len(KINDS) and abs(sum(v.kinds) - 1) < 1e-3 for v in verdicts)
    assert Listener().judge(SAID, REPLIES[0]) == first


def test_a_reply_of_thousands_of_sentences_is_not_read_at_once() -> None:
    value, _ = understanding(MiniLMEncoder(), ("your dog Pip died",), "Yes, that is so. " * 20_000, SAID)
    assert 0.0 <= value <= 1.0
