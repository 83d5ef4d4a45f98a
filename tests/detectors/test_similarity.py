"""Object keypoint similarity against COCO's formula written out joint by joint."""

import math

import numpy as np

from pose2mesh.detectors.similarity import LEAST, extent, similarity, suppressed, to_coco
from pose2mesh.skeletons import COCO17, MEDIAPIPE33

# COCO's published widths (k_i = 2 sigma_i), by joint.
SIGMAS = {"nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062}
SIGMAS |= {"hip": 0.107, "knee": 0.087, "ankle": 0.089}


def _poses(count, seed):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(0, 100, (count, 17, 2)), rng.uniform(0, 1, (count, 17, 1))], -1)


def _area(pose):
    width, height = (max(pose[:, k]) - min(pose[:, k]) for k in (0, 1))
    return 0.53 * max(width * height, max(width, height) ** 2 / 4) + 1


def _dense(a, b):
    area, total, weights = max(_area(a), _area(b)), 0.0, 0.0
    for j, name in enumerate(COCO17.joints):
        k = 2 * SIGMAS[name.split("_")[-1]]
        distance = math.dist(a[j, :2], b[j, :2])
        weight = max(min(a[j, 2], b[j, 2]), LEAST)
        total += weight * math.exp(-(distance**2) / (2 * area * k**2))
        weights += weight
    return total / weights


def test_similarity_is_the_dense_formula():
    a, b = _poses(3, 0), _poses(4, 1)
    b[0] = a[1] + [2, -1, 0]
    expected = [[_dense(p, q) for q in b] for p in a]
    np.testing.assert_allclose(similarity(a, b), expected, rtol=1e-9)
    np.testing.assert_allclose(np.diag(similarity(a, a)), 1)


def test_suppression_keeps_the_best_of_each_person():
    person, other = _poses(2, 2)
    other[:, :2] += 500
    finds = np.zeros((4, 18, 3))
    step = np.array([1, 1, 0])
    finds[:, :17] = np.stack([person, person + step, other, other - step])
    finds[:, 17, 2] = 0.5, 0.9, 0.3, 0.2
    kept = suppressed(finds, 0.5)
    np.testing.assert_array_equal(kept, finds[[1, 2]])
    assert suppressed(finds[:0], 0.5).shape == (0, 18, 3)


def test_extent_counts_seen_joints_only():
    pose = np.array([[0, 0, 1], [30, 40, 1], [900, 900, 0]], float)
    assert extent(pose) == 40
    assert extent(pose[:1]) == 0


def test_to_coco_takes_joints_by_name():
    joints = np.arange(33 * 3, dtype=float).reshape(33, 3)
    for i, name in enumerate(COCO17.joints):
        np.testing.assert_array_equal(to_coco(joints)[i], joints[MEDIAPIPE33.index(name)])
