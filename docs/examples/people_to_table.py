"""Keypoints of many people to the bend of their knees, as CSV; meshes are not made, so thousands take little memory."""

import csv
from pathlib import Path

import numpy as np
import torch

from pose2mesh import Pose2Mesh
from pose2mesh.body_models import load_anny_body
from pose2mesh.metrics import knee_flexion
from pose2mesh.synthesis.walk import walking

keypoints = walking(load_anny_body(), seconds=2.0, fps=15.0).keypoints  # [30, 17, 3]; yours come from a detector

model = Pose2Mesh.from_pretrained("anny-body")
people = model.predict(keypoints, joint_set="coco17", outputs="joints")
joints = torch.from_numpy(np.stack([person.joints for person in people]))  # [30, J, 3] m
bends = knee_flexion(joints, people[0].joint_names)  # [30, 2] degrees

with Path("angles.csv").open("w", newline="") as stream:
    table = csv.writer(stream)
    table.writerow(["person", "left knee", "right knee"])
    table.writerows([index, round(left, 1), round(right, 1)] for index, (left, right) in enumerate(bends.tolist()))
print(f"angles.csv: {len(people)} people, knees from {bends.min():.0f} to {bends.max():.0f} degrees")
