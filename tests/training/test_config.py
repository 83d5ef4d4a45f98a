"""Configurations: the shipped ones are valid, and every fault of another is named at once."""

from itertools import pairwise
from pathlib import Path

import pytest

from pose2mesh import paths
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.evaluation import config as measuring
from pose2mesh.evaluation.motion import MotionTestConfig
from pose2mesh.evaluation.photos import PhotosConfig
from pose2mesh.losses.terms import LossConfig
from pose2mesh.settings import load_config
from pose2mesh.settings.base import read_recipe
from pose2mesh.settings.yaml_files import read_yaml
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.image_training import ImageTrainConfig
from pose2mesh.training.motion import MotionConfig
from pose2mesh.training.prior import PriorConfig
from tools.studies.ablation_grid import GridConfig
from tools.studies.gap_study import StudyConfig

STUDIES = Path(__file__).parents[2] / "tools" / "studies"
MINIMAL = "stages: [{name: only, steps: 10}]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "train.yaml").write_text(MINIMAL)
    return tmp_path / "train.yaml"


@pytest.mark.parametrize(
    "path",
    [*sorted(paths.asset("configs/test_mocap.yaml").parent.glob("*.yaml")), *sorted(STUDIES.glob("*.yaml"))],
    ids=lambda p: p.stem,
)
def test_shipped_configurations_are_valid(path: Path) -> None:
    config = load_config(_kind_of(path), path, [])
    if not isinstance(config, PhotosConfig):  # nothing random
        assert config.seeds[0] == 0 if isinstance(config, StudyConfig | GridConfig) else config.seed == 0


def test_shipped_configurations_are_read_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = paths.asset("configs/test_mocap.yaml")
    monkeypatch.chdir(tmp_path)
    assert read_yaml("assets/configs/test_mocap.yaml") == read_yaml(shipped)
    own = tmp_path / "assets" / "configs" / "test_mocap.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("seed: 7")
    assert read_yaml("assets/configs/test_mocap.yaml") == {"seed": 7}
    for absent in ("assets/configs/absent.yaml", "configs/test_mocap.yaml", str(tmp_path / "assets/configs/x.yaml")):
        with pytest.raises(MissingFileError, match=absent):
            read_yaml(absent)


def _kind_of(path: Path) -> type:
    """What a command makes of a file: told by its name, and by `task` and `protocol` inside."""
    content = read_recipe(path)
    if path.stem.startswith("train"):
        tasks = {"pose_prior": PriorConfig, "image_backbone": ImageTrainConfig, "motion": MotionConfig}
        return {None: TrainConfig, **tasks}[content.get("task")]
    if path.stem.startswith("adapt"):
        return AdaptConfig
    if path.stem.startswith("ablation"):
        return GridConfig
    protocols = {"domain_gap": StudyConfig, "photos": PhotosConfig, "motion": MotionTestConfig}
    return protocols.get(str(content.get("protocol")), measuring.TestConfig)


def test_protocol_is_the_default_of_its_configuration() -> None:
    """`assets/configs/test_mocap.yaml` states the protocol; leaving all of it out means the same."""
    stated = load_config(measuring.TestConfig, paths.asset("configs/test_mocap.yaml"), [])
    assert stated == measuring.TestConfig()


def test_overrides_reach_every_depth(file: Path) -> None:
    config = load_config(
        TrainConfig,
        file,
        ["seed=7", "stages.0.steps=3", "stages.0.loss.edge=2.5", "data.motion=[a.npz, b.bvh]", "data.poses.tumble=0"],
    )
    assert config.seed == 7 and config.stages[0].steps == 3 and config.stages[0].loss.edge == 2.5
    assert config.data.motion == ("a.npz", "b.bvh") and config.data.poses.tumble == 0
    assert config.stages[0].name == "only"


def test_an_override_may_hold_an_equals_sign(file: Path) -> None:
    assert load_config(TrainConfig, file, ["output=runs/a=b"]).output == "runs/a=b"


@pytest.mark.parametrize("override", ["validation=my.npz", "data.motion=my.npz", "data.gestures=signs"])
def test_one_name_is_a_list_of_one(file: Path, override: str) -> None:
    name, _, value = override.partition("=")
    assert load_config(TrainConfig, file, [override]) == load_config(TrainConfig, file, [f"{name}=[{value}]"])


@pytest.mark.parametrize("override", ["network.mesh.channels=wide", "stages=lifting", "data.motion=7"])
def test_one_of_another_kind_is_none(file: Path, override: str) -> None:
    with pytest.raises(InputError, match=override.partition("=")[0].replace(".", r"\.")):
        load_config(TrainConfig, file, [override])


def test_all_faults_are_listed_at_once(file: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_config(
            TrainConfig,
            file,
            [
                "colour=red",
                "seed=many",
                "data.noise=[{share: 1, detector: {jitter: .nan, jiter: 1}}]",
                "data.cameras=[{share: -1, range: {distance: [0, 5]}}]",
                "network.lifter.width=.inf",
            ],
        )
    message = str(caught.value)
    for place in (
        "colour",
        "seed",
        "data.noise.0.detector.jitter",
        "data.noise.0.detector.jiter",
        "data.cameras.0.share",
        "data.cameras.0.range.distance.0",
        "network.lifter.width",
    ):
        assert f"{place}: " in message, place
    assert "train.yaml" in message and "\n" not in message


@pytest.mark.parametrize(
    "override",
    [
        "ema_decay=1.5",
        "precision=float64",
        "data.children=-0.1",
        "data.noise=[]",
        "data.gestures=[]",
        "data.cameras=[]",
        "stages=[]",
        "network.mesh.channels=[]",
        "network.mesh.channels=[0, 4, 4]",
        "data.noise=[{share: 1, detector: {miss: 1.5}}]",
        "data.noise=[{share: 1, detector: {confidence_range: [0.5, 2]}}]",
        "data.poses.tumble=.nan",
        "data.poses.perturb_degrees=-1",
        "checkpoint_minutes=0",
        "threads=100000",
        "stages.0.learning_rate=.nan",
        "data=3",
    ],
)
def test_values_out_of_range_are_refused(file: Path, override: str) -> None:
    place = override.partition("=")[0]
    with pytest.raises(InputError, match=place.replace(".", r"\.")):
        load_config(TrainConfig, file, [override])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "not of the form key=value"),
        ("seed=[1", "not a YAML value"),
        ("output=2024-13-45", "not a YAML value"),
        ("stages.1.steps=3", "'1' is not an index below 1"),
        ("stages.first.steps=3", "'first' is not an index"),
        ("stages.0.steps.more=3", "stages.0.steps holds a value"),
    ],
)
def test_overrides_that_lead_nowhere_are_refused(file: Path, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_config(TrainConfig, file, [override])


@pytest.mark.parametrize(
    "content",
    ["a: [", "- 1\n- 2\n", "text", "", "a: 2024-13-45", "!!python/object/apply:os.getcwd []", "[" * 2000, "{[1]: 2}"],
    ids=["open", "list", "text", "empty", "date", "object", "deep", "key"],
)
def test_files_that_are_no_configuration_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.yaml").write_text(content)
    with pytest.raises(FormatError, match=r"bad\.yaml"):
        read_yaml(tmp_path / "bad.yaml")


def test_a_setting_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("seed: 1\nstages:\n  - {name: a, steps: 1, steps: 2}\n")
    with pytest.raises(FormatError, match=r"bad\.yaml is not valid YAML: steps is set twice"):
        read_yaml(tmp_path / "bad.yaml")


@pytest.mark.parametrize("override", ["seed=true", "minutes=true", "stages.0.steps=true", "data.workers=false"])
def test_true_is_no_number(file: Path, override: str) -> None:
    with pytest.raises(InputError, match=rf"{override.partition('=')[0]}.* is no value for it"):
        load_config(TrainConfig, file, [override])


def test_binary_huge_and_absent_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge.yaml").write_text("a: " + "x" * 1_000_001)
    for name in ("binary", "huge"):
        with pytest.raises(FormatError, match=name):
            read_yaml(tmp_path / f"{name}.yaml")
    with pytest.raises(MissingFileError, match="assets/configs"):
        read_yaml(tmp_path / "absent.yaml")


def test_configurations_are_frozen(file: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_config(TrainConfig, file, []).seed = 3


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    "text", [BOMB + "stages: *i\n", "a: &a [*a, *a]\n", "a: &a {b: *a}\n"], ids=["many", "itself", "key"]
)
def test_aliases_that_repeat_without_end_are_refused(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(FormatError, match="aliases"):
        read_yaml(tmp_path / "a.yaml")


def test_aliases_of_plain_settings_are_read(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {b: 1, c: [2, 3]}\nd: *a\ne: {<<: *a, b: 4}\n")
    assert read_yaml(tmp_path / "a.yaml") == {
        "a": {"b": 1, "c": [2, 3]},
        "d": {"b": 1, "c": [2, 3]},
        "e": {"b": 4, "c": [2, 3]},
    }


def test_losses_that_weigh_nothing_are_refused(file: Path) -> None:
    zeros = ", ".join(f"{name}: 0" for name in LossConfig().terms)
    with pytest.raises(InputError, match=r"stages\.0\.loss: .*all weights are 0, by which nothing is learned"):
        load_config(TrainConfig, file, [f"stages.0.loss={{{zeros}}}"])


@pytest.mark.parametrize("share", ["0", "1"])
def test_somebody_is_held_out_and_somebody_is_not(share: str) -> None:
    with pytest.raises(InputError, match=r"target\.held_out"):
        load_config(AdaptConfig, None, [f"target.held_out={share}"])


def test_a_seed_that_no_generator_takes(file: Path) -> None:
    with pytest.raises(InputError, match="seed: Input should be less than 9223372036854775808"):
        load_config(TrainConfig, file, ["seed=99999999999999999999"])
