"""What is used by name, in one registry for each kind: the package's own and what others add (docs/extending.md).

A thing is registered by a call, or by an installed package that declares it in the entry point group `pose2mesh` under
`KIND.NAME`; that is loaded when it is first asked for. The package's own are registered by the `home` of a kind. What
was registered by a call goes before what packages declare: installing one must not break another's part.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pose2mesh.errors import InputError, warn

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "pose2mesh"
_OWN = "pose2mesh."


@dataclass(frozen=True)
class Registry:
    """What one kind of thing has to have."""

    home: str  # module that registers the package's own
    needs: tuple[str, ...] = ("__call__",)  # attributes of the thing itself
    gives: tuple[str, ...] = ()  # attributes of what a call of it returns
    methods: tuple[str, ...] = ()  # as `gives`; where the thing is a class, it has them itself
    looked_up: str = ""  # function that makes of a name that under which things are found; they bear it themselves


KINDS = {
    "convolution": Registry("pose2mesh.networks.graph_layers", ("__call__", "operator")),
    "loss": Registry("pose2mesh.losses.terms"),
    "dataset": Registry("pose2mesh.datasets.annotated", ("read", "splits", "sees_detections", "largest_misfit_m")),
    "joint_set": Registry(
        "pose2mesh.skeletons.joint_sets",
        ("name", "joints", "bones", "root", "flip_permutation"),
        looked_up="pose2mesh.skeletons.joint_sets:plain_name",
    ),
    "detector": Registry("pose2mesh.detectors", methods=("detect",)),
    "body": Registry("pose2mesh.body_models", gives=("kind", "v_template", "faces", "joint_regressor")),
    "network": Registry(
        "pose2mesh.checkpoints.build",
        gives=("joint_set", "output_joint_names", "faces"),
        methods=("forward", "objective"),
    ),
}
_registered: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
_loaded: dict[tuple[str, str], Any] = {}


@dataclass(frozen=True)
class PlugIn:
    """Something from outside."""

    kind: str
    name: str
    source: str  # where it is defined
    fault: str = ""  # why it cannot be used


def register(kind: str, name: str, thing: Any) -> None:
    """Make a thing known by name; `thing` may be a reference "module:attribute", which is loaded when first used.

    Raises InputError for an unknown kind, a name that is taken, and a thing that lacks what its kind needs.
    """
    _check_kind(kind)
    _own(kind)
    if not isinstance(thing, str):
        _check_thing(kind, name, thing)
    if name in _registered[kind]:
        taken = _place(_registered[kind][name])
        raise InputError(f"{kind} {name!r} is taken already, by {taken}; choose another name for {_place(thing)}")
    _registered[kind][name] = thing


def names(kind: str) -> tuple[str, ...]:
    """All that is known, the package's own first."""
    _check_kind(kind)
    return tuple(dict.fromkeys((*_own(kind), *(entry.name.partition(".")[2] for entry in _declared(kind)))))


def find(kind: str, name: str) -> Any:
    """The thing of that name. Raises InputError for an unknown one, naming the nearest, and for one that is no use."""
    if (kind, name) not in _loaded:
        check_name(kind, name)
        if clash := _clash(kind, name):
            if name not in _registered[kind]:
                raise InputError(clash)
            warn(clash)
        thing = _load(kind, name)
        _check_thing(kind, name, thing)
        _loaded[kind, name] = thing
    return _loaded[kind, name]


def make(kind: str, name: str, *arguments: Any) -> Any:
    """What calling the thing of that name returns. Raises InputError as `find`, and where that lacks something."""
    made = find(kind, name)(*arguments)
    _check(kind, name, made, (*KINDS[kind].gives, *KINDS[kind].methods))
    return made


def check_name(kind: str, name: str) -> str:
    """The name, if it is known. Raises InputError with the nearest names and all others; nothing is loaded."""
    known = names(kind)
    if name not in known:
        raise InputError(
            f"unknown {kind.replace('_', ' ')} {name!r:.60}; {_nearest(name, known)}known: {', '.join(known)}"
        )
    return name


def plug_ins() -> Iterator[PlugIn]:
    """All from outside, each loaded to see whether it can be used."""
    for entry in _entries():
        kind = entry.name.partition(".")[0]
        if kind not in KINDS:
            yield PlugIn("plug-in", entry.name, entry.value, f"its name is not KIND.NAME, of {', '.join(KINDS)}")
    for kind in KINDS:
        for name in names(kind):
            sources = [source for source in _claims(kind, name) if not source.startswith(_OWN)]
            if sources:
                if clash := _clash(kind, name):
                    yield PlugIn(kind, name, sources[0], clash)
                    continue
                try:
                    find(kind, name)
                    yield PlugIn(kind, name, sources[0])
                except InputError as error:
                    yield PlugIn(kind, name, sources[0], str(error))


def resolve(reference: str) -> Any:
    """What a reference "module:attribute" names."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InputError(f"unknown kind {kind!r} of plug-ins; {_nearest(kind, KINDS)}known: {', '.join(KINDS)}")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(str(name), list(known), n=2)
    return f"did you mean {' or '.join(near)}? " if near else ""


def _own(kind: str) -> dict[str, Any]:
    """What was registered by calls, once the kind's home has made its own."""
    import_module(KINDS[kind].home)
    return _registered[kind]


@cache
def _entries() -> tuple["EntryPoint", ...]:
    """All entry points, each once: a package that lies twice on the path is no conflict."""
    from importlib.metadata import entry_points  # slow to import

    return tuple(dict.fromkeys(entry_points(group=GROUP)))


def _declared(kind: str) -> list["EntryPoint"]:
    return [entry for entry in _entries() if entry.name.startswith(f"{kind}.")]


def _claims(kind: str, name: str) -> list[str]:
    """Where things of this name are defined."""
    own = [_place(_registered[kind][name])] if name in _registered[kind] else []
    return own + [entry.value for entry in _declared(kind) if entry.name == f"{kind}.{name}"]


def _clash(kind: str, name: str) -> str:
    """Why not all that is declared under a name can be used; "" where it can."""
    declared = [entry for entry in _declared(kind) if entry.name == f"{kind}.{name}"]
    places = " and ".join(f"{entry.value} (package {_package(entry)})" for entry in declared)
    if declared and name in _registered[kind]:
        taken = _place(_registered[kind][name])
        return f"{kind} {name!r} of {places} is not used: {taken} has that name; rename or uninstall it"
    return f"{kind} {name!r} is there twice, in {places}; rename one of them" if len(declared) > 1 else ""


def _package(entry: "EntryPoint") -> str:
    """The installed package that declares an entry point."""
    return entry.dist.name if entry.dist else entry.module.partition(".")[0]


def _load(kind: str, name: str) -> Any:
    thing = _registered[kind].get(name)
    entry = next((entry for entry in _declared(kind) if entry.name == f"{kind}.{name}"), None)
    try:
        if thing is None and entry is not None:
            return entry.load()
        return resolve(thing) if isinstance(thing, str) else thing
    except Exception as error:  # whatever the code of others raises
        place = thing or (entry and entry.value)
        raise InputError(f"{kind} {name!r} cannot be loaded from {place}: {error!r}") from error


def _check_thing(kind: str, name: str, thing: Any) -> None:
    """Raise InputError unless a thing has what its kind needs and can be found by its name."""
    registry = KINDS[kind]
    _check(kind, name, thing, registry.needs)
    if isinstance(thing, type):
        _check(kind, name, thing, registry.methods)
    plain = resolve(registry.looked_up)(name) if registry.looked_up else name
    if registry.looked_up and not thing.name == name == plain:
        raise InputError(
            f"{kind} {name!r} ({_place(thing)}) calls itself {thing.name!r}, is looked up as {plain!r}; give one name"
        )


def _check(kind: str, name: str, thing: Any, needs: tuple[str, ...]) -> None:
    """Raise InputError unless a thing has all attributes."""
    if missing := [attribute for attribute in needs if not hasattr(thing, attribute)]:
        lacks = ", ".join("a call" if attribute == "__call__" else attribute for attribute in missing)
        raise InputError(f"{kind} {name!r} ({_place(thing)}) lacks {lacks}; see docs/extending.md")


def _place(thing: Any) -> str:
    """The module and the name of a thing, as far as it tells."""
    if isinstance(thing, str):
        return thing
    known = thing if hasattr(thing, "__qualname__") else getattr(thing, "func", type(thing))
    return f"{known.__module__}:{known.__qualname__}"
