"""Compiling the kernels: whole files under names of their sources, and one clear reason where it cannot be done."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pose2mesh.cli.build_kernels import run
from pose2mesh.errors import MachineError
from pose2mesh.ops import native
from pose2mesh.ops.native import build


@pytest.fixture
def fake_compiler(tmp_path, monkeypatch) -> Path:
    """A program that writes its arguments where the output should go, and fails on AVX-512."""
    program = tmp_path / "compiler"
    program.write_text(
        f'#!{sys.executable}\nimport sys\nif "-mavx512f" in sys.argv: sys.exit("unknown option")\n'
        'open(sys.argv[sys.argv.index("-o") + 1], "w").write(" ".join(sys.argv))\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("CXX", str(program))
    return program


def test_instructions_that_the_compiler_does_not_know_are_left_out(fake_compiler, tmp_path):
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "kernels-avx2-000000000000.so").touch()  # of other sources
    built = build.build(folder)
    assert [path.name for path in built] == [build.library_name(level) for level in build.levels() if level != "AVX512"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in built)  # no remains
    times = [path.stat().st_mtime_ns for path in built]
    assert [path.stat().st_mtime_ns for path in build.build(folder)] == times  # not compiled again


def test_a_compiler_that_fails_is_reported_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", shutil.which("false") or "false")
    with pytest.raises(build.BuildError, match="failed"):
        build.build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_compiler(tmp_path, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildError, match="no C\\+\\+ compiler"):
        build.build(tmp_path / "lib")
    with pytest.raises(MachineError, match=r"g\+\+"):
        run([])


def test_the_command_takes_the_cache_where_the_package_is_read_only(fake_compiler, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr(native, "folders", lambda: (tmp_path / "file" / "lib", tmp_path / "cache"))
    assert run([]) == 0
    assert str(tmp_path / "cache") in capsys.readouterr().out
    assert list((tmp_path / "cache").glob("kernels-*.so"))


def test_the_build_needs_the_standard_library_alone(tmp_path):
    """As the hook of the wheel runs it: by itself, in an interpreter without any package."""
    script = Path(build.__file__)
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", f"import runpy; runpy.run_path({str(script)!r})"], timeout=60
    )
    assert done.returncode == 0


def test_the_library_that_is_loaded_is_of_these_sources():
    if not native.is_available():
        pytest.skip("no compiled kernels: pose2mesh build-kernels")
    path = native.find_library()
    assert path is not None and path.name in {build.library_name(level) for level in build.levels()}


@pytest.mark.parametrize("content", [b"", b"\x7fELF", bytes(range(256))])
def test_a_library_that_cannot_be_loaded_is_told_and_done_without(content, tmp_path, monkeypatch):
    damaged = tmp_path / build.library_name("DEFAULT")
    damaged.write_bytes(content)
    cached = (native.find_library, native.library, native.functions)
    monkeypatch.setattr(native, "folders", lambda: (tmp_path,))
    try:
        for function in cached:
            function.cache_clear()
        assert native.find_library() == damaged
        assert not native.is_available()
        assert "cannot be loaded" in native.reason()
        assert "remove it" in native.remedy()
    finally:
        for function in cached:
            function.cache_clear()


def test_the_cache_keeps_the_libraries_of_other_versions(fake_compiler, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "cache").mkdir()
    other = tmp_path / "cache" / "kernels-avx2-000000000000.so"
    other.touch()
    monkeypatch.setattr(native, "folders", lambda: (tmp_path / "file" / "lib", tmp_path / "cache"))
    assert run([]) == 0
    assert other.exists()
