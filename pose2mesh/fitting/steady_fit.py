"""A steady motion fits its keypoints and stays steady: what single frames would correct is smoothed over time.

Each frame is fitted by itself (`fitting.quick_fit`), with its shape held; only the slow part of the turns is taken.
"""

import torch
from torch import Tensor

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.fitting.hidden_legs import decide_legs
from pose2mesh.fitting.quick_fit import QuickFit, QuickFitSettings
from pose2mesh.geometry.one_euro import one_euro
from pose2mesh.geometry.rotation import rot6d_to_rotmat, rotmat_to_rot6d, rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.networks.prediction import BodyParameters

SECONDS = 0.1  # deviation of the kernel over time
CAUSAL_SECONDS = 0.2  # time constant of the one that looks back
NOISE = 0.24  # of the mean deviation of the joints seen, as of single frames: steady joints are surer than keypoints
CUTOFF = 20.0  # Hz, of the filter that the causal mode ends with
_FARTHEST = 0.8  # s that a kernel looks
_BATCH = 256  # frames at once


class SteadyFit:
    """Fits one person's motion."""

    def __init__(self, body: AnnyBody, output_joints: str):
        self.fit = QuickFit(body, output_joints, QuickFitSettings(steps=2, noise=NOISE, shape=1e-3), mesh_points=8)

    @torch.inference_mode()
    def __call__(
        self, steady: BodyParameters, deviation: Tensor, rays: Tensor, times: Tensor, causal: bool = False
    ) -> BodyParameters:
        """Of a motion of T frames; `deviation` [T,J] m, `rays` [T,J,3] as of `QuickFit`, `times` [T] s."""
        columns = (*steady, deviation, rays)
        batches = zip(*(column.split(_BATCH) for column in columns), strict=True)
        turns = torch.cat([self.turns(BodyParameters(r, b), d, k) for r, b, d, k in batches])
        rotations = rotvec_to_rotmat(slow(turns, times, causal)) @ steady.rotations
        return steady._replace(rotations=calm(rotations, times) if causal else rotations)

    def turns(self, steady: BodyParameters, deviation: Tensor, rays: Tensor) -> Tensor:
        """Rotation vectors [T,19,3] by which each frame, for itself, would turn the bones."""
        linear = self.fit.linearize(steady)
        goal = linear[0]  # [T, P, 3]
        sigma = torch.full_like(goal[..., 0], self.fit.settings.vertex)
        sigma[:, : deviation.shape[1]] = deviation
        fitted = self.fit.solve(steady, goal, sigma, rays, linear=linear)
        rotations = decide_legs(fitted.rotations, rays[..., 2], self.fit.set)
        return rotmat_to_rotvec(rotations @ steady.rotations.transpose(-1, -2))


def calm(rotations: Tensor, times: Tensor) -> Tensor:
    """Rotations [T,R,3,3] at times [T] s through a One-Euro filter, which looks back and lags by some milliseconds."""
    if len(times) < 2:
        return rotations
    form = rotmat_to_rot6d(rotations.double()).cpu().numpy()  # [T, R, 6]
    calmed = one_euro(form, min_cutoff=CUTOFF, beta=1.0, interval=float(times.diff().median()))
    return rot6d_to_rotmat(torch.from_numpy(calmed)).to(rotations)


def slow(turns: Tensor, times: Tensor, causal: bool = False) -> Tensor:
    """Turns [T,R,3] at ascending times [T] s, averaged over time; `causal`: of the past alone."""
    out = []
    for some in times.split(_BATCH):
        first = int(torch.searchsorted(times, some[0] - _FARTHEST))
        last = int(torch.searchsorted(times, some[-1] + (0 if causal else _FARTHEST), right=True))
        gone = some[:, None] - times[first:last]  # [t, n]
        kernel = (-0.5 * (gone / SECONDS).square()).exp()
        if causal:
            kernel = (gone >= 0) * (-gone / CAUSAL_SECONDS).clamp(max=0).exp()
        kernel = (kernel / kernel.sum(1, keepdim=True)).to(turns.dtype)
        out.append(torch.einsum("tn,nrc->trc", kernel, turns[first:last]))
    return torch.cat(out)
