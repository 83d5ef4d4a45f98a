"""Things say what they are and what they can do: nobody asks for a class, or for what an object has."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_architecture import PACKAGE, SOURCES, where

# Where a body or a network is made, its class is known.
REGISTRIES = {"body_models/__init__.py", "checkpoints/build.py", "checkpoints/official.py"}


def classes_of(*folders: str) -> set[str]:
    """Names of the modules and bodies that the package's folders define."""
    return {
        node.name
        for folder in folders
        for path in (PACKAGE / folder).rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def decisions_by_class(path: Path, classes: set[str]) -> Iterator[int]:
    """Lines that ask whether something is of one of these classes, by any of the language's ways."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, asked]):
                pass
            case ast.Compare(left=ast.Call(func=ast.Name(id="type"))) as asked:
                pass
            case ast.MatchClass(cls=asked):
                pass
            case _:
                continue
        words = {name.id if isinstance(name, ast.Name) else getattr(name, "attr", "") for name in ast.walk(asked)}
        if words & classes:
            yield getattr(node, "lineno", 0)


def test_nobody_asks_for_the_class_of_a_body_or_a_network():
    """They say what they can do: `Kind`, `Abilities`, and the attributes of bodies, decoders and predictions."""
    classes = classes_of("body_models", "networks")
    files = [path for path in SOURCES if path.relative_to(PACKAGE).as_posix() not in REGISTRIES]
    assert [where(path, line) for path in files for line in decisions_by_class(path, classes)] == []


@pytest.mark.parametrize(
    "line",
    ["isinstance(x, Hand)", "isinstance(x, int | bodies.Hand)", "type(x) is Hand", "match x:\n    case Hand(): pass"],
)
def test_the_check_itself_sees_a_decision_by_class(line, tmp_path):
    path = tmp_path / "sample.py"
    path.write_text(f"isinstance(x, str)\n{line}\n")
    assert list(decisions_by_class(path, {"Hand"})) == [2 if "match" not in line else 3]


# What others made (the interpreter, Pillow, plug-ins) and may leave out. Ours declares: an attribute with its default,
# `Abilities`, or a protocol.
FOREIGN = {
    ("batch/rows.py", "storage_type"),
    ("tracking/roboflow.py", "tracker_id"),
    ("plugins.py", ""),  # all that plug-ins lack
    ("networks/abilities.py", "abilities"),
    ("detectors/__init__.py", "kind"),
    ("detectors/images.py", "is_animated"),
    ("detectors/images.py", "filename"),
    ("detectors/images.py", "tag_v2"),
    ("detectors/video_files.py", "n_frames"),
    ("detectors/video_files.py", "strerror"),
    ("detectors/sessions.py", "sched_getaffinity"),
    ("ops/machine.py", "getloadavg"),
    ("ops/memory.py", "MADV_HUGEPAGE"),
    ("cli/console.py", "reconfigure"),
    ("rendering/pyrender_backend.py", "OSMesaCreateContextAttribs"),
}


def asked_attributes(path: Path) -> Iterator[tuple[str, int]]:
    """Attributes that a file asks for whether something has them, and the lines; "" where the name is computed."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id="hasattr"), args=[_, ast.Constant(value=str(name))]):
                yield name, node.lineno
            case ast.Call(func=ast.Name(id="hasattr")):
                yield "", node.lineno
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), _]):
                yield name, node.lineno


def test_nobody_asks_our_own_things_what_they_have():
    found = [
        f"{where(path, line)} {name}"
        for path in SOURCES
        for name, line in asked_attributes(path)
        if not {(file := path.relative_to(PACKAGE).as_posix(), name), (file, "")} & FOREIGN
    ]
    assert found == []


def test_the_check_itself_sees_what_is_asked(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text('hasattr(x, "y")\ngetattr(x, "z", None)\ngetattr(x, "w")\nhasattr(x, name)\n')
    assert list(asked_attributes(path)) == [("y", 1), ("z", 2), ("", 4)]
