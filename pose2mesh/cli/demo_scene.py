"""The demo's scenes: a body and hands whose meshes are known, so that the error of the recovered ones can be told."""

from pathlib import Path

from pose2mesh.cli.writing import write_png, write_side_view

YAW_DEGREES = 25.0  # half turned away, so that neither side hides the other
HANDS = (("signs", "victory", "right", 15.0), ("basic", "spread", "left", 150.0))  # gesture, side, turn in degrees


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
