"""Registries: what is registered is found by name, what cannot be used is refused in one clear line."""

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest
import torch

from pose2mesh import plugins
from pose2mesh.cli.doctor import examine
from pose2mesh.detectors import get_detector
from pose2mesh.errors import InputError
from pose2mesh.losses.terms import Compared, LossConfig, weigh
from pose2mesh.settings import load_config
from pose2mesh.skeletons import JointSet, joint_set, joint_sets
from pose2mesh.training.config import TrainConfig

ONE_BONE = JointSet("two2", ("head", "tail"), (("head", "tail"),), root="head")


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch):
    """Changes of the registries last for one test."""
    for kind in plugins.KINDS:
        plugins.names(kind)  # the package's own are there to stay
    monkeypatch.setattr(plugins, "_registered", {kind: dict(of) for kind, of in plugins._registered.items()})
    monkeypatch.setattr(plugins, "_loaded", dict(plugins._loaded))


def declare(monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    """Entry points as an installed package has them; `__` stands for the dot."""
    made = tuple(EntryPoint(name.replace("__", "."), place, plugins.GROUP) for name, place in entries.items())
    monkeypatch.setattr(plugins, "_entries", lambda: made)


def doubled(predicted, true):
    return 2 * (predicted.vertices - true.vertices).abs().mean()


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_the_package_s_own_are_registered_and_have_what_they_need(kind: str):
    found = [plugins.find(kind, name) for name in plugins.names(kind)]
    assert len(found) >= 3  # each was loaded and checked


def test_what_is_registered_is_found():
    plugins.register("joint_set", "two2", ONE_BONE)
    assert joint_set("two2") is ONE_BONE and joint_sets()[-1] is ONE_BONE
    assert plugins.names("joint_set")[-1] == "two2"


def test_a_reference_is_loaded_when_it_is_used():
    plugins.register("loss", "doubled", f"{__name__}:doubled")
    assert plugins.find("loss", "doubled") is doubled


def test_a_loss_has_its_weight_beside_the_others():
    plugins.register("loss", "doubled", doubled)
    weights = LossConfig.model_validate({"vertex": 2, "doubled": 0.5})
    assert weights.terms["doubled"] == 0.5 and weights.added == {"doubled": 0.5}
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        LossConfig.model_validate({"doubled": -1})


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "network.mesh.conv=chebishev",
            r"mesh\.conv.*unknown convolution 'chebishev'; did you mean chebyshev",
        ),
        ("network.kind=compct", r"unknown network 'compct'; did you mean compact"),
        ("stages.0.loss.vertx=1", r"unknown loss 'vertx'; did you mean vertex"),
        ("data.sources=[{dataset: cocoo, folder: x}]", r"unknown dataset 'cocoo'; did you mean coco"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(setting: str, message: str):
    stage = "stages=[{name: a, steps: 1, loss: {vertex: 1}}]"
    with pytest.raises(InputError, match=message):
        load_config(TrainConfig, None, [stage, setting])


def test_an_unknown_detector_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"unknown detector 'blazepos'; did you mean blazepose.* known: .*rtmlib"):
        get_detector("blazepos")


def test_unknown_kinds():
    with pytest.raises(InputError, match="unknown kind 'convolutions' of plug-ins; did you mean convolution"):
        plugins.register("convolutions", "mine", doubled)


def test_a_name_that_is_taken():
    with pytest.raises(InputError, match=r"loss 'vertex' is taken already, by pose2mesh\.losses\.terms:.*test_plugins"):
        plugins.register("loss", "vertex", doubled)
    plugins.register("loss", "doubled", doubled)
    with pytest.raises(InputError, match="choose another name"):
        plugins.register("loss", "doubled", doubled)


def test_a_thing_that_lacks_something():
    with pytest.raises(InputError, match=r"convolution 'mine' .*lacks operator; see docs/extending\.md"):
        plugins.register("convolution", "mine", doubled)
    with pytest.raises(InputError, match=r"loss 'mine' .*lacks a call"):
        plugins.register("loss", "mine", ONE_BONE)
    with pytest.raises(InputError, match=r"network 'mine' .*lacks forward, objective"):
        plugins.register("network", "mine", object)
    with pytest.raises(InputError, match=r"detector 'mine' \(builtins:int\) lacks detect"):
        plugins.register("detector", "mine", int)
    plugins.register("detector", "mine", lambda: object())  # what a function returns is seen when it is called
    with pytest.raises(InputError, match=r"detector 'mine' .*lacks detect"):
        get_detector("mine")


@pytest.mark.parametrize("name", ["Two2", "three3", "coco"])  # not in lower case, not its own, an alias
def test_a_joint_set_that_would_not_be_found(name: str):
    named = replace(ONE_BONE, name="two2" if name == "three3" else name)
    with pytest.raises(InputError, match=rf"joint_set '{name}' .*calls itself '{named.name}', .*give one name"):
        plugins.register("joint_set", name, named)
    assert name not in plugins.names("joint_set")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"joints": ("head", "tail", "head")}, "head is there twice"),
        ({"bones": (("head", "c"),)}, "c, of a bone or the root, is no joint"),
        ({"root": "pelvis"}, "pelvis, of a bone or the root, is no joint"),
        ({"joints": ("head", "tail", "left_elbow")}, "has left_elbow without right_elbow"),
    ],
)
def test_a_joint_set_that_contradicts_itself(changes: dict, said: str):
    with pytest.raises(InputError, match=f"joint set two2.*{said}"):
        plugins.register("joint_set", "two2", replace(ONE_BONE, **changes))


def test_a_joint_set_that_cannot_be_loaded_is_in_nobody_s_way(monkeypatch: pytest.MonkeyPatch):
    count = len(joint_sets())
    declare(monkeypatch, joint_set__gone="no_such_package:THERE")
    assert len(joint_sets()) == count
    with pytest.raises(InputError, match="joint_set 'gone' cannot be loaded from no_such_package:THERE"):
        joint_set("gone")
    plugins.register("loss", "lost", "no_such_package:loss")
    with pytest.raises(InputError, match="loss 'lost' cannot be loaded from no_such_package:loss"):
        plugins.find("loss", "lost")


@pytest.mark.parametrize(
    ("value", "said"), [(torch.ones(3), r"a tensor of shape \[3\]"), (0.5, "a float")], ids=["vector", "float"]
)
def test_a_loss_that_is_not_one_number(value, said: str):
    plugins.register("loss", "mine", lambda predicted, true: value)
    with pytest.raises(InputError, match=f"loss 'mine' gave {said}; it must be one number"):
        weigh(Compared(), Compared(), {"mine": 1.0})


def test_a_detector_says_what_it_finds():
    class OfHands:
        kind = "hand"

        def detect(self, image):
            return image

    plugins.register("detector", "mine", OfHands)
    assert isinstance(get_detector("mine", "hand"), OfHands)
    with pytest.raises(InputError, match="detector mine finds hand, not body"):
        get_detector("mine", "body")


def test_entry_points_are_found_and_doubles_are_told(monkeypatch: pytest.MonkeyPatch):
    declare(monkeypatch, loss__mine=f"{__name__}:doubled")
    assert plugins.find("loss", "mine") is doubled
    plugins._loaded.pop(("loss", "mine"))
    both = (*plugins._entries(), EntryPoint("loss.mine", "their_parts.loss:mine", plugins.GROUP))
    monkeypatch.setattr(plugins, "_entries", lambda: both)
    with pytest.raises(InputError, match=r"loss 'mine' is there twice, in .*:doubled .* and their_parts\.loss:mine"):
        plugins.find("loss", "mine")
    assert plugins.find("loss", "edge")  # nobody else suffers


def test_what_ships_goes_before_a_plug_in_of_its_name(monkeypatch: pytest.MonkeyPatch, caplog):
    """Whichever comes first: entry points are there before the package has registered its own."""
    declare(monkeypatch, loss__vertex="their_parts.loss:vertex")
    own = plugins._registered["loss"].pop("vertex")
    plugins._loaded.pop(("loss", "vertex"), None)
    plugins.register("loss", "vertex", own)
    assert plugins.find("loss", "vertex") is own and plugins.find("loss", "vertex") is own
    assert len(caplog.messages) == 1 and "package their_parts" in caplog.messages[0]
    found = next(part for part in plugins.plug_ins() if part.name == "vertex")
    assert found.source == "their_parts.loss:vertex"
    assert "is not used: pose2mesh.losses.terms" in found.fault


def test_the_doctor_tells_which_parts_cannot_be_used(monkeypatch: pytest.MonkeyPatch):
    declare(
        monkeypatch,
        loss__mine=f"{__name__}:doubled",
        loss__gone="no_such_package:loss",
        convolution__poor=f"{__name__}:doubled",
        shoe__left=f"{__name__}:doubled",
    )
    found = {finding.name: finding for finding in examine() if finding.topic == "plug-in"}
    assert found["mine"].ok and "test_plugins:doubled" in found["mine"].detail
    assert "no_such_package" in found["gone"].detail and found["gone"].remedy
    assert "lacks operator" in found["poor"].detail and not found["poor"].ok
    assert "not KIND.NAME" in found["shoe.left"].detail


def test_importing_registries_loads_nothing_heavy():
    code = "import sys, pose2mesh.plugins; print({'torch', 'numpy', 'importlib.metadata'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
