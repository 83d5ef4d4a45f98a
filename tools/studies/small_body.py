"""Anny's body with 431 vertices, those of its second coarse level: what a classic network can learn in minutes."""

from pathlib import Path

import numpy as np

from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.hierarchy import build_hierarchy, load_hierarchy, save_hierarchy
from pose2mesh.plugins import register

NAME, LEVEL = "anny-body-431", 2
_TENSORS = ("v_template", "shapedirs", "weights", "J_regressor", "heads", "parents", "uv", "uv_faces")


def load_small_body(path: str | Path | None = None) -> AnnyBody:
    """The body, decimated; regressed joints see what is left of their vertices through the fitted upsampling."""
    body, hierarchy = load_anny_body(path), load_hierarchy("anny_body_qem")
    ids, to_full = hierarchy.vertex_ids[LEVEL], hierarchy.upsample[0] @ hierarchy.upsample[1]  # [N], [V, N]
    arrays = {name: getattr(body, name).numpy() for name in _TENSORS}
    arrays |= {name: arrays[name][ids] for name in ("v_template", "shapedirs", "weights")}
    arrays |= {"J_regressor": arrays["J_regressor"] @ to_full, "faces": hierarchy.level_faces[LEVEL]}
    rows = {name: np.asarray(row @ to_full) for name, row in body.keypoint_rows.items()}
    return AnnyBody(arrays, body.bone_names, rows)


def small_graphs(folder: Path, joint_set: str) -> Path:
    """A `hem` hierarchy of the body with the levels of the paper's, made where it is not there yet."""
    path = folder / f"{NAME}_{joint_set}.npz"
    if not path.is_file():
        body = load_small_body()
        vertices, faces = body.v_template.double().numpy(), body.faces.numpy()
        save_hierarchy(path, build_hierarchy(vertices, faces, "hem", levels=8, joint_set=joint_set))
    return path


register("body", NAME, load_small_body)
