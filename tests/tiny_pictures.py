"""A study of the domain gap in pictures on a tiny image backbone and made-up motion."""

from pathlib import Path

import torch
from tiny_pack import write_pack

from pose2mesh.checkpoints import save_weights
from pose2mesh.checkpoints.image_backbone import ANNY, new_image_backbone
from tools.studies.gap_study import StudyConfig

ROWS = [
    {"name": "source only", "method": "source"},
    {"name": "2D only", "method": "dapa", "adapt": {"dapa": {"supervision": 0}}},
]


def study(folder: Path, **changes) -> StudyConfig:
    """Backbone and target are written to `folder`: 17 people, of whom those of subject 02 are measured."""
    small = {**ANNY, "stages": [1, 1], "base": 4, "width": 16, "dropout": 0}
    torch.manual_seed(0)
    save_weights(folder / "source.safetensors", new_image_backbone(small), small)
    pack = write_pack(folder / "target.npz", {"01_01": 9, "02_01": 8}, seed=3)
    return StudyConfig.model_validate({
        "weights": [str(folder / "source.safetensors")], "gap": {"motion": str(pack), "people": 17}, "seeds": [0],
        "rows": ROWS, "adapt": {"steps": 2, "batch_size": 4, "threads": 1}, "test_people": 8, **changes,
    })  # fmt: skip
