"""A motion's meshes, made when they are wanted: they are two hundred times what the motion itself takes."""

from dataclasses import replace

import numpy as np
import torch

from pose2mesh.body_models import load_body_model
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.plugins import resolve
from pose2mesh.types import Camera, Motion, Person


class MotionBodies:
    """The people of a motion as meshes, frame by frame."""

    def __init__(self, motion: Motion) -> None:
        body = load_body_model(motion.body)
        self.motion = motion
        self.decoder = resolve(body.kind.decoder)(body)

    def vertices(self, rows: slice | np.ndarray) -> np.ndarray:
        """Vertices [n, V, 3] m of rows, root-relative in camera axes."""
        rotations, betas = (
            torch.from_numpy(a[rows].astype(np.float32)) for a in (self.motion.rotations, self.motion.betas)
        )
        with torch.inference_mode():
            return self.decoder(BodyParameters(rotations, betas)).vertices.numpy()

    def people(self, frame: int) -> list[Person]:
        """The people of a frame with their meshes and cameras; none where nobody was found."""
        motion = self.motion
        rows = slice(*np.searchsorted(motion.frame, (frame, frame + 1)).tolist())
        if rows.start == rows.stop:
            return []
        faces = np.asarray(self.decoder.faces, np.int32)
        camera = motion.camera or Camera(1000.0, (0.0, 0.0), np.zeros(3))
        return [
            Person(
                vertices,
                faces,
                motion.joints[row],
                motion.joint_names,
                motion.keypoints[row],
                replace(camera, translation=motion.translation[row]),
                parameters={"rotations": motion.rotations[row], "betas": motion.betas[row]},
                track=int(motion.track[row]),
            )
            for row, vertices in zip(range(rows.start, rows.stop), self.vertices(rows), strict=True)
        ]
