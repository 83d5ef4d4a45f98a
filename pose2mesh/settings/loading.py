"""Settings, read from YAML, overridden by `key=value`. Unknown keys are errors."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from pose2mesh.errors import InputError
from pose2mesh.plugins import check_name
from pose2mesh.settings.base import read_recipe
from pose2mesh.settings.yaml_files import NO_YAML, parse_yaml


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any, info: ValidationInfo) -> Any:
        """One name where a list of them stands, as in `data.motion=my.npz`, is a list of one."""
        kinds = get_args(cls.model_fields[info.field_name or ""].annotation)
        return [value] if isinstance(value, str) and kinds[1:] == (...,) else value

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """`steps=true` would be 1 step."""
        if isinstance(value, bool) and not _takes(bool, cls.model_fields[info.field_name or ""].annotation):
            raise ValueError(f"{str(value).lower()} is no value for it")
        return value

    def changed(self) -> dict[str, Any]:
        """What is not as by default, {"mesh.order": 4, ...}."""
        return {key: value for key, value in flat(self.model_dump(exclude_defaults=True)).items() if key}


def _takes(kind: type, annotation: Any) -> bool:
    """Whether a type, such as `bool | None`, holds a kind of values."""
    return annotation in (kind, Any) or any(_takes(kind, part) for part in get_args(annotation))


def registered(kind: str) -> AfterValidator:
    """For a setting that is the name of something registered."""

    return AfterValidator(lambda name: as_value_error(check_name, kind, name))


def as_value_error(check: Callable[..., Any], *arguments: Any) -> Any:
    """What a check returns; its InputError becomes a ValueError, which pydantic collects."""
    try:
        return check(*arguments)
    except InputError as error:
        raise ValueError(str(error)) from error


def load_config(kind: type[Strict], path: str | Path | None, overrides: list[str]) -> Any:
    """A validated configuration from a file and `key=value` overrides (`data.workers=2`, `stages.0.steps=100`).

    Raises InputError that lists every fault at once.
    """
    content = read_recipe(path) if path else {}
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise InputError(f"override {override!r} is not of the form key=value")
        try:
            value = parse_yaml(text)
        except NO_YAML as error:
            raise InputError(f"override {override!r}: {text!r} is not a YAML value") from error
        _set(content, key.split("."), value, override)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        places = [e["loc"] for e in error.errors()]
        faults = "; ".join(
            _fault(kind, e["loc"], e["type"], e["msg"])
            for e in error.errors()
            if not any(
                e["loc"] == place[: len(e["loc"])] != place for place in places
            )  # what holds a fault is one, too
        )
        raise InputError(f"{path or 'configuration'}: {faults}") from error


def _fault(kind: type[Strict], place: Sequence[str | int], type_: str, message: str) -> str:
    """A fault in words; pydantic has none for a setting that does not exist."""
    if type_ == "extra_forbidden":
        known = _settings_at(kind, place[:-1])
        near = get_close_matches(str(place[-1]), known, n=1)
        hint = f", did you mean {near[0]}?" if near else f" (known: {', '.join(known)})" if known else ""
        message = f"unknown setting{hint}"
    return f"{'.'.join(map(str, place))}: {message}"


def _settings_at(kind: type[BaseModel] | None, place: Sequence[str | int]) -> list[str]:
    """Names of the settings of a section; none where its type does not tell."""
    for name in (name for name in place if isinstance(name, str)):  # numbers are places in a list
        field = kind.model_fields.get(name) if kind else None
        kind = _section(field.annotation) if field else None
    return list(kind.model_fields) if kind else []


def _section(annotation: Any) -> type[BaseModel] | None:
    """The settings in a type such as `tuple[StageConfig, ...]` or `MeshConfig | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section(part))), None)


def flat(settings: Any, above: str = "") -> dict[str, Any]:
    """{"stages.0.steps": 10, ...} of nested settings."""
    if not isinstance(settings, dict | list | tuple) or not settings:
        return {above: settings}
    pairs = settings.items() if isinstance(settings, dict) else enumerate(settings)
    return {k: v for key, part in pairs for k, v in flat(part, f"{above}.{key}" if above else str(key)).items()}


def _set(content: Any, keys: list[str], value: Any, override: str) -> None:
    for depth, key in enumerate(keys):
        place = _place(content, key, override, ".".join(keys[:depth]))
        if depth + 1 == len(keys):
            content[place] = value
        content = content[place]


def _place(content: Any, key: str, override: str, above: str) -> Any:
    """The index or the name of a setting in `content`, which is made if it is not there."""
    if isinstance(content, list):
        if not key.isdecimal() or int(key) >= len(content):
            raise InputError(f"override {override!r}: {key!r} is not an index below {len(content)}")
        return int(key)
    if not isinstance(content, dict):
        raise InputError(f"override {override!r}: {above} holds a value, not settings")
    content.setdefault(key, {})
    return key
