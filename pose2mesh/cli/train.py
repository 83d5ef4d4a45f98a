"""`pose2mesh train`: run the stages of a configuration; also under torchrun."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pose2mesh.cli.arguments import Parser
from pose2mesh.cli.console import TERMINATED
from pose2mesh.errors import InputError

_TASKS = {  # a configuration and what learns by it, in pose2mesh.training
    "image_backbone": ("image_material:ImageTrainConfig", "image_training:ImageTraining"),
    "pose_prior": ("prior:PriorConfig", "prior:PriorTraining"),
    "motion": ("motion:MotionConfig", "motion:MotionTraining"),
}


def run(arguments: list[str]) -> int:
    parser = Parser(prog="pose2mesh train", description=__doc__)
    parser.add_argument("--config", required=True, help="YAML file; shipped ones are in assets/configs")
    parser.add_argument("--resume", action="store_true", help="go on from the state in the output folder")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the run in the output folder; resume with other settings"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example stages.0.steps=1000")
    options = parser.parse_args(arguments)

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
    if not isinstance(name, str) or name not in _TASKS:
        raise InputError(f"task: {name!r} is none of {', '.join(_TASKS)}; leave it out for networks in stages")
    from pose2mesh.plugins import resolve
    from pose2mesh.training.run_loop import run_task

    config, task = (resolve(f"pose2mesh.training.{place}") for place in _TASKS[name])
    return config, partial(run_task, task)


def heed_interruptions(config: Any, work: Callable[[], None]) -> int:
    """The exit code of `work`: 0 as well when the budget of minutes is spent, 143 after SIGTERM."""
    from pose2mesh.training.run_loop import Interrupted, TimeIsUp

    try:
        work()
    except TimeIsUp as stop:
        print(f"{config.minutes:g} minutes have passed; {stop}; go on with --resume")
    except Interrupted as stop:
        print(f"terminated; {stop}; go on with --resume")
        return TERMINATED
    return 0
