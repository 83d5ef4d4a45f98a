"""Gradients through the network: which keypoints does the place of the left hand depend on?"""

import torch

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import load_network
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.detections import conversion
from pose2mesh.synthesis.walk import walking

network = load_network("anny-body")
seen = torch.from_numpy(walking(load_anny_body(), seconds=0.1, fps=10.0).keypoints).float()  # [1, 17, 3]
keypoints = conversion("coco17", network.joint_set)(seen).requires_grad_(True)  # [1, J, 3]
prediction = network(keypoints)
wrist = prediction.joints[0, network.output_joint_names.index("left_wrist")]  # [3] m
wrist[2].backward()  # depth

influence = keypoints.grad[0, :, :2].norm(dim=-1)  # [J] metres a pixel
for index in influence.argsort(descending=True)[:5].tolist():
    name = joint_set(network.joint_set).joints[index]
    print(f"{name}: {1000 * influence[index]:.1f} mm of the left wrist's depth a pixel")
