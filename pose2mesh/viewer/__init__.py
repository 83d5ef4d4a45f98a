"""The interactive result: one HTML file with photo, meshes and joints that opens from disk without a network."""

from pose2mesh.viewer.film import motion_film
from pose2mesh.viewer.page import glb_page, motion_page, people_page
from pose2mesh.viewer.result import result_page

__all__ = ["glb_page", "motion_film", "motion_page", "people_page", "result_page"]
