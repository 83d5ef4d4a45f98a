"""Recipes that start from shipped weights fit them."""

from pathlib import Path

import pytest

from pose2mesh.checkpoints import build_network
from pose2mesh.errors import MissingFileError
from pose2mesh.settings import load_config
from pose2mesh.settings.base import read_recipe
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.initial import load_initial

ROOT = Path(__file__).parents[2]
FROM_SHIPPED = [
    file
    for file in sorted([*ROOT.glob("assets/configs/train_*.yaml"), *ROOT.glob("tools/studies/train_*.yaml")])
    if str(read_recipe(file).get("initial", "/")).startswith("anny-")
]


@pytest.mark.parametrize("file", FROM_SHIPPED, ids=lambda file: file.stem)
def test_the_shipped_weights_fit_the_recipe(file):
    config = load_config(TrainConfig, file, [])
    settings = config.network.model_dump(mode="json")
    try:
        load_initial(build_network(settings), settings, config.initial, config.initial_part)
    except MissingFileError as error:
        pytest.skip(str(error))


def test_there_are_such_recipes():
    assert FROM_SHIPPED
