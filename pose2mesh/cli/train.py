"""`pose2mesh train`: run the stages of a configuration; also under torchrun."""

import argparse

from pose2mesh.errors import InputError


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="pose2mesh train", description=__doc__)
    parser.add_argument("--config", required=True, help="YAML file; shipped ones are in assets/configs")
    parser.add_argument("--resume", action="store_true", help="go on from the state in the output folder")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example stages.0.steps=1000")
    options = parser.parse_args(arguments)

    from pose2mesh.training.config import TrainConfig, load_config, read_yaml

    task = read_yaml(options.config).get("task")
    if task not in (None, "image_backbone"):
        return _train_prior(options)
    from pose2mesh.training.trainer import Interrupted, train

    try:
        if task:
            from pose2mesh.training.image_training import ImageTrainConfig, train_image_backbone

            config = load_config(ImageTrainConfig, options.config, options.overrides)
            weights = train_image_backbone(config, resume=options.resume)
        else:
            config = load_config(TrainConfig, options.config, options.overrides)
            weights = train(config, resume=options.resume)
    except Interrupted as interruption:
        print(f"terminated; {interruption}; go on with --resume")
        return 143
    print(f"weights: {weights}")
    return 0


def _train_prior(options: argparse.Namespace) -> int:
    """Train a pose prior; it takes minutes, so there is no state to resume from."""
    from pose2mesh.training.config import load_config
    from pose2mesh.training.prior import PriorConfig, train_prior

    if options.resume:
        raise InputError("a pose prior trains in minutes and keeps no state to resume; leave --resume out")
    config = load_config(PriorConfig, options.config, options.overrides)
    print(f"weights: {train_prior(config)}")
    return 0
