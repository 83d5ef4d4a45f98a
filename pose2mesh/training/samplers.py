"""Samples made on the fly, one sampler for each kind of body: what is read before, batches, and what is measured."""

import re
from typing import Any, Protocol

import numpy as np

from pose2mesh.augmentation.hand_gestures import gesture_pool
from pose2mesh.body_models import AnnyBody, LinearBlendBody, MeshBody, load_body_model
from pose2mesh.checkpoints.build import output_set
from pose2mesh.datasets.motion import load_motion
from pose2mesh.errors import InputError
from pose2mesh.plugins import resolve
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.batches import Samples
from pose2mesh.synthesis.bodies import SyntheticBodies
from pose2mesh.synthesis.hands import RIGHT_HANDS, HandProtocol, SyntheticHands, hand_pose_pool
from pose2mesh.synthesis.meshes import MeshProtocol, MeshSamples
from pose2mesh.synthesis.mixture import Mixture
from pose2mesh.synthesis.mocap import MocapProtocol
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.prior_poses import training_poses

VALIDATION_SAMPLES = 512
_FRAMED = {f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "hip", "knee", "ankle")}
_SEEN = ("noise", "framing", "cameras", "detectors", "workers")  # of the `data` section, by whoever sees a body
_OF_BODIES = re.compile(r"cameras\.\d+\.(photo|range\.(?!distance))")  # hands are turned any way, whatever the camera


class Sampler(Protocol):
    """Made of a configuration, a body and `names`, what `validation` lists. Raises InputError, MissingFileError."""

    def samples(self, mixture: Mixture, vertex_ids: np.ndarray, *, batch_size: int, seed: int) -> Samples:
        """Training batches of a stage's mixture that hold these vertices, of stream 0."""
        ...

    def protocol(self, name: str) -> Any:
        """A short measurement on one of `names`."""
        ...


def sampler_of(config: TrainConfig, body: Any, names: list[str]) -> Sampler:
    """The sampler of a body's kind. Raises InputError where it has none, MissingFileError."""
    if not body.kind.sampler:
        raise InputError(
            f"network.body: samples are made of anny-body, not of {config.network.body}, unless data.sources names "
            "annotation datasets"
        )
    return resolve(body.kind.sampler)(config, body, names)


class BodySampler:
    """Recorded or drawn poses on the free body."""

    def __init__(self, config: TrainConfig, body: AnnyBody, names: list[str]):
        poses = ("motion", "prior", "distinct_radians", "children", "poses", "everyday")
        _refuse_unread(config, *poses, *_SEEN)
        self.body, self.sets = body, _sets(config, body)
        self.pool = training_poses(config.data, config.seed)
        for name in names:
            load_motion(name)

    def samples(self, mixture: Mixture, vertex_ids: np.ndarray, **draw: int) -> Samples:
        return SyntheticBodies(self.body, self.pool, mixture, vertex_ids=vertex_ids, **self.sets, **draw)  # pyright: ignore[reportArgumentType]

    def protocol(self, name: str) -> MocapProtocol:
        return MocapProtocol(self.body, name, every=7, limit=VALIDATION_SAMPLES)


class HandSampler:
    """Gestures and what lies between them on a right hand."""

    def __init__(self, config: TrainConfig, body: LinearBlendBody, names: list[str]):
        _refuse_unread(config, "gestures", "hand_poses", "children", "noise", "cameras", "workers")
        for name in filter(_OF_BODIES.match, config.data.changed()):
            raise InputError(f"data.{name}: of cameras hands read share and range.distance alone; leave it out")
        if config.network.body not in RIGHT_HANDS:
            raise InputError(
                f"network.body: hands are trained on {' or '.join(RIGHT_HANDS)}, not {config.network.body}"
            )
        gesture_pool(tuple(names))
        self.body = body
        self.pool = hand_pose_pool(body, config.data.gestures, config.data.hand_poses, config.seed)

    def samples(self, mixture: Mixture, vertex_ids: np.ndarray, **draw: int) -> Samples:
        return SyntheticHands(self.body, self.pool, mixture, vertex_ids=vertex_ids, **draw)

    def protocol(self, name: str) -> HandProtocol:
        return HandProtocol(self.body, (name,), limit=VALIDATION_SAMPLES)


class MeshSampler:
    """Frames of a sequence of one mesh; what is measured are other sequences of it."""

    def __init__(self, config: TrainConfig, body: MeshBody, names: list[str]):
        _refuse_unread(config, *_SEEN)
        self.body, self.sets = body, _sets(config, body)
        self.held_out = {name: load_body_model(name) for name in names}
        for name, other in self.held_out.items():
            if not np.array_equal(other.faces, body.faces):
                raise InputError(f"validation: {name} is of another mesh than {config.network.body}")
            if any((other.joint_regressor(of) != body.joint_regressor(of)).any() for of in self.sets.values()):
                raise InputError(f"validation: the joints of {name} are not those of {config.network.body}")

    def samples(self, mixture: Mixture, vertex_ids: np.ndarray, **draw: int) -> Samples:
        return MeshSamples(self.body, mixture, vertex_ids=vertex_ids, **self.sets, **draw)  # pyright: ignore[reportArgumentType]

    def protocol(self, name: str) -> MeshProtocol:
        return MeshProtocol(self.held_out[name], **self.sets, limit=VALIDATION_SAMPLES)  # pyright: ignore[reportArgumentType]


def _refuse_unread(config: TrainConfig, *reads: str) -> None:
    """Raise InputError for a setting of the `data` section that a sampler does not read."""
    for name in config.data.changed():
        if not name.startswith(reads):
            raise InputError(f"data.{name}: samples of {config.network.body} are made without; leave it out")
    sets = [each.joint_set for each in config.data.detectors] or [config.network.joint_set]
    for name in sets if config.data.framing else ():
        if missing := sorted(_FRAMED - set(joint_set(name).joints)):
            raise InputError(f"data.framing: photos are cut at limbs, and {name} has no {missing[0]}; leave it out")
    for stage in config.stages:
        if stage.everyday is not None and "everyday" not in reads:
            raise InputError(f"stage {stage.name}: everyday: {config.network.body} has no such poses; leave it out")


def _sets(config: TrainConfig, body: Any) -> dict[str, str]:
    settings = config.network.model_dump(mode="json")
    return {"joint_set": config.network.joint_set, "output_set": output_set(settings, body.kind)}
