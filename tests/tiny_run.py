"""A training of two stages that takes a second: tiny network, tiny pack, few steps."""

from pathlib import Path
from typing import Any

from tiny_network import tiny_settings
from tiny_pack import write_pack

STEPS = (10, 8)  # of the two stages


def tiny_run(folder: Path, **changes: Any) -> dict[str, Any]:
    """A configuration as plain values; `data` is merged, all other changes replace."""
    pack = folder / "pack.npz"
    if not pack.is_file():
        write_pack(pack)
    lifting = {"name": "lifting", "steps": STEPS[0], "batch_size": 6, "warmup": 2, "lifting_only": True}
    losses = {"joint": 0.5, "normal": 0.1, "edge": 1.0}
    mesh = {"name": "mesh", "steps": STEPS[1], "batch_size": 3, "warmup": 2, "loss": losses}
    data = {"motion": [str(pack)], "distinct_radians": 0.0, **changes.pop("data", {})}
    return {
        "network": tiny_settings(),
        "data": data,
        "stages": [lifting, mesh],
        "validation": [],
        "output": str(folder / "run"),
        "threads": 1,
        "ema_decay": 0.9,
        **changes,
    }
