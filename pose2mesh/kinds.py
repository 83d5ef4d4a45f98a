"""What can be recovered: for each kind what goes in and comes out, and which parts belong to it.

Parts stand in higher rooms; they are named as "module:attribute" and loaded when they are used (`plugins.resolve`). A
body names its kind; one of another sort is described by `dataclasses.replace`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of thing."""

    name: str  # what --kind and detectors call it
    weights: str = ""  # shipped ones that recover it
    input_set: str = ""  # joints that networks usually take; "": any set
    output_set: str = ""  # joints that come out, relative to the root of their set; "": those that go in
    network: str = ""  # class of the compact network; "": none is built on it
    sampler: str = ""  # makes training samples, their noise and a validation protocol (`training.samplers`)
    decoder: str = ""  # parameters to joints and vertices (`networks.body_decoders`)
    drawn: str = ""  # random shapes and poses as vertices, for fitting upsampling (`augmentation.bodies`)
    shapes: str = ""  # asset with shapes of people and their ages; "": coefficients are normal
    is_sampled_with_parameters: bool = False  # samples tell rotations and shape as the decoder takes them


_DECODERS, _SAMPLERS = "pose2mesh.networks.body_decoders", "pose2mesh.training.samplers"
_DRAWN = "pose2mesh.augmentation.bodies"
BODY = Kind(
    name="body",
    weights="anny-body",
    input_set="coco17",
    output_set="coco19",
    network="pose2mesh.networks.compact:CompactPose2Mesh",
    sampler=f"{_SAMPLERS}:BodySampler",
    decoder=f"{_DECODERS}:AnnyDecoder",
    drawn=f"{_DRAWN}:random_bodies",
    shapes="statistics/anny_shapes.npz",
    is_sampled_with_parameters=True,
)
HAND = Kind(
    name="hand",
    weights="anny-hand",
    input_set="hand21",
    output_set="hand21",
    network="pose2mesh.networks.compact_hand:CompactHand",
    sampler=f"{_SAMPLERS}:HandSampler",
    decoder=f"{_DECODERS}:SkinnedDecoder",
    drawn=f"{_DRAWN}:random_hands",
    shapes="statistics/anny_hand_shapes.npz",
)
# Licensed ones: samples of bodies come from annotation datasets.
SMPL = Kind("body", input_set="smpl24", output_set="smpl24", decoder=f"{_DECODERS}:SkinnedDecoder")
MANO = Kind("hand", input_set="hand21", output_set="hand21", sampler=HAND.sampler, decoder=SMPL.decoder)
# A mesh without a body model, known from a sequence of its vertices.
MESH = Kind("mesh", network="pose2mesh.networks.compact:CompactMesh", sampler=f"{_SAMPLERS}:MeshSampler")
