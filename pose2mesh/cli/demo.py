"""`pose2mesh demo`: the whole chain on a public-domain photo that comes with scikit-image and on scenes of our own."""

from pathlib import Path

import numpy as np
import torch

from pose2mesh.cli.arguments import Parser
from pose2mesh.cli.predict import load_model
from pose2mesh.cli.writing import write_png, write_side_view
from pose2mesh.errors import InputError
from pose2mesh.paths import check_results_folder
from pose2mesh.types import Motion

_SUMMARY = 420  # pixels of its height
YAW_DEGREES = 25.0  # of the person in the picture: half turned away, so that neither side hides the other
HANDS = (("signs", "victory", "right", 15.0), ("basic", "spread", "left", 150.0))  # gesture, side, turn in degrees
SECONDS, FPS = 2.0, 15.0  # of the walk


def run(arguments: list[str]) -> int:
    """Recover the astronaut of `skimage.data` and the scene, or two hands; write it all into one folder.

    Without scikit-image it is the scene alone.
    """
    parser = Parser(
        prog="pose2mesh demo",
        description="Recover the people of a sample photo, a drawn scene and a drawn walk; or two drawn hands.",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("demo_out"), metavar="OUT", help="folder (default: demo_out)"
    )
    parser.add_argument("--kind", choices=("body", "hand"), default="body", help="what to recover (default: body)")
    parser.add_argument("--weights", metavar="NAME|PATH", help="shipped name or file (default: those of the kind)")
    options = parser.parse_args(arguments)
    check_results_folder(options.output, f"-o {options.output}")
    model = load_model(options.kind, options.weights, None, "cpu")
    if options.kind == "hand":
        recover_hands(model, options.output)
    else:
        _recover_bodies(model, options.output)
    print(f"written to {options.output.resolve()}")
    return 0


def _recover_bodies(model, folder: Path) -> None:
    photo = sample_photo()  # [H, W, 3]
    if photo is None:
        print("no sample photo without scikit-image (pip install 'pose2mesh[demo]'); the scene alone:")
    else:
        recover_photo(model, photo, folder)
    recover_scene(model, folder)
    try:
        recover_walk(model, folder)
    except InputError as error:  # weights of another mesh, or a package that is not installed
        print(f"walk: left out ({error})")


def recover_photo(model, photo: np.ndarray, folder: Path) -> None:
    """Write picture, overlay, side view, meshes and arrays of the people in the photo [H, W, 3]."""
    from pose2mesh.exporters import save_people
    from pose2mesh.rendering import contact_sheet, photo_row, render_overlay

    people = model.predict(photo)
    write_png(folder / "input.png", photo)
    write_png(folder / "overlay.png", render_overlay(photo, people))
    write_png(folder / "summary.png", contact_sheet([photo_row(photo, people, _SUMMARY)]))
    write_side_view(folder / "side.png", people[0])
    people[0].save(folder / "mesh.glb")
    people[0].save(folder / "mesh.obj")
    save_people(people, folder / "result.npz")
    print(f"photo: {len(people)} person(s), {len(people[0].vertices)} vertices")
    print("  input.png overlay.png side.png summary.png mesh.glb mesh.obj result.npz")


def sample_photo() -> np.ndarray | None:
    """The astronaut Eileen Collins (NASA, public domain) as uint8 [512, 512, 3], None without scikit-image."""
    try:
        from skimage.data import astronaut
    except ImportError:
        return None
    return astronaut()


def recover_scene(model, folder: Path) -> None:
    """Draw the greeting figure in the studio, recover it from the picture, write `scene_*.png`, print its error.

    The error is told for networks of the free body; for another mesh there is nothing to compare with.
    """
    from pose2mesh.body_models import load_anny_body
    from pose2mesh.evaluation.closed_loop import measure_scene
    from pose2mesh.rendering import render_overlay
    from pose2mesh.synthesis.studio import figure_scene

    scene = figure_scene(load_anny_body(), "greet", YAW_DEGREES)
    people = model.predict(scene.image)
    write_png(folder / "scene_input.png", scene.image)
    write_png(folder / "scene_overlay.png", render_overlay(scene.image, people))
    write_side_view(folder / "scene_side.png", people[0])
    print(f"scene: {len(people)} person(s), {len(people[0].vertices)} vertices")
    if people[0].vertices.shape == scene.truth.vertices.shape:
        error = 1000 * measure_scene(scene, people[0])["pa_mpvpe"].item()
        print(f"  {error:.1f} mm from the true mesh (PA-MPVPE, mean over its vertices)")
    print("  scene_input.png scene_overlay.png scene_side.png")


def recover_hands(model, folder: Path) -> None:
    """Draw two hands on their arms, recover them from the pictures, write `hand_{side}*` and print their errors."""
    from pose2mesh.evaluation.closed_loop import measure_hand
    from pose2mesh.rendering import render_overlay
    from pose2mesh.synthesis.hand_studio import HandStudio

    studio = HandStudio()
    for family, gesture, side, yaw in HANDS:
        scene = studio.gesture_scene(family, gesture, side, yaw)
        hand = model.predict(scene.image)[0]
        stem = folder / f"hand_{side}"
        write_png(stem.with_name(f"{stem.name}_input.png"), scene.image)
        write_png(stem.with_name(f"{stem.name}_overlay.png"), render_overlay(scene.image, [hand]))
        write_side_view(stem.with_name(f"{stem.name}_side.png"), hand)
        for suffix in (".glb", ".npz"):
            hand.save(stem.with_suffix(suffix))
        print(f"{side} hand ({gesture}): found a {hand.handedness} hand, {len(hand.vertices)} vertices")
        if hand.vertices.shape == scene.truth.vertices.shape:
            error = 1000 * measure_hand(scene, hand)["pa_mpvpe"].item()
            print(f"  {error:.1f} mm from the true mesh (PA-MPVPE, mean over its vertices)")


def recover_walk(model, folder: Path) -> None:
    """Draw the walk as `walk.mp4`, recover its motion from there, write `walk_overlay.mp4` and `walk.{glb,bvh,npz}`.

    Prints the errors.
    """
    from pose2mesh.body_models import load_anny_body
    from pose2mesh.synthesis.walk import FOCAL, walking

    model.motion_builder()  # raises for weights of another mesh, before anything is drawn
    truth = walking(load_anny_body(), SECONDS, FPS)
    draw_motion(truth, folder / "walk.mp4")
    found = model.motion(folder / "walk.mp4", intrinsics=FOCAL)
    for name in ("walk_overlay.mp4", "walk.glb", "walk.npz"):
        found.save(folder / name)
    found.only(found.tracks[0]).save(folder / "walk.bvh")
    posed, placed = motion_error(found, truth)
    print(f"walk: {len(found.tracks)} person(s) over {SECONDS:.0f} s")
    print(f"  joints {posed:.0f} mm from the true ones (PA-MPJPE)")
    print(f"  {placed:.0f} mm off in the room: a picture shows neither how tall people are nor how far away")
    print("  walk.mp4 walk_overlay.mp4 walk.glb walk.bvh walk.npz")


def draw_motion(motion: Motion, path: Path) -> None:
    """A video of a motion in the studio, as its camera sees it."""
    from pose2mesh.rendering.software import Pinhole
    from pose2mesh.rendering.studio import render_studio
    from pose2mesh.rendering.video import video_writer
    from pose2mesh.tracking.bodies import MotionBodies

    bodies, camera = MotionBodies(motion), motion.camera
    assert camera is not None and camera.image_size is not None  # what `walking` makes has them
    with video_writer(path, motion.fps) as video:
        for row, time in enumerate(motion.time):
            (person,) = bodies.people(row)
            seen = person.vertices + motion.translation[row]  # [V, 3]
            view = Pinhole(camera.focal, camera.center, camera.image_size)
            video.add(render_studio(seen, person.faces, view), float(time))


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
