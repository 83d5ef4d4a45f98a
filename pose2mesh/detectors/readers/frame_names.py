"""The numbers in names of frames, by which pictures and keypoints have their places in time."""

import re
from collections.abc import Sequence
from itertools import pairwise

FEWEST_FRAMES = 10  # numbered pictures that are a motion; fewer are photos
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
