"""The order in which NumPy sorted equal keys before it used vector instructions.

The published Pose2Mesh weights belong to a vertex order that came out of `numpy.argsort` with thousands of equal keys.
That sort is not stable, and what it does with ties has since changed with NumPy's version and the processor. This is
the algorithm of that time (introsort: Musser 1997), comparing one pair at a time, so the order is the same anywhere.
"""

from collections.abc import Sequence

import numpy as np

_INSERTION_SPAN = 15  # a stretch whose ends are at most this far apart is sorted by insertion


def legacy_argsort(keys: Sequence[float] | np.ndarray) -> np.ndarray:
    """Indices that sort `keys`, ties left exactly as NumPy's scalar quicksort leaves them.

    Quicksort with the median of three as pivot, the larger part put off, insertion sort for short stretches,
    heapsort where the recursion gets deeper than twice the binary logarithm of the length.

    Shapes: keys [N] finite; returns [N] int64.
    """
    values = np.asarray(keys, np.float64).tolist()
    order = list(range(len(values)))
    waiting = [(0, len(values) - 1, 2 * (len(values).bit_length() - 1))]
    while waiting:
        low, high, depth = waiting.pop()
        if depth < 0:
            _heap_sort(values, order, low, high)
            continue
        while high - low > _INSERTION_SPAN:
            middle = _partition(values, order, low, high)
            depth -= 1
            if middle - low < high - middle:
                waiting.append((middle + 1, high, depth))
                high = middle - 1
            else:
                waiting.append((low, middle - 1, depth))
                low = middle + 1
        _insertion_sort(values, order, low, high)
    return np.array(order, np.int64)


def _partition(values: list[float], order: list[int], low: int, high: int) -> int:
    """Part order[low..high] around the median of its first, middle and last key; returns where that one ends up."""
    middle = low + (high - low) // 2
    for small, large in ((low, middle), (middle, high), (low, middle)):
        if values[order[large]] < values[order[small]]:
            order[small], order[large] = order[large], order[small]
    pivot = values[order[middle]]
    left, right = low, high - 1
    order[middle], order[right] = order[right], order[middle]
    while True:
        left += 1
        while values[order[left]] < pivot:
            left += 1
        right -= 1
        while pivot < values[order[right]]:
            right -= 1
        if left >= right:
            break
        order[left], order[right] = order[right], order[left]
    order[left], order[high - 1] = order[high - 1], order[left]
    return left


def _insertion_sort(values: list[float], order: list[int], low: int, high: int) -> None:
    for i in range(low + 1, high + 1):
        moved = order[i]
        slot = i
        while slot > low and values[moved] < values[order[slot - 1]]:
            order[slot] = order[slot - 1]
            slot -= 1
        order[slot] = moved


def _heap_sort(values: list[float], order: list[int], low: int, high: int) -> None:
    heap = order[low : high + 1]
    for root in range(len(heap) // 2 - 1, -1, -1):
        _sift_down(values, heap, root, len(heap))
    for end in range(len(heap) - 1, 0, -1):
        heap[0], heap[end] = heap[end], heap[0]
        _sift_down(values, heap, 0, end)
    order[low : high + 1] = heap


def _sift_down(values: list[float], heap: list[int], root: int, size: int) -> None:
    moved = heap[root]
    while (child := 2 * root + 1) < size:
        if child + 1 < size and values[heap[child]] < values[heap[child + 1]]:
            child += 1
        if not values[moved] < values[heap[child]]:
            break
        heap[root] = heap[child]
        root = child
    heap[root] = moved
