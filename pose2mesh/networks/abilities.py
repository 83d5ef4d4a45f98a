"""What a network says of itself, so that nobody has to ask for its class."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Abilities:
    """Of a network in its attribute `abilities`; one without it, such as somebody's own, has these."""

    needs_all_joints: bool = False  # it cannot leave a missing joint out
    gives_mesh: bool = True  # False: it is not called, only `lift`ed with
    body: str = ""  # whose parameters its answers carry, as `load_body_model` takes it; "": nobody's
    fitted_set: str = ""  # joints of answers whose parameters a fit may start from; "": none
    has_decoder: bool = False  # its answers are parameters of the body of its `decoder`
    spares_mesh: bool = False  # `without_mesh` gives its answers without vertices
    asks_for_cameras: bool = False  # `seen_by` gives its answers by focal lengths and principal points [B, 3]
    differentiates: bool = False  # while it runs, so it cannot be exported
    is_uncertain: bool = False  # its answers are UncertainPrediction
    adapted: Literal["", "parameters", "vertices"] = ""  # what its `lifter.features`, which may be adapted, lead to


def abilities_of(network: Any) -> Abilities:
    """What a network can do."""
    return getattr(network, "abilities", Abilities())
