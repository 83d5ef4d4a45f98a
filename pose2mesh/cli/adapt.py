"""`pose2mesh adapt`: fit a network to your own 2D keypoints, without any 3D label."""

import argparse
import json
from pathlib import Path
from typing import Any

from pose2mesh.cli.arguments import Parser, add_camera_options, camera_of


def run(arguments: list[str]) -> int:
    """Adapt, write OUT/weights.safetensors and OUT/adaptation.json; errors are raised (see `pose2mesh.errors`)."""
    parser = Parser(prog="pose2mesh adapt", description=__doc__)
    parser.add_argument("--method", required=True, choices=("key2mesh", "dapa", "both"), help="how to adapt")
    parser.add_argument("--config", required=True, help="YAML file, for example assets/configs/adapt_key2mesh.yaml")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="results folder (default: of the config)")
    parser.add_argument("--resume", action="store_true", help="go on from the state in the results folder")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the run in the results folder; resume with other settings"
    )
    add_camera_options(parser)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example target.keypoints=FILE")
    options = parser.parse_args(arguments)

    from pose2mesh.adaptation import AdaptConfig
    from pose2mesh.cli.train import heed_interruptions
    from pose2mesh.settings import load_config

    config: AdaptConfig = load_config(AdaptConfig, options.config, [*options.overrides, *_camera(options)])
    return heed_interruptions(config, lambda: _adapt(config, options))


def _camera(options: argparse.Namespace) -> list[str]:
    """What the options say of camera and picture, as settings of the target."""
    camera, size = camera_of(options)
    settings = [] if size is None else [f"target.image_size={list(size)}"]
    if camera is not None:
        center = {} if camera.center is None else {"cx": camera.center[0], "cy": camera.center[1]}
        settings.append(f"target.intrinsics={json.dumps({'focal': camera.focal, **center})}")
    return settings


def _adapt(config: Any, options: argparse.Namespace) -> None:
    from pose2mesh.adaptation import adapt

    weights, outcome = adapt(config, options.method, options.output, options.resume, options.overwrite)
    if outcome.errors:
        (_, before), (step, after) = outcome.errors[0], outcome.best
        told = f"{before:.4f} before, {after:.4f} after {step} steps"
        as_before = "" if step else "; no later look was better, so these are the weights it began with"
        print(f"held-out re-projection error, in sizes of the person: {told}{as_before}")
    else:
        print(f"{len(outcome.losses)} steps on photos and on pictures made from them")
    if outcome.skipped:
        print(f"{outcome.skipped} steps were skipped, their loss was not finite")
    print(f"weights: {weights}")
