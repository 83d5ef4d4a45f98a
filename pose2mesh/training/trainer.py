"""The training loop: stages, EMA, bfloat16, exact resume, one process or many.

Step `s` sees batch `s` of its stage, whatever happened before, so a resumed run repeats an uninterrupted one bit for
bit on the CPU: the state file holds weights, EMA, optimizer and step, and nothing else is random.
"""

import json
import signal
import time
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from pose2mesh.augmentation.hand_gestures import gesture_pool
from pose2mesh.body_models import AnnyBody, load_body_model
from pose2mesh.checkpoints import build_network, finest_vertex_ids, save_weights
from pose2mesh.checkpoints.build import HAND_JOINTS, with_digest
from pose2mesh.datasets.hands import RIGHT_HANDS, hand_pose_pool
from pose2mesh.datasets.motion import load_motion
from pose2mesh.datasets.synthetic import find_motion, seeded_generator
from pose2mesh.errors import InputError, MachineError, MissingDependencyError
from pose2mesh.networks.classic_body import ClassicBody
from pose2mesh.networks.key2mesh import Key2Mesh
from pose2mesh.paths import write_with
from pose2mesh.training.annotated_data import check_sources, load_material
from pose2mesh.training.config import StageConfig, TrainConfig
from pose2mesh.training.distributed import Processes, pick_device, processes
from pose2mesh.training.initial import load_initial
from pose2mesh.training.objective import ClassicObjective, Objective
from pose2mesh.training.optimization import learning_rate, make_optimizer, update_average
from pose2mesh.training.parameter_objective import ParameterObjective
from pose2mesh.training.prior_poses import training_poses
from pose2mesh.training.stage_data import StageData, stage_data
from pose2mesh.training.state import check_folder, load_state, make_folder, save_state, versions
from pose2mesh.training.validation import AnnotatedValidation, SyntheticValidation

_MOST_BAD_STEPS = 10  # losses or gradients in a row that are not finite, before the run gives up


class Interrupted(Exception):
    """SIGTERM arrived; the state has been saved."""


def train(config: TrainConfig, resume: bool = False) -> Path:
    """Run all stages; returns the weights file (EMA). `resume` goes on from the state in `config.output`."""
    if config.threads:
        torch.set_num_threads(config.threads)
    device = pick_device(config.device)
    with processes(device) as group:
        return Trainer(config, device, group).run(resume)


class Trainer:
    """One run."""

    def __init__(self, config: TrainConfig, device: torch.device, group: Processes):
        self.config, self.device, self.group = config, device, group
        self.output = check_folder(config.output)
        torch.manual_seed(config.seed)
        if config.data.sources:
            check_sources(config)
        self.settings = config.network.model_dump(mode="json")
        self.network = build_network(self.settings).to(device)
        self.settings = with_digest(self.settings)
        if config.initial:
            notice = load_initial(self.network, self.settings, config.initial, config.initial_part)
            self._say(notice)
        self.ema = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.material = load_material(config) if config.data.sources else None
        if self.material:
            self._say(self.material.describe_fits())
            self.config = self.material.with_steps(config, group.count)
            self.validation: SyntheticValidation | AnnotatedValidation = AnnotatedValidation(config)
        else:
            self._load_motion()
        self.stop_requested = False
        self.board = _open_board(self.output) if config.tensorboard and group.is_first else None

    def _say(self, notice: str) -> None:
        if notice and self.group.is_first:
            tqdm.write(notice)

    def _load_motion(self) -> None:
        """Body, poses and validation motion: what is missing or damaged is better known now than in an hour."""
        config = self.config
        if any(stage.epochs for stage in config.stages):
            raise InputError("stages: samples made on the fly have no epochs; give steps")
        self.body = load_body_model(config.network.body)
        names = [name for name in config.validation if isinstance(name, str)]
        if len(names) < len(config.validation):
            raise InputError("validation: datasets go with data.sources; without those, name motion")
        self.validation = SyntheticValidation(self.body, names)
        if config.network.joint_set == HAND_JOINTS:
            if config.network.body not in RIGHT_HANDS:
                known = " or ".join(RIGHT_HANDS)
                raise InputError(f"network.body: hands are trained on {known}, not {config.network.body}")
            gesture_pool(tuple(names))
            self.pool = hand_pose_pool(self.body, config.data.gestures, config.data.hand_poses, config.seed)
            return
        if not isinstance(self.body, AnnyBody):
            raise InputError(
                f"network.body: samples are made of anny-body, not of {config.network.body}, unless data.sources names "
                "annotation datasets"
            )
        self.pool = training_poses(config.data, config.seed)
        for motion in names:
            load_motion(find_motion(motion))

    def run(self, resume: bool) -> Path:
        state = self._resume_state() if resume else self._refuse_unfinished()
        first = state["stage"] if state else 0
        if self.group.is_first:
            self._write_provenance()
        previous = signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            for index in range(first, len(self.config.stages)):
                self._run_stage(index, state if index == first else None)
        finally:
            signal.signal(signal.SIGTERM, previous)
        weights = self.output / "weights.safetensors"
        if self.group.is_first:
            self._save_weights(weights)
        self.group.barrier()
        return weights

    # ---- one stage

    def _run_stage(self, index: int, state: dict | None) -> None:
        stage = self.config.stages[index]
        data = self._stage_data(index)
        objective = self.group.wrap(self._objective(stage, data).to(self.device))
        optimizer = make_optimizer(stage, [p for p in self.network.parameters() if p.requires_grad])
        start = self._restore(optimizer, state) if state else 0
        batches = data.batches(start, stage.steps, self.config.data.workers)
        saved, bad = time.monotonic(), 0
        with tqdm(total=stage.steps, initial=start, desc=stage.name, disable=not self.group.is_first) as bar:
            for step in range(start, stage.steps):
                # Dropout as well is to be a function of the step, or a resumed run would not repeat it.
                torch.manual_seed(seeded_generator(self.config.seed, index, step, self.group.rank).initial_seed())
                parts = self._step(objective, optimizer, stage, step, next(batches))
                bad = 0 if parts else bad + 1
                self._report(bar, stage, step, parts, bad)
                stopping = self.group.any(self.stop_requested, self.device)
                if stopping or time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                    self._save(index, step + 1, optimizer)
                    saved = time.monotonic()
                if stopping:
                    raise Interrupted(f"saved at step {step + 1} of {stage.name}")
                if (step + 1) % self.config.validate_every == 0 or step + 1 == stage.steps:
                    self._validate(stage, step + 1)
        self.network.load_state_dict(self.ema)  # the next stage starts from the averaged weights
        self._save(index + 1, 0, optimizer)

    def _stage_data(self, index: int) -> StageData:
        if self.material:
            return self.material.stage(self.config, index, self.group.rank)
        return stage_data(self.config, index, self.body, self.pool, self.group.rank)

    def _objective(self, stage: StageConfig, data: StageData) -> nn.Module:
        if isinstance(self.network, ClassicBody):
            if stage.frozen_lifter:
                raise InputError(f"stage {stage.name}: frozen_lifter is for the compact network")
            return ClassicObjective(self.network, stage, data.faces, data.joint_regressor)
        self.network.lifter.requires_grad_(not stage.frozen_lifter)
        if isinstance(self.network, Key2Mesh):
            return ParameterObjective(self.network, self.body, finest_vertex_ids(self.settings), stage.loss)  # pyright: ignore[reportArgumentType]
        return Objective(self.network, stage, data.rows, data.faces)

    def _step(self, objective: nn.Module, optimizer, stage: StageConfig, step: int, batch):
        """One optimizer step; returns the loss parts, or None if loss or gradient was not finite on some process."""
        for settings in optimizer.param_groups:
            settings["lr"] = learning_rate(stage, step)
        batch = type(batch)(*(tensor.to(self.device, non_blocking=True) for tensor in batch))
        enabled = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled):
            loss, parts = objective(batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        is_finite = bool(torch.isfinite(loss) & torch.isfinite(norm))
        if self.group.any(not is_finite, self.device):
            return None
        optimizer.step()
        update_average(self.ema, self.network, self.config.ema_decay, step)
        return parts

    def _report(self, bar: tqdm, stage: StageConfig, step: int, parts: dict | None, bad: int) -> None:
        """Show progress; say which steps were skipped. Raises MachineError after too many of them in a row."""
        if bad >= _MOST_BAD_STEPS:
            raise MachineError(
                f"{stage.name}: loss or gradient was not finite {bad} times in a row up to step {step}; "
                f"resume from {self.output} with a lower learning_rate"
            )
        if parts is None and self.group.is_first:
            tqdm.write(f"{stage.name}: step {step} skipped, its loss or gradient was not finite")
        bar.update()
        if parts and step % 20 == 0:
            bar.set_postfix({**{k: f"{1e3 * v.item():.1f}" for k, v in parts.items()}, **_rate(bar, stage)})
            self._draw({f"{stage.name}/{name}": value.item() for name, value in parts.items()}, step)

    def _draw(self, values: dict[str, float], step: int) -> None:
        """Add points to the TensorBoard curves, if there are any."""
        if self.board:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    # ---- files

    def _validate(self, stage: StageConfig, step: int) -> None:
        if not self.group.is_first or not self.config.validation:
            return
        current = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.ema)
        self.network.eval()
        for what, result in self.validation.results(self.network, stage, self.device):
            line = {"stage": stage.name, "step": step, **what}
            for kind, values in result.items():
                line |= {f"{kind}_{k}": round(v, 2) for k, v in values.items() if isinstance(v, float)}
            tqdm.write(json.dumps(line))
            with (self.output / "validation.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            self._draw({f"validation/{k}": v for k, v in line.items() if isinstance(v, float)}, step)
        self.network.load_state_dict(current)
        self.network.train()

    def _save(self, stage: int, step: int, optimizer) -> None:
        if not self.group.is_first:
            return
        state = {
            "stage": stage, "step": step, "network": self.network.state_dict(), "ema": self.ema,
            "optimizer": optimizer.state_dict(), "config": self.config.model_dump_json(), "versions": versions(),
        }  # fmt: skip
        save_state(self.output / "last.pt", state)
        self._save_weights(self.output / "weights.safetensors")

    def _save_weights(self, path: Path) -> None:
        current = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.ema)
        save_weights(path, self.network, self.settings)
        self.network.load_state_dict(current)

    def _write_provenance(self) -> None:
        make_folder(self.output)
        record = {"versions": versions(), "config": self.config.model_dump(mode="json")}
        content = json.dumps(record, indent=1).encode()
        write_with(self.output / "config.json", lambda stream: stream.write(content))

    def _resume_state(self) -> dict:
        path = self.output / "last.pt"
        if not path.is_file():
            raise InputError(f"nothing to resume: {path} does not exist; start without --resume")
        state = load_state(path)
        try:
            self.network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise InputError(
                f"{path} holds another network than network.* describes; resume with its config"
            ) from error
        self.ema = {k: v.to(self.device) for k, v in state["ema"].items()}
        return state

    def _refuse_unfinished(self) -> None:
        """Hours of an interrupted run are not overwritten by a forgotten --resume. Raises InputError."""
        path = self.output / "last.pt"
        if path.is_file() and load_state(path)["stage"] < len(self.config.stages):
            raise InputError(f"{path} is of a run that has not ended; go on with --resume, or name another output")

    def _restore(self, optimizer: torch.optim.Optimizer, state: dict) -> int:
        """Load the optimizer of an interrupted stage; returns the step to go on with."""
        if not state["step"]:  # between stages: the stored optimizer is the previous stage's
            return 0
        try:
            optimizer.load_state_dict(state["optimizer"])
        except ValueError as error:
            raise InputError(f"stages.{state['stage']} is another than the one in {self.output}: {error}") from error
        return state["step"]

    def _on_sigterm(self, *_) -> None:
        self.stop_requested = True


def _rate(bar: tqdm, stage: StageConfig) -> dict[str, str]:
    rate = bar.format_dict["rate"]
    return {"samples/s": f"{rate * stage.batch_size:.0f}"} if rate else {}


def _open_board(output: Path):
    """A TensorBoard writer. Raises MissingDependencyError without the package."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingDependencyError("tensorboard=true needs `pip install 'pose2mesh[tensorboard]'`") from error
    return SummaryWriter(str(output / "tensorboard"))
