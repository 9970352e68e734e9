"""Surface facts about texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorl.users.text import copied_share, finished, finished_part, new_share, repeated_share, sentences, stem, words


def test_sentences_end_where_a_reader_ends_them() -> None:
    assert sentences("She left. Why? “Because.” And then") == ("She left.", "Why?", "“Because.”", "And then")
    assert sentences("") == ()


@pytest.mark.parametrize(("text", "kept"), [("I see. It must", "I see."), ("It must", ""), ("I see.", "I see."), ("So?", "So?")])
def test_nothing_after_the_last_complete_sentence_counts(text: str, kept: str) -> None:
    assert finished_part(text) == kept
    assert finished(kept) or not kept


def test_shares_by_hand() -> None:
    assert copied_share("my dog died today", "yesterday my dog died") == pytest.approx(2 / 3)
    assert copied_share("dog", "my dog") == 0.0
    assert new_share("the lonely kitchen", "My kitchen is cold") == pytest.approx(1 / 2)
    assert repeated_share("a b c a b c") == pytest.approx(1 / 4)
    assert repeated_share("a b c d") == 0.0


@pytest.mark.parametrize(("one", "other"), [("boxes", "box"), ("borrowed", "borrow"), ("carried", "carry"), ("Sam's", "Sam")])
def test_stems_meet(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@given(st.text(max_size=300), st.text(max_size=300))
def test_shares_are_shares(reply: str, source: str) -> None:
    for value in (copied_share(reply, source), new_share(reply, source), repeated_share(reply)):
        assert 0.0 <= value <= 1.0
    if len(words(reply)) > 1:
        assert copied_share(reply, reply) == 1.0
