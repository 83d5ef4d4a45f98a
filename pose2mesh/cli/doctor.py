"""`pose2mesh doctor`: what is installed, found and usable here, and what to do about the rest."""

import hashlib
import json
import platform
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pose2mesh import __version__, paths
from pose2mesh.cli.arguments import Parser
from pose2mesh.errors import MissingFileError, Pose2MeshError

# Needed by everything, in the order in which a user would look for them.
CORE_PACKAGES = ("numpy", "scipy", "trimesh", "pydantic", "pyyaml", "safetensors", "pillow")
OTHER_DETECTORS = {
    "mediapipe": "pip install 'pose2mesh[mediapipe]', on Python 3.11 or 3.12",
    "rtmlib": "pip install 'pose2mesh[rtmlib]'",
}
# Packages of the extras that no other finding names: what each is for, and its extra.
OPTIONAL_PACKAGES = {
    "av": ("videos", "video"),
    "pybvh": ("BVH files", "bvh"),
    "pygltflib": ("characters (glTF)", "motion"),
    "python-osc": ("avatars, live", "live"),
    "pi-heif": ("HEIC pictures", "heif"),
    "pyarrow": ("tables", "batch"),
    "ray": ("tables by Ray", "ray"),
    "onnx": ("exports", "export"),
    "trackers": ("other trackers", "trackers"),
    "torch-geometric": ("other graph convolutions", "graph"),
    "tensorboard": ("curves of training", "tensorboard"),
    "scikit-image": ("the demo's photo", "demo"),
}
GL_LIBRARIES = "apt-get install libegl1 libgl1-mesa-dri libgles2 libosmesa6"


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    topic: str
    name: str
    ok: bool
    detail: str  # what was found, or what is wrong
    remedy: str = ""  # what the user can do; empty when nothing is needed


def run(argv: list[str]) -> int:
    """Print the report. Returns 0 whatever is missing: telling it is the command's work."""
    parser = Parser(prog="pose2mesh doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    options = parser.parse_args(argv)
    findings = examine()
    if options.json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        print(format_report(findings))
    return 0


def examine() -> list[Finding]:
    """Make all findings; no probe writes or downloads anything."""
    probes: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _torch,
        _kernels,
        _core_packages,
        _renderer,
        _detectors,
        _optional_packages,
        _shipped_files,
        _licensed_skinning,
        _licensed_files,
        _motion_packs,
        _plug_ins,
    )
    return [finding for probe in probes for finding in _made_by(probe)]


def _made_by(probe: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Also where a package that everything needs is broken."""
    try:
        return list(probe())
    except ImportError as error:
        return [Finding(probe.__name__.split("_")[1], "import", False, str(error), "pip install torch")]


def format_report(findings: list[Finding]) -> str:
    """One line per finding: topic, name, ok or missing, detail, remedy."""
    lines = []
    for finding in findings:
        state = "ok     " if finding.ok else "missing"
        remedy = f"  -> {finding.remedy}" if finding.remedy else ""
        lines.append(f"{finding.topic:<11}{finding.name:<16}{state}  {finding.detail}{remedy}")
    return "\n".join(lines)


def _python() -> Iterator[Finding]:
    yield Finding("pose2mesh", "version", True, __version__)
    ok = sys.version_info >= (3, 11)
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("python", "version", ok, detail, "" if ok else "install Python 3.11 or newer")


def _torch() -> Iterator[Finding]:
    import torch

    yield Finding("torch", "version", True, f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        yield Finding("device", "cuda", True, torch.cuda.get_device_name())
    else:
        yield Finding("device", "cpu", True, "no CUDA device; everything works on the CPU")


def _kernels() -> Iterator[Finding]:
    from pose2mesh.ops import backend_names, native, requested_backend

    if native.is_available():
        yield Finding("kernels", "cpu", True, f"graph layers and drawing run compiled: {native.find_library()}")
    else:
        detail = f"graph layers and drawing run some two times slower without them ({native.reason()})"
        yield Finding("kernels", "cpu", False, detail, native.remedy())
    if requested_backend() != "auto":
        known = sorted(backend_names())
        is_known = requested_backend() in known
        remedy = "" if is_known else f"unset it, or choose one of {', '.join(known)}"
        yield Finding("kernels", "chosen", is_known, f"POSE2MESH_BACKEND={requested_backend()}", remedy)


def _core_packages() -> Iterator[Finding]:
    for name in CORE_PACKAGES:
        yield _package("package", name, f"pip install {name}")


def _package(topic: str, name: str, remedy: str) -> Finding:
    try:
        return Finding(topic, name, True, version(name))
    except PackageNotFoundError:
        return Finding(topic, name, False, "not installed", remedy)


def _renderer() -> Iterator[Finding]:
    try:
        from pose2mesh.rendering import get_renderer

        yield Finding("renderer", "OpenGL", True, get_renderer("pyrender").name)
    except (ImportError, Pose2MeshError) as error:
        detail = f"{error} (the software rasterizer draws instead)"
        yield Finding("renderer", "OpenGL", False, detail, "pip install 'pose2mesh[render]'; " + GL_LIBRARIES)


def _detectors() -> Iterator[Finding]:
    from pose2mesh.detectors.sessions import manifest, read_network

    runtime = _package("detector", "onnxruntime", "pip install 'pose2mesh[detect]'")
    try:
        shipped = {name: told["bytes"] for name, told in manifest().items() if not name.endswith("heavy")}
        for name in shipped:
            read_network(name)
        size = sum(shipped.values()) / 1e6
        yield Finding("detector", "blazepose", runtime.ok, f"its {len(shipped)} networks, {size:.0f} MB")
    except Pose2MeshError as error:
        yield Finding("detector", "blazepose", False, str(error), "reinstall the package")
    yield runtime
    for name, remedy in OTHER_DETECTORS.items():
        yield _package("detector", name, remedy)


def _optional_packages() -> Iterator[Finding]:
    for name, (purpose, extra) in OPTIONAL_PACKAGES.items():
        yield _package("optional", name, f"for {purpose}: pip install 'pose2mesh[{extra}]'")


def _shipped_files() -> Iterator[Finding]:
    yield _file("body model", "anny", paths.asset, "body_models/anny_body.npz", "python -m tools.assets.build")
    yield from _weights()
    yield _file("graphs", "manifest", paths.graph, "manifest.json", "pose2mesh build-graphs")


def _weights() -> Iterator[Finding]:
    """Those of every card that ships: there, and of the card's digest."""
    first = _file("weights", "anny-body", paths.asset, "weights/anny-body.safetensors", "pose2mesh train")
    if not first.ok:
        yield first
        return
    for card in sorted(paths.asset("weights/anny-body.safetensors").parent.glob("*.json")):
        path = card.with_suffix(".safetensors")
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            fault = "" if digest in card.read_text() else f"{path}: damaged (its digest is not the card's)"
        except OSError as error:
            fault = f"no {path.name} ({error.strerror})"
        detail = fault or f"{path} ({path.stat().st_size / 1e6:.1f} MB)"
        yield Finding("weights", card.stem, not fault, detail, "reinstall the package" if fault else "")


def _file(topic: str, name: str, locate: Callable, relative: str, remedy: str) -> Finding:
    try:
        path = locate(relative)
    except MissingFileError:
        return Finding(topic, name, False, f"no {relative}", f"reinstall, or make it: {remedy}")
    return Finding(topic, name, True, f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def _licensed_skinning() -> Iterator[Finding]:
    yield _package("licensed", "smplx", "only for SMPL and MANO: pip install 'pose2mesh[smpl]' (non-commercial)")


def _licensed_files() -> Iterator[Finding]:
    """Where they are, by name alone: none is read."""
    from pose2mesh.body_models import licensed_files as files

    yield _licensed("SMPL", ("smpl-neutral", "smpl-male", "smpl-female"), files.find_model, files.SMPL.page)
    yield _licensed("MANO", ("mano-right", "mano-left"), files.find_model, files.MANO.page)
    yield _licensed("regressors", tuple(files.REGRESSORS), files.find_regressor, files.REGRESSOR_PAGE)


def _licensed(name: str, wanted: tuple[str, ...], locate: Callable, page: str) -> Finding:
    """The files found among those wanted; the first is what most need, the others are named where they are missing."""
    found, missing = {}, []
    for one in wanted:
        try:
            found[one] = str(locate(one))
        except MissingFileError:
            missing.append(one)
    remedy = f"get it from {page}, put it into ./models or set POSE2MESH_MODELS (docs/licensed-models.md)"
    if not found:
        return Finding("licensed", name, False, "not found (only for the licensed models)", remedy)
    detail = ", ".join(found.values()) + (f"; no {', '.join(missing)}" if missing else "")
    is_enough = wanted[0] in found
    return Finding("licensed", name, is_enough, detail, "" if is_enough else remedy)


def _motion_packs() -> Iterator[Finding]:
    try:
        packs = sorted(path.name for path in paths.data_dir().glob("*.npz") if _is_pack(path))
    except MissingFileError:
        packs = []
    detail = ", ".join(packs) or "no motion packs (only training on real motion needs them)"
    remedy = "" if packs else "set POSE2MESH_DATA to the folder that holds them (docs/data.md)"
    yield Finding("data", "motion", bool(packs), detail, remedy)


def _is_pack(path: Path) -> bool:
    """By the names of its arrays alone: none is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {"rotvec.npy", "clip_id.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _plug_ins() -> Iterator[Finding]:
    """What others registered; the code of each is loaded."""
    from pose2mesh.plugins import plug_ins

    for found in plug_ins():
        detail, remedy = found.fault or f"{found.kind}, {found.source}", "mend it or uninstall its package"
        yield Finding("plug-in", found.name, not found.fault, detail, remedy if found.fault else "")
