"""The policy in training as a speaker: generates with the trainer's backend, keeps token ids append-only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emorl.integrations.trl import _private
from emorl.integrations.trl.tokens import ChatTokens, TokenRow
from emorl.rollout import Message, Utterance

ROOM = 8
"""Tokens that must be left for a reply, or the user's words are not handed on."""


class TrainerPolicy:
    """`emorl.rollout.Policy` over a `GRPOTrainer`.

    `turn_tokens` limits each reply, `dialogue_tokens` all that follows the prompt: replies, headers and the user's words.
    """

    def __init__(self, trainer: Any, *, turn_tokens: int, dialogue_tokens: int) -> None:
        self.trainer = trainer
        self.tokens = ChatTokens(trainer.processing_class, _private.chat_template_kwargs(trainer))
        self.turn_tokens, self.dialogue_tokens = min(turn_tokens, dialogue_tokens), dialogue_tokens
        self._stops = _private.end_ids(trainer)
        self.rows: list[TokenRow] = []

    @property
    def name(self) -> str:
        return str(getattr(self.trainer.model.config, "_name_or_path", ""))

    def open(self, prompts: Sequence[Sequence[Message]]) -> None:
        self.rows = [TokenRow(self.tokens.prompt(prompt)) for prompt in prompts]

    def speak(self, rows: Sequence[int]) -> list[Utterance]:
        limits = [min(self.turn_tokens, self.dialogue_tokens - len(self.rows[row].completion)) for row in rows]
        generated, logprobs = self._generate([self.rows[row].ids for row in rows], max(limits, default=1))
        utterances = []
        for place, (row, limit) in enumerate(zip(rows, limits, strict=True)):
            # A backend has one limit for all rows; a row with less room left is cut here.
            ids = generated[place][:limit]
            self.rows[row].sample(ids, logprobs[place][:limit] if logprobs is not None else None)
            utterances.append(Utterance(self.tokens.text(ids), truncated=not ids or ids[-1] not in self._stops))
        return utterances

    def _generate(self, prompts: list[list[int]], limit: int) -> _private.Generated:
        """Generation is a collective operation on several processes: each must call, even with nothing to say."""
        filler = self.rows[0].prompt
        wanted = 1
        if self.trainer.use_vllm and self.trainer.accelerator.num_processes > 1:
            # TRL cuts the answers of a vLLM server into slices of equal size, and asks with the main process's limit.
            wanted, limit = len(self.rows), self.turn_tokens
        return _private.generate(self.trainer, prompts + [filler] * max(0, wanted - len(prompts)), limit)

    def hear(self, row: int, words: str) -> bool:
        tokens = self.rows[row]
        closed = bool(tokens.completion) and tokens.completion[-1] == self.tokens.end_id
        heard = ([] if closed else [self.tokens.end_id]) + self.tokens.user_turn(words)
        if len(tokens.completion) + len(heard) + ROOM > self.dialogue_tokens:
            return False
        tokens.give(heard)
        return True

    def finish(self) -> list[TokenRow]:
        """The token rows of the batch. None has an empty completion, which TRL cannot take."""
        for row in self.rows:
            if not row.completion:
                row.give([self.tokens.end_id])
        return self.rows
