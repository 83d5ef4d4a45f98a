"""`pose2mesh demo`: the whole chain on a public-domain photo that comes with scikit-image and on scenes of our own."""

from pathlib import Path

import numpy as np

from pose2mesh.cli.demo_scene import recover_hands, recover_scene
from pose2mesh.cli.demo_walk import recover_walk
from pose2mesh.cli.predict import Parser, load_model
from pose2mesh.cli.writing import write_png, write_side_view
from pose2mesh.errors import InputError

_SUMMARY = 420  # pixels of its height


def run(arguments: list[str]) -> int:
    """Recover the astronaut of `skimage.data` and the scene, or two hands; write it all into one folder.

    Without scikit-image it is the scene alone.
    """
    parser = Parser(prog="pose2mesh demo", description="Recover the person in the sample photo and in a scene.")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo_out"), metavar="OUT")
    parser.add_argument("--kind", choices=("body", "hand"), default="body", help="what to recover (default: body)")
    parser.add_argument("--weights", metavar="NAME|PATH", help="default: those of the kind")
    options = parser.parse_args(arguments)
    if options.output.exists() and not options.output.is_dir():
        raise InputError(f"{options.output}: is a file; -o takes a folder")
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
