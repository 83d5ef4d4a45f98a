"""`python -m pose2mesh` is the command, exit codes included."""

import subprocess
import sys

import pose2mesh


def test_the_module_runs_the_command():
    for arguments, code, text in ((["--version"], 0, pose2mesh.__version__), (["no-such"], 2, "unknown command")):
        done = subprocess.run(
            [sys.executable, "-m", "pose2mesh", *arguments], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code and text in done.stdout + done.stderr
