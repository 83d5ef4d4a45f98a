"""From a frame network's answers over time to one steady body: attention over 27 frames in every layer.

It reads answers (joints, deviations, rotations, shape) and keypoints, never hidden features, so that the frame network
may be trained again. Time is in seconds: attention is biased by how far apart two frames are, interpolated between
thirtieths of a second, so it does not matter how many frames a second has or whether some are lost. One set of weights
serves both modes: centred sees as many frames after as before, causal the past alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pose2mesh.geometry.rotation import rot6d_to_rotmat, rotmat_to_rot6d
from pose2mesh.networks.lifter import normalize_pose

FRAMES = 27  # that a layer sees, at 30 a second
RATE = 30.0
_KEY = 8  # width of the keys of the averaging of rotations


class FrameAnswers(NamedTuple):
    """What a frame network was shown and answered, in camera axes, for sequences."""

    keypoints: Tensor  # [B, T, J, 3] x, y in any unit and confidence
    joints: Tensor  # [B, T, J_out, 3] m
    deviation: Tensor  # [B, T, J_out] m
    rotations: Tensor  # [B, T, R, 3, 3]
    betas: Tensor  # [B, T, S]
    residual: Tensor  # [B, T, J_out, 2] m at the person's distance: keypoints minus re-projected joints; 0 if absent


class SteadyBody(NamedTuple):
    """Rotations, and what every frame says of the shape: `one_shape` makes one of it."""

    rotations: Tensor  # [B, T, R, 3, 3]
    betas: Tensor  # [B, T, S]
    weight: Tensor  # [B, T] of this frame's shape

    def shape(self, causal: bool = False) -> Tensor:
        """The one shape [B,T,S] of a sequence."""
        return one_shape(self.betas, self.weight, causal)


class Block(nn.Module):
    """Attention, then a perceptron, both residual with norms first."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.bias = nn.Parameter(torch.zeros(2, FRAMES, heads))  # of both modes, by time between frames

    def forward(self, x: Tensor, time: "Times", causal: bool, memory: "Memory | None" = None) -> Tensor:
        """x [B,T,C] to the same."""
        both = self.into(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [3, B, H, T, c]
        query, key, value = both[0], *(both[1:] if memory is None else memory.with_earlier(self, both[1:]))
        mixed = functional.scaled_dot_product_attention(query, key, value, time.bias(self.bias[int(causal)]))
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.contract(functional.gelu(self.expand(self.norm2(x))))


class TemporalNetwork(nn.Module):
    """Corrects rotations and shape of every frame by what the frames around it say."""

    def __init__(self, joints_in: int, joints_out: int, bones: int, num_shape: int, width: int = 256, layers: int = 3):
        super().__init__()
        self.bones, self.num_shape = bones, num_shape
        self.stem = nn.Linear(3 * joints_in + 6 * joints_out + 6 * bones + num_shape, width)
        self.mode = nn.Parameter(torch.zeros(2, width))
        self.blocks = nn.ModuleList(Block(width, 8) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, _KEY * bones), nn.Linear(width, _KEY * bones)
        self.sharpness = nn.Linear(width, bones)  # of the average in time: clean answers want little of it
        self.average = nn.Parameter(torch.stack([_hat(13.0, 3.0), _hat(26.0, 3.0)])[..., None].repeat(1, 1, bones))
        self.head = nn.Linear(width, 6 * bones + num_shape + 1)
        with torch.no_grad():  # begin as a plain average over time
            for layer in (self.head, self.query, self.key, self.sharpness):
                layer.weight.mul_(0.1)
                layer.bias.zero_()

    def forward(
        self, answers: FrameAnswers, times: Tensor, present: Tensor, causal: bool = False,
        memory: "Memory | None" = None,
    ) -> SteadyBody:  # fmt: skip
        """`times` [B,T] s, ascending; `present` [B,T] bool: frames with an answer, the others are not looked at.

        What comes out for absent frames means nothing. `causal`: no frame depends on one after it. `memory`: of the
        frames before these, in the causal mode; these are remembered as well.
        """
        form = rotmat_to_rot6d(answers.rotations)  # [B, T, R, 6]
        time = Times(times, present, causal) if memory is None else memory.times_of(times, present)
        x = self.stem(self._features(answers, form)) + self.mode[int(causal)]
        for block in self.blocks:
            x = block(x, time, causal, memory)
        x = self.norm(x)
        query, key = (
            layer(x).unflatten(-1, (self.bones, _KEY)).transpose(1, 2) for layer in (self.query, self.key)
        )  # [B, R, T, 8]
        form = form.transpose(1, 2)  # [B, R, T, 6]
        if memory is not None:
            key, form = memory.with_earlier(self.key, torch.cat([key, form], -1)[None])[0].split([_KEY, 6], -1)
        sharp = self.sharpness(x).clamp(-3, 3).exp().transpose(1, 2)[..., None]  # [B, R, T, 1]
        near = time.bias(self.average[int(causal)], sharp)
        shares = (query @ key.transpose(-1, -2) * _KEY**-0.5 + near).softmax(-1)
        smooth = (shares @ form).transpose(1, 2)  # [B, T, R, 6]
        turn, shape, weight = self.head(x).split([6 * self.bones, self.num_shape, 1], -1)
        rotations = rot6d_to_rotmat(smooth + turn.unflatten(-1, (self.bones, 6)))
        weight = weight[..., 0].clamp(-6, 6).exp() * present
        return SteadyBody(rotations, answers.betas + shape, weight)

    def reach(self, causal: bool) -> tuple[float, float]:
        """Seconds before and after a frame that its answer depends on, the shape left out."""
        layers = len(self.blocks) + 1
        before, after = (FRAMES - 0.5, 0.0) if causal else (FRAMES / 2, FRAMES / 2)
        return layers * before / RATE, layers * after / RATE

    @staticmethod
    def _features(answers: FrameAnswers, form: Tensor) -> Tensor:
        """[B,T,F] of order one."""
        pose = normalize_pose(answers.keypoints.flatten(0, 1).float()).unflatten(0, form.shape[:2])
        deviation = (answers.deviation.clamp(min=1e-3).log() + 3) / 2
        parts = pose.flatten(2), 2 * answers.joints.flatten(2), deviation, form.flatten(2), answers.betas
        parts = *parts, (5 * answers.residual).clamp(-3, 3).flatten(2)
        return torch.cat(parts, -1)


class Times:
    """Who may look at whom, and how far apart they are."""

    def __init__(self, times: Tensor, present: Tensor, causal: bool, count: int | None = None):
        """`times` [B,T] s, `present` [B,T] bool; the last `count` frames look (default: all)."""
        middle = FRAMES - 1 if causal else FRAMES // 2
        seeing = times if count is None else times[:, -count:]  # [B, Q]
        slot = (times[:, None, :] - seeing[:, :, None]).float() * RATE + middle  # [B, Q, T] of the key to each query
        inside = (slot > -0.5) & (slot < (middle if causal else FRAMES - 1) + (1e-3 if causal else 0.5))
        itself = torch.eye(times.shape[1], dtype=torch.bool, device=times.device)[-seeing.shape[1] :]
        allowed = (inside & present[:, None, :]) | itself
        ticks = torch.arange(FRAMES, device=times.device)
        self.near = (1 - (slot.clamp(0, FRAMES - 1)[..., None] - ticks).abs()).clamp(min=0)  # [B, Q, T, 27]
        self.blocked = torch.zeros_like(slot).masked_fill(~allowed, -torch.inf)[:, None]  # [B, 1, Q, T]

    def bias(self, table: Tensor, factor: Tensor | float = 1.0) -> Tensor:
        """[B,H,Q,T] of a table [27,H], times `factor`; minus infinity where nobody may look."""
        return factor * (self.near @ table).permute(0, 3, 1, 2) + self.blocked


class Memory:
    """What the causal mode keeps of one sequence's frames, so that those that come later are all that is computed."""

    def __init__(self) -> None:
        self._times, self._present = torch.zeros(1, 0, dtype=torch.float64), torch.zeros(1, 0, dtype=torch.bool)
        self._kept: dict[nn.Module, Tensor] = {}  # [n, 1, H, T, c] by the layer that made them

    def times_of(self, times: Tensor, present: Tensor) -> Times:
        """Of frames [1,Q] that look at themselves and those before; what none of them can see is forgotten."""
        near = self._times[0] > times[0, 0] - FRAMES / RATE
        self._times = torch.cat([self._times[:, near], times], 1)
        self._present = torch.cat([self._present[:, near], present], 1)
        self._kept = {layer: columns[..., near, :] for layer, columns in self._kept.items()}
        return Times(self._times, self._present, causal=True, count=times.shape[1])

    def with_earlier(self, layer: nn.Module, columns: Tensor) -> Tensor:
        """Columns [n,1,H,Q,c] behind those that the same layer made of the frames before, [n,1,H,T,c]."""
        if layer in self._kept:
            columns = torch.cat([self._kept[layer], columns], -2)
        self._kept[layer] = columns
        return columns


def one_shape(betas: Tensor, weight: Tensor, causal: bool = False) -> Tensor:
    """Mean shape [B,T,S] of a sequence by weights [B,T]; `causal`: of all frames so far."""
    weighed, weight = betas * weight[..., None], weight[..., None]
    if causal:
        return weighed.cumsum(1) / weight.cumsum(1).clamp(min=1e-6)
    mean = weighed.sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1e-6)
    return mean.expand_as(betas)


def _hat(middle: float, width: float) -> Tensor:
    """Logits [27] that fall off from the middle."""
    return -(torch.arange(FRAMES) - middle).abs() / width
