"""Train a pose prior: the VAE of `networks.pose_prior` on poses of the motion packs, or of the hand sampler."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor, nn

from pose2mesh.augmentation.everyday_poses import EverydayPoses, sample_everyday
from pose2mesh.augmentation.hand_gestures import TRAINING_FAMILIES, VALIDATION_FAMILIES, gesture_pool
from pose2mesh.augmentation.hand_poses import HandPoses, HandPoseSampler
from pose2mesh.augmentation.poses import PoseAugmentation, sample_poses
from pose2mesh.augmentation.ranges import Fraction, NotNegative, Positive
from pose2mesh.body_models import load_hand_body
from pose2mesh.checkpoints import save_weights
from pose2mesh.checkpoints.prior import BODY_BONES, KIND
from pose2mesh.geometry.chains import relative_rotations
from pose2mesh.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.losses.pose_prior import prior_loss
from pose2mesh.networks.pose_prior import PosePrior
from pose2mesh.skeletons import MOTION_PARENTS
from pose2mesh.synthesis.bodies import pose_pool, seeded_generator
from pose2mesh.synthesis.detections import portion
from pose2mesh.training.config import RunConfig, StageConfig, Threads
from pose2mesh.training.distributed import Processes
from pose2mesh.training.optimization import descend, learning_rate
from pose2mesh.training.run_folder import Stateful
from pose2mesh.training.run_loop import Parts, Task

_HAND_POOL = 1 << 14  # hand poses


class PriorConfig(RunConfig):
    """A pose prior and how it is trained."""

    task: Literal["pose_prior"]
    body: Literal["anny-body", "anny-hand"] = "anny-body"  # a hand's poses come from the sampler of gestures
    motion: tuple[str, ...] = ("mocap2_train.npz",)
    validation: tuple[str, ...] = ("mocap2_val.npz",)
    distinct_radians: NotNegative = 0.1
    poses: PoseAugmentation = PoseAugmentation()
    everyday: Fraction = 0.0  # share of poses of everyday life, drawn from ranges; of a body's
    everyday_poses: EverydayPoses = EverydayPoses()
    hands: HandPoses = HandPoses()
    width: int = Field(default=512, ge=8)
    latent: int = Field(default=32, ge=1)
    steps: int = Field(default=20000, ge=1)
    batch_size: int = Field(default=512, ge=2)
    learning_rate: Positive = 1e-3
    kl: NotNegative = 2e-3  # weight of the divergence from N(0, I), as VPoser weighs it against its reconstruction
    world: Fraction = 0.5  # share of the reconstruction that is measured on rotations against the root
    output: str = "runs/pose_prior"
    device: str = "cpu"  # the network is small
    threads: Threads = 1

    @model_validator(mode="after")
    def _check(self):
        """As in `TrainConfig`: what would be ignored is refused."""
        of_bodies = ("motion", "validation", "distinct_radians", "poses", "everyday")
        unread = of_bodies if self.body == "anny-hand" else ("hands",)
        for name in self.changed():
            if name.startswith(unread):
                raise ValueError(f"{name}: the prior of {self.body} has none of it; leave it out")
        if self.poses.tumble and "poses.tumble" in self.changed():
            raise ValueError("poses.tumble: it turns the root, which a prior knows nothing of; leave it out")
        return self


class PriorTraining(Task):
    """One run."""

    def __init__(self, config: PriorConfig, group: Processes):
        """Raises MissingFileError without the motion of a body's."""
        self.config, self.device = config, group.device
        self.material = material_of(config)
        self.prior = PosePrior(len(self.material.bones), config.width, config.latent).to(self.device)
        self.stage = StageConfig(
            name="pose prior", steps=config.steps, batch_size=config.batch_size,
            learning_rate=config.learning_rate, warmup=0,
        )  # fmt: skip
        self.stages = (self.stage,)
        self.optimizer = torch.optim.AdamW(
            self.prior.parameters(), lr=config.learning_rate, weight_decay=1e-4, fused=True
        )

    def step(self, index: int, batch: None) -> Parts | None:
        config, generator = self.config, seeded_generator(self.config.seed, index, 0)
        for settings in self.optimizer.param_groups:
            settings["lr"] = learning_rate(self.stage, index)
        self.prior.train()
        rotmat = self.material.draw(generator).to(self.device)
        loss, parts = prior_loss(self.prior, rotmat, self.material.parents, config.kl, config.world, generator)
        return parts if descend(loss, [self.optimizer], clip_norm=1.0) else None

    def parts(self) -> dict[str, Stateful]:
        return {"network": self.prior, "optimizer": self.optimizer}

    def save_weights(self, path: Path) -> nn.Module:
        sizes = {"width": self.config.width, "latent": self.config.latent}
        settings = {"kind": KIND, "body": self.config.body, "bones": list(self.material.bones), **sizes}
        save_weights(path, self.prior, settings, torch.float16)
        return self.prior

    def records(self) -> dict[str, dict[str, Any]]:
        return {"metrics.json": measure_prior(self.prior.eval(), self.material.unseen.to(self.device))}


class Material(NamedTuple):
    """Poses to learn from and to measure on."""

    bones: tuple[str, ...]  # [J], the root left out
    parents: tuple[int, ...]  # [J] the root counts as 0, bone j as j + 1
    draw: Callable[[Generator], Tensor]  # a batch [B,J,3,3]
    unseen: Tensor  # [M,J,3,3]


def material_of(config: PriorConfig) -> Material:
    """What a prior learns from. Raises MissingFileError without the motion of a body's."""
    return _hand_material(config) if config.body == "anny-hand" else _body_material(config)


def _body_material(config: PriorConfig) -> Material:
    pool = pose_pool(config.motion, config.distinct_radians, "motion")  # [N, 19, 3]
    unseen = rotvec_to_rotmat(pose_pool(config.validation, config.distinct_radians, "validation"))[:, 1:]

    def draw(generator: Generator) -> Tensor:
        everyday = portion(config.everyday, config.batch_size, generator)
        poses = sample_poses(pool, config.batch_size - everyday, config.poses, generator)
        if everyday:
            poses = torch.cat([poses, sample_everyday(everyday, config.everyday_poses, generator, pool)])
        return rotvec_to_rotmat(poses)[:, 1:]

    return Material(BODY_BONES, MOTION_PARENTS[1:], draw, unseen)


def _hand_material(config: PriorConfig) -> Material:
    """Poses of the sampler; measured on families of gestures that it does not know. The wrist is the root."""
    body, first = load_hand_body(), 2  # the end of the forearm and the wrist come first
    sampler = HandPoseSampler(body, gesture_pool(TRAINING_FAMILIES), config.hands)

    def relative(angles: Tensor) -> Tensor:
        return relative_rotations(sampler.rotations(angles), body.parents)[:, first:]

    pool = relative(sampler.sample(_HAND_POOL, seeded_generator(config.seed, 0, 1)))  # collisions cost: drawn once

    def draw(generator: Generator) -> Tensor:
        return pool[torch.randint(len(pool), (config.batch_size,), generator=generator)]

    parents = tuple(parent - first + 1 for parent in body.parents[first:].tolist())
    return Material(body.bone_names[first:], parents, draw, relative(gesture_pool(VALIDATION_FAMILIES)))


@torch.no_grad()
def measure_prior(prior: PosePrior, unseen: Tensor) -> dict[str, float]:
    """Degrees of the angle between poses [M,J,3,3] and their reconstruction, over all joints and poses.

    `mean`, `median`, `p95` decode the mean latent vector; `drawn_mean` a drawn one, which is what augmentation starts
    from; `latent_spread` is the mean deviation of a posterior (1 would be the prior itself).
    """
    mean, deviation = prior.encode(unseen)
    angles = angle_degrees(prior.decode(mean), unseen).flatten()
    drawn, _, _ = prior(unseen, torch.Generator().manual_seed(0))
    return {
        "mean_degrees": angles.mean().item(),
        "median_degrees": angles.median().item(),
        "p95_degrees": angles.quantile(0.95).item(),
        "drawn_mean_degrees": angle_degrees(drawn, unseen).mean().item(),
        "latent_spread": deviation.mean().item(),
    }


def angle_degrees(a: Tensor, b: Tensor) -> Tensor:
    """Angle [...] between rotations [...,3,3]."""
    return torch.rad2deg(rotmat_to_rotvec(a.transpose(-1, -2) @ b).norm(dim=-1))
