"""The training loop: stages, EMA, bfloat16, exact resume, one process or many.

Step `s` sees batch `s` of its stage, whatever happened before, so a resumed run repeats an uninterrupted one bit for
bit on the CPU: the state file holds weights, EMA, optimizer and step, and nothing else is random.
"""

import json
import math
import signal
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from pose2mesh.body_models import load_body_model
from pose2mesh.checkpoints import build_network, finest_vertex_ids, read_weights, save_weights
from pose2mesh.datasets.mocap import MocapProtocol
from pose2mesh.datasets.synthetic import Batch, Mixture, SyntheticBodies, pose_pool
from pose2mesh.errors import InputError, MachineError
from pose2mesh.hierarchy import Hierarchy, load_hierarchy
from pose2mesh.networks.classic_body import ClassicBody
from pose2mesh.training.config import StageConfig, TrainConfig
from pose2mesh.training.distributed import Processes, pick_device, processes
from pose2mesh.training.evaluator import evaluate
from pose2mesh.training.objective import ClassicObjective, Objective
from pose2mesh.training.state import load_state, save_state, versions

_MOST_BAD_STEPS = 10  # non-finite losses in a row before the run gives up
VALIDATION_SAMPLES = 512
_EMA_EVERY = 8  # steps; averaging 7 million weights costs as much as a tenth of a step


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
        self.output = Path(config.output)
        torch.manual_seed(config.seed)
        self.settings = config.network.model_dump(mode="json")
        self.network = build_network(self.settings).to(device)
        if config.initial:
            load_initial(self.network, config.initial)
        self.ema = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.body = load_body_model(config.network.body)
        self.pool = pose_pool(config.data.motion, config.data.distinct_radians)
        self.stop_requested = False

    def run(self, resume: bool) -> Path:
        state = self._resume_state() if resume else None
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
        loader, rows, faces = self._stage_data(index, stage)
        objective = self.group.wrap(self._objective(stage, rows, faces).to(self.device))
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = make_optimizer(stage, parameters)
        start = 0
        if state and state["step"]:  # at step 0 the stored optimizer is the previous stage's
            optimizer.load_state_dict(state["optimizer"])
            start = state["step"]
        batches = iter(loader(start))
        saved, bad = time.monotonic(), 0
        with tqdm(total=stage.steps, initial=start, desc=stage.name, disable=not self.group.is_first) as bar:
            for step in range(start, stage.steps):
                parts = self._step(objective, optimizer, stage, step, next(batches))
                bad = 0 if parts else bad + 1
                if bad >= _MOST_BAD_STEPS:
                    raise MachineError(
                        f"{stage.name}: the loss was not finite {bad} times in a row up to step {step}"
                    )
                bar.update()
                if parts and step % 20 == 0:
                    bar.set_postfix(
                        {**{k: f"{1e3 * v.item():.1f}" for k, v in parts.items()}, **_rate(bar, stage)}
                    )
                stopping = self.group.any(self.stop_requested, self.device)
                if stopping or time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                    self._save(index, step + 1, optimizer)
                    saved = time.monotonic()
                if stopping:
                    raise Interrupted(f"saved at step {step + 1} of {stage.name}")
                if (step + 1) % self.config.validate_every == 0 or step + 1 == stage.steps:
                    self._validate(stage, step + 1)
        self._save(index + 1, 0, optimizer)

    def _objective(self, stage: StageConfig, rows: list[np.ndarray], faces: np.ndarray) -> nn.Module:
        if isinstance(self.network, ClassicBody):
            return ClassicObjective(self.network, stage, faces)
        return Objective(self.network, stage, rows, faces)

    def _step(self, objective: nn.Module, optimizer, stage: StageConfig, step: int, batch: Batch):
        """One optimizer step; returns the loss parts, or None if the loss was not finite on some process."""
        for settings in optimizer.param_groups:
            settings["lr"] = learning_rate(stage, step)
        batch = Batch(*(tensor.to(self.device, non_blocking=True) for tensor in batch))
        enabled = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled):
            loss, parts = objective(batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.group.any(not bool(torch.isfinite(loss)), self.device):
            return None
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        optimizer.step()
        self._update_ema(step)
        return parts

    def _update_ema(self, step: int) -> None:
        if step % _EMA_EVERY:
            return
        within = 1 - _EMA_EVERY / (_EMA_EVERY + 0.1 * step)  # at first, average the last tenth of the run only
        decay = min(self.config.ema_decay**_EMA_EVERY, within)
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.ema[name].lerp_(value, 1 - decay)
                else:
                    self.ema[name].copy_(value)

    def _stage_data(self, index: int, stage: StageConfig):
        """(loader from a step on, rows of each vertex set in a batch's vertices, faces of the finest)."""
        hierarchy = load_hierarchy(self.config.network.mesh.hierarchy)
        ids = self._vertex_sets(hierarchy, stage)
        needed = ids[-1]
        faces = hierarchy.faces if len(needed) == hierarchy.num_vertices else hierarchy.level_faces[1]
        dataset = SyntheticBodies(
            self.body,
            self.pool,
            mixture_of(self.config),
            vertex_ids=needed,
            batch_size=stage.batch_size,
            seed=1000 * self.config.seed + index,
            rank=self.group.rank,
        )
        rows = [_rows_in(needed, part) for part in ids]

        def loader(start: int) -> DataLoader:
            workers = self.config.data.workers
            return DataLoader(
                dataset, batch_size=None, sampler=range(start, stage.steps), num_workers=workers,
                persistent_workers=False, prefetch_factor=4 if workers else None,
            )  # fmt: skip

        return loader, rows, faces

    def _vertex_sets(self, hierarchy: Hierarchy, stage: StageConfig) -> list[np.ndarray]:
        """Vertex ids of every set that the mesh head predicts, coarse to fine."""
        mesh = self.config.network.mesh
        if self.config.network.kind == "classic":
            return [finest_vertex_ids(self.settings)]
        if mesh.kind not in ("coarse_to_fine", "direct"):
            if stage.lifting_only:
                raise InputError(f"stage {stage.name}: a {mesh.kind} head has no coarsest level to lift to")
            return [finest_vertex_ids(self.settings)]
        levels = [np.asarray(hierarchy.vertex_ids[level]) for level in range(len(mesh.channels), 0, -1)]
        return levels[:1] if stage.lifting_only else [levels[0], *levels]

    # ---- files

    def _validate(self, stage: StageConfig, step: int) -> None:
        if not self.group.is_first or not self.config.validation:
            return
        current = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.ema)
        self.network.eval()
        for motion in self.config.validation:
            protocol = MocapProtocol(self.body, motion, every=7, limit=VALIDATION_SAMPLES)
            result = evaluate(self.network, protocol, device=self.device)
            line = {"stage": stage.name, "step": step, "motion": motion}
            for kind, values in result.items():
                line |= {f"{kind}_{k}": round(v, 2) for k, v in values.items() if isinstance(v, float)}
            tqdm.write(json.dumps(line))
            with (self.output / "validation.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
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
        self.output.mkdir(parents=True, exist_ok=True)
        record = {"versions": versions(), "config": self.config.model_dump(mode="json")}
        (self.output / "config.json").write_text(json.dumps(record, indent=1))

    def _resume_state(self) -> dict:
        path = self.output / "last.pt"
        if not path.is_file():
            raise InputError(f"nothing to resume: {path} does not exist; start without --resume")
        state = load_state(path)
        self.network.load_state_dict(state["network"])
        self.ema = {k: v.to(self.device) for k, v in state["ema"].items()}
        return state

    def _on_sigterm(self, *_) -> None:
        self.stop_requested = True


def learning_rate(stage: StageConfig, step: int) -> float:
    """Warm-up, then half a cosine down to 1% (or the original's drop to a tenth after four fifths)."""
    warm = min(1.0, (step + 1) / max(1, stage.warmup))
    done = step / stage.steps
    if stage.schedule == "step":
        return stage.learning_rate * warm * (0.1 if done >= 0.8 else 1.0)
    return stage.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def make_optimizer(stage: StageConfig, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW decays matrices only; RMSprop is the original's."""
    if stage.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=stage.learning_rate)
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": stage.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=stage.learning_rate, betas=(0.9, 0.98), fused=True)


def mixture_of(config: TrainConfig) -> Mixture:
    data = config.data
    return Mixture(
        children=data.children,
        poses=data.poses,
        noise=tuple((n.share, n.detector) for n in data.noise),
        cameras=tuple((c.share, c.range) for c in data.cameras),
    )


def load_initial(network: nn.Module, name_or_path: str) -> None:
    """Start from other weights: every tensor of the same name and shape, at least the lifter's."""
    tensors, _ = read_weights(name_or_path)
    own = network.state_dict()
    fitting = {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    if not any(key.startswith("lifter.") for key in fitting):
        raise InputError(f"initial: the lifter of {name_or_path} does not fit this network")
    network.load_state_dict({**own, **fitting})


def _rows_in(all_ids: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Positions of the ids `part` in `all_ids`."""
    order = np.argsort(all_ids, kind="stable")
    return order[np.searchsorted(np.asarray(all_ids)[order], part)]


def _rate(bar: tqdm, stage: StageConfig) -> dict[str, str]:
    rate = bar.format_dict["rate"]
    return {"samples/s": f"{rate * stage.batch_size:.0f}"} if rate else {}
