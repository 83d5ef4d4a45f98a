"""`pose2mesh batch` from a checkout; the same function as the installed command."""

import sys
from pathlib import Path

# A script sees its own folder, not the checkout; with this line a fresh clone works uninstalled.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pose2mesh.cli.main import main

sys.exit(main(["batch", *sys.argv[1:]]))
