"""Recipes on recipes: what is put on top of what, and every way to get it wrong."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.settings import load_config
from pose2mesh.settings.base import read_recipe
from pose2mesh.training.config import TrainConfig

CHECKOUT = Path(__file__).parents[2]
SHIPPED = CHECKOUT / "assets" / "configs"
RECIPES = [*SHIPPED.rglob("*.yaml"), *(CHECKOUT / "tools" / "studies").rglob("*.yaml")]
STAGES = "stages:\n  - {name: first, steps: 3, loss: {joint: 2}}\n  - {name: second, steps: 4}\n"


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / "top.yaml"


def test_sections_merge_and_lists_replace(tmp_path: Path) -> None:
    low = "data: {children: 0.1, motion: [a.npz, b.npz]}\nseed: 3\n" + STAGES
    top = write(tmp_path, low=low, top="base: low.yaml\ndata: {motion: [c.npz], everyday: 0.5}\n")
    config = load_config(TrainConfig, top, ["seed=9"])
    assert (config.data.children, config.data.motion, config.data.everyday) == (0.1, ("c.npz",), 0.5)
    assert config.seed == 9 and [stage.steps for stage in config.stages] == [3, 4]


def test_a_stage_is_changed_by_its_name(tmp_path: Path) -> None:
    top = write(tmp_path, low=STAGES, top="base: low.yaml\nstages: {second: {steps: 7}, first: {loss: {edge: 5}}}\n")
    first, second = load_config(TrainConfig, top, []).stages
    assert (first.steps, first.loss.joint, first.loss.edge, second.steps) == (3, 2, 5, 7)
    with pytest.raises(InputError, match=r"stages has no 'third' below.*'first', 'second'"):
        read_recipe(write(tmp_path, top="base: low.yaml\nstages: {third: {steps: 7}}\n"))


def test_later_bases_and_bases_of_bases(tmp_path: Path) -> None:
    top = write(
        tmp_path, a="x: 1\ny: 1\nz: 1\n", b="base: a.yaml\ny: 2\n", c="z: 3\n", top="base: [b.yaml, c.yaml]\nw: 4\n"
    )
    assert read_recipe(top) == {"x": 1, "y": 2, "z": 3, "w": 4}


@pytest.mark.parametrize("path", sorted(SHIPPED.rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_copy_of_a_shipped_recipe_says_the_same_in_any_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copied = read_recipe(write(tmp_path, top=path.read_text()))
    assert copied == read_recipe(path)
    assert len([other for other in SHIPPED.rglob("*.yaml") if other.name == path.name]) == 1  # none stands for another
    name = f"assets/configs/{path.relative_to(SHIPPED).as_posix()}"
    assert read_recipe(write(tmp_path, top=f"base: {name}\noutput: mine\n")) == copied | {"output": "mine"}


def test_a_base_beside_its_recipe_goes_before_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "classic.yaml").write_text("seed: 7\n")
    assert read_recipe(write(tmp_path, top="base: base/classic.yaml\n")) == {"seed": 7}


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ({"top": "base: top.yaml\n"}, InputError, r"top\.yaml.*leads back to itself.*top\.yaml -> top\.yaml"),
        ({"top": "base: a.yaml\n", "a": "base: top.yaml\n"}, InputError, r"top\.yaml -> a\.yaml -> top\.yaml"),
        ({"top": "base: nowhere.yaml\n"}, MissingFileError, r"top\.yaml: base 'nowhere\.yaml' .*, nor in assets"),
        ({"top": "base: 7\n"}, MissingFileError, r"base 7 is no file"),
        ({"top": "base: a.yaml\n", "a": "- 1\n"}, FormatError, r"a\.yaml"),
        ({"top": "base: a.yaml\nd: {e: 1, f: 2}\n", "a": "d: {f: 2}\n"}, InputError, r"d\.f is 2 already in its base"),
        ({"top": "base: a.yaml\nd: [1, 2]\n", "a": "d: [1, 2]\n"}, InputError, "d is .* already"),
    ],
    ids=["itself", "circle", "absent", "number", "broken", "section", "list"],
)
def test_what_is_wrong_is_one_clear_line(tmp_path: Path, texts: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        read_recipe(write(tmp_path, **texts))
    assert "\n" not in str(caught.value)


def test_no_block_stands_in_two_recipes() -> None:
    """Of six lines."""
    blocks: Counter[tuple[str, ...]] = Counter()
    for path in RECIPES:
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
        own = {tuple(lines[i : i + 6]) for i in range(len(lines) - 5)}
        blocks.update(own)
    assert [block for block, count in blocks.items() if count > 1] == []


def sections(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Name and content of every section of four or more settings, on whatever level it stands."""
    for key, value in content.items() if isinstance(content, dict) else ():
        yield from sections(value, key)
    if name and isinstance(content, dict) and len(content) >= 4:
        yield name, yaml.safe_dump(content)


def test_no_section_stands_in_two_recipes() -> None:
    """Also where it is written otherwise, or belongs to another section."""
    files = Counter(found for path in RECIPES for found in {*sections(yaml.safe_load(path.read_text()))})
    assert [section for section, count in files.items() if count > 1] == []


def test_a_section_has_a_base_of_its_own(tmp_path: Path) -> None:
    below = {"people": "a: 1\nb: {c: 2}\n", "mid": "s: {base: people.yaml, d: 3}\n"}
    top = write(tmp_path, **below, top="base: mid.yaml\ns: {b: {c: 4}}\n")
    assert read_recipe(top) == {"s": {"a": 1, "b": {"c": 4}, "d": 3}}
    with pytest.raises(InputError, match=r"top\.yaml.*leads back to itself"):
        read_recipe(write(tmp_path, top="s: {base: top.yaml}\n"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_base_is_a_recipe(path: Path) -> None:
    assert read_recipe(path) and yaml.safe_load(path.read_text())


def test_a_fault_in_a_stage_is_the_only_one_told(tmp_path: Path) -> None:
    top = write(tmp_path, top=STAGES)
    with pytest.raises(InputError, match=r"yaml: stages\.0\.step: unknown setting, did you mean steps\?$"):
        load_config(TrainConfig, top, ["stages.0.step=1"])


def test_what_an_alias_repeats_is_changed_at_one_place_alone(tmp_path: Path) -> None:
    text = "stages: [{name: one, steps: 3, loss: &l {edge: 1}}, {name: two, steps: 3, loss: *l}]\n"
    top = write(tmp_path, below=text, top="base: below.yaml\nstages: {one: {loss: {edge: 7}}}\n")
    assert [stage["loss"]["edge"] for stage in read_recipe(top)["stages"]] == [7, 1]
    merged = write(tmp_path, top="a: &a {loss: {edge: 1}}\nb: {<<: *a}\nc: {<<: *a}\n")
    content = read_recipe(merged)
    content["b"]["loss"]["edge"] = 5
    assert content["c"]["loss"]["edge"] == content["a"]["loss"]["edge"] == 1


@pytest.mark.parametrize(
    ("below", "change", "said"),
    [
        ("[{name: one, steps: 3}]", "{one: 5}", r"stages\.one is 5; give the settings that differ"),
        ("[{name: one, steps: 3}]", "{one: null}", r"stages\.one is None"),
        ("[{name: one, steps: 3}, {name: one, steps: 4}]", "{one: {steps: 5}}", "has 'one' twice below"),
    ],
)
def test_a_change_by_name_must_change_one_thing(tmp_path: Path, below: str, change: str, said: str) -> None:
    top = write(tmp_path, below=f"stages: {below}\n", top=f"base: below.yaml\nstages: {change}\n")
    with pytest.raises(InputError, match=said):
        read_recipe(top)
