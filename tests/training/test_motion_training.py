"""A network over time learns by the one run loop: it is written, goes on bit for bit, and beats what it starts from."""

import json

import pytest
import torch
from tiny_pack import write_pack

from pose2mesh.checkpoints import read_weights
from pose2mesh.checkpoints.temporal import load_temporal
from pose2mesh.errors import InputError
from pose2mesh.training.motion import MotionConfig, MotionTraining
from pose2mesh.training.run_loop import run_task


def config(folder, **changes) -> MotionConfig:
    pack = write_pack(folder.parent / "p.npz", {"01_01": 30, "02_01": 20})
    settings = {
        "task": "motion", "motion": (str(pack),), "validation": str(pack), "output": str(folder), "width": 16,
        "layers": 1, "length": 8, "chunk": 8, "passes": 2, "batch_size": 4, "steps": 8, "warmup": 2,
        "validate_every": 8, "device": "cpu",
    }  # fmt: skip
    return MotionConfig(**{**settings, **changes})


def test_a_run_is_written_and_goes_on_bit_for_bit(tmp_path):
    whole = run_task(MotionTraining, config(tmp_path / "whole"))
    network = load_temporal(whole)
    assert not network.training and sum(p.numel() for p in network.parameters()) < 200_000
    lines = [json.loads(line) for line in (tmp_path / "whole" / "validation.jsonl").read_text().splitlines()]
    assert {key for line in lines for key in line} >= {"centered_noisy_accel", "causal_clean_pa_mpjpe"}
    with pytest.raises(Exception, match="saved at step"):
        run_task(MotionTraining, config(tmp_path / "parts", minutes=1e-6))
    resumed = run_task(MotionTraining, config(tmp_path / "parts"), resume=True)
    first, second = read_weights(whole)[0], read_weights(resumed)[0]
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_weights_without_deviations_are_refused(tmp_path):
    with pytest.raises(InputError, match="heads"):
        run_task(MotionTraining, config(tmp_path / "run", weights="anny-key2mesh"))


@pytest.mark.parametrize("name", ["anny-body", "anny-motion"])
def test_initial_weights_of_another_network_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=f"initial: {name} does not fit; give weights .* width=16 and layers=1"):
        run_task(MotionTraining, config(tmp_path / "run", initial=name))


def test_a_chunk_that_is_smaller_than_a_batch_is_refused(tmp_path):
    with pytest.raises(ValueError, match="chunk: 8 sequences make no batch of 16"):
        config(tmp_path / "run", batch_size=16)
