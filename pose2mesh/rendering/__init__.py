"""Pictures of recovered people on any machine: overlay, view from the side, skeleton, contact sheet."""

from pose2mesh.rendering.backends import BACKENDS, Renderer, get_renderer
from pose2mesh.rendering.drawing import contact_sheet, draw_keypoints
from pose2mesh.rendering.scene import render_overlay, render_side_view

__all__ = [
    "BACKENDS",
    "Renderer",
    "contact_sheet",
    "draw_keypoints",
    "get_renderer",
    "render_overlay",
    "render_side_view",
]
