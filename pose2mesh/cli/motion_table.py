"""The part of `pose2mesh test` that measures sequences."""

from pathlib import Path

_COLUMNS = ("pa_mpjpe", "mpjpe", "mpvpe", "accel")


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
