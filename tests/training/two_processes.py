"""Run under torchrun: train a tiny configuration, then write a digest of all weights for each process.

Arguments: the configuration and the folder for the digests. The second process gets one batch without a finite loss.
"""

import hashlib
import sys
from pathlib import Path

import torch

from pose2mesh.datasets.synthetic import SyntheticBodies
from pose2mesh.training.config import TrainConfig, load_config
from pose2mesh.training.distributed import processes
from pose2mesh.training.trainer import Trainer

make = SyntheticBodies.__getitem__


def spoiled(self: SyntheticBodies, step: int):
    """NaN joints in step 3 of the second process."""
    batch = make(self, step)
    return batch._replace(joints=batch.joints * float("nan")) if (self.rank, step) == (1, 3) else batch


def main(config: str, folder: str) -> None:
    SyntheticBodies.__getitem__ = spoiled  # pyright: ignore[reportAttributeAccessIssue]
    device = torch.device("cpu")
    with processes(device) as group:
        trainer = Trainer(load_config(TrainConfig, config, []), device, group)
        trainer.run(resume=False)
        for name, tensors in (("network", trainer.network.state_dict()), ("ema", trainer.ema)):
            content = b"".join(value.numpy().tobytes() for value in tensors.values())
            (Path(folder) / f"{name}{group.rank}").write_text(hashlib.sha256(content).hexdigest())
        stream = make(trainer_samples(trainer), 0).betas.numpy().tobytes()
        (Path(folder) / f"stream{group.rank}").write_text(hashlib.sha256(stream).hexdigest())


def trainer_samples(trainer: Trainer) -> SyntheticBodies:
    from pose2mesh.training.stage_data import stage_data

    return stage_data(trainer.config, 0, trainer.body, trainer.pool, trainer.group.rank).samples


if __name__ == "__main__":
    main(*sys.argv[1:])
