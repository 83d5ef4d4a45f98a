"""The `pose2mesh` command: `main` dispatches, every other module is one command with a `run(argv)`."""
