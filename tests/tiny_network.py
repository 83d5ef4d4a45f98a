"""Settings of compact networks that are small enough to train in seconds, on the shipped hierarchy."""

from typing import Any

LEVELS = {"coarse_to_fine": 3, "direct": 1}


def tiny_settings(kind: str = "coarse_to_fine") -> dict[str, Any]:
    """The `network` section of a configuration with the given mesh head."""
    levels = LEVELS[kind]
    mesh = {
        "kind": kind,
        "hierarchy": "anny_body_qem",
        "channels": [4] * levels,
        "blocks": [1] * levels,
        "order": 2,
        "latent": 8,
    }
    lifter = {"width": 32, "blocks": 1}
    return {"kind": "compact", "joint_set": "coco17", "body": "anny-body", "lifter": lifter, "mesh": mesh}
