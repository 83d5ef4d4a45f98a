"""What a run would ignore is refused: a table must not name what was not there."""

from pathlib import Path

import pytest
from tiny_run import tiny_run

from pose2mesh import plugins
from pose2mesh.adaptation import AdaptConfig
from pose2mesh.errors import InputError
from pose2mesh.settings import load_config
from pose2mesh.training.config import NetworkConfig, TrainConfig
from pose2mesh.training.image_material import ImageTrainConfig
from pose2mesh.training.prior import PriorConfig
from pose2mesh.training.trainer import train

STAGE = {"name": "only", "steps": 1, "batch_size": 2}


@pytest.mark.parametrize(
    ("kind", "ignored"),
    [
        *(("classic", name) for name in ("mesh.conv=gcn", "mesh.kind=direct", "mesh.order=5", "lifter.width=64")),
        *(("classic", name) for name in ("output_set=body32", "parameters.features=published")),
        *(("compact", name) for name in ("classic.width=64", "parameters.features=published", "parameters.steps=3")),
        *(
            ("key2mesh", name)
            for name in ("mesh.order=5", "mesh.channels=[8]", "lifter.heads=true", "classic.width=64")
        ),
        *(("key2mesh", name) for name in ("output_set=body32", "parameters.steps=3", "parameters.dropout=0.5")),
        ("learned_descent", "parameters.features=published"),
    ],
)
def test_of_networks(kind: str, ignored: str) -> None:
    with pytest.raises(InputError, match=rf"{ignored.partition('=')[0]}(\.0)?: (kind={kind}|features=residual) ha"):
        load_config(NetworkConfig, None, [f"kind={kind}", ignored])


def test_networks_of_others_read_what_they_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plugins._registered["network"], "mine", lambda settings, body: None)
    changes = ["kind=mine", "mesh.order=5", "classic.width=64", "parameters.steps=3"]
    assert load_config(NetworkConfig, None, changes).parameters.steps == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": [{**STAGE, "drop_at": 0.5}]}, "drop_at does nothing"),
        ({"stages": [{**STAGE, "schedule": "decay", "drop_factor": 0.5}]}, "drop_factor does nothing"),
        ({"stages": [{**STAGE, "optimizer": "rmsprop", "weight_decay": 0.1}]}, "weight_decay does nothing"),
        ({"stages": [{**STAGE, "lifting_only": True, "flips": True}]}, "go with data.sources"),
        ({"stages": [{**STAGE, "edges_from": 0.5}]}, "go with data.sources"),
        ({"initial_part": "lifter"}, "there is no initial"),
        ({"data": {"prior_share": 0.5}}, "there is no data.prior"),
        ({"data": {"prior": "pose-prior-body", "motion": "mine.npz"}}, r"data\.motion: data\.prior draws all poses"),
        ({"data": {"prior": "pose-prior-body", "distinct_radians": 0.2}}, "data.distinct_radians: data.prior has none"),
        ({"network": {"mesh": {"conv": "gcn", "order": 7}}}, "mesh.order: conv=gcn has none of it"),
        ({"network": {"mesh": {"conv": "sage", "order": 7}}}, "mesh.order: conv=sage has none of it"),
        ({"data": {"everyday_poses": {"lying": 1}}}, "data.everyday_poses.*: there is no everyday"),
        ({"data": {"everyday_framing": {"side": 1}}}, "data.everyday_framing.*: there is no everyday"),
        *(
            ({"data": {section: [{"share": 1, **share}]}}, f"{unread} does nothing {reason}")
            for section, share, unread, reason in (
                ("cameras", {"photo": {}, "range": {"distance": [1, 2]}}, "range", "beside photo"),
                ("cameras", {"photo": {"close": 0, "close_aim": [0, 0]}}, "close_aim", "with close=0"),
                ("noise", {"detector": {"miss": 0, "miss_range": [0.1, 0.2]}}, "miss_range", "with miss=0"),
            )
        ),
        ({"data": {"framing": {"guess": 0, "guess_error": 0.3}}}, "guess_error does nothing with guess=0"),
        (
            {"data": {"sources": [{"dataset": "pw3d", "folder": "."}], "children": 0.5}},
            "data.children: data.sources have",
        ),
        (
            {"data": {"sources": [{"dataset": "pw3d", "folder": "."}]}, "stages": [{**STAGE, "everyday": 0.5}]},
            "stage only: everyday: data.sources have",
        ),
    ],
)
def test_of_runs(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig.model_validate({"stages": [STAGE], **changes})


@pytest.mark.parametrize(
    "settings",
    [
        ["data.prior=pose-prior-body"],  # the packs, everyday poses and framings are the recipe's own
        ["data.prior=pose-prior-body", "data.prior_share=0.5", "data.motion=mine.npz"],
        ["data.everyday=0"],
        ["data.cameras.2.photo.close=0", "data.noise.0.detector.miss=0"],
        ["data.noise.3.detector.jitter=0"],  # whose kind of jitter the recipe tells
    ],
)
def test_what_stands_in_a_base_is_no_wish(settings: list[str]) -> None:
    assert load_config(TrainConfig, "assets/configs/train_anny_body.yaml", settings)


def test_everyday_poses_of_one_stage_are_read() -> None:
    data = {"everyday_poses": {"lying": 1}}
    assert TrainConfig.model_validate({"stages": [{**STAGE, "everyday": 0.5}], "data": data})


@pytest.mark.parametrize(
    ("network", "data", "message"),
    [
        ({}, {"gestures": ["basic"]}, "data.gestures.0: samples of anny-body are made without"),
        ({}, {"hand_poses": {"count": 9}}, "data.hand_poses.count"),
        ({}, {"exact_input": True}, "data.exact_input"),
        ({}, {"framing": {}, "detectors": [{"share": 1, "joint_set": "hand21"}]}, "framing: .* hand21 has no left_ank"),
        ({"body": "anny-hand", "joint_set": "hand21"}, {"everyday": 0.5}, "data.everyday: samples of anny-hand"),
        *(
            ({"body": "anny-hand", "joint_set": "hand21"}, {"cameras": [{"share": 1, **camera}]}, message)
            for camera, message in (
                ({"range": {"pitch_degrees": 80}}, r"data\.cameras\.0\.range\.pitch_degrees: of cameras hands read"),
                ({"range": {"is_uniform": True}}, r"data\.cameras\.0\.range\.is_uniform: of cameras"),
                ({"photo": {}}, r"data\.cameras\.0\.photo: of cameras"),
                ({"photo": {"distance": [1, 2]}}, r"data\.cameras\.0\.photo\.distance\.0: of cameras"),
            )
        ),
        ({"body": "anny-hand", "joint_set": "hand21"}, {}, "stage mesh: everyday: anny-hand has no such poses"),
    ],
)
def test_of_samples(network: dict, data: dict, message: str, tmp_path: Path) -> None:
    plain = tiny_run(tmp_path, data=data)
    if not data:
        plain["stages"][1]["everyday"] = 0.5
    if network:
        plain["data"] = data  # hands have no recordings
        mesh = {"hierarchy": "anny_hand", "channels": [4, 4], "blocks": [1, 1], "latent": 8}
        plain["network"] = {"kind": "compact", "mesh": mesh, "lifter": {"width": 8, "blocks": 1}, **network}
    with pytest.raises(InputError, match=message):
        train(TrainConfig.model_validate(plain))


@pytest.mark.parametrize(
    ("stage", "loss"),
    [
        (0, {"vertex": 2.0}),  # of a stage that lifts alone
        (1, {"rotation": 1.0}),  # of a network without heads
        (1, {"weigh_limbs": True}),
        (1, {"silent": 0.5}),  # of others, with nothing to compare
    ],
)
def test_of_losses(stage: int, loss: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plugins._registered["loss"], "silent", lambda predicted, true: None)
    plain = tiny_run(tmp_path)
    plain["stages"] = [{**plain["stages"][stage], "loss": loss}]
    with pytest.raises(InputError, match=f"loss.{next(iter(loss))}: this network and stage have nothing"):
        train(TrainConfig.model_validate(plain))


def test_of_losses_on_a_frozen_lifter(tmp_path: Path) -> None:
    plain = tiny_run(tmp_path)
    stage = {**plain["stages"][1], "frozen_lifter": True}
    for joint in (1, 0):  # as by default, and none
        plain["stages"] = [{**stage, "loss": {"joint": joint}}]
        train(TrainConfig.model_validate(plain), overwrite=True)
    plain["stages"] = [{**stage, "loss": {"joint": 0.5}}]
    with pytest.raises(InputError, match=r"loss\.joint: this network and stage have nothing to learn by it"):
        train(TrainConfig.model_validate(plain), overwrite=True)


def test_defaults_that_are_written_out_are_no_wishes(tmp_path: Path) -> None:
    """A recipe that was written by `model_dump`, as that in config.json, is read again."""
    config = TrainConfig.model_validate(tiny_run(tmp_path))
    weights = train(TrainConfig.model_validate(config.model_dump(mode="json")))
    assert weights.is_file()


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (PriorConfig, {"task": "pose_prior", "hands": {"count": 9}}, "hands.count: the prior of anny-body has none"),
        (PriorConfig, {"task": "pose_prior", "poses": {"tumble": 1}}, "poses.tumble: it turns the root"),
        (PriorConfig, {"task": "pose_prior", "body": "anny-hand", "everyday": 0.3}, "everyday: the prior of anny-hand"),
        (
            ImageTrainConfig,
            {"task": "image_backbone", "data": {"framing": {}}},
            "data.framing.*: nothing of it",
        ),
        (ImageTrainConfig, {"task": "image_backbone", "data": {"exact_input": True}}, "data.exact_input: nothing"),
        (AdaptConfig, {"source": {"gestures": ["basic"]}}, "source.gestures.0: nothing of it is read here"),
        (AdaptConfig, {"source": {"prior_share": 0.5}}, "source.prior_share: there is no prior"),
    ],
)
def test_of_other_tasks(kind: type, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind.model_validate(settings)
