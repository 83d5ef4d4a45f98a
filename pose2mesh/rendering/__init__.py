"""Pictures of recovered people on any machine: overlay, view from the side, skeleton, contact sheet."""

from pose2mesh.rendering.backends import BACKENDS, Renderer, get_renderer
from pose2mesh.rendering.canvas import plain_canvas
from pose2mesh.rendering.contact_sheet import at_scale, contact_sheet, photo_row
from pose2mesh.rendering.drawing import bones_of, draw_keypoints
from pose2mesh.rendering.scene import OVERLAYS, render_overlay, render_views, tint_of

__all__ = [
    "BACKENDS",
    "OVERLAYS",
    "Renderer",
    "at_scale",
    "bones_of",
    "contact_sheet",
    "draw_keypoints",
    "get_renderer",
    "photo_row",
    "plain_canvas",
    "render_overlay",
    "render_views",
    "tint_of",
]
