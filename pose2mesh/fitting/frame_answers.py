"""What the network over time is given of each frame: the frame network's answer, fitted in one step.

The step (`fitting.quick_fit`) brings the parameters to the network's own joints and to the keypoints: on recorded
motion it takes a quarter off their errors without noise and does no harm with it.
"""

import torch
from torch import Tensor

from pose2mesh.body_models.anny import AnnyBody, load_anny_body
from pose2mesh.fitting.aiming import aimed, turned_back
from pose2mesh.fitting.quick_fit import QuickFit, QuickFitSettings
from pose2mesh.geometry.placement import place_bodies, project_rays
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.temporal import FrameAnswers

_BATCH = 512  # frames at once
_FAR = 0.06  # m: joints farther off hardly place a person
_SUREST = 1e-3  # m: a first guess may follow keypoints as closely as deviations allow


class FrameFit:
    """Answers to answers."""

    def __init__(self, body: AnnyBody, output_joints: str, device: str | torch.device = "cpu"):
        settings = QuickFitSettings(steps=1, keypoint=_SUREST)
        self.fit = QuickFit(body, output_joints, settings, mesh_points=0).to(device)

    @torch.inference_mode()
    def __call__(self, answers: FrameAnswers, rays: Tensor) -> FrameAnswers:
        """Answers [N,...] of frames; `rays` [N,J_out,3] in focal lengths and confidence, as of `QuickFit`."""
        parts = []
        for *some, seen in zip(*(column.split(_BATCH) for column in (*answers, rays)), strict=True):
            one = FrameAnswers(*some)
            sigma = self.fit.settings.joint * one.deviation
            parts.append(self.fit.solve(BodyParameters(one.rotations, one.betas), one.joints, sigma, seen))
        rotations, betas = (torch.cat(column) for column in zip(*parts, strict=True))
        return answers._replace(rotations=rotations, betas=betas, residual=residuals(answers.joints, rays))


def residuals(joints: Tensor, rays: Tensor) -> Tensor:
    """Rays [N,J,3] minus re-projected joints [N,J,3], in metres at the person's distance [N,J,2]; 0 where absent."""
    return placed(joints, rays)[1] * (rays[..., 2:] > 0)


def placed(joints: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """Where joints [N,J,3] stand [N,3] that are seen along rays [N,J,3], and their errors there [N,J,2], all in metres.

    By all joints, then once more with less weight on those that are far off.
    """
    weights = rays[..., 2]
    for _ in range(2):
        place = place_bodies(joints, rays[..., :2], weights)
        errors = (rays[..., :2] - project_rays(joints, place)) * place[:, None, 2:]
        weights = rays[..., 2] / (1 + errors.square().sum(-1) / _FAR**2)
    return place, errors


class AnsweringNetwork:
    """Keypoints of sequences to answers, without meshes."""

    def __init__(self, network: CompactPose2Mesh, output_joints: str, device: str | torch.device = "cpu"):
        self.network, self.fit = network, FrameFit(load_anny_body(), output_joints, device)

    @torch.inference_mode()
    def __call__(self, keypoints: Tensor, rays: Tensor) -> FrameAnswers:
        """Keypoints [B,T,J,3], in focal lengths, and their rays [B,T,J_out,3] to answers [B,T,...]."""
        answers = []
        for some in keypoints.flatten(0, 1).split(_BATCH):
            straight, turn = aimed(some, some.new_tensor([[1.0, 0.0, 0.0]]))
            found = turned_back(self.network.without_mesh(straight), turn, self.network)
            assert found.deviation is not None and found.parameters is not None  # networks over time know no others
            answers.append(FrameAnswers(some, found.joints, found.deviation, *found.parameters, found.joints[..., :2]))
        flat = FrameAnswers(*(torch.cat(column) for column in zip(*answers, strict=True)))
        fitted = self.fit(flat, rays.flatten(0, 1))
        return FrameAnswers(*(column.unflatten(0, keypoints.shape[:2]) for column in fitted))
