"""What feet and knuckles tell: `python -m tools.studies.joint_sets WEIGHTS [MOTION]`, errors by the detector's set.

The same people of recorded motion, exact and noisy, seen as COCO-17, Halpe-26 (feet) and MediaPipe-33 (feet, knuckles).
"""

import sys

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pose2mesh.augmentation.detector_noise import CLEAN, PROTOCOL_NOISE
from pose2mesh.augmentation.poses import PoseAugmentation
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import load_network
from pose2mesh.metrics import mpvpe, pa_mpjpe
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.bodies import SyntheticBodies, pose_pool
from pose2mesh.synthesis.mixture import DetectorShare, Mixture, NoiseShare

SETS, PEOPLE, STRIDE = ("coco17", "halpe26", "mediapipe33"), 256, 10
PLAIN = PoseAugmentation(
    recombine_limbs=0, swap_halves=0, mix_joints=0, interpolate=0, tumble=0, perturb=0, clavicle_degrees=0
)


def directions(joints: Tensor) -> dict[str, Tensor]:
    """Unit vectors [2B,3] of both sides: heel to big toe, and the palm's normal."""
    row = {name: joints[:, i] for i, name in enumerate(joint_set("body32").joints)}
    feet = [row[f"{side}_big_toe"] - row[f"{side}_heel"] for side in ("left", "right")]
    palms = [
        torch.linalg.cross(row[f"{side}_index"] - row[f"{side}_wrist"], row[f"{side}_pinky"] - row[f"{side}_wrist"])
        for side in ("left", "right")
    ]
    return {"foot": normalize(torch.cat(feet), dim=-1), "palm": normalize(torch.cat(palms), dim=-1)}


def angle(a: Tensor, b: Tensor) -> Tensor:
    """Degrees [N] between unit vectors [N,3]."""
    return torch.rad2deg(2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1)))


def main() -> None:
    network, body = load_network(sys.argv[1]), load_anny_body()
    pool, ids = pose_pool(sys.argv[2:] or ["mocap2_val.npz"], 0.0), np.arange(0, len(body.v_template), STRIDE)
    for noise, name in ((CLEAN, "exact"), (PROTOCOL_NOISE, "noisy")):
        for source in SETS:
            mixture = Mixture(
                children=0.0,
                poses=PLAIN,
                noise=(NoiseShare(share=1.0, detector=noise),),
                detectors=(DetectorShare(share=1.0, joint_set=source),),
            )
            data = SyntheticBodies(
                body, pool, mixture, vertex_ids=ids, batch_size=PEOPLE, joint_set="union48", output_set="body32"
            )
            batch = data[0]
            with torch.inference_mode():
                answer = network(batch.keypoints)
            found, true = directions(answer.joints), directions(batch.joints)
            aligned = pa_mpjpe(answer.joints[:, :18], batch.joints[:, :18])
            print(
                f"{name} {source:12s} PA-MPJPE {1e3 * aligned.mean():5.1f}"
                f"  MPVPE {1e3 * mpvpe(answer.vertices[:, ids], batch.vertices).mean():5.1f} mm"
                f"  foot {angle(found['foot'], true['foot']).mean():4.1f}  palm"
                f" {angle(found['palm'], true['palm']).mean():4.1f} degrees"
            )


if __name__ == "__main__":
    main()
