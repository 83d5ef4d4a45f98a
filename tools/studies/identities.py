"""How well numbers of people over time agree with who they are."""

from collections import Counter

import numpy as np
from scipy.optimize import linear_sum_assignment


def identity_f1(truth: np.ndarray, found: np.ndarray) -> float:
    """IDF1 in [0, 1] (Ristani et al., ECCVW 2016): the F-score under the best one-to-one match of numbers over a video.

    Shapes: truth, found [N] numbers of the same finds; -1 in `truth` for a find that is nobody, in `found` for a person
    who was missed.
    """
    people, numbers = (np.unique(values[values >= 0]) for values in (truth, found))
    together = np.array([[((truth == p) & (found == n)).sum() for n in numbers] for p in people])
    together = together.reshape(len(people), len(numbers))
    rows, columns = linear_sum_assignment(-together)
    agreed = together[rows, columns].sum()
    return float(2 * agreed / max((truth >= 0).sum() + (found >= 0).sum(), 1))


def identity_switches(truth: np.ndarray, found: np.ndarray) -> int:
    """How often a person's number changes from one find to the next; rows [N] in the order of time."""
    switches: Counter[int] = Counter()
    for person in np.unique(truth[truth >= 0]):
        own = found[(truth == person) & (found >= 0)]
        switches[int(person)] = int((np.diff(own) != 0).sum())
    return switches.total()
