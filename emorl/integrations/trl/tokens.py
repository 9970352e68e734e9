"""Token ids of conversations that only ever grow: no token that the policy saw or sampled is ever templated again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emorl.rollout import Message
from emorl.think import CLOSE, OPEN

_USER, _ASSISTANT = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}


class ChatTokens:
    """One tokenizer's chat template, cut into the pieces that a growing conversation needs.

    `end_id` is the token that ends a turn in the template (`<|im_end|>`, `<|eot_id|>`, …); `opens_think` says that the
    generation prompt itself opens a think block. Raises `ValueError` for a tokenizer whose template has no end token.
    """

    def __init__(self, tokenizer: Any, template_kwargs: Mapping[str, Any] | None = None) -> None:
        self.tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # a processor carries its tokenizer
        self.template_kwargs = dict(template_kwargs or {})
        if not self.tokenizer.chat_template:
            raise ValueError(
                "the tokenizer has no chat template; give it one (trl.clone_chat_template, or tokenizer.chat_template = …)"
            )
        self._special = set(self.tokenizer.all_special_ids)
        self._special |= {i for i, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        self.end_id = self._end_of_turn()
        self._ends_before = self._render([_USER], add_generation_prompt=False).count(self.end_id)
        start = self.tokenizer.decode(self._render([_USER]))
        self.opens_think = start.rfind(OPEN) > start.rfind(CLOSE)
        # A think tag stays readable even where the tokenizer calls it special, or thoughts would pass for speech.
        self._hidden = self._special - set(self.tokenizer.convert_tokens_to_ids([OPEN, CLOSE]))

    def _render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> list[int]:
        ids: list[int] = self.tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=add_generation_prompt, tokenize=True, return_dict=False, **self.template_kwargs
        )
        return ids

    def _end_of_turn(self) -> int:
        closed = self._render([_USER, _ASSISTANT], add_generation_prompt=False)
        last = next((i for i in reversed(closed) if i in self._special), None)
        reply = self.tokenizer.encode(_ASSISTANT["content"], add_special_tokens=False)[-1]
        if last is None or reply not in closed or closed[::-1].index(last) > closed[::-1].index(reply):
            raise ValueError("the chat template puts no special token after a reply; use one that does (ChatML, Llama-3, …)")
        return last

    def prompt(self, messages: Iterable[Message]) -> list[int]:
        """Ids of the conversation so far and the header of the reply to come. Keys other than role and content are left out."""
        return self._render([{"role": m["role"], "content": m["content"]} for m in messages])

    def user_turn(self, words: str) -> list[int]:
        """Ids that follow the end token of a reply: the user's turn and the header of the next reply. Text that would be read
        as a special token is taken out of `words`, or a user could speak in the policy's or the system's name."""
        full = self._render([_USER, _ASSISTANT, {"role": "user", "content": self._plain(words)}])
        ends = [place for place, token in enumerate(full) if token == self.end_id]
        return full[ends[self._ends_before] + 1 :]

    def _plain(self, words: str) -> str:
        marks = [self.tokenizer.convert_ids_to_tokens(i) for i in self._special]
        while found := [mark for mark in marks if mark in words]:  # again: taking one out can join another
            for mark in found:
                words = words.replace(mark, "")
        return words

    def text(self, ids: Sequence[int]) -> str:
        """What the sampled `ids` say, without special tokens; think tags are kept, an opening one in the template is restored."""
        shown = [i for i in ids if i not in self._hidden]
        said: str = self.tokenizer.decode(shown, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return OPEN + said if self.opens_think else said


@dataclass
class TokenRow:
    """One dialogue as the trainer sees it. All three lists of the completion have one entry per token."""

    prompt: list[int]
    completion: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    """1: sampled by the policy, its end token included; 0: headers, end tokens added after a cut, the user's words."""
    logprobs: list[float] = field(default_factory=list)
    """Of the sampled tokens, in nats; 0.0 where the mask is 0 and where the backend gives none."""

    @property
    def ids(self) -> list[int]:
        return self.prompt + self.completion

    def sample(self, ids: Sequence[int], logprobs: Sequence[float] | None) -> None:
        """Append tokens that the policy sampled."""
        self.completion += ids
        self.mask += [1] * len(ids)
        self.logprobs += logprobs if logprobs is not None else [0.0] * len(ids)

    def give(self, ids: Sequence[int]) -> None:
        """Append tokens that the policy only reads."""
        self.completion += ids
        self.mask += [0] * len(ids)
        self.logprobs += [0.0] * len(ids)

    def silence(self) -> None:
        """Take the whole row out of the loss."""
        self.mask = [0] * len(self.mask)
        self.logprobs = [0.0] * len(self.logprobs)
