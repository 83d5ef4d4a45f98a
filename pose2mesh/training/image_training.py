"""Train an image backbone on rendered bodies: pictures made once, new backgrounds, colors and mirror images each time.

Step `s` sees a batch that is a function of (seed, s), so a resumed run repeats an uninterrupted one on the CPU.
"""

import json
import signal
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints.image_backbone import new_image_backbone, save_image_backbone
from pose2mesh.datasets.synthetic import seeded_generator
from pose2mesh.errors import InputError, MachineError
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.paths import write_with
from pose2mesh.training.config import StageConfig
from pose2mesh.training.distributed import pick_device
from pose2mesh.training.image_material import ImageMaterial, ImageTrainConfig
from pose2mesh.training.image_objective import full_loss, measure_images, predict_images
from pose2mesh.training.optimization import learning_rate, make_optimizer
from pose2mesh.training.state import load_state, save_state, versions
from pose2mesh.training.trainer import Interrupted

_MOST_BAD_STEPS = 10  # in a row that are not finite
_NOTHING = np.zeros(0, np.int64)  # a decoder of joints needs no vertices


def train_image_backbone(config: ImageTrainConfig, resume: bool = False) -> Path:
    """Render, train, measure; returns OUTPUT/weights.safetensors, with metrics.json beside it.

    Raises InputError for an unfinished run in the output folder without `resume`, and for nothing to resume, before
    anything is rendered; MachineError after ten losses in a row that are not finite; Interrupted on SIGTERM.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    return ImageTraining(config, pick_device(config.device)).run(resume)


class ImageTraining:
    """One run."""

    def __init__(self, config: ImageTrainConfig, device: torch.device):
        self.config, self.device, self.output = config, device, Path(config.output)
        torch.manual_seed(config.seed)
        self.network = new_image_backbone(config.network()).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.body = load_anny_body()
        self.decoder = AnnyDecoder(load_anny_body(), _NOTHING).to(device)
        self.stage = StageConfig(
            name="image backbone", steps=config.steps, learning_rate=config.learning_rate, warmup=config.warmup
        )
        self.optimizer = make_optimizer(self.stage, list(self.network.parameters()))
        self.stop_requested = False

    def run(self, resume: bool) -> Path:
        start = self._start(resume)
        material = ImageMaterial(self.config, self.body)
        previous = signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            self._optimize(material, start)
        finally:
            signal.signal(signal.SIGTERM, previous)
        self._save(self.config.steps, finished=True)
        self._write_metrics(*material.held_out())
        return self.output / "weights.safetensors"

    def _optimize(self, material: ImageMaterial, start: int) -> None:
        saved, bad = time.monotonic(), 0
        self.network.train()
        with tqdm(total=self.config.steps, initial=start, desc=self.stage.name) as bar:
            for step in range(start, self.config.steps):
                loss = self._step(material, step)
                bad = 0 if loss is not None else bad + 1
                if bad >= _MOST_BAD_STEPS:
                    raise MachineError(f"image backbone: no finite loss {bad} times in a row up to step {step}")
                bar.update()
                if loss is not None and step % 20 == 0:
                    bar.set_postfix(loss=f"{loss:.4f}")
                if self.stop_requested or time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                    self._save(step + 1, finished=False)
                    saved = time.monotonic()
                if self.stop_requested:
                    raise Interrupted(f"saved at step {step + 1}")

    def _step(self, material: ImageMaterial, step: int) -> float | None:
        """One optimizer step; the loss, or None if it or a gradient was not finite and nothing changed."""
        generator = seeded_generator(self.config.seed, step, 61)
        torch.manual_seed(generator.initial_seed())  # dropout
        images, truth, camera = material.batch(generator, self.device)
        for settings in self.optimizer.param_groups:
            settings["lr"] = learning_rate(self.stage, step)
        found = predict_images(self.network, images, self.config.precision)
        loss = full_loss(found, self.decoder.joints(truth), truth, camera, self.decoder, self.config.loss)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            return None
        self.optimizer.step()
        return float(loss.detach())

    # ---- files

    def _start(self, resume: bool) -> int:
        """The step to begin with. Hours of an interrupted run are not overwritten by a forgotten --resume."""
        path = self.output / "last.pt"
        if not resume:
            if path.is_file() and not load_state(path)["stage"]:
                raise InputError(f"{path} is of a run that has not ended; go on with --resume, or name another output")
            return 0
        if not path.is_file():
            raise InputError(f"nothing to resume: {path} does not exist; start without --resume")
        state = load_state(path)
        try:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{path} holds another network than this configuration's; resume with its own") from error
        return min(state["step"], self.config.steps)

    def _save(self, step: int, finished: bool) -> None:
        state = {
            "stage": int(finished), "step": step, "network": self.network.state_dict(), "ema": {},
            "optimizer": self.optimizer.state_dict(), "config": self.config.model_dump_json(), "versions": versions(),
        }  # fmt: skip
        save_state(self.output / "last.pt", state)
        save_image_backbone(self.output / "weights.safetensors", self.network, self.config.network())

    def _write_metrics(self, images: Tensor, truth: BodyParameters) -> None:
        self.network.eval()
        record = measure_images(self.network, images, AnnyDecoder(self.body), truth, self.config.precision)
        record |= {"versions": versions(), "config": self.config.model_dump(mode="json")}
        content = json.dumps(record, indent=1).encode()
        write_with(self.output / "metrics.json", lambda stream: stream.write(content))

    def _on_sigterm(self, *_) -> None:
        self.stop_requested = True
