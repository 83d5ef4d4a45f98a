"""From a photo, a video or bare 2D keypoints to a clean 3D mesh of a human body or hand.

>>> from pose2mesh import Pose2Mesh
>>> model = Pose2Mesh.from_pretrained("anny-body")
>>> people = model.predict("photo.jpg")
>>> people[0].save("person.glb")
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Pose2Mesh", "Subject", "__version__"]

if TYPE_CHECKING:
    from pose2mesh.pipeline import Pose2Mesh
    from pose2mesh.types import Subject


def __getattr__(name: str):
    """Load the pipeline (and torch with it) only when it is asked for, so that `--help` stays fast."""
    if name == "Pose2Mesh":
        from pose2mesh.pipeline import Pose2Mesh

        return Pose2Mesh
    if name == "Subject":
        from pose2mesh.types import Subject

        return Subject
    raise AttributeError(f"module 'pose2mesh' has no attribute {name!r}")
