"""Datasets that plug-ins read are held to the rules that they were registered with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_paper_configs import config_of

from pose2mesh import plugins
from pose2mesh.datasets.annotated import read_samples
from pose2mesh.datasets.sample import Dataset, Joints2D, Sample
from pose2mesh.errors import InputError
from pose2mesh.training import annotated_data
from pose2mesh.training.config import TrainConfig


def material(monkeypatch: pytest.MonkeyPatch, folder: Path, rule: dict, **changes):
    """COCO's people, changed, as a dataset of somebody else, who gives them another name."""

    def read(source: Path, split: str) -> Iterator[Sample]:
        for sample in read_samples("coco", source, split):
            yield replace(sample, dataset="amass", **changes)

    monkeypatch.setitem(plugins._registered["dataset"], "mine", Dataset(read, splits=("train",), **rule))
    monkeypatch.delitem(plugins._loaded, ("dataset", "mine"), raising=False)
    content = config_of("human36m_coco", f"output={folder}").model_dump()
    content["data"]["sources"] = [{"dataset": "mine", "folder": "data/COCO", "split": "train"}]
    return annotated_data.load_material(TrainConfig.model_validate(content))


def far(joint_set: str, joints: int) -> Joints2D:
    return Joints2D(joint_set, np.full((joints, 3), 5000, np.float32))


def test_limits_in_the_picture_are_those_of_any_dataset(here: Path, tmp_path: Path, monkeypatch) -> None:
    assert material(monkeypatch, tmp_path, {"largest_misfit_px": 1e3}).fits == {"mine": 1.0}
    assert material(monkeypatch, tmp_path, {}, labels=far("coco17", 17)).fits == {}
    with pytest.raises(InputError, match=r"fitted bodies of mine .* none comes within 3 px"):
        material(monkeypatch, tmp_path, {"largest_misfit_px": 3.0}, labels=far("coco17", 17))


def test_fits_cannot_be_judged_in_another_joint_set(here: Path, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(InputError, match="fits of mine are judged in coco17, but its joints are halpe26"):
        material(monkeypatch, tmp_path, {"largest_misfit_px": 3.0}, labels=far("halpe26", 26))
