"""How a command that trains ends before its work does."""

from collections.abc import Callable

from pose2mesh.training.config import RunConfig
from pose2mesh.training.run_loop import Interrupted, TimeIsUp


def heed_interruptions(config: RunConfig, work: Callable[[], None]) -> int:
    """The exit code of `work`: 0 as well when the budget of minutes is spent, 143 after SIGTERM."""
    try:
        work()
    except TimeIsUp as stop:
        print(f"{config.minutes:g} minutes have passed; {stop}; go on with --resume")
    except Interrupted as stop:
        print(f"terminated; {stop}; go on with --resume")
        return 143
    return 0
