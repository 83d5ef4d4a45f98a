"""Recipes that state only what differs: `base: FILE` or several, read first; what the recipe says goes on top.

A base is looked up beside the recipe, then as a shipped one; a section may have one of its own. Sections merge, values
and lists replace those below. Of a list of things with names, such as `stages`, one is changed by its name:
`stages: {mesh: {steps: 200}}`.
"""

from pathlib import Path
from typing import Any

from pose2mesh import paths
from pose2mesh.errors import InputError, MissingFileError
from pose2mesh.settings.yaml_files import read_yaml

_SHIPPED, _FOLDERS = "assets/configs/", ("", "base", "paper")  # where bases lie beside the shipped recipes


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The settings of a file and of all below it.

    Raises MissingFileError or FormatError, and InputError for a base that leads back to its recipe and for a setting
    that changes nothing.
    """
    return _read(paths.here_or_shipped(path), ())


def _read(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in above:
        chain = " -> ".join(each.name for each in (*above, path))
        raise InputError(f"{path}: base leads back to itself ({chain}); leave one of them out")
    return _on_bases(read_yaml(path), path, above)


def _on_bases(content: dict[str, Any], path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """Settings, or those of a section, on top of what they name as their base."""
    content = {
        key: _on_bases(value, path, above) if isinstance(value, dict) else value for key, value in content.items()
    }
    bases = content.pop("base", [])
    below: dict[str, Any] = {}
    for name in bases if isinstance(bases, list) else [bases]:
        merge(below, _read(_find(name, path), (*above, path.resolve())), "", f"{path}, base {name}")
    if bases:
        merge(below, content, "", str(path), is_change=True)
    return below if bases else content


def _find(name: Any, recipe: Path) -> Path:
    """A base: beside its recipe, else the shipped one, so that a copy of a shipped recipe is read in any folder."""
    if isinstance(name, str):
        shipped = (Path(_SHIPPED, folder, name.removeprefix(_SHIPPED)) for folder in _FOLDERS)
        for place in (recipe.parent / name, *map(paths.here_or_shipped, shipped)):
            if place.is_file():
                return place
    raise MissingFileError(f"{recipe}: base {name!r} is no file beside it ({recipe.parent}), nor in {_SHIPPED}")


def merge(below: dict[str, Any], top: dict[str, Any], at: str, where: str, is_change: bool = False) -> None:
    """Put settings on top of others, in place; `is_change` refuses one that is there already."""
    for key, value in top.items():
        name, old = f"{at}{key}", below.get(key)
        if isinstance(value, dict) and isinstance(old, list):
            old = _by_name(old, value, name, where)
        if isinstance(value, dict) and isinstance(old, dict):
            merge(old, value, f"{name}.", where, is_change)
        elif is_change and key in below and old == value:
            raise InputError(f"{where}: {name} is {value!r} already in its base; leave it out")
        else:
            below[key] = value


def _by_name(things: list[Any], changes: dict[str, Any], at: str, where: str) -> dict[str, Any]:
    """The things of a list by their names, for changes that go by these."""
    named = [each for each in things if isinstance(each, dict) and "name" in each]
    names = [each["name"] for each in named]
    if unknown := changes.keys() - {*names}:
        raise InputError(f"{where}: {at} has no {min(map(str, unknown))!r} below; there are {names}")
    for name, change in changes.items():
        if names.count(name) > 1:
            raise InputError(f"{where}: {at} has {name!r} twice below; give the whole list")
        if not isinstance(change, dict):
            raise InputError(f"{where}: {at}.{name} is {change!r:.60}; give the settings that differ, as a section")
    return dict(zip(names, named, strict=True))
