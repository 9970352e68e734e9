"""The reward file in OpenRLHF's shape: one query, prompt and label; finite floats, constant keys, nothing raised."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import emorl.integrations.openrlhf.reward as openrlhf_file
from emorl.records import to_json
from emorl.rewards import EmotionTrajectory, registry
from tests.scripted_user import ScriptedUser, make_scenario


def load_as_openrlhf_does(path: Path) -> ModuleType:
    """By path, without an entry in sys.modules."""
    spec = importlib.util.spec_from_file_location("reward_func", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


QUERY = "<|im_start|>user\nI feel sad.<|im_end|>\n<|im_start|>assistant\n"


def assert_shape(out: Mapping[str, Any], names: Sequence[str]) -> None:
    assert set(out) == {"rewards", "scores", "extra_logs"}
    assert list(out["extra_logs"]) == [*(f"emorl/{n}" for n in names), "emorl/fallback"]
    for value in (out["rewards"], out["scores"], *out["extra_logs"].values()):
        assert type(value) is float and math.isfinite(value)
    assert 0.0 <= out["scores"] <= 1.0


@given(
    response=st.text(max_size=40),
    label=st.just(to_json(make_scenario())) | st.text(max_size=10),
    prompt=st.just(QUERY) | st.text(),
)
def test_openrlhf_gets_finite_floats_and_constant_keys_whatever_happens(response: str, label: str, prompt: str) -> None:
    user = ScriptedUser(fails_when="e", name="openrlhf")
    func = openrlhf_file.make_reward_func(
        {dataclasses.replace(r, user=user): w for r, w in zip(registry.values(), (1, 2, 0.5, 0.1, 1), strict=True)}
    )
    assert_shape(func([QUERY + response + "<|im_end|>"], [prompt], [label]), list(registry))


def test_openrlhf_scores_the_response_alone_and_tells_fallbacks() -> None:
    user = ScriptedUser(fails_when="fail", name="openrlhf-2")
    final, guard = (dataclasses.replace(registry[n], user=user) for n in ("final_emotion", "length_repetition_guard"))
    func = openrlhf_file.make_reward_func({final: 1.0, guard: 0.5})
    label = [to_json(make_scenario())]
    good = func(["<s>" + QUERY + "<think>hm</think>aaaa, but I do see why you would<|im_end|>"], ["<s>" + QUERY], label)
    assert user.heard == ["aaaa, but I do see why you would"]
    assert good["extra_logs"] == {"emorl/final_emotion": 0.33, "emorl/length_repetition_guard": 0.0, "emorl/fallback": 0.0}
    assert good["rewards"] == 0.33
    assert good["scores"] == pytest.approx((0.33 + 0.5) / 1.5)
    bad = func([QUERY + "fail"], [QUERY], label)
    assert bad["extra_logs"] == {"emorl/final_emotion": 0.5, "emorl/length_repetition_guard": -0.5, "emorl/fallback": 1.0}
    assert func(["another talk"], [QUERY], label)["extra_logs"]["emorl/fallback"] == 1.0


def test_openrlhf_loads_the_file_by_path_and_bad_weights_are_refused() -> None:
    module = load_as_openrlhf_does(Path(str(openrlhf_file.__file__)))
    assert_shape(module.reward_func(["q"], ["p"], ["no scenario"]), ["emotion_trajectory"])
    bad: list[tuple[dict[str, float], str]] = [
        ({}, "no reward has a weight"),
        ({"final_emotion": 0.0}, "no reward"),
        ({"kindness": 1.0}, "no reward is called"),
    ]
    for weights, problem in bad:
        with pytest.raises(ValueError, match=problem):
            openrlhf_file.make_reward_func(weights)
    twice: dict[Any, float] = {"emotion_trajectory": 1.0, EmotionTrajectory(tolerance=5.0): 1.0}
    with pytest.raises(ValueError, match="share a name"):
        openrlhf_file.make_reward_func(twice)
