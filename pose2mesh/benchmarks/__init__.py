"""Measurements of speed and memory: the paths of this package beside the original's way and a floor, in one run."""

from pose2mesh.benchmarks.report import Report, Row
from pose2mesh.benchmarks.run import Settings, run_benchmark

__all__ = ["Report", "Row", "Settings", "run_benchmark"]
