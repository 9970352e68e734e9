"""What is counted in a reply's wording, against the definition."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorl.scenarios import replies
from emorl.users.listener import heard
from emorl.users.text import stem, words
from emorl.users.wording import COUNTS, PRIOR, association, counts

SAID = heard("grief", "My dog Pip died on Monday. I still put his bowl out this morning.")


def test_association_is_how_much_likelier_a_word_is_after_the_one_before_it() -> None:
    written = [text for kind in ("good", "plain") for some in replies("train", kind).values() for text in some]
    stems = [["^", *(stem(word) for word in words(text)), "$"] for text in written]
    flat = [word for text in stems for word in text]
    expected = []
    for a, b in pairwise(["^", "you", stem("miss"), "zyzzyva", "$"]):
        after_a = [second for text in stems for first, second in pairwise(text) if first == a]
        alone = (flat.count(b) + 0.5) / len(flat)
        following = (after_a.count(b) + PRIOR * alone) / (flat.count(a) + PRIOR)
        expected.append(log(following / alone))
    assert association("You miss zyzzyva") == pytest.approx(expected)


def test_words_in_an_order_people_use_hang_together_better() -> None:
    said = "You must miss him so much. What was he like?"
    shuffled = "Much like so was must? You he miss what him."
    assert sum(association(said)) > sum(association(shuffled)) + 1


def test_the_feeling_and_the_question_are_seen() -> None:
    assert counts(SAID, "You must miss Pip. What was he like?")[2::4] == (1.0, 1.0)
    assert counts(SAID, "Two eggs are enough.")[2::4] == (0.0, 0.0)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_counted(said: str, reply: str) -> None:
    numbers = counts(said, reply)
    assert len(numbers) == COUNTS
    assert all(isfinite(number) for number in numbers)
