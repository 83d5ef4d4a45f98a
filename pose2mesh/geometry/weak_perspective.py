"""The camera of HMR (Kanazawa et al. 2018): scale and shift of a square crop, and the distant pinhole it stands for."""

import torch
from torch import Tensor

SIDE = 224  # pixels of a picture's side
FOCAL = 5000.0  # pixels at that side, the convention of HMR: nearly parallel rays


def camera_translation(camera: Tensor) -> Tensor:
    """Translations [B,3] m of a pinhole of `FOCAL` that sees what the weak-perspective camera [B,3] does."""
    scale = camera[:, :1].clamp(min=1e-3)
    return torch.cat([camera[:, 1:], 2 * FOCAL / (SIDE * scale)], 1)


def project_to_crop(points: Tensor, camera: Tensor) -> Tensor:
    """Root-relative points [B,J,3] m to the crop [B,J,2], in half sides from its center."""
    placed = points + camera_translation(camera)[:, None]
    return 2 * FOCAL / SIDE * placed[..., :2] / placed[..., 2:]


def scale_penalty(camera: Tensor) -> Tensor:
    """exp(-10 s)², the published term that keeps the scale [B,3] positive; its mean."""
    return torch.exp(-10 * camera[:, 0]).square().mean()
