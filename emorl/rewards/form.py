"""Rewards and costs for the form of a reply: the think block, length and repetition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from emorl.dialogue import Dialogue
from emorl.records import require
from emorl.rewards.base import Reward
from emorl.think import well_formed

_WORD = re.compile(r"\w+(?:['’]\w+)*")


def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case.

    >>> words("It's late, isn't it?")
    ("it's", 'late', "isn't", 'it')
    """
    return tuple(w.replace("’", "'") for w in _WORD.findall(text.casefold()))


@dataclass(frozen=True, kw_only=True)
class ThinkFormat(Reward):
    """The fraction of replies with exactly one well-formed think block before a reply that is not empty, in [0, 1].

    Source: the format reward of DeepSeek-R1 (arXiv:2501.12948), as in `trl.rewards.think_format_reward`; here the
    opening tag may stand in the prompt, and an empty thought or an empty reply does not count.

    >>> from emorl.think import split_think, well_formed
    >>> well_formed(*split_think("<think>She is afraid.</think>I am here."))
    True
    """

    name: str = "think_format"

    def _score(self, dialogue: Dialogue) -> float:
        return sum(well_formed(turn.think, turn.reply) for turn in dialogue.turns) / len(dialogue.turns)


@dataclass(frozen=True, kw_only=True)
class LengthRepetitionGuard(Reward):
    """A cost for replies that are too short, too long or repeat themselves, in [-1, 0]: the mean over the replies of

        -min(1, L + R)
        L = max(0, (min_words - n) / min_words, (n - max_words) / max_words)   n = words of the reply
        R = 1 - (n-grams that are new) / (n-grams of the reply)                0 where it has none

    An n-gram is new where it stands neither earlier in the reply nor in an earlier reply, so that saying the same thing
    every turn costs as much as saying it twice at once. Words are runs of letters and digits: for languages written
    without spaces use a guard of your own.
    Source: emorl's own, after the cosine length and n-gram penalties of Yeo et al. (2025, arXiv:2502.03373).

    >>> LengthRepetitionGuard(min_words=2, max_words=4, ngram=2).length_cost(5)
    0.25
    """

    low: ClassVar[float] = -1.0
    high: ClassVar[float] = 0.0

    name: str = "length_repetition_guard"
    min_words: int = 8
    max_words: int = 80
    """The window of reply lengths that cost nothing, in words."""
    ngram: int = 4
    """Length of the repeated runs that count, in words; shorter runs repeat in ordinary speech."""

    def __post_init__(self) -> None:
        require(1 <= self.min_words <= self.max_words, "min_words", f"is {self.min_words}", "Give 1 <= min_words <= max_words.")
        require(self.ngram >= 1, "ngram", f"is {self.ngram}", "Give at least 1 word.")

    def length_cost(self, n: int) -> float:
        """L of the formula, at least 0."""
        return max(0.0, (self.min_words - n) / self.min_words, (n - self.max_words) / self.max_words)

    def _score(self, dialogue: Dialogue) -> float:
        seen: set[tuple[str, ...]] = set()
        cost = 0.0
        for turn in dialogue.turns:
            said = words(turn.reply)
            grams = [said[i : i + self.ngram] for i in range(len(said) - self.ngram + 1)]
            new = set(grams) - seen
            repeated = 1.0 - len(new) / len(grams) if grams else 0.0
            seen |= new
            cost += min(1.0, self.length_cost(len(said)) + repeated)
        return 0.0 - cost / len(dialogue.turns)  # 0.0 - 0.0 is 0.0; a bare minus would print -0.0
