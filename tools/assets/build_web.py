"""`make web`: the page that runs in a browser alone, written to web/dist: networks, tables, bundled scripts.

The networks come from assets/ (the detectors' as they ship, the mesh network through `export_network`), so new weights
need only a new build. Needs onnx, onnxscript and onnxruntime (in the extras `dev` and `export`), node and npm.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools" / "assets")]

from shrink_onnx import shrink  # noqa: E402 - a script sees its own folder, not the checkout

from pose2mesh.checkpoints import load_network  # noqa: E402
from pose2mesh.checkpoints.export import export_network  # noqa: E402
from pose2mesh.detectors import blazepose, finder, following, landmarks, multipose, people, sessions, similarity  # noqa: E402
from pose2mesh.geometry.projection import default_focal  # noqa: E402
from pose2mesh.networks.compact import CompactPose2Mesh  # noqa: E402
from pose2mesh.rendering.shading import TINTS  # noqa: E402
from pose2mesh.skeletons import COCO17, MEDIAPIPE33, JointSet, joint_set  # noqa: E402
from pose2mesh.skeletons.conversion import conversion_sources  # noqa: E402

WEIGHTS = "anny-body"
DETECTORS = {"finder": ("movenet_multipose", 8), "landmarks": ("pose_landmark_full", 9)}  # network, bits of a weight
LIGHT, LIGHT_BITS = ROOT / "web" / "networks" / "pose_landmark_lite.onnx", 8  # landmarks in videos on slow machines
MESH_BITS = 11  # joints stay within 1.5 mm of the float32 network's
LARGEST = 25e6  # bytes of the whole page


def build(out: Path) -> None:
    """Write the page to a folder, whatever is there."""
    _run("npm", "ci", "--no-audit", "--no-fund", "--silent")
    shutil.rmtree(out, ignore_errors=True)
    data = out / "data"
    data.mkdir(parents=True)
    network = load_network(WEIGHTS)
    for name, (file, bits) in DETECTORS.items():
        _pack(data / f"{name}.onnx", shrink(sessions.read_network(file), bits))
    _pack(data / "light.onnx", shrink(LIGHT.read_bytes(), LIGHT_BITS))
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "mesh.onnx"
        export_network(network, exported)
        _pack(data / "mesh.onnx", shrink(exported.read_bytes(), MESH_BITS))
    _pack(data / "faces.bin", network.faces.astype("<u2").tobytes())
    _run("node", "build.mjs", str(out.resolve()), given=json.dumps(tables(network)))
    _list_files(out)


def tables(network: CompactPose2Mesh) -> dict[str, object]:
    """What the page's scripts know of joints, and every threshold of the detector."""
    given, output = joint_set(network.joint_set), JointSet("output", tuple(network.output_joint_names), ())
    sides = [tuple(COCO17.index(f"{side}_{part}") for side in ("left", "right")) for part in ("hip", "shoulder")]
    return {
        **{"agree": blazepose.AGREE, "sureFind": blazepose.SURE_FIND, "present": blazepose.PRESENT},
        **{"closer": blazepose.CLOSER, "finderShare": blazepose.FINDER_SHARE, "seen": blazepose.SEEN},
        **{"doubted": blazepose.DOUBTED, "empty": following.SOON, "doubts": following.DOUBTS},
        **{"stride": finder.STRIDE, "whole": finder.WHOLE, "tile": finder.TILE, "leastScore": finder.LEAST_SCORE},
        **{"doubt": finder.DOUBT, "clear": finder.CLEAR},
        **{"hint": finder.HINT, "small": finder.SMALL, "sure": finder.SURE, "sameFind": finder.SAME_PERSON},
        **{"cell": multipose.CELL, "mostPeople": multipose.PEOPLE, "around": multipose.AROUND},
        **{"spread": multipose.SPREAD, "counted": multipose.COUNTED},
        **{"samePerson": people.SAME_PERSON, "missing": people.MISSING},
        **{"least": similarity.LEAST, "widths": similarity.WIDTHS.tolist()},
        **{"side": landmarks.SIDE, "margin": landmarks.MARGIN, "heatReach": landmarks.HEAT_REACH},
        **{"heatSure": landmarks.HEAT_SURE, "shareBeyond": landmarks.SHARE_BEYOND, "trunks": landmarks.TRUNKS},
        **{"hips": sides[0], "shoulders": sides[1], "mirror": list(MEDIAPIPE33.flip_permutation)},
        "cocoRows": [MEDIAPIPE33.index(joint) for joint in COCO17.joints],
        "toCoco": conversion_sources(MEDIAPIPE33, COCO17),
        "fromCoco": conversion_sources(COCO17, MEDIAPIPE33),
        "toNetwork": conversion_sources(MEDIAPIPE33, given),
        "toOutput": conversion_sources(given, output),
        "jointNames": list(output.joints),
        "focal": default_focal((3, 4)) / 5,  # of a picture, in diagonals
        "tints": TINTS,
        "weights": WEIGHTS,
    }


def _run(*command: str, given: str = "") -> None:
    if subprocess.run(command, cwd=ROOT / "web", input=given, text=True).returncode:
        sys.exit(f"{' '.join(command[:2])} failed")


def _pack(path: Path, content: bytes) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))


def _list_files(out: Path) -> None:
    """Tell the script that keeps the page for offline use of its files, and refuse a page that is too large."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    names = ["./", *(path.relative_to(out).as_posix() for path in files if path.name != "offline.js")]
    keeper = out / "offline.js"
    keeper.write_text(keeper.read_text().replace("[/* files */]", json.dumps(names)).replace("VERSION", digest))
    size = sum(path.stat().st_size for path in files)
    print(f"wrote {out} ({size / 1e6:.1f} MB, {len(files)} files); serve this folder, see docs/web.md")
    if size > LARGEST:
        sys.exit(f"{out} is {size / 1e6:.1f} MB large, more than {LARGEST / 1e6:.0f} MB")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "web" / "dist")
