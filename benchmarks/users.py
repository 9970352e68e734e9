"""The simulated user's share of a rollout's time, and its replies a second.

python benchmarks/users.py                                  # writes benchmarks/baselines/users.json
python benchmarks/users.py --rollouts 1 --replies 16 --out users.json

The demo's setting, in one process on the CPU: SmolLM2-135M-Instruct holds batches of eight dialogues of two replies of at
most 44 tokens with the appraisal user. The user's share is its time divided by the time of the whole rollout, so it needs no
machine to compare with. The policy is the untouched one, whose replies run to the limit more often than trained ones do.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from emorl import embedded
from emorl.integrations.trl.tokens import ChatTokens
from emorl.rollout import Message, Plan, Utterance, converse
from emorl.scenario import Scenario
from emorl.scenarios import DEFAULT_SYSTEM_PROMPT, load, replies
from emorl.users import Reaction, Reply, User, make

BATCH, TURNS, TOKENS, TEMPERATURE = 8, 2, 44, 0.9


class Timed:
    """A user whose time is measured."""

    def __init__(self, user: User) -> None:
        self.user, self.seconds = user, 0.0
        self.fingerprint, self.needs_apt_path = user.fingerprint, user.needs_apt_path
        self.reset, self.state_dict, self.load_state_dict = user.reset, user.state_dict, user.load_state_dict

    def react(self, states: Sequence[Any], replies: Sequence[Reply]) -> list[Reaction]:
        start = time.perf_counter()
        reactions = self.user.react(states, replies)
        self.seconds += time.perf_counter() - start
        return reactions


class Sampler:
    """SmolLM2 as a speaker, sampling as the trainer does: left-padded batches, token ids that only grow."""

    name = "SmolLM2-135M-Instruct"

    def __init__(self) -> None:
        folder = embedded.smollm2()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokens = ChatTokens(self.tokenizer)
        self.ids: list[list[int]] = []

    def open(self, prompts: Sequence[Sequence[Message]]) -> None:
        self.ids = [self.tokens.prompt(prompt) for prompt in prompts]

    def speak(self, rows: Sequence[int]) -> list[Utterance]:
        batch = self.tokenizer.pad({"input_ids": [self.ids[row] for row in rows]}, return_tensors="pt")
        with torch.inference_mode():
            out = self.model.generate(
                **batch,
                do_sample=True,
                temperature=TEMPERATURE,
                top_k=0,
                max_new_tokens=TOKENS,
                pad_token_id=self.tokenizer.pad_token_id,
            )
        return [self._said(row, new.tolist()) for row, new in zip(rows, out[:, batch["input_ids"].shape[1] :], strict=True)]

    def _said(self, row: int, new: list[int]) -> Utterance:
        ended = self.tokens.end_id in new
        new = new[: new.index(self.tokens.end_id)] if ended else new
        self.ids[row] += [*new, self.tokens.end_id]
        return Utterance(self.tokens.text(new), truncated=not ended)

    def hear(self, row: int, words: str) -> bool:
        self.ids[row] += self.tokens.user_turn(words)
        return True


def share(policy: Sampler, backend: str, rollouts: int) -> dict[str, Any]:
    """The user's share of the time of each rollout: median, lowest and highest. Two groups of four, new scenarios each."""
    user, scenarios = Timed(make("appraisal", backend=backend)), load("train")
    rows = scenarios.rows(DEFAULT_SYSTEM_PROMPT)
    shares, replied = [], 0
    for rollout in range(rollouts + 1):
        chosen = [(2 * rollout + place // (BATCH // 2)) % len(rows) for place in range(BATCH)]
        plans = [Plan(scenarios[i], rows[i]["prompt"], seed=rollout, sibling=n % (BATCH // 2)) for n, i in enumerate(chosen)]
        user.seconds, start = 0.0, time.perf_counter()
        talks = converse(policy, user, plans, turns=TURNS)
        if rollout:  # the first one warms up
            shares.append(user.seconds / (time.perf_counter() - start))
            replied += sum(len(talk.turns) for talk in talks)
    return {"median": statistics.median(shares), "min": min(shares), "max": max(shares), "rollouts": rollouts, "replies": replied}


def fresh(scenarios: Sequence[Scenario], count: int) -> Iterator[tuple[Scenario, Reply]]:
    """Replies that no memo holds: sentences of written replies, joined anew."""
    written = [reply for some in replies("train").values() for reply in some]
    for n in range(count):
        first, second = written[n % len(written)], written[(n * 7 + 1 + n // len(written)) % len(written)]
        yield scenarios[n % len(scenarios)], Reply(f"{first.split('. ')[0].rstrip('.')}. {second.split('. ')[-1]}")


def speed(backend: str, count: int) -> dict[str, float]:
    """Replies a second, in batches of eight: each reply new, and then all of them again from the memo."""
    user = make("appraisal", backend=backend)
    pairs = list(fresh(load("train"), count + BATCH))
    _react(user, pairs[:BATCH])  # warms up
    return {"fresh": count / _react(user, pairs[BATCH:]), "memo": count / _react(user, pairs[BATCH:])}


def _react(user: User, pairs: Sequence[tuple[Scenario, Reply]]) -> float:
    start = time.perf_counter()
    for at in range(0, len(pairs), BATCH):
        some = pairs[at : at + BATCH]
        user.react(user.reset([scenario for scenario, _ in some], [0] * len(some)), [reply for _, reply in some])
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=5, help="measured rollouts for each backend")
    parser.add_argument("--replies", type=int, default=400, help="replies for each backend's speed")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "baselines" / "users.json")
    options = parser.parse_args()
    logging.disable_progress_bar()
    torch.manual_seed(0)
    policy = Sampler()
    results = {}
    print("backend   user's share of a rollout (lowest-highest)   replies/s fresh   from the memo")
    for backend in ("minilm", "lexical"):
        part, pace = share(policy, backend, options.rollouts), speed(backend, options.replies)
        results[backend] = {"share_of_rollout": part, "replies_per_second": pace}
        bounds = f"{part['median']:7.2%}  ({part['min']:.2%}-{part['max']:.2%})"
        print(f"{backend:9} {bounds:46} {pace['fresh']:16.1f} {pace['memo']:15.1f}", flush=True)
    setting = {"batch": BATCH, "turns": TURNS, "turn_tokens": TOKENS, "policy": policy.name, "dtype": "float32"}
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "machine": platform.machine()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"setting": setting, "machine": machine, "backends": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
