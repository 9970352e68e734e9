"""A synthetic run folder in the shape of a real one: packaged scenarios and their written replies, invented feelings.

python -m tests.report.make_run runs/trial && emorl report runs/trial
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from emorl.dialogue import Component, Dialogue, Stop, Turn
from emorl.records import loads, text_lines
from emorl.rewards import emotion_trajectory, final_emotion, length_repetition_guard, think_format
from emorl.runfolder import Rollout, RunFolder
from emorl.scenario import Scenario
from emorl.scenarios import DATA, load

REWARDS = {emotion_trajectory: 1.0, final_emotion: 0.0, think_format: 0.1, length_repetition_guard: 0.5}
REASONS = {
    "understood": ("names what happened in this person's own terms", "could have been said to anyone"),
    "warmth": ("the feeling fits the loss", "cheer where there is nothing to cheer"),
    "respect": ("takes them for an adult", "belittles them"),
    "timing": ("hears them out first", "advice before they were heard"),
    "honesty": ("promises nothing that it can't keep", "makes up a detail that was never told"),
}
THOUGHT = "They need to be heard before anything else. I should stay with what they said about {} and ask one thing."
CONFIG = """\
policy:
  model_name_or_path: SmolLM2-135M-Instruct
  dtype: bfloat16
training:
  beta: {beta}
  num_generations: 4
  learning_rate: 1.0e-06
  max_steps: {steps}
  hub_token: hf_secret
user:
  backend: appraisal
rewards:
  emotion_trajectory: 1.0
  final_emotion: 0.0
  think_format: 0.1
  length_repetition_guard: 0.5
"""


def make_run(
    folder: Path, *, steps: int = 12, per_step: int = 4, siblings: int = 4, turns: int = 3, kl: bool = True, held_out: bool = True
) -> Path:
    """Write a run of `steps` optimizer steps and return its folder."""
    rng = Random(7)
    train, dev, texts = load("train"), load("dev"), _texts()
    run = RunFolder(folder)
    for step in range(steps):
        skill = 0.3 + 0.4 * step / max(1, steps - 1)
        met = rng.sample(list(train), per_step)
        run.add_rollouts(
            _rollout(_dialogue(rng, s, texts[s.id], skill, turns, step, k), "train") for s in met for k in range(siblings)
        )
        run.add_metrics(step + 1, _metrics(rng, step, kl))
        if held_out and step % 4 == 0:
            # No replies are packaged for the dev split: those of any scenario will do to fill a page.
            some = [(s, texts[train[i].id]) for i, s in enumerate(dev[:10])]
            run.add_rollouts(_rollout(_dialogue(rng, s, t, skill, turns, step, 0), "eval") for s, t in some)
            run.add_metrics(step, {"eval_entropy": 2.3 - 0.02 * step, "eval_completions/mean_length": 50.0 + step})
    (folder / "config.yaml").write_text(CONFIG.format(beta=0.02 if kl else 0.0, steps=steps), encoding="utf-8")
    return folder


def _texts() -> dict[str, tuple[list[str], list[str]]]:
    """Scenario id -> its good and its bad replies."""
    rows = [loads(line, where=where) for where, line in text_lines(DATA / "replies_train.jsonl")]
    return {
        row["id"]: (row["good"], [*row.get("fair", []), *(r for some in row.get("bad", {}).values() for r in some)])
        for row in rows
    }


def _dialogue(
    rng: Random, s: Scenario, texts: tuple[Sequence[str], Sequence[str]], skill: float, turns: int, step: int, sibling: int
) -> Dialogue:
    said: list[Turn] = []
    emotion, stop, failure = s.level, "turn_limit", ""
    for k in range(turns):
        good = rng.random() < skill
        reply = rng.choice(texts[0] if good else texts[1])
        truncated = rng.random() < 0.06
        think = THOUGHT.format(s.particulars[k % len(s.particulars)]) if rng.random() < 0.7 else ""
        if rng.random() < 0.01:
            said.append(Turn(reply, emotion, 0.0, think=think))
            failure = "the user's server timed out after 3 tries (60 s each)"
            break
        change = rng.gauss(7.0, 4.0) if good else rng.gauss(-8.0, 5.0)
        emotion = min(100.0, max(0.0, emotion + change))
        if change < -14.0 or emotion == 0.0:
            stop = "walked_out"
        elif k == turns - 1 and good:
            stop = "satisfied"
        words = _words(rng, s, k, good, stop)
        cut = reply[: len(reply) // 2] if truncated else reply
        said.append(Turn(cut, emotion, change, words, think, _components(rng, good), truncated))
        if stop != "turn_limit":
            break
    return _record(s, said, turns, stop, failure, step, sibling)  # type: ignore[arg-type]


def _record(s: Scenario, said: Sequence[Turn], turns: int, stop: Stop, failure: str, step: int, sibling: int) -> Dialogue:
    status: Any = "failed" if failure else "scored"
    marks = {
        "user": "appraisal/minilm-3f2a9c/tables-1",
        "policy": "SmolLM2-135M-Instruct",
        "step": step,
        "seed": step,
        "sibling": sibling,
    }
    return Dialogue(s, tuple(said), turns, stop, status=status, failure=failure, **marks)  # type: ignore[arg-type]


def _words(rng: Random, s: Scenario, k: int, good: bool, stop: str) -> str:
    voice = s.voice
    if stop in ("satisfied", "walked_out"):
        return rng.choice(voice.thanks if stop == "satisfied" else voice.leave)
    if good:
        return s.disclosures[k % len(s.disclosures)].text
    return rng.choice([*voice.repeat, *voice.correct, *voice.hurt, *voice.withdraw])


def _components(rng: Random, good: bool) -> tuple[Component, ...]:
    def one(name: str) -> Component:
        helps = rng.random() < (0.85 if good else 0.2)
        value = round(min(1.0, abs(rng.gauss(0.5, 0.25))) * (1 if helps else -1), 3)
        return Component(name, value, REASONS[name][0 if helps else 1])

    return tuple(one(name) for name in rng.sample(list(REASONS), rng.randint(3, 5)))


def _rollout(dialogue: Dialogue, phase: Any) -> Rollout:
    scores = {reward.name: reward.score(dialogue) for reward in REWARDS}
    known = [weight * score for (_, weight), score in zip(REWARDS.items(), scores.values(), strict=True) if score is not None]
    return Rollout(dialogue.step, phase, scores, sum(known) if known else None, dialogue)


def _metrics(rng: Random, step: int, kl: bool) -> dict[str, float]:
    logs = {
        "loss": rng.gauss(0.0, 0.01),
        "grad_norm": 1.0 + rng.random(),
        "learning_rate": 1e-6,
        "reward": 0.4 + 0.02 * step + rng.gauss(0.0, 0.03),
        "reward_std": 0.2 + 0.02 * rng.random(),
        "frac_reward_zero_std": rng.choice([0.0, 0.0, 0.25]),
        "entropy": 2.4 * math.exp(-0.03 * step) + rng.gauss(0.0, 0.05),
        "completions/mean_length": 48.0 + step + rng.gauss(0.0, 3.0),
        "completions/clipped_ratio": max(0.0, rng.gauss(0.06, 0.03)),
        "step_time": 20.0 + rng.random(),
    }
    return logs | ({"kl": 0.002 * step + abs(rng.gauss(0.0, 0.0005))} if kl else {})


if __name__ == "__main__":
    print(make_run(Path(sys.argv[1])))
