"""The numbers in names of frames, by which pictures and keypoints have their places in time."""

import re
from collections.abc import Sequence
from itertools import pairwise

FEWEST_FRAMES = 10  # numbered pictures that are a motion; fewer are photos
_MOST_GAPS = 0.2  # share of steps; with more, pictures are photos of which somebody kept some
_NUMBERED = re.compile(r"(.*?)(\d{1,18})")


def numbers_in(names: Sequence[str]) -> list[int]:
    """The numbers at the ends of names that differ in nothing else; none where they do, or one stands twice."""
    found = [match for name in names if (match := _NUMBERED.fullmatch(name))]
    numbers = [int(match[2]) for match in found]
    alike = len(found) == len(names) and len({match[1] for match in found}) == 1
    return numbers if alike and len(set(numbers)) == len(numbers) else []


def even_step(numbers: Sequence[int]) -> int:
    """By how much numbers rise, put in order; 0 where they rise unevenly, or are fewer than `FEWEST_FRAMES`."""
    steps = {after - before for before, after in pairwise(sorted(numbers))}
    return steps.pop() if len(steps) == 1 and len(numbers) >= FEWEST_FRAMES else 0


def first_gap(numbers: Sequence[int]) -> int | None:
    """The first number that is missing where numbers rise evenly but for a few; None where they do without, or not."""
    ordered = sorted(numbers)
    steps = [after - before for before, after in pairwise(ordered)]
    step = min(steps, default=1)
    before = [number for number, wide in zip(ordered, steps, strict=False) if wide > step]
    is_even = len(numbers) >= FEWEST_FRAMES and not any(wide % step for wide in steps)
    return before[0] + step if is_even and 0 < len(before) <= _MOST_GAPS * len(steps) else None
