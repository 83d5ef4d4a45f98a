"""The layers of docs/architecture.md, read from the syntax tree of every file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "pose2mesh"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = [*SOURCES, *sorted((CHECKOUT / "tools").rglob("*.py"))]

# From the bottom up. A part may import from its own layer and from those below it.
LAYERS = (
    ("types", "errors", "paths", "npz", "settings", "plugins", "kinds"),
    ("geometry", "skeletons"),
    ("body_models", "hierarchy", "ops"),
    ("networks", "losses", "metrics", "augmentation"),
    ("datasets", "synthesis", "detectors", "tracking", "fitting", "checkpoints", "rendering", "exporters"),
    (
        *("pipeline", "batch", "over_time", "body_with_hands", "training", "adaptation", "benchmarks"),
        *("evaluation", "viewer", "cli", "__main__"),
    ),
)
LAYER_OF = {part: height for height, parts in enumerate(LAYERS) for part in parts}

# Upward on purpose, and lazy: Person.save() is the library's promise, its writers stand above the types.
ALLOWED_UPWARD = {("types", "exporters"), ("types", "viewer")}

# Third-party packages that only one folder may import.
OWNERS = {
    "smplx": "pose2mesh/body_models",
    "anny": "tools/assets",
    "mediapipe": "pose2mesh/detectors",
    "pyarrow": "pose2mesh/batch",
    "ray": "pose2mesh/batch",
}

# Optional or heavy: never at the top of a module, only in the function that needs them.
LAZY_ONLY = {"anny", "smplx", "mediapipe", "rtmlib", "onnxruntime", "onnx", "openvino", "tensorboard"}
LAZY_ONLY |= {"pyarrow", "ray", "torch_geometric", "pyrender", "trimesh", "PIL", "skimage", "cv2"}

# Modules that run code while they read, and calls that do so with these arguments.
UNSAFE_MODULES = ("pickle", "dill", "joblib", "shelve")
UNSAFE_KEYWORDS = (("allow_pickle", True), ("weights_only", False))
UNSAFE_ATTRIBUTES = (("yaml", "load"), ("yaml", "unsafe_load"), ("os", "system"))

UNPICKLER = PACKAGE / "body_models" / "unpickling.py"


def imports_of(path: Path, top_level_only: bool = False) -> Iterator[tuple[str, int]]:
    """Absolute dotted names that a file imports, with line numbers; `from a import b` gives `a.b`."""
    tree = ast.parse(path.read_text())
    package = path.relative_to(CHECKOUT).with_suffix("").parts[:-1]
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def part_of(path: Path) -> str:
    """`pose2mesh/ops/dispatch.py` belongs to `ops`, `pose2mesh/paths.py` to `paths`."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def internal_imports(path: Path) -> Iterator[tuple[str, int]]:
    """The parts of this package that a file imports."""
    for name, line in imports_of(path):
        root, *rest = name.split(".")
        if root == "pose2mesh" and rest != ["__version__"]:
            yield ("pipeline" if not rest or rest == ["Pose2Mesh"] else rest[0]), line


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(CHECKOUT)}:{line}"


def test_every_part_has_a_layer():
    parts = {part_of(path) for path in SOURCES} - {"__init__"}
    assert parts - LAYER_OF.keys() == set()


def test_imports_go_down_only():
    upward = [
        f"{where(path, line)} imports {target}"
        for path in SOURCES
        if (part := part_of(path)) != "__init__"
        for target, line in internal_imports(path)
        if LAYER_OF[target] > LAYER_OF[part] and (part, target) not in ALLOWED_UPWARD
    ]
    assert upward == []


def test_parts_of_one_layer_do_not_need_each_other_in_a_circle():
    needs = {part: set() for part in LAYER_OF}
    for path in SOURCES:
        if (part := part_of(path)) != "__init__":
            same_layer = {t for t, _ in internal_imports(path) if LAYER_OF[t] == LAYER_OF[part]}
            needs[part] |= same_layer - {part}
    assert without_leaves(needs) == {}


def needed_files() -> dict[str, set[str]]:
    """Of each module, the modules that it imports anywhere; a folder's `__init__` is the module of its name."""

    def dotted(path: Path) -> str:
        return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")

    modules = {dotted(path): path for path in SOURCES}
    needs = {}
    for module, path in modules.items():
        names = {name for name, _ in imports_of(path)}
        found = {name if name in modules else name.rpartition(".")[0] for name in names} & modules.keys()
        upward = {f"pose2mesh.{above}" for below, above in ALLOWED_UPWARD if module == f"pose2mesh.{below}"}
        needs[module] = found - {module, "pose2mesh"} - upward
    return needs


def without_leaves(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    """What remains when modules that need nobody else are taken out again and again: those in circles and above."""
    needs = dict(needs)
    while leaves := [module for module, others in needs.items() if not others & needs.keys()]:
        for leaf in leaves:
            del needs[leaf]
    return needs


def test_files_do_not_need_each_other_in_a_circle():
    left = without_leaves(needed_files())
    assert {module: sorted(others & left.keys()) for module, others in left.items()} == {}


def test_the_check_itself_sees_a_circle():
    assert without_leaves({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}).keys() == {"a", "b", "c"}


@pytest.mark.parametrize(("part", "forbidden"), [("ops", "body_models"), ("ops", "hierarchy")])
def test_the_numerical_core_knows_no_bodies(part, forbidden):
    found = [
        where(path, line)
        for path in SOURCES
        if part_of(path) == part
        for target, line in internal_imports(path)
        if target == forbidden
    ]
    assert found == []


def test_hierarchy_knows_no_torch():
    found = [
        where(path, line)
        for path in SOURCES
        if part_of(path) == "hierarchy"
        for name, line in imports_of(path)
        if name.split(".")[0] in ("torch", "torch_geometric")
    ]
    assert found == []


@pytest.mark.parametrize("package", sorted(OWNERS))
def test_one_part_owns_each_third_party_adapter(package):
    found = [
        where(path, line)
        for path in PROGRAMS
        if not path.relative_to(CHECKOUT).as_posix().startswith(OWNERS[package] + "/")
        for name, line in imports_of(path)
        if name.split(".")[0] == package
    ]
    assert found == []


def test_optional_packages_are_imported_where_they_are_used():
    found = [
        f"{where(path, line)} {name}"
        for path in SOURCES
        for name, line in imports_of(path, top_level_only=True)
        if name.split(".")[0] in LAZY_ONLY
    ]
    assert found == []


def unsafe_places(path: Path) -> Iterator[int]:
    """Lines that could run code out of a file: pickles in any form, unsafe YAML, eval and exec."""
    for name, line in imports_of(path):
        if name.split(".")[0] in UNSAFE_MODULES or tuple(name.split(".")) in UNSAFE_ATTRIBUTES:
            yield line
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.keyword(arg=name, value=ast.Constant(value=bool(value))):
                unsafe = (name, value) in UNSAFE_KEYWORDS
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                unsafe = (owner, name) in UNSAFE_ATTRIBUTES
            case ast.Call(func=ast.Name(id=name)):
                unsafe = name in ("eval", "exec")
            case _:
                continue
        if unsafe:
            yield getattr(node, "lineno", 0)


def test_nothing_runs_code_out_of_a_file():
    found = [where(path, line) for path in PROGRAMS if path != UNPICKLER for line in unsafe_places(path)]
    assert found == []


# Two of them are put together here, so that a search for such text in the tree finds real uses only.
UNSAFE_LINES = [
    "import pickle",
    "from pickle import load",
    f"np.load(f, allow_pickle={True})",
    f"torch.load(f, weights_only={False})",
    "yaml.unsafe_load(text)",
    "from yaml import unsafe_load",
    "eval(name)",
]


@pytest.mark.parametrize("line", UNSAFE_LINES)
def test_the_check_itself_sees_unsafe_lines(line, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "CHECKOUT", tmp_path)
    path = tmp_path / "sample.py"
    path.write_text(f"value = 1\n{line}\nmodel.eval()\n")
    assert list(unsafe_places(path)) == [2]


def test_no_file_is_too_long():
    files = [*PROGRAMS, *(CHECKOUT / "tests").rglob("*.py")]
    lengths = {str(path.relative_to(CHECKOUT)): len(path.read_text().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_files_of_tests_have_names_of_their_own():
    """Pytest refuses to collect two files of one name."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_no_module_is_called_utils():
    vague = {"utils", "util", "helpers", "helper", "misc", "common"}
    parts = {path: set(path.relative_to(PACKAGE).with_suffix("").parts) for path in SOURCES}
    assert [str(path) for path in SOURCES if vague & parts[path]] == []


def test_every_folder_with_code_is_a_package():
    assert {str(path.parent) for path in SOURCES if not (path.parent / "__init__.py").is_file()} == set()
