"""Files of every format, damaged at random: they are read, or refused in one line; nothing else comes out.

By hand, with another seed and number: `python tests/detectors/test_fuzz.py SEED COUNT`.
"""

import copy
import io
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from test_formats import COCO, FRACTIONS, JSON, SIZE

from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.errors import InputError

ODD = (
    *(None, True, "", "nose", [], {}, [[]], [{}], {"x": 1}, -1, 0, 0.5, 2, 1e308, -1e308, 10**30, 1e-320, "é" * 400),
    *([None] * 51, [0] * 51, [[1, 2, 3]] * 17, {"keypoints": [1, 2, 3]}, [[[[[[1]]]]]], "\x00", "a\nb"),
)
NUMBERS = (-1, 0, 0.5, 1, 2, 640.5, 1e6, 1e308, -1e308, 10**30, 1e-320, -1e-320)
KEYS = ("keypoints", "people", "instances", "annotations", "image_id", "landmarks", "bodies")
JOINT_SETS = (None, None, None, None, None, None, "coco17", "hand21", "body_hands59", "openpose25", "lsp")


def array_bytes(suffix: str) -> bytes:
    stream = io.BytesIO()
    np.save(stream, COCO) if suffix == ".npy" else np.savez_compressed(
        stream, keypoints=COCO, handedness=["left", "right"]
    )
    return stream.getvalue()


LABELS = "\n".join(f"0 .5 .5 .2 .2 {' '.join(map(str, p.ravel()))}" for p in FRACTIONS).encode()
FILES = [(".json", json.dumps(content).encode()) for content, _ in JSON.values()]
FILES += [(".npy", array_bytes(".npy")), (".npz", array_bytes(".npz")), (".txt", LABELS)]


def places(value, path=()):
    """The paths of all values inside a JSON value, its own included."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def edited(content, draw: random.Random):
    """The JSON value with a few of its parts replaced, taken out, or put in twice."""
    content = copy.deepcopy(content)
    for _ in range(draw.randint(1, 2)):
        *inside, last = draw.choice([place for place in places(content) if place] or [()]) or (None,)
        if last is None:
            return copy.deepcopy(draw.choice(ODD))
        parent = content
        for key in inside:
            parent = parent[key]
        kind = draw.random()
        if isinstance(parent[last], float) and kind < 0.9:
            parent[last] = draw.choice(NUMBERS)
        elif kind < 0.6:
            parent[last] = copy.deepcopy(draw.choice(ODD))
        elif kind < 0.8:
            del parent[last]
        elif isinstance(parent, list):
            parent.insert(last, copy.deepcopy(parent[last]))
        else:
            parent[draw.choice(KEYS)] = copy.deepcopy(parent[last])
    return content


def damaged(content: bytes, draw: random.Random) -> bytes:
    """The bytes cut off, with some overwritten, taken out or repeated."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(data)) if data else 0
        kind = draw.random()
        if kind < 0.6 and data:
            data[at] = draw.randrange(256)
        elif kind < 0.75:
            del data[at : at + draw.randint(1, 30)]
        elif kind < 0.9:
            data[at:at] = data[at : at + draw.randint(1, 30)]
        else:
            del data[at:]
    return bytes(data)


def fuzz(folder: Path, seed: int, count: int) -> Counter:
    """How many of the files were read and how many refused; raises what else comes out."""
    ends = Counter()
    contents = [content for content, _ in JSON.values()]
    for i in range(count):
        draw = random.Random(f"{seed}-{i}")
        if draw.random() < 0.5:
            suffix, data = ".json", json.dumps(edited(draw.choice(contents), draw)).encode()
        else:
            suffix, data = draw.choice(FILES)
            data = damaged(data, draw)
        path = folder / f"f{suffix}"
        path.write_bytes(data)
        try:
            frames = read_keypoints(path, draw.choice(JOINT_SETS), draw.choice([None, SIZE, SIZE]))
        except InputError as error:
            assert "\n" not in str(error) and len(str(error)) < 1000, (seed, i, str(error))
            ends["refused"] += 1
            continue
        except BaseException as error:
            raise AssertionError(f"seed {seed}, file {i}: {error!r}") from error
        ends["read"] += 1
        for frame in frames:
            found = frame.keypoints
            assert found.points.shape == (*found.confidence.shape, 2), (seed, i)
            assert np.isfinite(found.points).all() and not found.points[found.confidence == 0].any(), (seed, i)
            assert ((found.confidence >= 0) & (found.confidence <= 1)).all(), (seed, i)
    return ends


def test_a_few_hundred_damaged_files(tmp_path):
    ends = fuzz(tmp_path, 0, 600)
    assert min(ends["read"], ends["refused"]) > 50  # both ends are reached


@pytest.mark.slow
def test_twenty_thousand_damaged_files(tmp_path):
    assert fuzz(tmp_path, 1, 20_000).total() == 20_000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(fuzz(Path(name), int(sys.argv[1]), int(sys.argv[2])))
