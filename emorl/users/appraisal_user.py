"""`AppraisalUser`, the embedded default: a deterministic simulated user that needs no network and no GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from emorl.dialogue import Component
from emorl.scenario import Scenario
from emorl.users.appraisal import TABLES, Appraisal, appraise
from emorl.users.base import Reaction, Reply
from emorl.users.encoder import Encoder, LexicalEncoder, MiniLMEncoder
from emorl.users.listener import Listener
from emorl.users.speech import Talk, answer, said
from emorl.users.text import words

SINK = 8.0
"""Points of emotion lost by a reply that does not meet the user at all: doing nothing is never safe."""
WOUND = 16.0
"""Further points lost by the deepest hurt."""
STRIDE = 18.0
"""The most that one reply can lift anyone; a user who resists takes smaller steps."""


class AppraisalUser:
    """Appraises each reply against the scenario and moves along its apt path: fully met, the emotion goes to the
    middle of the band; unmet, it sinks out of it; hurt, it falls further.

    `backend="minilm"` uses MiniLM and the packaged listener. `backend="lexical"` is pure Python, judges by words alone
    and has no listener: it can be fooled by anyone who writes the right words, and its fingerprint says so.
    """

    needs_apt_path = True

    def __init__(self, backend: str = "minilm", minilm: str | None = None) -> None:
        self.encoder: Encoder
        self.listener: Listener | None = None
        if backend == "minilm":
            self.encoder, self.listener = MiniLMEncoder(minilm), Listener(minilm)
        elif backend == "lexical":
            self.encoder = LexicalEncoder()
        else:
            raise ValueError(f"backend {backend!r} is unknown; use 'minilm' or 'lexical'")
        heard_by = f"+{self.listener.fingerprint}" if self.listener else ""
        self._fingerprint = f"appraisal:{self.encoder.fingerprint}{heard_by}+{TABLES}"

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def reset(self, scenarios: Sequence[Scenario], seeds: Sequence[int], siblings: Sequence[int] | None = None) -> list[Talk]:
        """A fresh talk per scenario, the same for all siblings. Raises `ValueError` for a scenario without an apt path."""
        for scenario in scenarios:
            scenario.band(1)
        return [Talk(scenario, seed, scenario.level) for scenario, seed in zip(scenarios, seeds, strict=True)]

    def react(self, states: Sequence[Talk], replies: Sequence[Reply]) -> list[Reaction]:
        """One reaction per talk; each depends on its own talk and reply alone."""
        return [self._react(talk, reply) for talk, reply in zip(states, replies, strict=True)]

    def _react(self, talk: Talk, reply: Reply) -> Reaction:
        appraisal = appraise(talk.scenario, said(talk), reply.text, reply.truncated, self.encoder, self.listener)
        appraisal = _notice_repeat(talk, reply.text, appraisal)
        change = self._change(talk, appraisal)
        emotion = round(min(100.0, max(0.0, talk.emotion + change)), 3)
        spoken, after, ending = answer(replace(talk, turn=talk.turn + 1), appraisal)
        state = replace(after, emotion=emotion, last=reply.text)
        return Reaction(emotion, change, spoken, appraisal.components, state, ending)

    def _change(self, talk: Talk, appraisal: Appraisal) -> float:
        """Raw change: toward the middle of the next band as far as met, down as far as unmet, further down if hurt."""
        lo, hi = talk.scenario.band(talk.turn + 1)
        stride = STRIDE * (1.0 - 0.4 * talk.scenario.difficulty.resistance)
        toward = min(stride, (lo + hi) / 2 - talk.emotion)
        return round(appraisal.met * toward - (1 - appraisal.met) * SINK - appraisal.hurt * WOUND, 3)

    def state_dict(self) -> dict[str, Any]:
        """The fingerprint: all else is in the talks."""
        return {"fingerprint": self._fingerprint}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state.get("fingerprint") != self._fingerprint:
            raise ValueError(
                f"checkpoint was made with the user {state.get('fingerprint')}, this one is {self._fingerprint}; "
                "use the same user, or start a new run"
            )


def _notice_repeat(talk: Talk, reply: str, appraisal: Appraisal) -> Appraisal:
    """The same reply a second time meets nobody."""
    mine, before = set(words(reply)), set(words(talk.last))
    if not before or len(mine & before) / len(mine | before) < 0.6:
        return appraisal
    parts = (*(c for c in appraisal.components if c.name != "form"), Component("form", -1.0, "you said that before"))
    return replace(appraisal, components=parts, met=0.0)
