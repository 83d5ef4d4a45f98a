"""`pose2mesh demo`: the whole chain on a sample photo that comes with scikit-image (CC0)."""

from pathlib import Path

import numpy as np

from pose2mesh.cli.predict import DEFAULT_WEIGHTS, Parser
from pose2mesh.cli.writing import write_png, write_side_view
from pose2mesh.errors import InputError, MissingDependencyError


def run(arguments: list[str]) -> int:
    """Recover the photographer of `skimage.data.camera()` and write everything into one folder."""
    parser = Parser(prog="pose2mesh demo", description="Recover the person in the sample photo.")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo_out"), metavar="OUT")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS["body"], metavar="NAME|PATH")
    options = parser.parse_args(arguments)
    if options.output.exists() and not options.output.is_dir():
        raise InputError(f"{options.output}: is a file; -o takes a folder")
    image = sample_photo()  # [H, W, 3]

    from pose2mesh.exporters import save_people
    from pose2mesh.pipeline import Pose2Mesh
    from pose2mesh.rendering import render_overlay

    people = Pose2Mesh.from_pretrained(options.weights).predict(image)
    folder = options.output
    write_png(folder / "input.png", image)
    write_png(folder / "overlay.png", render_overlay(image, people))
    write_side_view(folder / "side.png", people[0])
    people[0].save(folder / "mesh.glb")
    people[0].save(folder / "mesh.obj")
    save_people(people, folder / "result.npz")
    print(f"{len(people)} person(s), {len(people[0].vertices)} vertices; written to {folder.resolve()}:")
    print("  input.png overlay.png side.png mesh.glb mesh.obj result.npz")
    return 0


def sample_photo() -> np.ndarray:
    """The photographer as uint8 [512, 512, 3]. Raises MissingDependencyError without scikit-image."""
    try:
        from skimage.data import camera
    except ImportError as error:
        raise MissingDependencyError(
            "the demo's photo comes with scikit-image; pip install 'pose2mesh[demo,detect]'"
        ) from error
    return np.repeat(camera()[..., None], 3, axis=-1)
