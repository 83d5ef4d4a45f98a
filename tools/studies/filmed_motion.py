"""Films whose truth is known: `python -m tools.studies.filmed_motion FOLDER [--films 8] [--no-opinion] [--smooth off]`.

People of validation motion in clothes, among boxes of which every other film has one before the person, blurred, noisy
and compressed, 90 frames each; rendered into FOLDER once. `Pose2Mesh.motion` recovers them from the films and their
focal length; PA-MPJPE, MPJPE and the error of acceleration are over COCO-17, from the pelvis, of the longest track.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.evaluation.motion import MotionProtocol, TrueMotion
from pose2mesh.metrics import acceleration_error, mpjpe, pa_mpjpe
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.npz import read_arrays, write_arrays
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.rendering.video import video_writer
from pose2mesh.synthesis.studio import SIDE
from pose2mesh.types import Camera
from tools.studies.harder_loop import box, photograph
from tools.studies.wardrobe import Wardrobe

FRAMES = slice(20, 110)  # of each run
FPS = 30.0
_PELVIS = 17  # behind COCO-17
_FILLS = 0.8  # share of the film's side


def film(path: Path, run: TrueMotion, body: AnnyBody, number: int) -> None:
    """Write a film, and joints [T, 18, 3] m from the pelvis with the focal length beside it."""
    rng, wardrobe = np.random.default_rng((5, number)), Wardrobe(body)
    rotations = run.rotations[FRAMES]
    with torch.inference_mode():
        bodies = AnnyDecoder(body)(BodyParameters(rotations, run.betas.expand(len(rotations), -1)))
    place = np.array([0, 0, rng.uniform(3.5, 5.0)])
    vertices = bodies.vertices.numpy() + place  # [T, V, 3]
    rays = (vertices[..., :2] / vertices[..., 2:]).reshape(-1, 2)
    low, high = rays.min(0), rays.max(0)
    side = float((high - low).max()) / _FILLS  # of the film, in focal lengths
    corner = (low + high - side) / 2
    focal = SIDE / side
    camera = Camera(focal, (-corner[0] * focal, -corner[1] * focal), np.zeros(3), (SIDE, SIDE))
    middles = place + rng.normal([0.0, 0.3, 1.65], [1.2, 0.5, 0.4], (4, 3))  # most behind the person
    things = [box(middle, rng.uniform(0.2, 1, 3), rng) for middle in middles]
    if number % 2:
        things.append(box(0.7 * place + rng.normal(0, [0.15, 0.2, 0.0]), rng.uniform(0.1, 0.3, 3), rng))
    colors = wardrobe.striped(rng)
    with video_writer(path, FPS) as writer:
        for frame, seen in enumerate(vertices):
            same = np.random.default_rng(number)  # one backdrop and one lens in all frames
            writer.add(photograph([(seen, wardrobe.faces, colors), *things], camera, same)[0], frame / FPS)
    write_arrays(
        path.with_suffix(".npz"), {"joints": bodies.joints[:, : _PELVIS + 1].numpy(), "focal": np.array(focal)}
    )


def films(folder: Path, motion: str, count: int) -> list[Path]:
    """Films of evenly spread runs of a pack; those that are there are kept."""
    body = load_anny_body()
    runs = [run for run in MotionProtocol(body, motion, seed=3).runs() if len(run.times) >= FRAMES.stop]
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.mp4" for number in range(min(count, len(runs)))]
    for number, path in enumerate(paths):
        if not path.with_suffix(".npz").is_file():
            film(path, runs[number * len(runs) // len(paths)], body, number)
    return paths


def errors(model: Pose2Mesh, path: Path, detector: BlazePoseDetector, smooth: str) -> list[float]:
    """Found share of frames, PA-MPJPE and MPJPE in mm, acceleration error in mm per squared frame."""
    truth = read_arrays(path.with_suffix(".npz"), ("joints", "focal"))
    found = model.motion(path, smooth, detector=detector, intrinsics=float(truth["focal"]))
    rows = found.track == max(found.tracks, key=lambda track: int((found.track == track).sum()))
    ours, true = (
        torch.from_numpy(joints[:, : _PELVIS + 1]).float()
        for joints in (found.joints[rows], truth["joints"][found.frame[rows]])
    )
    ours, true = (joints - joints[:, _PELVIS:] for joints in (ours, true))
    measured = [1000 * float(measure(ours, true).mean()) for measure in (pa_mpjpe, mpjpe, acceleration_error)]
    return [len(ours) / len(truth["joints"]), *measured]


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--motion", default="mocap2_val.npz")
    parser.add_argument("--films", type=int, default=8)
    parser.add_argument("--no-opinion", action="store_true", help="the detector goes by its own joints alone")
    parser.add_argument("--smooth", default="auto", choices=("auto", "off"))
    options = parser.parse_args(arguments)
    model, rows = Pose2Mesh.from_pretrained("anny-body"), []
    print(f"{'film':10s}{'found':>8s}{'PA-MPJPE':>10s}{'MPJPE':>8s}{'accel':>8s}")
    for path in films(options.folder, options.motion, options.films):
        detector = BlazePoseDetector(opinion=not options.no_opinion)
        rows.append(errors(model, path, detector, options.smooth))
        print(_line(path.stem, rows[-1]), flush=True)
    print(_line("mean", np.mean(rows, 0).tolist()))
    return 0


def _line(name: str, row: list[float]) -> str:
    found, *millimetres = row
    return f"{name:10s}{found:8.1%}" + "".join(
        f"{value:{width}.1f}" for value, width in zip(millimetres, (10, 8, 8), strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
