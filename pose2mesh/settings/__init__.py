"""Configurations: pydantic models, read from YAML, overridden by `key=value`."""

from pose2mesh.settings.loading import Strict, load_config

__all__ = ["Strict", "load_config"]
