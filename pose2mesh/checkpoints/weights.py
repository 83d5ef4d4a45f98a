"""Weights on disk: safetensors with the network's settings inside, so that one file is enough to rebuild it."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from pose2mesh import paths
from pose2mesh.checkpoints import official
from pose2mesh.checkpoints.build import BodyNetwork, build_network
from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.networks.classic_body import ClassicLifter
from pose2mesh.ops import freeze
from pose2mesh.paths import write_bytes

AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)
_WITHOUT_KEYPOINTS = {  # kinds of networks, and what to give instead
    "temporal": "a network over time, which answers no single frame; give weights that do, such as anny-body "
    "(videos use these by themselves; assets/configs/test_motion.yaml measures it: temporal=FILE)",
    "spin": "an image backbone, which sees pictures and takes no keypoints; give a network's weights, such as "
    "anny-body (it is adapted by `pose2mesh adapt --method dapa` with target.images)",
    "pose_prior": "a prior of poses, which takes no keypoints; give a network's weights, such as anny-body",
}


def save_weights(
    path: str | Path, network: nn.Module, settings: dict[str, Any], dtype: torch.dtype = torch.float32
) -> None:
    """Write a network and its settings atomically, as `save_tensors` does."""
    save_tensors(path, network.state_dict(), settings, dtype)


def save_tensors(
    path: str | Path, state: dict[str, torch.Tensor], settings: dict[str, Any], dtype: torch.dtype = torch.float32
) -> None:
    """Write a network's state and settings atomically; `dtype` float16 halves the file. Counters stay integers.

    Raises InputError for numbers that `dtype` cannot hold: the file could not be read again.
    """
    tensors = {
        k: v.detach().to("cpu", dtype if v.is_floating_point() else v.dtype).contiguous() for k, v in state.items()
    }
    for name, tensor in state.items():
        if tensor.isfinite().all() and not tensors[name].isfinite().all():
            largest = f"{tensor.abs().max():.3g}"
            raise InputError(
                f"{path}: {name} goes up to {largest}, beyond {torch.finfo(dtype).max:.0f}, the largest number in half "
                "precision; keep these weights as they are"
            )
    write_bytes(path, save(tensors, metadata={"network": json.dumps(settings)}))


def find_weights(name_or_path: str | Path) -> Path:
    """A path as given, or the shipped weights of that name. Raises MissingFileError; InputError if unreadable."""
    if not isinstance(name_or_path, str | os.PathLike):
        raise InputError(f"weights are {name_or_path!r:.60}; give a name, such as anny-body, or the path of a file")
    path = Path(name_or_path)
    if path.is_file():
        if not os.access(path, os.R_OK):
            raise InputError(f"{path} may not be read; change its permissions")
        return path
    if path.suffix or path.parent != Path():
        raise MissingFileError(f"no weights at {path}; shipped ones are named without a suffix, such as anny-body")
    try:
        return paths.asset(f"weights/{name_or_path}.safetensors")
    except MissingFileError as error:
        folder = paths.asset("weights/anny-body.safetensors").parent
        shipped = sorted(file.stem for file in folder.glob("*.safetensors"))
        raise MissingFileError(
            f"no weights named {str(name_or_path)!r} ship with this version; there are: {', '.join(shipped)}. "
            "Give one of them or the path of a file"
        ) from error


def read_weights(name_or_path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """(tensors, floating-point ones as float32, network settings). Raises MissingFileError, FormatError."""
    path = find_weights(name_or_path)
    try:
        with safe_open(path, framework="pt") as file:
            settings = dict(json.loads((file.metadata() or {})["network"]))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        remedy = "fetch or train them again"
        if path.name.endswith((".pth.tar", ".ckpt")):
            remedy = f"convert it: pose2mesh convert-checkpoint {path} --kind ... -o OUT.safetensors"
        raise FormatError(f"{path} does not hold weights of this package ({error}); {remedy}") from error
    tensors = {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.sum().isfinite():
            raise FormatError(f"{path}: {key} holds numbers that are not finite; fetch or train these weights again")
    return tensors, settings


def load_network(name_or_path: str | Path = "anny-body", device: str | torch.device = "cpu") -> BodyNetwork:
    """The network of a weights file on `device`, frozen (`ops.freeze`): `requires_grad_(True)` before training it.

    Raises MissingFileError, FormatError, and InputError for PoseNet alone, which gives no mesh.
    """
    network = load_network_or_lifter(name_or_path, device)
    if not abilities_of(network).gives_mesh:
        raise InputError(
            f"{name_or_path} holds PoseNet alone, which gives no mesh; convert the checkpoint of both stages (PoseNet "
            "alone can be measured with `pose2mesh test` on a dataset, and training can start from it: initial=FILE)"
        )
    return network  # pyright: ignore[reportReturnType]


def load_network_or_lifter(name_or_path: str | Path, device: str | torch.device) -> BodyNetwork | ClassicLifter:
    """The same, PoseNet alone included."""
    tensors, settings = read_weights(name_or_path)

    def make() -> BodyNetwork | ClassicLifter:
        if settings["kind"] in _WITHOUT_KEYPOINTS:
            raise InputError(f"{name_or_path} holds {_WITHOUT_KEYPOINTS[settings['kind']]}")
        is_official = settings["kind"] in (official.KIND, official.POSENET_KIND)
        return official.build_official(tensors, settings) if is_official else build_network(settings)

    network = fill(make, tensors, name_or_path)
    freeze(network.to(device))
    return network


def fill(make: Callable[[], AnyNetwork], tensors: dict[str, torch.Tensor], source: str | Path) -> AnyNetwork:
    """A network of the settings in a weights file, with the tensors in it. Raises FormatError where they do not fit,
    InputError where torch's default is not float32: what is made anew and not in the file would keep that.
    """
    if (dtype := torch.get_default_dtype()) != torch.float32:
        raise InputError(f"torch's default is {dtype}, networks have float32; torch.set_default_dtype(torch.float32)")
    try:
        with _no_larger_than(tensors), torch.random.fork_rng(devices=[]), _Undrawn():  # the caller's stream stays
            network = make()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, MemoryError) as error:
        raise FormatError(f"weights {source} carry settings that this package did not write: {error!r}") from error
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise FormatError(f"weights {source} do not fit their own settings: {first}") from error
    return network.eval()


class _Undrawn(TorchFunctionMode):
    """Fresh weights stay as the memory is, for those of the file replace them all: drawing takes a twentieth second."""

    _DRAWS = (torch.Tensor.uniform_, torch.Tensor.normal_)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in self._DRAWS else func(*args, **(kwargs or {}))


@contextmanager
def _no_larger_than(tensors: dict[str, torch.Tensor]) -> Iterator[None]:
    """Networks built inside hold about as many numbers as the file; settings of a few bytes may ask for any size.

    Raises ValueError at the first parameter beyond it, before memory is filled.
    """
    left = {"parameters": 2 * len(tensors) + 100, "numbers": 2 * sum(t.numel() for t in tensors.values()) + 10**6}
    builder = get_ident()

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is None or get_ident() != builder:
            return
        left["parameters"] -= 1
        left["numbers"] -= parameter.numel()
        if min(left.values()) < 0:
            raise ValueError(f"they ask for a far larger network than the {len(tensors)} tensors that are there")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
