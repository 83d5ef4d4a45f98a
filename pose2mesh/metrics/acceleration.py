"""How much a recovered motion jitters: the error of its acceleration (Kanazawa et al. 2019, HMMR)."""

from torch import Tensor


def acceleration_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean distance between the second differences of predicted and true joints, per inner frame.

    In metres per squared frame interval; many papers print mm/s² beside such numbers, which they are not.

    Shapes: predicted and target [T, J, 3] m, consecutive frames; returns [T - 2], of frames 1 to T - 2.
    """
    return (_second_difference(predicted) - _second_difference(target)).norm(dim=-1).mean(-1)


def _second_difference(points: Tensor) -> Tensor:
    return points[:-2] - 2 * points[1:-1] + points[2:]
