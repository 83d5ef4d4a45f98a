"""The parts of `pose2mesh test` that measure sequences, and folders of real photos."""

from pathlib import Path

_COLUMNS = ("pa_mpjpe", "mpjpe", "mpvpe", "accel")
PHOTOS_PER_SHEET = 6


def run_motion(config: str, overrides: list[str], output: Path | None) -> int:
    """Print the table of `evaluation.motion`, write it as JSON."""
    from pose2mesh.body_models import load_anny_body
    from pose2mesh.checkpoints.temporal import load_temporal
    from pose2mesh.evaluation.motion import MotionProtocol, MotionTestConfig, evaluate_motion, frame_network
    from pose2mesh.paths import write_json
    from pose2mesh.settings import load_config

    settings = load_config(MotionTestConfig, config, overrides)
    frames, temporal, data = frame_network(settings.weights), load_temporal(settings.temporal), settings.data
    protocol = MotionProtocol(load_anny_body(), data.motion, data.ages, settings.seed, settings.limit)
    metrics = evaluate_motion(frames, temporal, protocol, progress=True)
    print(f"{'mm':20s}" + "".join(f"{name.upper().replace('_', '-'):>10s}" for name in _COLUMNS) + f"{'frames':>9s}")
    for name in ("clean", "noisy"):
        for mode, values in metrics.items():
            cells = "".join(f"{values[name][column]:10.1f}" for column in _COLUMNS)
            print(f"{f'{name} {mode}':20s}{cells}{values[name]['count']:9d}")
    if output:
        write_json(output, metrics)
    return 0


def run_photos(config: str, overrides: list[str], output: Path | None, pictures: Path | None) -> int:
    """Print the measures of `evaluation.photos`, write them as JSON, and contact sheets into `pictures`."""
    import numpy as np

    from pose2mesh.cli.writing import write_png
    from pose2mesh.evaluation.photos import PhotosConfig, measure_photos, read_photos
    from pose2mesh.paths import json_text, write_json
    from pose2mesh.pipeline import Pose2Mesh
    from pose2mesh.rendering import contact_sheet, photo_row
    from pose2mesh.settings import load_config

    settings = load_config(PhotosConfig, config, overrides)
    photos = read_photos(Path(settings.data.folder))[: settings.limit]
    model = Pose2Mesh.from_pretrained(settings.weights, settings.device)
    rows, titles, sheets = [], [], []

    def write_sheet() -> None:
        path = pictures / f"photos_{len(sheets):02d}.png"  # pyright: ignore[reportOptionalOperand] - only with pictures
        write_png(path, contact_sheet(rows, titles))
        sheets.append(path)
        rows.clear()
        titles.clear()

    def keep(photo, image: np.ndarray, people: list) -> None:
        rows.append(photo_row(image, people))
        titles.append(f"{photo.path.name}: {len(people)} found, {photo.prominent} prominent")
        if len(rows) == PHOTOS_PER_SHEET:
            write_sheet()

    metrics = measure_photos(model, photos, settings.detector, keep if pictures else None)
    if rows:
        write_sheet()
    print(json_text(metrics, indent=1))
    if sheets:
        print(f"wrote {len(sheets)} contact sheets into {pictures}")
    if output:
        write_json(output, metrics)
    return 0
