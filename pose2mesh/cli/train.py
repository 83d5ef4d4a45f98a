"""`pose2mesh train`: run the stages of a configuration; also under torchrun."""

import argparse
from collections.abc import Callable
from typing import Any

from pose2mesh.errors import InputError


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="pose2mesh train", description=__doc__)
    parser.add_argument("--config", required=True, help="YAML file; shipped ones are in assets/configs")
    parser.add_argument("--resume", action="store_true", help="go on from the state in the output folder")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the run in the output folder; resume with other settings"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example stages.0.steps=1000")
    options = parser.parse_args(arguments)

    from pose2mesh.cli.interruptions import heed_interruptions
    from pose2mesh.settings import load_config
    from pose2mesh.settings.base import read_recipe

    kind, train = _task(read_recipe(options.config).get("task"))
    config = load_config(kind, options.config, options.overrides)

    def work() -> None:
        print(f"weights: {train(config, resume=options.resume, overwrite=options.overwrite)}")

    return heed_interruptions(config, work)


def _task(name: Any) -> tuple[type, Callable[..., Any]]:
    """The configuration and the function of a `task:`. Raises InputError."""
    if name is None:
        from pose2mesh.training.config import TrainConfig
        from pose2mesh.training.trainer import train

        return TrainConfig, train
    if name == "image_backbone":
        from pose2mesh.training.image_training import ImageTrainConfig, train_image_backbone

        return ImageTrainConfig, train_image_backbone
    if name == "pose_prior":
        from pose2mesh.training.prior import PriorConfig, train_prior

        return PriorConfig, train_prior
    if name == "motion":
        from pose2mesh.training.motion import MotionConfig, train_motion

        return MotionConfig, train_motion
    raise InputError(
        f"task: {name!r} is none of pose_prior, image_backbone, motion; leave it out for networks in stages"
    )
