"""What `pose2mesh test` measures."""

from typing import Literal

from pydantic import Field, model_validator

from pose2mesh.augmentation.hand_gestures import TEST_FAMILIES
from pose2mesh.augmentation.ranges import NotNegative, Positive
from pose2mesh.settings import Strict


class TestData(Strict):
    motion: str = "mocap2_test_public.npz"
    every: int = Field(default=3, ge=1)  # every n-th frame
    samples: int = Field(default=100, ge=1)  # upright: of each group
    ages: tuple[NotNegative, NotNegative] = (18.0, 75.0)
    families: tuple[str, ...] = Field(default=TEST_FAMILIES, min_length=1)  # hands: held-out families of gestures
    variants: int = Field(default=50, ge=1)  # hands: samples of each gesture
    workers: int = Field(default=0, ge=0)  # closed loops: processes that draw pictures
    folder: str = ""  # of an annotated dataset, as docs/data.md lays it out


class SmoothingConfig(Strict):
    """One-Euro filter over joints in millimetres, time in frames; the defaults are the original's in evaluation."""

    min_cutoff: Positive = 0.004
    beta: NotNegative = 0.005


_DATASET = ("data.folder", "convention", "input", "batch_size")
_READ = {  # what each protocol reads of its settings, besides weights, limit, seed and device
    "mocap": ("data.motion", "data.every", "data.ages", "batch_size"),
    "upright": ("data.samples", "data.ages", "batch_size"),
    "closed_loop": ("data.motion", "data.every", "data.ages", "data.workers"),
    "hand": ("data.families", "data.variants", "data.ages", "batch_size"),
    "hand_closed_loop": ("data.families", "data.ages", "data.workers"),
    **dict.fromkeys(("human36m", "3dpw", "freihand", "surreal"), (*_DATASET, "smoothing")),
}


class TestConfig(Strict):
    """Mocap, everyday poses, the closed loop (bodies as pictures, through a detector), hands, or a dataset's own."""

    protocol: Literal[
        "mocap", "upright", "closed_loop", "hand", "hand_closed_loop", "human36m", "3dpw", "freihand", "surreal"
    ] = "mocap"
    convention: Literal["original", "current"] = "original"  # datasets: the release's, or today's (docs/protocols.md)
    input: Literal["detections", "truth"] = "detections"  # datasets: published detections, or the true joints projected
    smoothing: SmoothingConfig | None = None  # 3dpw: report errors after smoothing as well
    weights: str = "anny-body"
    data: TestData = TestData()
    batch_size: int = Field(default=64, ge=1)
    limit: int | None = Field(default=None, ge=1)  # stop after this many samples (for a quick look)
    seed: int = Field(default=0, ge=0, lt=2**63)
    device: str = "auto"

    @model_validator(mode="after")
    def _check(self):
        """What would be ignored is refused: a table must not name what was not measured."""
        read = ("protocol", "weights", "limit", "seed", "device", *_READ[self.protocol])
        for name in self.changed():
            if not name.startswith(read):
                raise ValueError(f"{name}: protocol={self.protocol} has none of it; it has {', '.join(read[1:])}")
        return self
