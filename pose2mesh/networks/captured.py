"""A network as one CUDA graph for each shape of its input: at small batches most of the time goes into launches.

Never run on a GPU so far: tests replay a stand-in for the graph.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor, nn

from pose2mesh.errors import warn
from pose2mesh.networks.prediction import Prediction
from pose2mesh.ops import requested_backend

Replay = Callable[[Tensor], Prediction]
_WARM_UP_RUNS = 3  # before the capture: kernels are compiled, libraries take their memory


class CapturedNetwork:
    """Calls a network by replaying a CUDA graph, captured at the first input of each shape.

    Where a graph is of no use or impossible the network is called as it is: on the CPU, with gradients, in training,
    for more than `largest_batch` samples, and for good if a capture has failed, which is said once. The graph reads the
    parameters where they lay when it was captured: changing them in place is seen, after replacing or moving them call
    `reset`. Inference only, one stream at a time.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        largest_batch: int = 16,
        most_graphs: int = 8,
        capture: Callable[[nn.Module, Tensor], Replay] | None = None,
    ):
        """The graphs that were used least recently are dropped beyond `most_graphs`; `capture` makes them."""
        self.network, self.largest_batch, self.most_graphs = network, largest_batch, most_graphs
        self._capture = capture or capture_cuda_graph
        self._replays: OrderedDict[Hashable, Replay] = OrderedDict()
        self._is_possible = True

    def __call__(self, keypoints: Tensor) -> Prediction:
        """The network's result for keypoints [B, J, 3], in tensors of its own."""
        replay = self._find(keypoints) if self._is_eligible(keypoints) else None
        return self.network(keypoints) if replay is None else replay(keypoints)

    def reset(self) -> None:
        """Forget all graphs; to be called when parameters were replaced or moved."""
        self._replays.clear()
        self._is_possible = True

    def _is_eligible(self, keypoints: Tensor) -> bool:
        return (
            self._is_possible
            and self._is_on_device(keypoints)
            and 0 < len(keypoints) <= self.largest_batch
            and not torch.is_grad_enabled()
            and not self.network.training
        )

    @staticmethod
    def _is_on_device(keypoints: Tensor) -> bool:
        return keypoints.is_cuda and not torch.cuda.is_current_stream_capturing()

    def _find(self, keypoints: Tensor) -> Replay | None:
        key = _key(keypoints)
        if key not in self._replays:
            try:
                self._replays[key] = self._capture(self.network, keypoints)
            except RuntimeError as error:
                self._is_possible = False
                warn(f"no CUDA graph, the network runs without: {str(error).splitlines()[0]}")
                return None
            if len(self._replays) > self.most_graphs:
                self._replays.popitem(last=False)
        self._replays.move_to_end(key)
        return self._replays[key]


def _key(x: Tensor) -> tuple[Any, ...]:
    """What a graph depends on beside the numbers in its input."""
    autocast = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
    return x.shape, x.dtype, x.device, autocast, torch.backends.cuda.matmul.allow_tf32, requested_backend()


def capture_cuda_graph(network: nn.Module, example: Tensor) -> Replay:
    """Capture one pass of a network without gradient. Raises RuntimeError when something in it cannot be captured."""
    dtype, is_autocast = torch.get_autocast_dtype("cuda"), torch.is_autocast_enabled("cuda")
    # Autocast's copies of the weights live shorter than the graph: without its cache the graph makes its own.
    autocast = torch.autocast("cuda", dtype=dtype, enabled=is_autocast, cache_enabled=False)
    with torch.cuda.device(example.device), autocast:
        with torch.inference_mode(False):  # it is written to in every mode
            static = example.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # as torch asks for: the first runs on another stream
            for _ in range(_WARM_UP_RUNS):
                network(static)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = network(static)

    def replay(keypoints: Tensor) -> Prediction:
        static.copy_(keypoints)
        graph.replay()
        return copied(result)

    return replay


def copied(result: Any) -> Any:
    """A prediction in tensors of its own, parameters of a body included."""
    return result.clone() if isinstance(result, Tensor) else type(result)(*map(copied, result))
