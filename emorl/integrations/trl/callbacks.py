"""The one callback of the kit: writes the run folder, keeps the kit's state in checkpoints, watches failures."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from emorl.integrations.trl import _private
from emorl.runfolder import RunFolder

if TYPE_CHECKING:
    from emorl.integrations.trl.kit import EmotionKit

STATE_FILE = "emorl_state.json"
logger = logging.getLogger(__name__)


class TooManyFailures(RuntimeError):
    """The simulated user fails too often for its rewards to mean anything."""


class KitCallback(TrainerCallback):
    """Hosts an `EmotionKit` in a trainer. All events come to all processes, so gathers in here cannot hang."""

    def __init__(self, kit: EmotionKit) -> None:
        self.kit = kit
        self.folder: RunFolder | None = None
        self._training = False
        self._stop_reason = ""

    def on_init_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.kit.check_args(args)
        self.folder = RunFolder(self.kit.run_folder or str(args.output_dir), main=state.is_world_process_zero)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, train_dataloader: Any = None, **_: Any
    ) -> None:
        self._training = True
        if state.global_step > 0:
            if not self.kit.restored:
                self.kit.load_checkpoint(Path(str(args.output_dir), f"checkpoint-{state.global_step}"))
            _private.replay_shuffles(train_dataloader, int(state.epoch or 0))
        self._folder().begin(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._write(control)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._write(control)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        self._folder().add_metrics(state.global_step, logs or {})

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            file = Path(str(args.output_dir), f"checkpoint-{state.global_step}", STATE_FILE)
            file.write_text(json.dumps(self.kit.state_dict()), encoding="utf-8")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._training = False
        if self._stop_reason:
            raise TooManyFailures(self._stop_reason)

    def _folder(self) -> RunFolder:
        assert self.folder is not None  # on_init_end comes first
        return self.folder

    def _write(self, control: TrainerControl) -> None:
        for batch in self.kit.recorder.flush():
            self._folder().add_rollouts(batch.lines(self.kit.weights))
            if batch.phase == "train" and not self.kit.none_may_vary and (name := batch.uneven()):
                raise ValueError(f"reward {name!r} is None for some dialogues of a group and not for others. {NONE_REMEDY}")
            self._judge(self.kit.failures.update([d.failure for d in batch.dialogues]), control)

    def _judge(self, verdict: str, control: TrainerControl) -> None:
        if verdict == "fine":
            return
        reason = self.kit.failures.reason()
        if verdict == "warn":
            logger.warning("%s. The run stops above %.0f %%.", reason, 100 * self.kit.failures.stop)
            return
        reason += f". Above {self.kit.failures.stop:.0%} the rewards mean nothing; mend the simulated user and resume"
        if not self._training:
            raise TooManyFailures(reason)
        # Not raised at once: the work so far is saved first, then on_train_end raises.
        self._stop_reason = reason
        control.should_save = control.should_training_stop = True


NONE_REMEDY = (
    "Summed rewards would make such a dialogue look worse or better for no reason. Let it be None for whole groups, or set "
    "multi_objective_aggregation='normalize_then_sum' in GRPOConfig."
)


def read_state(checkpoint: str | Path, *, main: bool) -> dict[str, Any]:
    """The kit's state in a checkpoint, read by the main process for all. Raises `FileNotFoundError` on all of them."""
    file = Path(checkpoint, STATE_FILE)
    found = [file.read_text(encoding="utf-8") if main and file.is_file() else None]
    broadcast_object_list(found)
    if found[0] is None:
        raise FileNotFoundError(
            f"no {STATE_FILE} in {checkpoint}: the kit cannot go on where it was. For a checkpoint outside output_dir, call "
            "kit.load_checkpoint(folder) before trainer.train(resume_from_checkpoint=folder)"
        )
    state: dict[str, Any] = json.loads(found[0])
    return state
