import json

import numpy as np
import pytest
import trimesh

from pose2mesh.cli.build_graphs import run
from pose2mesh.cli.main import main
from pose2mesh.hierarchy import load_hierarchy


@pytest.fixture
def ball(tmp_path):
    path = tmp_path / "ball.ply"
    trimesh.creation.icosphere(2).export(path)
    return path


def test_qem_of_a_mesh_file(ball, tmp_path, capsys):
    out = tmp_path / "graphs" / "ball.npz"
    arguments = ["--mesh", str(ball), "--joint-set", "coco17", "--sizes", "60,20", "-o", str(out)]
    assert run(arguments) == 0
    hierarchy = load_hierarchy(out)
    assert hierarchy.sizes == (162, 60, 20) and hierarchy.joint_set == "coco17"
    assert "162 60 20" in capsys.readouterr().out
    entry = json.loads((out.parent / "manifest.json").read_text())["graphs"]["ball"]
    assert entry["made_by"].startswith(f"pose2mesh build-graphs --mesh {ball}")


def test_hem_of_plain_arrays(tmp_path):
    mesh, out = trimesh.creation.icosphere(2), tmp_path / "ball.npz"
    np.savez(tmp_path / "mesh.npz", vertices=mesh.vertices, faces=mesh.faces)
    arguments = [
        "--mesh",
        str(tmp_path / "mesh.npz"),
        "--pooling",
        "hem",
        "--levels",
        "2",
        "--order",
        "legacy",
    ]
    assert run([*arguments, "-o", str(out)]) == 0
    assert load_hierarchy(out).real_sizes[0] == 162


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mesh", "absent.obj", "-o", "x.npz"], "absent.obj: no such file"),
        (["--mesh", "{ball}", "-o", "x.txt"], "stored as .npz"),
        (["--mesh", "{text}", "-o", "x.npz"], "cannot be read as a triangle mesh"),
        (["--mesh", "{ball}", "--sizes", "9,12", "-o", "x.npz"], "sizes must fall"),
        (["--mesh", "{ball}", "--joint-set", "cat", "-o", "x.npz"], "unknown joint set"),
        (["--body", "nobody", "-o", "x.npz"], "unknown body model"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, ball, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.ply").write_text("hello")
    filled = [argument.format(ball=ball, text=tmp_path / "text.ply") for argument in arguments]
    assert main(["build-graphs", *filled]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "x.npz").exists()
