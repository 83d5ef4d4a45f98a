"""Pose priors on disk: ours with the names of their bones inside, and the published VPoser V02_05."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from pose2mesh.checkpoints.official import read_official
from pose2mesh.checkpoints.weights import fill, read_weights
from pose2mesh.errors import FormatError, InputError
from pose2mesh.networks.pose_prior import PosePrior
from pose2mesh.skeletons import MOTION_BONES, joint_set

KIND = "pose_prior"
BODY_BONES = MOTION_BONES[1:]  # the root keeps its rotation
SMPL_BONES = joint_set("smpl24").joints[1:22]  # VPoser knows no hands
_PUBLISHED_PREFIX = "vp_model."
_PUBLISHED_SUFFIXES = (".ckpt", ".pt", ".pth")


def load_pose_prior(name_or_path: str | Path, bones: Sequence[str] = BODY_BONES) -> PosePrior:
    """A prior in evaluation mode, for the rotations of `bones` in this order.

    A file with the suffix .ckpt, .pt or .pth is read as VPoser V02_05, whose bones are `SMPL_BONES`. Raises
    MissingFileError, FormatError, and InputError when the prior was trained for other bones.
    """
    path = Path(name_or_path)
    tensors, settings = read_vposer(path) if path.suffix in _PUBLISHED_SUFFIXES else read_weights(name_or_path)
    if settings.get("kind") != KIND:
        raise InputError(f"{name_or_path} holds a network, no pose prior; shipped ones are pose-prior-body and -hand")
    trained_for = tuple(settings["bones"])
    if trained_for != tuple(bones):
        raise InputError(
            f"prior {name_or_path} was trained for {len(trained_for)} rotations of {settings['body']} "
            f"({', '.join(trained_for[:3])} ...), but {len(bones)} of another body are needed ({', '.join(bones[:3])} "
            "...); give the prior of that body"
        )
    prior = fill(lambda: PosePrior(len(bones), settings["width"], settings["latent"]), tensors, name_or_path)
    return prior.requires_grad_(False)


def read_vposer(path: Path) -> tuple[dict[str, Tensor], dict]:
    """(tensors, settings) of a published VPoser V02_05 snapshot, whatever else it holds left out."""
    published = read_official(path, "state_dict", "VPoser")
    tensors = {name.removeprefix(_PUBLISHED_PREFIX): value for name, value in published.items()}
    own = {name: value for name, value in tensors.items() if name.startswith(("encoder_net.", "decoder_net."))}
    try:
        width, latent = own["decoder_net.0.weight"].shape
    except KeyError as error:
        raise FormatError(f"{path} holds no decoder_net.0.weight, so it is no VPoser V02_05 snapshot") from error
    return own, {"kind": KIND, "body": "smpl", "bones": list(SMPL_BONES), "width": width, "latent": latent}
