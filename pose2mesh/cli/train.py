"""`pose2mesh train`: run the stages of a configuration; also under torchrun."""

import argparse


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="pose2mesh train", description=__doc__)
    parser.add_argument("--config", required=True, help="YAML file; shipped ones are in assets/configs")
    parser.add_argument("--resume", action="store_true", help="go on from the state in the output folder")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example stages.0.steps=1000")
    options = parser.parse_args(arguments)

    from pose2mesh.training.config import TrainConfig, load_config
    from pose2mesh.training.trainer import Interrupted, train

    config = load_config(TrainConfig, options.config, options.overrides)
    try:
        weights = train(config, resume=options.resume)
    except Interrupted as interruption:
        print(f"terminated; {interruption}; go on with --resume")
        return 143
    print(f"weights: {weights}")
    return 0
