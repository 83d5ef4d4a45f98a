"""Small YAML files, read safely: plain values, and no more of them than a configuration holds."""

from pathlib import Path
from typing import Any

import yaml

from pose2mesh import paths
from pose2mesh.errors import FormatError, MissingFileError

_LARGEST_FILE = 200_000  # bytes; a configuration is small, and YAML is slow
_MOST_VALUES = 20_000  # counted as often as aliases repeat them
NO_YAML = (yaml.YAMLError, ValueError, RecursionError)  # ValueError: no UTF-8, or a date that does not exist


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a small YAML mapping safely; `assets/...` from any folder. Raises MissingFileError or FormatError."""
    path = paths.here_or_shipped(path)
    if not path.is_file():
        raise MissingFileError(f"no configuration at {path}; shipped ones are in assets/configs")
    if path.stat().st_size > _LARGEST_FILE:
        raise FormatError(f"{path} is larger than 200 kB; that is no configuration")
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error.strerror})") from error
    except NO_YAML as error:
        raise FormatError(f"{path} is not valid YAML: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(content, dict):
        raise FormatError(f"{path} must hold a mapping of settings")
    return content


def parse_yaml(text: str) -> Any:
    """What a text says. Raises one of `NO_YAML`, also where aliases make more of it than any configuration holds."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _count(node, {}) > _MOST_VALUES:
            raise ValueError("its aliases repeat more values than any configuration holds")
        if double := _double_key(node):
            raise ValueError(f"{double} is set twice; leave one out")
        return _apart(loader.construct_document(node))
    finally:
        loader.dispose()


def _apart(value: Any) -> Any:
    """The same with a copy wherever an alias repeats something: changing one place must not change another."""
    if isinstance(value, dict):
        return {key: _apart(each) for key, each in value.items()}
    return [_apart(each) for each in value] if isinstance(value, list) else value


def _double_key(node: yaml.Node) -> str:
    """A key that one mapping in a node holds twice, of which YAML would take the last; "" where there is none."""
    if not isinstance(node, yaml.CollectionNode):
        return ""
    pairs = [item if isinstance(item, tuple) else (None, item) for item in node.value]
    keys = [key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
    double = next((key for index, key in enumerate(keys) if key in keys[:index]), "")
    return double or next((found for _, value in pairs if (found := _double_key(value))), "")


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Values in a node, counted along every way to them; more than any limit where one holds itself."""
    if id(node) not in known:
        known[id(node)] = _MOST_VALUES + 1  # while its own values are counted
        inside = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = [part for item in inside for part in (item if isinstance(item, tuple) else (item,))]
        known[id(node)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(node)]
