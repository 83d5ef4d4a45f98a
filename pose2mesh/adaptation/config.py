"""What an adaptation is made of; read like any configuration (pose2mesh.training.config)."""

from typing import Literal

from pydantic import Field, model_validator

from pose2mesh.adaptation.image_synthesis import SynthesisConfig
from pose2mesh.adaptation.pose_augmentation import LatentAugmentation
from pose2mesh.augmentation.ranges import Fraction, NotNegative, Positive
from pose2mesh.losses.images import ImageLoss
from pose2mesh.settings import Strict
from pose2mesh.training.config import DataConfig, RunConfig


class TargetConfig(Strict):
    """The user's own 2D keypoints; nothing else of the target is ever read."""

    keypoints: str = ""  # COCO, OpenPose, Halpe, MMPose JSON, NPY or NPZ; or a pack such as coco2d_train.npz
    images: str = ""  # folder of the photos, for an image backbone; frames of `keypoints` bear their names
    joint_set: str | None = None  # of the file, where the number of joints does not tell
    image_size: tuple[int, int] | None = None  # width, height in pixels of its pictures, where it does not tell
    intrinsics: float | str | dict[str, float] | None = None  # of its camera: pixels, a file, or fx fy cx cy
    least_confidence: Fraction = 0.3  # of joints that re-projection is measured on
    held_out: float = Field(default=0.15, gt=0, lt=1)  # share of people that early stopping looks at and no step does


class Key2MeshConfig(Strict):
    """Adversarial adaptation; the weights are those of the released configuration where it has them."""

    critic: Literal["wgan_gp", "gradient_reversal", "bce", "none"] = "wgan_gp"
    hidden: int = Field(default=512, ge=8)  # width of the critic
    dropout: Fraction = 0.0  # of the critic (released: 0.2)
    critic_steps: int = Field(default=5, ge=1)  # for every step of the extractor (released: 10)
    critic_learning_rate: Positive = 1e-4
    gradient_penalty: NotNegative = 50.0
    domain: NotNegative = 0.1  # weight of the adversarial term
    reprojection: NotNegative = 10.0  # on confident target joints, in sizes of the person
    features: NotNegative = 20.0  # mean square between adapted and frozen features on source samples
    supervision: NotNegative = 0.0  # source labels again, through the adapted extractor (not in the paper)


class ImageConfig(ImageLoss):
    """What an image backbone adds: the weights of its losses, and how pictures are made."""

    synthesis: SynthesisConfig = SynthesisConfig()


class DapaConfig(Strict):
    """Pose augmentation: a real step by re-projection, then a synthetic one with full truth."""

    prior: str = "pose-prior-body"  # name or path; of the body that the network predicts
    latent: LatentAugmentation = LatentAugmentation()
    errors: Literal["measured", "none"] = "measured"  # of synthetic keypoints: as large as the target's, or exact
    reprojection: NotNegative = 1.0  # weight of the real step; 0 leaves it out
    supervision: NotNegative = 1.0  # weight of the synthetic step; 0 leaves it out, as in fine-tuning on 2D alone
    image: ImageConfig = ImageConfig()


class AdaptConfig(RunConfig):
    """One adaptation: a network, the source samples it was trained on, target keypoints, a method's settings."""

    weights: str = "anny-key2mesh"
    source: DataConfig = DataConfig()
    target: TargetConfig = TargetConfig()
    key2mesh: Key2MeshConfig = Key2MeshConfig()
    dapa: DapaConfig = DapaConfig()
    steps: int = Field(default=300, ge=1)
    batch_size: int = Field(default=128, ge=2)
    learning_rate: Positive = 1e-4
    clip_norm: Positive = 1.0
    validate_every: int = Field(default=25, ge=1)
    patience: int = Field(default=6, ge=1)  # validations without a better held-out error before the run stops
    precision: Literal["float32", "bfloat16"] = "float32"
    output: str = "runs/adapt"

    @model_validator(mode="after")
    def _check(self):
        """As in `TrainConfig`: what would be ignored is refused."""
        if fault := self.source.unread_by_bodies():
            raise ValueError(f"source.{fault}")
        return self

    # How often it is looked at decides which weights are the best.
    FREE = (*("output", "device", "threads", "minutes", "checkpoint_minutes", "tensorboard"), "source.workers")
