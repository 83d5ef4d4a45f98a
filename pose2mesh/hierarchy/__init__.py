"""Mesh hierarchies: faces to adjacency, Laplacians and coarser levels, in float64, stored and verified. No torch."""

from pose2mesh.hierarchy.build import build_hierarchy
from pose2mesh.hierarchy.fitted_upsampling import fit_upsampling
from pose2mesh.hierarchy.hierarchy import Hierarchy
from pose2mesh.hierarchy.laplacian import scale_laplacian, skeleton_laplacian
from pose2mesh.hierarchy.store import hierarchy_digest, load_hierarchy, save_hierarchy, update_manifest

__all__ = [
    "Hierarchy",
    "build_hierarchy",
    "fit_upsampling",
    "hierarchy_digest",
    "load_hierarchy",
    "save_hierarchy",
    "scale_laplacian",
    "skeleton_laplacian",
    "update_manifest",
]
