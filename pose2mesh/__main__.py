"""`python -m pose2mesh` is the command `pose2mesh`."""

import sys

from pose2mesh.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
