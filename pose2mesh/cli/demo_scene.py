"""The demo's second picture: a body whose mesh is known, so that the error of the recovered one can be told."""

from pathlib import Path

from pose2mesh.cli.writing import write_png, write_side_view

YAW_DEGREES = 25.0  # half turned away, so that neither side hides the other


def recover_scene(model, folder: Path) -> None:
    """Draw the greeting figure in the studio, recover it from the picture, write `scene_*.png`, print its error.

    The error is told for networks of the free body; for another mesh there is nothing to compare with.
    """
    from pose2mesh.body_models import load_anny_body
    from pose2mesh.datasets.studio import figure_scene
    from pose2mesh.rendering import render_overlay
    from pose2mesh.training.closed_loop import measure_scene

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
