"""How errors grow with the noise of keypoints whose truth is known: no file needed, somebody walks by."""

import numpy as np
import torch

from pose2mesh import Pose2Mesh
from pose2mesh.body_models import load_anny_body
from pose2mesh.metrics import mpjpe, pa_mpjpe
from pose2mesh.synthesis.walk import walking

truth = walking(load_anny_body(), seconds=2.0, fps=15.0)
true = torch.from_numpy(truth.joints[:, :17]).float()  # [30, 17, 3] m, COCO's joints come first
height = np.ptp(truth.keypoints[..., 1], axis=1)  # [30] pixels
model, rng = Pose2Mesh.from_pretrained("anny-body"), np.random.default_rng(0)
print("noise, share of the height   PA-MPJPE   MPJPE (mm)")
for share in (0.0, 0.01, 0.02, 0.04):
    noisy = truth.keypoints.copy()
    noisy[..., :2] += share * height[:, None, None] * rng.normal(size=noisy[..., :2].shape)
    people = model.predict(noisy, joint_set="coco17", outputs="joints")
    found = torch.from_numpy(np.stack([person.joints[:17] for person in people])).float()
    print(f"{share:26.2f}   {1000 * pa_mpjpe(found, true).mean():8.1f}   {1000 * mpjpe(found, true).mean():5.1f}")
