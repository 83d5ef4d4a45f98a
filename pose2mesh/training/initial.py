"""Start a network from the weights of another."""

from typing import Any

import torch
from torch import Tensor, nn

from pose2mesh.checkpoints import official, read_weights
from pose2mesh.checkpoints.build import DIGEST
from pose2mesh.errors import InputError
from pose2mesh.hierarchy import load_hierarchy

_SHOWN = 4  # names of a list that a notice spells out


def load_initial(network: nn.Module, settings: dict[str, Any], name_or_path: str, part: str = "all") -> str:
    """Take every tensor of the same name and shape in `part`, at least the lifter's; returns what was left out.

    `settings` are the network's. Raises InputError where the lifter does not fit or knows other joints, or where graph
    layers would come to lie on other graphs than they were trained on.
    """
    tensors, theirs = read_weights(name_or_path)
    known = {"joint_set": theirs.get("joints"), **theirs}  # published weights say `joints`
    for name in ("joint_set", "output_set"):
        found, wanted = known.get(name), settings.get(name)
        if found and wanted and found != wanted:
            raise InputError(
                f"initial: {name_or_path} was trained with {name} {found}, this network has {wanted}; start from "
                f"others, or set network.{name}={found}"
            )
    own = network.state_dict()
    wanted = {k for k in own if part == "all" or "lifter." in k or (part == "lifting" and "mesh_head.base." in k)}
    fitting = {k: v for k, v in tensors.items() if k in wanted and own[k].shape == v.shape}
    if not fitting.keys() >= {key for key in own if "lifter." in key}:
        raise InputError(f"initial: the lifter of {name_or_path} does not fit this network")
    is_beyond_lifter = any("lifter." not in key for key in fitting)
    if is_beyond_lifter and part != "lifting" and _has_other_graphs(tensors, theirs, settings):
        raise InputError(
            f"initial: the graph layers of {name_or_path} were trained on other graphs than "
            f"{settings['mesh']['hierarchy']}; take its lifter alone, initial_part=lifter, or build the same graphs "
            "(published weights: `pose2mesh build-graphs` with --order legacy)"
        )
    network.load_state_dict({**own, **fitting})
    left = sorted(wanted - fitting.keys())
    return _notice(name_or_path, left, len(wanted)) if left else ""


def _has_other_graphs(tensors: dict[str, Tensor], theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether it is known that the graphs differ: of published weights the graph is there, of others its digest."""
    if theirs.get("kind") == official.KIND:
        inverse = torch.as_tensor(load_hierarchy(ours["mesh"]["hierarchy"]).inverse)
        return not torch.equal(tensors["graph.inverse"].long(), inverse.long())
    digests = theirs.get(DIGEST), ours.get(DIGEST)
    return None not in digests and digests[0] != digests[1]


def _notice(name: str, left: list[str], count: int) -> str:
    shown = ", ".join(left[:_SHOWN]) + (" ..." if len(left) > _SHOWN else "")
    return f"initial: {len(left)} of {count} tensors are not in {name}, or of another shape, and start afresh: {shown}"
