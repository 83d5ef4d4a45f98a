"""`tools/train.py` that is killed as a machine kills it, once, in the step after the third.

DIES says what: the last process, or a node, which waits there for whoever kills all of it.
"""

import os
import signal
import sys
import time
from pathlib import Path

from shared_run import install

from pose2mesh.cli.main import main
from pose2mesh.training.trainer import Trainer

step = Trainer.step


def killed_once(self: Trainer, index: int, batch):
    died = Path(self.config.output, "died")
    dies = os.environ.get("DIES")
    is_mine = os.environ["LOCAL_RANK"] == "1" if dies == "node" else dies and os.environ["RANK"] == "3"
    if index == 3 and is_mine and not died.exists():
        died.touch()
        if dies == "node":
            time.sleep(1000)
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, index, batch)


install()
Trainer.step = killed_once  # pyright: ignore[reportAttributeAccessIssue]
sys.exit(main(["train", *sys.argv[1:]]))
