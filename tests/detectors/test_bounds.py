"""A keypoint file under 1 MB is read or refused within 5 s of the processor and 1 GB of memory."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

ENTRY = {"image_id": 1, "keypoints": [1.5, 2.5, 1] * 17}
TEXTS = {
    "deep lists": "[" * 500_000,
    "deep objects": '{"people":' * 90_000,
    "closed deep lists": "[" * 900 + "]" * 900,
    "many empty lists": "[" + "[]," * 330_000 + "[]]",
    "many empty people": '{"people": [' + "{}," * 330_000 + "{}]}",
    "a million digits": '[{"image_id": 1, "keypoints": [' + "9" * 990_000 + "]}]",
    "many short numbers": '[{"image_id": 1, "keypoints": [' + "1," * 490_000 + "1]}]",
    "many pictures": json.dumps([{**ENTRY, "image_id": i} for i in range(3900)]),
    "many people": json.dumps([ENTRY] * 3900),
    "one name each": json.dumps({"annotations": [], "categories": [{"id": 1, "keypoints": ["a"]}] * 20_000}),
    "long names": json.dumps([[{"x": 1, "y": 2, "name": "n" * 900_000}]]),
    "one point for all": '{"bodies": [{"joints": [' + "0,0,0," * 150_000 + "0,0,0]}]}",
}
RUN = """
import sys, time
from pathlib import Path
from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.errors import InputError
for path in sys.argv[1:]:
    start = time.process_time()
    try:
        read_keypoints(path)
    except InputError as error:
        assert len(str(error)) < 1000, (path, len(str(error)))
    seconds = time.process_time() - start
    assert seconds < 5, (path, seconds)
    # GB, the largest so far; getrusage would count the process that this one was started by
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    memory = int(peak.split()[1]) / 1e6
    assert memory < 1, (path, memory)
"""
# What an NPZ file holds: type, shape and name of an array of zeros.
BOMBS = [
    ("f8", (20_000_000 // 51, 17, 3), "keypoints"),
    ("i1", (250_000_000 // 51, 17, 3), "keypoints"),
    ("i1", (10_000_000 // 51, 1, 17, 3), "keypoints"),
    ("U1", (30_000_000,), "handedness"),
    ("f8", (20_000_000,), "other"),
]


def write_bomb(path: Path, dtype: str, shape: tuple[int, ...], key: str) -> None:
    """An NPZ file of good keypoints with one array of zeros, never in memory."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {"keypoints": np.ones((17, 3)), key: np.broadcast_to(np.zeros((), dtype), shape)}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                kind = np.lib.format.dtype_to_descr(array.dtype)
                header = {"descr": kind, "fortran_order": False, "shape": array.shape}
                np.lib.format.write_array_header_1_0(stream, header)
                left = array.nbytes
                while left:
                    left -= stream.write(bytes(min(left, 1 << 22)))


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")
def test_time_and_memory(tmp_path):
    paths = [tmp_path / f"{i}.json" for i in range(len(TEXTS))] + [tmp_path / f"{i}.npz" for i in range(len(BOMBS))]
    for path, text in zip(paths, TEXTS.values(), strict=False):
        path.write_text(text)
    for path, bomb in zip(paths[len(TEXTS) :], BOMBS, strict=True):
        write_bomb(path, *bomb)
    assert max(path.stat().st_size for path in paths) < 1_000_000
    done = subprocess.run([sys.executable, "-c", RUN, *map(str, paths)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
