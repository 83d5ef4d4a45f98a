"""A few samples at a time: on the CPU the activations of a large batch fit no cache and cost fresh memory."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from pose2mesh.ops.memory import reused_activations

_ROWS = 8192  # about one body of full resolution, or ten hands


def in_micro_batches(module: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor, rows: int) -> Tensor:
    """run(x), in inference on the CPU for a few samples after another; `rows` counts those of a sample's widest layer.

    Only for what treats every sample by itself, and whose result is not that of a graph layer: layers take turns in the
    same memory (`reused_activations`). Where hooks watch `module`, which runs, all samples go at once through memory of
    their own, so that hooks see and may keep what layers return. Shapes: x [B, ...]; returns [B, ...].
    """
    is_plain = torch.is_grad_enabled() or x.device.type != "cpu" or torch.compiler.is_compiling()
    if is_plain or _is_watched(module):
        return run(x)
    count = max(1, _ROWS // rows)
    with reused_activations():
        if x.shape[0] <= count:
            return run(x)
        first = run(x[:count])
        out = first.new_empty(x.shape[0], *first.shape[1:])
        out[:count] = first
        for start in range(count, x.shape[0], count):
            out[start : start + count] = run(x[start : start + count])
    return out


def _is_watched(module: nn.Module) -> bool:
    """Whether a forward hook of the module, of a part of it, or of all modules is registered."""
    if torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks:
        return True
    return any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
