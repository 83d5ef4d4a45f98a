"""Commands that pages print are commands: options exist, and settings are those of the recipes. None is run."""

import argparse
import re
import shlex
from importlib import import_module

import pytest
from pages import DOCS

from pose2mesh.cli.main import COMMANDS
from pose2mesh.errors import InputError
from pose2mesh.settings import load_config
from pose2mesh.settings.base import read_recipe

CHECKOUT = DOCS.parent
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^(?:\d+  )?pose2mesh ([a-z-]+) (.*)$", re.MULTILINE)
# Remarks, [--optional] and [key=value ...]
NOTATION = re.compile(r"\s+#.*$|\s{3,}\S.*$|\s\[[^\]\s=]+[^\]=]*\](?=\s|$)|\s\[\S+=\S* \.\.\.\]")


class Parsed(BaseException):
    """Carries the options out of a command before it does anything."""


def printed() -> list[tuple[str, str, list[str]]]:
    """Page, command and its words, of every line of a block that is a command."""
    pages = [CHECKOUT / "README.md", *sorted(DOCS.rglob("*.md"))]
    found = []
    for page in pages:
        for block in BLOCK.findall(page.read_text()):
            for name, words in LINE.findall(block.replace("\\\n", " ")):
                words = re.sub(r"\$\w+", "0", NOTATION.sub("", words))
                found.append((str(page.relative_to(CHECKOUT)), name, shlex.split(words)))
    return found


def options_of(name: str, words: list[str]) -> argparse.Namespace:
    try:
        import_module(f"pose2mesh.cli.{name.replace('-', '_')}").run(words)
    except Parsed as parsed:
        return parsed.args[0]
    except InputError as error:
        raise ValueError("the parser refuses it") from error
    raise ValueError("it ran")


def configuration(name: str, config: str) -> type:
    """What a command reads a recipe into."""
    if name == "adapt":
        from pose2mesh.adaptation import AdaptConfig

        return AdaptConfig
    recipe = read_recipe(config)
    if name == "train":
        from pose2mesh.cli.train import _task

        return _task(recipe.get("task"))[0]
    from pose2mesh.evaluation.config import TestConfig
    from pose2mesh.evaluation.motion import MotionTestConfig
    from pose2mesh.evaluation.photos import PhotosConfig

    return {"motion": MotionTestConfig, "photos": PhotosConfig}.get(recipe.get("protocol"), TestConfig)


@pytest.fixture
def no_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("parse_args", "parse_intermixed_args"):
        before = getattr(argparse.ArgumentParser, method)

        def parse(self, *arguments, before=before):
            raise Parsed(before(self, *arguments))

        monkeypatch.setattr(argparse.ArgumentParser, method, parse)


def fault(name: str, words: list[str]) -> str:
    """What is wrong with a command, "" for nothing."""
    if name not in COMMANDS:
        return "no such command"
    try:
        options = options_of(name, words)
        config = getattr(options, "config", None)
        if config and (CHECKOUT / config).is_file():  # others are made on their page
            load_config(configuration(name, config), config, options.overrides)
    except Exception as error:
        return str(error)
    return ""


@pytest.mark.usefixtures("no_command_runs")
def test_commands_of_all_pages_are_understood(capsys):
    commands = printed()
    assert len(commands) > 100
    assert [f"{page}: {name} {words}: {why}" for page, name, words in commands if (why := fault(name, words))] == []


@pytest.mark.usefixtures("no_command_runs")
@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("bake x", "no such command"),
        ("export --forma onnx --nothing -o x", "refuses"),
        ("test --config assets/configs/test_mocap.yaml data.motions=x", "motions"),
    ],
)
def test_what_is_no_command_is_seen(command, why, capsys):
    name, *words = shlex.split(command)
    assert why in fault(name, words)
