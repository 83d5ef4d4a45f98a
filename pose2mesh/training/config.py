"""What a run of training is made of."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from pose2mesh.augmentation.hand_gestures import TRAINING_FAMILIES
from pose2mesh.augmentation.hand_poses import HandPoses
from pose2mesh.augmentation.ranges import Fraction, NotNegative, Positive
from pose2mesh.losses.terms import LossConfig
from pose2mesh.settings import Strict, registered
from pose2mesh.synthesis.mixture import Mixture

Threads = Annotated[int, Field(ge=0, le=1024)]  # far more end the process without a word


class RunConfig(Strict):
    """What every run has, whatever it trains."""

    output: str = "runs/train"
    seed: int = Field(default=0, ge=0, lt=2**63)
    device: str = "auto"
    threads: Threads = 0  # 0 leaves torch's choice
    minutes: Positive | None = None  # stop after so long with the state saved; go on with --resume
    checkpoint_minutes: Positive = 5.0
    tensorboard: bool = False  # write curves to OUTPUT/tensorboard

    # Settings that may change while a run is interrupted, for its weights do not depend on them.
    FREE: ClassVar[tuple[str, ...]] = (
        *("output", "device", "threads", "minutes", "checkpoint_minutes", "tensorboard"),
        *("validation", "validate_every", "data.workers"),
    )

    def is_free(self, key: str) -> bool:
        """Whether `key`, such as `validation.0`, may change."""
        return any(key == name or key.startswith(f"{name}.") for name in self.FREE)


class LifterConfig(Strict):
    """The compact PoseNet."""

    width: int = Field(default=1024, ge=8)
    blocks: int = Field(default=3, ge=1)
    heads: bool = False  # besides joints: how far off they may be, and the parameters of the body


class MeshConfig(Strict):
    """The mesh half of the compact network."""

    kind: Literal["coarse_to_fine", "direct"] = "coarse_to_fine"  # direct: on the finest level alone
    hierarchy: str = "anny_body_qem"
    channels: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(64, 48, 32), min_length=1)  # coarse to fine
    blocks: tuple[Annotated[int, Field(ge=0)], ...] = (2, 2, 1)
    conv: Annotated[str, registered("convolution")] = "chebyshev"  # graph convolution
    order: int = Field(default=3, ge=1, le=16)  # Chebyshev order K; heads of gat and feast; length of a spiral
    latent: int = Field(default=96, ge=1)
    inputs: tuple[Literal["vertices", "nodes", "pose"], ...] = ("vertices", "nodes")  # fed at every level


class ParameterConfig(Strict):
    """The parameter network (Key2Mesh), and learned descent. `lifter` gives width and number of blocks."""

    features: Literal["residual", "published"] = "residual"  # the compact network's, or the paper's
    dropout: Fraction = 0.2  # of the published features
    mirrored: bool = False  # answers are the mean of the pose's and its mirror image's, of anny-body
    steps: int = Field(default=4, ge=1, le=100)  # of learned descent


class ClassicConfig(Strict):
    """The paper's network, at the paper's widths unless told otherwise."""

    head: Literal["graph", "graph_direct", "fully_connected", "parameters", "graph_parameters"] = "graph"
    inputs: Literal["both", "2d", "3d"] = "both"  # what the mesh is made from: the 2D pose, the lifted joints
    width: int = Field(default=4096, ge=8)  # of PoseNet
    divide_channels: int = Field(default=1, ge=1, le=32)  # the head's channels by this number, for quick trials
    keeps_fake_rows: bool = False  # train with the padding of the levels in the batch norms, as the release does


_READ = {  # what the package's networks read of their settings, besides their kind, joints and body
    "compact": ("output_set", "lifter", "mesh"),
    "classic": ("mesh.hierarchy", "classic"),
    "key2mesh": (
        *("mesh.hierarchy", "lifter.width", "lifter.blocks"),
        *("parameters.features", "parameters.dropout", "parameters.mirrored"),
    ),
    "learned_descent": ("mesh.hierarchy", "lifter.width", "lifter.blocks", "parameters.steps"),
}


class NetworkConfig(Strict):
    """Which network, of which joints, on which body."""

    kind: Annotated[str, registered("network")] = "compact"
    joint_set: str = "coco17"
    output_set: str = ""  # joints that a free body comes with: coco19 or body32; "" for coco19, or those of the hand
    body: str = "anny-body"
    lifter: LifterConfig = LifterConfig()
    mesh: MeshConfig = MeshConfig()
    classic: ClassicConfig = ClassicConfig()
    parameters: ParameterConfig = ParameterConfig()

    @model_validator(mode="after")
    def _check(self):
        """What would be ignored is refused: a table must not name a network that was not trained."""
        read = ("kind", "joint_set", "body", *_READ.get(self.kind, ("",)))
        for name in self.changed():
            if not name.startswith(read):
                raise ValueError(f"{name}: kind={self.kind} has none of it; it has {', '.join(read[3:])}")
        if self.parameters.features == "residual" and "parameters.dropout" in self.changed():
            raise ValueError("parameters.dropout: features=residual have none")
        if self.mesh.conv in ("gcn", "sage") and "mesh.order" in self.changed():
            raise ValueError(f"mesh.order: conv={self.mesh.conv} has none of it")
        return self


class SourceConfig(Strict):
    """An annotation dataset of docs/data.md."""

    dataset: Annotated[str, registered("dataset")]
    folder: str  # the dataset's own, such as data/Human36M in the layout of the Pose2Mesh release
    share: Positive = 1.0  # chance that the next person is one of these, against the other sources'
    split: Literal["train", "validation", "test"] = "train"
    subsets: tuple[str, ...] = ("CMU",)  # AMASS: its parts


class ValidationSource(Strict):
    """People of an annotation dataset to measure on during training, by its protocol (docs/protocols.md)."""

    dataset: Literal["human36m", "surreal", "pw3d", "freihand"]  # those that have a part kept for testing
    folder: str
    split: Literal["validation", "test"] = "test"  # validation: 3DPW alone has one
    people: int = Field(default=512, ge=1)  # at most, evenly spread over the files


# What the shipped recipes name and a fresh clone does not have; any other motion is the user's own.
SHIPPED_RECIPES_MOTION = ("mocap2_train.npz", "animation_train_cc0.npz", "mocap2_val.npz")


class DataConfig(Mixture):
    """Where samples come from: annotation datasets if there are `sources`, else motion on synthetic bodies."""

    sources: tuple[SourceConfig, ...] = ()
    exact_input: bool = False  # sources: projected joints without errors, in training and instead of detections
    motion: tuple[str, ...] = ("mocap2_train.npz",)  # packs or BVH folders; bare names are looked up in the data folder
    prior: str | None = None  # draw poses from this pose prior (name or path) instead: no motion file is needed
    prior_share: Fraction = 1.0  # share of the poses that are drawn from `prior`, beside those of `motion`
    motion_or_prior: str | None = None  # a pose prior for want of the shipped recipes' motion
    distinct_radians: NotNegative = 0.1  # poses nearer than this to another are left out of the pool; 0 keeps all
    # hands: families of named gestures; the others stay unseen
    gestures: tuple[str, ...] = Field(default=TRAINING_FAMILIES, min_length=1)
    hand_poses: HandPoses = HandPoses()
    workers: int = Field(default=0, ge=0)

    def unread(self) -> str:
        """Why poses are drawn without what is said of the recordings; "" where they are not."""
        if self.prior is None or self.prior_share < 1:
            return ""
        own = [name for name in self.motion if name not in SHIPPED_RECIPES_MOTION]
        if own:
            return f"data.motion: data.prior draws all poses, none is of {own[0]}; give prior_share or prior=null"
        return "data.distinct_radians: data.prior has none of it" if "distinct_radians" in self.changed() else ""

    def unread_by_bodies(self, *others: str) -> str:
        """A setting that does nothing where bodies are made of poses, nor do `others`, and why; "" without any."""
        if self.prior is None and self.prior_share != 1:
            return "prior_share: there is no prior"
        unread = ("sources", "exact_input", "motion_or_prior", "gestures", "hand_poses", *others)
        wrong = (
            f"{name}: nothing of it is read here; leave it out" for name in self.changed() if name.startswith(unread)
        )
        return next(wrong, "")


class StageConfig(Strict):
    """One stage of training; the next starts from its weights."""

    name: str
    steps: int = Field(default=0, ge=0)  # or
    epochs: int = Field(default=0, ge=0)  # sources: an epoch draws as many people as the largest source has, for each
    batch_size: int = Field(default=256, ge=1)
    optimizer: Literal["adamw", "rmsprop"] = "adamw"
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.01
    warmup: int = Field(default=500, ge=0)
    schedule: Literal["cosine", "step", "decay"] = "cosine"  # decay: times 0.8, twenty times
    drop_at: Fraction = 0.8  # step: share of the stage after which the learning rate drops,
    drop_factor: Fraction = 0.1  # to this share of itself
    edges_from: Fraction = 0.0  # sources: share of the stage after which the edge loss is added
    flips: bool = False  # sources: mirror every other person; lifting only
    everyday: Fraction | None = None  # in place of data.everyday
    lifting_only: bool = False  # train the lifter and the coarsest level only, without graph layers
    frozen_lifter: bool = False  # train the mesh head only
    loss: LossConfig = LossConfig()

    @model_validator(mode="after")
    def _check(self):
        if (self.steps > 0) == (self.epochs > 0):
            raise ValueError(f"stage {self.name}: give either steps or epochs, at least 1")
        if self.flips and not self.lifting_only:
            raise ValueError(f"stage {self.name}: flips needs lifting_only, for meshes have no mirror image")
        unread = {"weight_decay"} if self.optimizer == "rmsprop" else set()
        unread |= {"drop_at", "drop_factor"} if self.schedule != "step" else set()
        for name in unread & self.changed().keys():
            raise ValueError(
                f"stage {self.name}: {name} does nothing with {self.optimizer} and schedule={self.schedule}"
            )
        return self


class TrainConfig(RunConfig):
    """A training of a network of bodies or hands."""

    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    stages: tuple[StageConfig, ...] = Field(min_length=1)
    streams: int = Field(default=1, ge=1)  # batches that a step averages over, shared out among processes
    # Motion; of a hand, families of gestures; with data.sources, datasets.
    validation: tuple[str | ValidationSource, ...] = ("mocap2_val.npz",)
    initial: str | None = None  # weights to start from (name or path)
    # What to take of them: all that fits, the lifter alone, or what a lifting stage trains (also the first guess).
    initial_part: Literal["all", "lifter", "lifting"] = "all"
    ema_decay: Fraction = 0.999
    precision: Literal["float32", "bfloat16"] = "float32"
    clip_norm: Positive = 1.0
    validate_every: int = Field(default=2000, ge=1)

    @model_validator(mode="after")
    def _check(self):
        """As of the network: what would be ignored is refused."""
        if self.initial is None and self.initial_part != "all":
            raise ValueError("initial_part: there is no initial")
        if self.data.prior is None and self.data.prior_share != 1:
            raise ValueError("data.prior_share: there is no data.prior")
        if fault := self.data.unread():
            raise ValueError(fault)
        for name in self.data.changed() if self.data.sources else ():
            if not name.startswith(("sources", "exact_input", "workers")):
                raise ValueError(f"data.{name}: data.sources have none of it")
        has_everyday = "everyday" in self.data.model_fields_set or any(stage.everyday for stage in self.stages)
        for name in self.data.changed() if not has_everyday else ():
            if name.startswith("everyday_"):
                raise ValueError(f"data.{name}: there is no everyday; give data.everyday, 0 for none")
        for stage in self.stages:
            if not self.data.sources and (stage.flips or stage.edges_from):
                raise ValueError(f"stage {stage.name}: flips and edges_from go with data.sources")
            if self.data.sources and stage.everyday is not None:
                raise ValueError(f"stage {stage.name}: everyday: data.sources have none of it")
        return self
