"""Gradients that have no gradient themselves."""

import functools
from collections.abc import Callable
from typing import Any

import torch

from pose2mesh.errors import InputError


def first_derivative_only(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of an autograd.Function's `backward`: refuses `create_graph=True`.

    Torch's own `once_differentiable` refuses only where the incoming gradient wants one; elsewhere a penalty on
    gradients would be dropped without a word. Raises InputError.
    """

    @functools.wraps(backward)
    def checked(ctx: Any, *grads: Any) -> Any:
        if torch.is_grad_enabled():
            raise InputError(
                "the fast graph layers have no second derivative; for gradients of gradients take the reference "
                "(`with pose2mesh.ops.use_backend('reference')`, or POSE2MESH_BACKEND=reference)"
            )
        return backward(ctx, *grads)

    return checked
