"""Run under torchrun: train a tiny configuration, then write a digest of all weights for each process.

Arguments: the configuration and the folder for the digests. The second process gets one batch without a finite loss.
"""

import hashlib
import sys
from functools import partial
from pathlib import Path

from pose2mesh.settings import load_config
from pose2mesh.synthesis.bodies import SyntheticBodies
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.run_loop import carry_out
from pose2mesh.training.stage_data import stage_data
from pose2mesh.training.trainer import Trainer

make = SyntheticBodies.__getitem__


def spoiled(self: SyntheticBodies, step: int):
    """NaN joints in step 3 of the second process."""
    batch = make(self, step)
    return batch._replace(joints=batch.joints * float("nan")) if (self.rank, step) == (1, 3) else batch


def main(config: str, folder: str) -> None:
    SyntheticBodies.__getitem__ = spoiled  # pyright: ignore[reportAttributeAccessIssue]
    settings = load_config(TrainConfig, config, [])
    trainer, _ = carry_out(settings, partial(Trainer, settings), is_parallel=True)
    rank = trainer.group.rank
    for name, tensors in (("network", trainer.network.state_dict()), ("ema", trainer.average.weights)):
        content = b"".join(value.numpy().tobytes() for value in tensors.values())
        (Path(folder) / f"{name}{rank}").write_text(hashlib.sha256(content).hexdigest())
    samples = stage_data(settings, 0, trainer.sampler, rank).samples
    assert isinstance(samples, SyntheticBodies)
    (Path(folder) / f"stream{rank}").write_text(hashlib.sha256(make(samples, 0).betas.numpy().tobytes()).hexdigest())


if __name__ == "__main__":
    main(*sys.argv[1:])
