"""What emorl uses of TRL without TRL documenting it. A TRL that breaks one of these breaks `_private.py` and nothing else."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from trl import GRPOTrainer
from trl.generation.vllm_generation import VLLMGeneration

from emorl.integrations.trl import _private
from tests.scripted_trainer import make_kit, make_trainer, spy
from tests.scripted_user import make_scenario


@pytest.fixture
def trainer(tmp_path: Path) -> Any:
    return make_trainer(make_kit(), tmp_path, chat_template_kwargs={"enable_thinking": False}, num_generations_eval=2)


def test_generate_single_turn_wants_only_what_is_known() -> None:
    parameters = list(inspect.signature(GRPOTrainer._generate_single_turn).parameters)
    assert parameters[:4] == ["self", "prompt_ids", "images", "multimodal_fields"]
    assert set(parameters[4:]) <= {"num_generations", "has_tool_images"}


def test_generate_continues_each_row_within_the_limit(trainer: Any) -> None:
    before = trainer.generation_config.max_new_tokens
    prompts = [[5, 6, 7], [8], [9, 10]]
    ids, logprobs = _private.generate(trainer, prompts, 3)
    assert logprobs is None
    assert len(ids) == 3
    assert all(1 <= len(row) <= 3 for row in ids)
    assert max(len(row) for row in _private.generate(trainer, prompts * 4, 40)[0]) > 3
    assert trainer.generation_config.max_new_tokens == before


def test_generate_samples_rows_apart(trainer: Any) -> None:
    ids, _ = _private.generate(trainer, [[5, 6, 7]] * 4, 12)
    assert len({tuple(row) for row in ids}) == 4


def test_generation_stops_at_every_end_token(trainer: Any) -> None:
    assert _private.end_ids(trainer) == {trainer.processing_class.eos_token_id}
    trainer.eos_token_ids = [7, 9]
    assert _private.end_ids(trainer) == {7, 9}


def test_a_generate_of_another_shape_is_refused() -> None:
    stub = SimpleNamespace(use_vllm=False, generation_config=SimpleNamespace(max_new_tokens=1))
    stub._generate_single_turn = lambda prompt_ids, sampling_plan: None
    with pytest.raises(RuntimeError, match="sampling_plan"):
        _private.generate(stub, [[1]], 1)


def test_names_of_the_trainer(trainer: Any) -> None:
    assert _private.chat_template_kwargs(trainer) == {"enable_thinking": False}
    trainer.model.train()
    assert _private.is_training(trainer) and _private.group_size(trainer) == 4
    trainer.model.eval()
    assert not _private.is_training(trainer) and _private.group_size(trainer) == 2
    assert trainer.use_vllm is False


def test_reward_weights_go_by_name(trainer: Any) -> None:
    assert trainer.reward_weights.tolist() == [1.0, 1.0]
    assert _private.set_reward_weights(trainer, {"final_emotion": 0.25}) == {"emotion_trajectory": 1.0, "final_emotion": 0.25}
    assert trainer.reward_weights.tolist() == [1.0, 0.25]


class FakeVllm:
    """The face of `VLLMGeneration` that emorl and the trainer use; answers each prompt with its length and an end token."""

    max_completion_length = 50

    def __init__(self, end: int) -> None:
        self.end, self.limits, self.synced = end, [], 0

    def sync_weights(self) -> None:
        self.synced += 1

    def generate(self, prompts: Any, images: Any, num_generations: int, profiler: Any = None) -> Any:
        self.limits.append(self.max_completion_length)
        ids = [[30 + place, 40, self.end] for place, _ in enumerate(prompts)]
        logprobs = [[[-0.5, -9.0], [-0.25, -9.0], [-1.0, -9.0]] for _ in prompts]
        return prompts, ids, logprobs, None


def test_vllm_generation_has_the_face_of_the_fake() -> None:
    real = inspect.signature(VLLMGeneration.generate).parameters
    assert list(real) == list(inspect.signature(FakeVllm.generate).parameters)
    assert "max_completion_length" in inspect.signature(VLLMGeneration.__init__).parameters
    assert "self.max_completion_length" in inspect.getsource(VLLMGeneration.generate)  # read anew at each call
    assert callable(VLLMGeneration.sync_weights)


def test_generate_through_vllm() -> None:
    vllm = FakeVllm(end=2)
    ids, logprobs = _private.generate(SimpleNamespace(use_vllm=True, vllm_generation=vllm), [[1], [1, 1]], 7)
    assert ids == [[30, 40, 2], [31, 40, 2]]
    assert logprobs == [[-0.5, -0.25, -1.0]] * 2  # of the sampled token, not of the others
    assert vllm.limits == [7] and vllm.max_completion_length == 50


def test_a_rollout_through_vllm_gives_log_probabilities(tmp_path: Path) -> None:
    """Not on hardware: the trainer believes that it has a vLLM, and corrects for its sampling."""
    trainer = make_trainer(make_kit(), tmp_path, max_steps=1)
    vllm = FakeVllm(trainer.processing_class.eos_token_id)
    trainer.use_vllm, trainer.vllm_generation, trainer._last_loaded_step = True, vllm, -1
    trainer.vllm_importance_sampling_correction = True
    trainer.vllm_importance_sampling_mode = "token_truncate"
    trainer.vllm_importance_sampling_clip_min, trainer.vllm_importance_sampling_clip_max = 0.0, 3.0
    outputs = spy(trainer)
    trainer.train()
    (output,) = outputs
    mask = output["completion_mask"] * output["tool_mask"]
    logprobs = output["sampling_per_token_logps"]
    assert mask.sum(1).tolist() == [6.0] * 4
    assert torch.equal(logprobs != 0, mask.bool())
    assert logprobs[0][mask[0].bool()].tolist() == [-0.5, -0.25, -1.0] * 2
    assert vllm.synced == 1


def test_vllm_on_several_processes_is_asked_for_every_row(tmp_path: Path) -> None:
    """TRL cuts a server's answers into equal slices, so that a process with fewer open talks asks for as many rows."""
    from emorl.integrations.trl.policy import TrainerPolicy

    trainer = make_trainer(make_kit(), tmp_path)
    vllm = FakeVllm(trainer.processing_class.eos_token_id)
    asked: list[int] = []
    generate = vllm.generate
    vllm.generate = lambda prompts, **rest: asked.append(len(prompts)) or generate(prompts, **rest)  # type: ignore[method-assign,func-returns-value]
    trainer.use_vllm, trainer.vllm_generation = True, vllm
    trainer.accelerator = SimpleNamespace(num_processes=2)
    policy = TrainerPolicy(trainer, turn_tokens=9, dialogue_tokens=20)
    policy.open([[{"role": "user", "content": "x"}]] * 3)
    assert len(policy.speak([0, 2])) == 2 and len(policy.speak([])) == 0
    assert asked == [3, 3]
    assert vllm.limits == [9, 9]
    assert [len(row.completion) for row in policy.rows] == [3, 0, 3]


def test_shuffles_are_replayed(tmp_path: Path) -> None:
    kit = make_kit([make_scenario(i) for i in range(12)])

    def epochs(skip: int, of: int) -> list[list[str]]:
        loader = make_trainer(kit, tmp_path).get_train_dataloader()
        _private.replay_shuffles(loader, skip)
        return [[row["scenario"] for batch in loader for row in batch] for _ in range(skip, of)]

    whole = epochs(0, 3)
    assert whole[0] != whole[1]
    assert epochs(1, 3) == whole[1:]
    assert epochs(2, 3) == whole[2:]
