"""What else could lift: `python -m tools.studies.lifters --minutes 6 --json OUT`, one row for each way, same time each.

From the shipped weights, trained on: for every joint set (`union`), for COCO-17 alone (`coco17`), several answers where
the best one learns and a score chooses (`hypotheses`). From fresh weights: the shipped perceptron (`perceptron`) and a
small transformer over joint tokens (`transformer`; its answer is read off the mean of the tokens).
Time is the processor's, of steps and of samples; the learning rate falls with it. MPJPE of 1,024 people of recorded
motion (validation), COCO-17's joints, seen as COCO-17 and as MediaPipe-33.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.augmentation.detector_noise import CLEAN, PROTOCOL_NOISE, DetectorNoise
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import load_network
from pose2mesh.losses.targets import Batch
from pose2mesh.metrics import mpjpe, pa_mpjpe
from pose2mesh.networks.lifter import Lifter, normalize_pose
from pose2mesh.paths import write_json
from pose2mesh.settings import load_config
from pose2mesh.synthesis.bodies import SyntheticBodies, pose_pool
from pose2mesh.synthesis.mixture import DetectorShare, Mixture, NoiseShare
from pose2mesh.training.config import TrainConfig
from tools.studies.joint_sets import PLAIN

RECIPE, MOTION, PEOPLE, COCO = "assets/configs/train_anny_body.yaml", "mocap2_val.npz", 1024, slice(0, 18)
ANSWERS, OTHERS, SCORE = 4, 0.05, 0.02  # hypotheses; what those that are not best learn; weight of the score's loss


class One(nn.Module):
    """One answer: what ships."""

    def __init__(self, lifter: nn.Module):
        super().__init__()
        self.lifter = lifter

    def forward(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints [B,J,3] to answers [B,1,J',3] m and their scores [B,1]."""
        joints = self.lifter(keypoints).joints[:, None]
        return joints, joints.new_zeros(len(joints), 1)


class Several(nn.Module):
    """Several answers behind the features of one lifter, each a head that starts near the lifter's own."""

    def __init__(self, lifter: Lifter):
        super().__init__()
        self.lifter = lifter
        self.heads = nn.ModuleList(nn.Linear(lifter.width, lifter.head.out_features) for _ in range(ANSWERS))
        for head in self.heads:
            noise = 0.05 * lifter.head.weight.std() * torch.randn_like(lifter.head.weight)
            head.weight.data, head.bias.data = lifter.head.weight + noise, lifter.head.bias.clone()
        self.score = nn.Sequential(nn.Linear(lifter.width, 256), nn.GELU(), nn.Linear(256, ANSWERS))

    def forward(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints [B,J,3] to answers [B,K,J',3] m and their scores [B,K]."""
        features = self.lifter.features(keypoints)
        answers = torch.stack([head(features) for head in self.heads], 1)
        return answers.unflatten(2, (-1, 3)), self.score(features)


class TokenLifter(nn.Module):
    """A transformer over joints: a token holds place, confidence and which joint it is; absent ones are masked."""

    def __init__(self, joints_in: int, joints_out: int, width: int = 96, layers: int = 3):
        super().__init__()
        self.embed, self.joint = nn.Linear(3, width), nn.Parameter(0.02 * torch.randn(joints_in, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 512), nn.GELU(), nn.Linear(512, 3 * joints_out))

    def forward(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """As of One."""
        absent = keypoints[..., 2] <= 0  # [B, J]
        tokens = self.encoder(self.embed(normalize_pose(keypoints)) + self.joint, src_key_padding_mask=absent)
        seen = (~absent).float()[..., None]
        joints = self.head((tokens * seen).sum(1) / seen.sum(1).clamp_min(1)).unflatten(1, (-1, 3))
        return joints[:, None], joints.new_zeros(len(joints), 1)


def loss_of(answers: Tensor, scores: Tensor, true: Tensor) -> Tensor:
    """The best answer's mean distance, a little of the others', and the cross entropy of the score for the best."""
    errors = (answers - true[:, None]).norm(dim=-1).mean(-1)  # [B, K]
    best = errors.detach().argmin(1)
    chosen = errors.gather(1, best[:, None]).mean()
    if errors.shape[1] == 1:
        return chosen
    return chosen + OTHERS * errors.mean() + SCORE * nn.functional.cross_entropy(scores, best)


def train(network: nn.Module, samples: SyntheticBodies, rate: float, seconds: float) -> int:
    """Steps done; Adam, its rate half a cosine over the processor's time."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    start, step = time.process_time(), 0
    while (done := (time.process_time() - start) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        batch = samples[step]
        optimizer.zero_grad(set_to_none=True)
        answers, scores = network(batch.keypoints)
        loss_of(answers, scores, batch.joints).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
    return step


def measured(network: nn.Module, people: dict[str, Batch]) -> dict[str, dict[str, float]]:
    """For each kind of input: PA-MPJPE and MPJPE of the chosen answer, MPJPE of the mean and of the best, mm."""
    rows = {}
    for name, batch in people.items():
        with torch.inference_mode():
            answers, scores = network(batch.keypoints)
        answers, true = answers[:, :, COCO], batch.joints[:, COCO]
        each = torch.stack([mpjpe(answer, true) for answer in answers.unbind(1)], 1)  # [B, K]
        chosen = answers[torch.arange(len(answers)), scores.argmax(1)]  # [B, 18, 3]
        errors = {
            "pa_mpjpe": pa_mpjpe(chosen, true),
            "mpjpe": mpjpe(chosen, true),
            "mean": mpjpe(answers.mean(1), true),
            "best": each.min(1).values,
        }
        rows[name] = {key: round(1e3 * float(value.mean()), 2) for key, value in errors.items()}
    return rows


def shipped_lifter() -> Lifter:
    """A copy that may be trained."""
    lifter = load_network("anny-body").lifter
    assert isinstance(lifter, Lifter)
    return lifter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--ways", default="union,coco17,hypotheses,perceptron,transformer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config, body = load_config(TrainConfig, RECIPE, []), load_anny_body()
    train_pool, held_out = (pose_pool(names, 0.1) for names in (config.data.motion, [MOTION]))

    def samples(pool: Tensor, mixture: Mixture, batch_size: int, seed: int) -> SyntheticBodies:
        made = {"vertex_ids": np.arange(1), "joint_set": "union48", "output_set": "body32"}
        return SyntheticBodies(body, pool, mixture, batch_size=batch_size, seed=seed, **made)  # pyright: ignore

    def seen_by(source: str, errors: DetectorNoise) -> Mixture:
        noise, detectors = NoiseShare(share=1.0, detector=errors), DetectorShare(share=1.0, joint_set=source)
        return Mixture(children=0.0, poses=PLAIN, noise=(noise,), detectors=(detectors,))

    people = {
        f"{noise} {source}": samples(held_out, seen_by(source, errors), PEOPLE, 0)[0]
        for source in ("coco17", "mediapipe33")
        for noise, errors in (("exact", CLEAN), ("noisy", PROTOCOL_NOISE))
    }
    shipped = [One(shipped_lifter())]
    rows = {"shipped": {"steps": 0, **measured(shipped[0], people)}}
    for way in arguments.ways.split(","):
        torch.manual_seed(arguments.seed)
        coco = {"detectors": (DetectorShare(share=1.0, joint_set="coco17"),)}
        seen = config.data.model_copy(update=coco) if way == "coco17" else config.data
        is_fresh = way in ("perceptron", "transformer")
        lifter = Lifter(48, 32, 1024, 3) if is_fresh else shipped_lifter()
        network = {"hypotheses": Several, "transformer": lambda _: TokenLifter(48, 32)}.get(way, One)(lifter)
        network.train().requires_grad_(True)
        data = samples(train_pool, seen, 512, 1000 + arguments.seed)
        steps = train(network, data, 1e-3 if is_fresh else 3e-4, 60 * arguments.minutes)
        rows[way] = {"steps": steps, **measured(network.eval(), people)}
        print(way, rows[way], flush=True)
        write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
