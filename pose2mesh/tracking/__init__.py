"""People over time: who is who from frame to frame, and where they are, smooth and on the ground."""

from pose2mesh.tracking.tracker import IdentityTracker, Tracker

__all__ = ["IdentityTracker", "Tracker"]
