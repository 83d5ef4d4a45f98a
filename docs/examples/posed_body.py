"""The free body model by itself: shape and pose to a mesh, without a network."""

import math

import torch
import trimesh

from pose2mesh.body_models import load_anny_body
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.skeletons import MOTION_BONES

body = load_anny_body()
rotvec = torch.zeros(3, len(MOTION_BONES), 3)  # three people at rest; world rotations of the captured bones
raised = [MOTION_BONES.index(bone) for bone in ("upperarm01.L", "lowerarm01.L", "wrist.L")]
rotvec[1, raised] = torch.tensor([0.0, 0.0, math.pi / 3])  # y up, the left at +x: the left arm goes up
betas = torch.zeros(3, body.num_shape)
betas[2, 0] = -1.0  # the first of 16 shape components: taller

vertices = body(betas, body.expand_pose(rotvec_to_rotmat(rotvec))).vertices  # [3, V, 3] m
vertices = vertices + torch.tensor([[-1.0, 0, 0], [0, 0, 0], [1.0, 0, 0]])[:, None]  # side by side
meshes = [trimesh.Trimesh(v.numpy(), body.faces.numpy(), process=False) for v in vertices]
trimesh.Scene(meshes).export("bodies.glb")
heights = ", ".join(f"{mesh.extents[1]:.2f} m" for mesh in meshes)
print(f"bodies.glb: {len(meshes)} bodies of {len(body.faces)} faces, from feet to the highest point {heights}")
