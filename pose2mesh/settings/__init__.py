"""Configurations: pydantic models, read from YAML, overridden by `key=value`."""

from pose2mesh.settings.loading import Strict, as_value_error, flat, load_config, registered

__all__ = ["Strict", "as_value_error", "flat", "load_config", "registered"]
