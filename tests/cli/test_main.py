"""Dispatch and exit codes of the `pose2mesh` command."""

import gc
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import pose2mesh
from pose2mesh.cli import main as command
from pose2mesh.errors import FormatError, MachineError, Pose2MeshError, warn

CHECKOUT = Path(__file__).resolve().parents[2]


def replace_doctor(monkeypatch, run) -> None:
    """Let `pose2mesh doctor` do something else."""
    monkeypatch.setattr(command, "import_module", lambda name: SimpleNamespace(run=run))


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command_of_this_installation(flag, capsys):
    assert command.main([flag]) == 0
    shown = capsys.readouterr().out
    modules = {path.stem.replace("_", "-") for path in (CHECKOUT / "pose2mesh" / "cli").glob("*.py")}
    for name in command.COMMANDS:
        assert (f"  {name} " in shown) == (name in modules)


def test_version(capsys):
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"pose2mesh {pose2mesh.__version__}\n"


def test_no_command_is_bad_usage(capsys):
    assert command.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_an_unknown_command_is_one_line_that_names_the_known_ones(capsys):
    assert command.main(["dotcor"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("pose2mesh: error: unknown command 'dotcor'") and "doctor" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", command.COMMANDS)
def test_a_wrong_option_of_any_command_is_one_line_with_the_remedy(name, capsys):
    assert command.main([name, "--no-such-option"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("pose2mesh: error: ") and error.count("\n") == 1
    assert f"see pose2mesh {name} --help" in error


@pytest.mark.parametrize(
    ("error", "code"),
    [(FormatError("a.npz is\ntruncated"), 2), (MachineError("disk full"), 3), (Pose2MeshError("odd"), 1)],
)
def test_our_errors_become_one_line_and_their_exit_code(error, code, monkeypatch, capsys):
    def run(arguments):
        raise error

    replace_doctor(monkeypatch, run)
    assert command.main(["doctor"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "pose2mesh: error: " + str(error).replace("\n", " ") + "\n"


def test_a_warning_is_one_line_once_in_each_command(monkeypatch, capsys):
    def run(arguments):
        for number in (1, 1, 2):
            warn(f"{number} of 3 frames\ncannot be decoded")
        return 0

    replace_doctor(monkeypatch, run)
    for _ in range(2):
        assert command.main(["doctor"]) == 0
        lines = [f"pose2mesh: warning: {number} of 3 frames cannot be decoded" for number in (1, 2)]
        assert capsys.readouterr().err.splitlines() == lines


def test_a_bug_shows_its_traceback(monkeypatch, capsys):
    replace_doctor(monkeypatch, lambda arguments: {}["missing key"])
    assert command.main(["doctor"]) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error and "KeyError: 'missing key'" in error


def test_an_interrupt_is_130(monkeypatch, capsys):
    def run(arguments):
        raise KeyboardInterrupt

    replace_doctor(monkeypatch, run)
    assert command.main(["doctor"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_arguments_and_exit_code_pass_through(monkeypatch):
    seen = []
    replace_doctor(monkeypatch, lambda arguments: seen.append(arguments) or 7)
    assert command.main(["doctor", "--json", "--", "-x"]) == 7
    assert seen == [["--json", "--", "-x"]]


SCRIPTS = sorted((CHECKOUT / "tools").glob("*.py"))


def test_every_command_has_its_script_in_tools():
    assert {script.stem.replace("_", "-") for script in SCRIPTS} == set(command.COMMANDS)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_in_tools_is_the_command_of_the_same_name(script, tmp_path):
    """In a checkout of its own with a stand-in command, which shows what is called and from where."""
    package = tmp_path / "checkout" / "pose2mesh" / "cli"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "main.py").write_text("def main(argv):\n    print(__file__, *argv)\n    return 5\n")
    copied = tmp_path / "checkout" / "tools" / script.name
    copied.parent.mkdir()
    copied.write_text(script.read_text())
    arguments = [sys.executable, str(copied), "--config", "a.yaml"]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 5, done.stderr
    assert done.stdout.split() == [
        str(package / "main.py"),
        script.stem.replace("_", "-"),
        "--config",
        "a.yaml",
    ]


def test_help_of_a_command_loads_no_torch():
    program = (
        "import sys\nfrom pose2mesh.cli.main import main\n"
        "try: main(['predict', '--help'])\nexcept SystemExit as end: assert not end.code\n"
        "assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "--shard" in result.stdout


def test_an_empty_argument_is_no_folder(tmp_path, monkeypatch, capsys):
    """As `-o "$OUT"` without OUT, which as a path is the working folder."""
    monkeypatch.chdir(tmp_path)
    assert command.main(["demo", "-o", ""]) == 2 and command.main(["predict", "", "-o", "out"]) == 2
    assert capsys.readouterr().err.count("an empty argument") == 2 and not list(tmp_path.iterdir())


def test_commands_leave_the_search_for_garbage_as_it_is(monkeypatch):
    """Frames of videos are garbage that only the search finds: with larger thresholds an hour would stay in memory."""
    before = gc.get_threshold()
    told = []
    replace_doctor(monkeypatch, lambda _: told.append((gc.isenabled(), gc.get_threshold())) or 0)
    assert command.main(["doctor"]) == 0
    assert told == [(True, before)]
