"""Errors beside the optical axis are those on it."""

from pose2mesh import Pose2Mesh
from tools.studies.off_axis import body_error, hand_error


def test_hands_and_bodies_beside_the_axis():
    hand, body = (Pose2Mesh.from_pretrained(name) for name in ("anny-hand", "anny-body"))
    assert hand_error(hand, 30) < 8  # 47 mm in the axes of the ray
    assert body_error(body, 30, fit=False) < 40  # 103 mm
