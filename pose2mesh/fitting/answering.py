"""A network's answers, batch by batch, with the body that fits in its place."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from pose2mesh.errors import InputError
from pose2mesh.fitting.aiming import aimed, turned_back
from pose2mesh.fitting.quick_fit import QuickFit
from pose2mesh.networks.abilities import abilities_of


def fitted_answers(
    network: Any,
    fitter: QuickFit | None,
    keypoints: np.ndarray,
    cameras: np.ndarray,
    rays: np.ndarray | None,
    *,
    batch_size: int,
    device: str,
    with_mesh: bool,
    known: Sequence[Any] | None = None,
) -> Iterator[tuple[int, Any]]:
    """The output of a network for people [P, J, 3] of its joint set, with the row where each batch begins.

    Each is seen by a camera that is aimed at him or her (`aiming`); `cameras` [P, 3] are the picture's, focal length
    and principal point in pixels. Fitted to `rays` [P, J_out, 3] (`people.rays_of`) by a `fitter`; `known` [P] shapes
    as it takes them. Without the mesh vertices may be [B, 0, 3]. Raises InputError under another default type of
    numbers than float32.
    """
    if (dtype := torch.get_default_dtype()) != torch.float32:
        raise InputError(f"torch's default is {dtype}, networks have float32; torch.set_default_dtype(torch.float32)")
    abilities = abilities_of(network)
    call = network.without_mesh if not with_mesh and abilities.spares_mesh else network
    for start in range(0, len(keypoints), batch_size):
        rows = slice(start, start + batch_size)
        with torch.inference_mode():
            shown = torch.from_numpy(keypoints[rows]).to(device)
            by = torch.from_numpy(cameras[rows]).to(shown)
            people, turn = aimed(shown, by)
            output = network.seen_by(people, by) if abilities.asks_for_cameras else call(people)
            output = turned_back(output, turn, network)
            if fitter and rays is not None:
                seen = torch.from_numpy(rays[rows]).to(device)  # [B, J_out, 3]
                output = fitter.to(device)(output, seen, with_mesh, known and known[rows])
        yield start, output
