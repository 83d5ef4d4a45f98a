"""The demo's video: somebody walks, drawn so that every joint is known, and comes back as an animated character."""

from pathlib import Path

import numpy as np
import torch

from pose2mesh.types import Motion

SECONDS, FPS = 2.0, 15.0


def recover_walk(model, folder: Path) -> None:
    """Draw the walk, recover its motion from the video, write `walk.mp4` and `walk.{glb,bvh,npz}`, print its error."""
    from pose2mesh.body_models import load_anny_body
    from pose2mesh.synthesis.walk import FOCAL, walking

    model.motion_builder()  # raises for weights of another mesh, before anything is drawn
    truth = walking(load_anny_body(), SECONDS, FPS)
    draw_motion(truth, folder / "walk.mp4")
    found = model.motion(folder / "walk.mp4", intrinsics=FOCAL)
    for suffix in (".glb", ".npz"):
        found.save(folder / f"walk{suffix}")
    found.only(found.tracks[0]).save(folder / "walk.bvh")
    posed, placed = motion_error(found, truth)
    print(f"walk: {len(found.tracks)} person(s) over {SECONDS:.0f} s")
    print(f"  joints {posed:.0f} mm from the true ones (PA-MPJPE), {placed:.0f} mm in the room: no picture tells sizes")
    print("  walk.mp4 walk.glb walk.bvh walk.npz")


def draw_motion(motion: Motion, path: Path) -> None:
    """A video of a motion in the studio, as its camera sees it."""
    from pose2mesh.rendering.studio import render_studio
    from pose2mesh.rendering.video import video_writer
    from pose2mesh.tracking.bodies import MotionBodies

    bodies, camera = MotionBodies(motion), motion.camera
    assert camera is not None and camera.image_size is not None  # what `walking` makes has them
    with video_writer(path, motion.fps) as video:
        for row, time in enumerate(motion.time):
            (person,) = bodies.people(row)
            seen = person.vertices + motion.translation[row]  # [V, 3]
            video.add(render_studio(seen, person.faces, camera.focal, camera.center, camera.image_size), float(time))


def motion_error(found: Motion, truth: Motion) -> tuple[float, float]:
    """Mean distance in mm of the first person's joints from the true ones, aligned frame by frame, and in the room."""
    from pose2mesh.geometry.procrustes import similarity_align

    found = found.only(found.tracks[0])
    rows = np.searchsorted(truth.frame, found.frame)
    true = truth.joints[rows]  # [T, J, 3]
    aligned = similarity_align(torch.from_numpy(found.joints), torch.from_numpy(true)).numpy()
    apart = found.joints + found.translation[:, None] - true - truth.translation[rows, None]
    posed, placed = (1000 * float(np.linalg.norm(error, axis=-1).mean()) for error in (aligned - true, apart))
    return posed, placed
