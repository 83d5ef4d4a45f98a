"""Pinhole projection and the focal length to assume when nobody knows it."""

import math

import numpy as np


def project(points: np.ndarray, focal: float, center: tuple[float, float]) -> np.ndarray:
    """Camera-frame points [..., 3] in metres to pixels [..., 2]; z must be positive."""
    return focal * points[..., :2] / points[..., 2:] + np.asarray(center)


def default_focal(image_size: tuple[float, float]) -> float:
    """Focal length in pixels for a picture (width, height) of an unknown camera: its diagonal.

    That is a diagonal field of view of 53 degrees, a 43 mm lens on 35 mm film; the usual guess for unknown
    cameras (Kissos et al. 2020, "Beyond Weak Perspective for Monocular 3D Human Pose Estimation").
    """
    return math.hypot(*image_size)
