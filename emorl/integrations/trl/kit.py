"""`EmotionKit`: everything that an unmodified `GRPOTrainer` needs for multi-turn emotional training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState
from datasets import Dataset

from emorl.failures import FailureRate
from emorl.integrations.trl import _private
from emorl.integrations.trl.callbacks import NONE_REMEDY, KitCallback, read_state
from emorl.integrations.trl.recorder import Recorder, RewardFunc, name_of, recorded
from emorl.integrations.trl.rollout_func import RolloutFunc, mark
from emorl.rewards import by_name
from emorl.scenario import Scenario
from emorl.scenarios import DEFAULT_SYSTEM_PROMPT, ScenarioSet, load
from emorl.users.base import User

Scenarios = str | Path | Sequence[Scenario]


class EmotionKit:
    """Scenarios, simulated user and rewards as keyword arguments of a `GRPOTrainer`.

        kit = EmotionKit(scenarios="train", user="appraisal", rewards={"emotion_trajectory": 1.0})
        trainer = GRPOTrainer(model, args=args, **kit.trainer_kwargs())

    Args:
        scenarios, eval_scenarios: "train" or "dev", a JSON-lines file, or `Scenario` objects. Ids must be unique over both.
        user: a name for `emorl.users.make` (with `user_options`), or a `User`.
        rewards: name -> weight, or reward names and reward functions in a list.
        reward_weights: name -> weight for rewards given as a list; 1 for those left out.
        turns: planned replies per dialogue, >= 1.
        turn_tokens: most tokens of a reply; `None`: `max_completion_length // turns`. `max_completion_length` of the trainer
            limits a whole dialogue, headers and the user's words included.
        system_prompt: before every opening; `None`: none.
        end_marker: text by which the policy may end the talk; `None`: it cannot.
        run_folder: where rollouts.jsonl and metrics.jsonl go; `None`: the trainer's `output_dir`.
        failures: when failed dialogues warn and stop the run; `None`: above 5 % and 20 %.

    Raises `ValueError` (`RecordError`) for an unknown or repeated name, a scenario that a reward or the user cannot take.
    """

    def __init__(
        self,
        scenarios: Scenarios = "train",
        user: str | User = "appraisal",
        rewards: Mapping[str, float] | Sequence[str | RewardFunc] = ("emotion_trajectory",),
        *,
        eval_scenarios: Scenarios | None = None,
        user_options: Mapping[str, Any] | None = None,
        reward_weights: Mapping[str, float] | None = None,
        turns: int = 2,
        turn_tokens: int | None = None,
        system_prompt: str | None = DEFAULT_SYSTEM_PROMPT,
        end_marker: str | None = None,
        run_folder: str | Path | None = None,
        failures: FailureRate | None = None,
    ) -> None:
        if turns < 1 or (turn_tokens is not None and turn_tokens < 1):
            raise ValueError(f"turns is {turns} and turn_tokens is {turn_tokens}; both must be at least 1")
        self.scenarios = _scenario_set(scenarios)
        self.eval_scenarios = _scenario_set(eval_scenarios) if eval_scenarios is not None else None
        self.user = _user(user, user_options or {})
        self.rewards, self.weights = _rewards(rewards, reward_weights)
        self.turns, self.system_prompt, self.run_folder = turns, system_prompt, run_folder
        self.failures = failures or FailureRate()
        self.recorder = Recorder()
        self.restored = False
        self.none_may_vary = False
        everyone = [*self.scenarios, *(self.eval_scenarios or ())]
        _check(everyone, self.user, self.rewards)
        self.rollout_func = RolloutFunc(
            {s.id: s for s in everyone},
            self.user,
            turns=turns,
            turn_tokens=turn_tokens,
            end_marker=end_marker,
            on_rollout=self.recorder.begin,
            on_first=self._bind,
        )

    def trainer_kwargs(self) -> dict[str, Any]:
        """`train_dataset`, `rollout_func`, `reward_funcs`, `callbacks`, and `eval_dataset` where there are eval scenarios."""
        evaluation = {} if self.eval_scenarios is None else {"eval_dataset": self._dataset(self.eval_scenarios)}
        return evaluation | {
            "train_dataset": self._dataset(self.scenarios),
            "rollout_func": self.rollout_func,
            "reward_funcs": [recorded(r, self.recorder, logs=i == 0) for i, r in enumerate(self.rewards)],
            "callbacks": [KitCallback(self)],
        }

    def _dataset(self, scenarios: ScenarioSet) -> Dataset:
        rows = zip(scenarios, scenarios.rows(self.system_prompt), strict=True)
        return Dataset.from_list([{**row, "prompt": mark(row["prompt"], s.id)} for s, row in rows])

    def check_args(self, args: Any) -> None:
        """Refuse a `GRPOConfig` that contradicts the kit; called when the trainer is made."""
        if args.reward_weights is not None:
            raise ValueError(
                "GRPOConfig.reward_weights goes by position and the kit's weights by name: leave it out and give "
                f"the weights to EmotionKit (now {self.weights})"
            )
        self.none_may_vary = args.multi_objective_aggregation == "normalize_then_sum"
        for reward in self.rewards:
            if getattr(reward, "none_within_group", False) and not self.none_may_vary:
                raise ValueError(f"reward {name_of(reward)!r} may be None for some dialogues of a group only. {NONE_REMEDY}")

    def _bind(self, trainer: Any) -> None:
        """At the first rollout, the only place where TRL hands over the trainer."""
        names = Counter(trainer.reward_func_names)
        if repeated := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"two reward functions are called {repeated[0]!r}; give each its own __name__")
        if missing := sorted(set(self.weights) - set(names)):
            raise ValueError(f"the trainer lacks the rewards {missing}; pass all reward_funcs of EmotionKit.trainer_kwargs()")
        if foreign := sorted(set(names) - set(self.weights)):
            # It would read the user's words as the policy's, and could score failed dialogues, which shifts their group's mean.
            raise ValueError(f"the kit does not know the rewards {foreign}; give them to EmotionKit(rewards=[…]) instead")
        _private.set_reward_weights(trainer, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs for the resumed run to equal an uninterrupted one."""
        return {
            "fingerprint": self.user.fingerprint,
            "user": self.user.state_dict(),
            "visits": dict(self.rollout_func.visits),
            "failures": self.failures.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore; raises `ValueError` where the state was made with another user."""
        if state["fingerprint"] != self.user.fingerprint:
            raise ValueError(
                f"the checkpoint was trained with the user {state['fingerprint']!r}, this run has {self.user.fingerprint!r}: "
                "their rewards are not comparable. Give the run the same user, or start a new one from the weights"
            )
        self.user.load_state_dict(state["user"])
        self.rollout_func.visits = Counter(state["visits"])
        self.failures.load_state_dict(state["failures"])

    def load_checkpoint(self, folder: str | Path) -> None:
        """Restore from a trainer's checkpoint. Done by itself for checkpoints in `output_dir`; else call it before `train`."""
        self.load_state_dict(read_state(folder, main=PartialState().is_main_process))
        self.restored = True


def _user(user: str | User, options: Mapping[str, Any]) -> User:
    if isinstance(user, str):
        from emorl.users import make  # only here: another user needs none of the embedded one's weights

        made: User = make(user, **options)
        return made
    if options:
        raise ValueError("user_options go with a user's name; give them to the User object itself")
    return user


def _scenario_set(scenarios: Scenarios) -> ScenarioSet:
    if isinstance(scenarios, str | Path):
        return load(scenarios)
    return scenarios if isinstance(scenarios, ScenarioSet) else ScenarioSet(scenarios)


def _rewards(
    rewards: Mapping[str, float] | Sequence[str | RewardFunc], weights: Mapping[str, float] | None
) -> tuple[list[RewardFunc], dict[str, float]]:
    """Reward functions and their weights by name."""
    if isinstance(rewards, Mapping):
        if weights is not None:
            raise ValueError("weights are given twice: in rewards and in reward_weights; leave one out")
        weights = rewards
    made: list[RewardFunc] = [by_name(reward) if isinstance(reward, str) else reward for reward in rewards]
    if not made:
        raise ValueError("no rewards; give at least one, such as rewards={'emotion_trajectory': 1.0}")
    names = [name_of(reward) for reward in made]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"two rewards are called {repeated[0]!r}; give one of them another name (Reward(name=…))")
    given = dict(weights or {})
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(f"weights for {unknown}, but the rewards are {names}; correct the name or add the reward")
    for name, weight in given.items():
        if not math.isfinite(weight):
            raise ValueError(f"the weight of {name!r} is {weight}; give a finite number")
    return made, {name: float(given.get(name, 1.0)) for name in names}


def _check(scenarios: Sequence[Scenario], user: User, rewards: Sequence[RewardFunc]) -> None:
    """Raise `ValueError` for scenarios that cannot be trained on."""
    if not scenarios:
        raise ValueError("no scenarios; give at least one")
    if repeated := [name for name, count in Counter(s.id for s in scenarios).items() if count > 1]:
        raise ValueError(f"scenario id {repeated[0]!r} is there twice; ids must be unique over training and evaluation")
    if user.needs_apt_path and (without := [s.id for s in scenarios if s.apt_path is None]):
        raise ValueError(f"the user {user.fingerprint!r} needs an apt_path, scenario {without[0]!r} has none; give it one")
    for reward in rewards:
        if check := getattr(reward, "check", None):
            check(scenarios)
