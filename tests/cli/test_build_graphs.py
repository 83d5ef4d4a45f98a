import json

import numpy as np
import pytest
import trimesh

from pose2mesh.cli.build_graphs import read_mesh, run
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
        (["--body", "nobody", "-o", "x.npz"], "unknown body 'nobody'"),
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


def test_other_graphs_are_replaced_only_by_force(ball, tmp_path, capsys):
    out = tmp_path / "ball.npz"
    first = ["build-graphs", "--mesh", str(ball), "--sizes", "60,20", "-o", str(out)]
    other = ["build-graphs", "--mesh", str(ball), "--joint-set", "coco17", "--sizes", "60,20", "-o", str(out)]
    assert main(first) == 0
    before = [path.read_bytes() for path in (out, tmp_path / "manifest.json")]
    assert main(other) == 2 and "--force" in capsys.readouterr().err
    assert main(first) == 0 and "nothing was written" in capsys.readouterr().out
    assert [path.read_bytes() for path in (out, tmp_path / "manifest.json")] == before
    assert main([*other, "--force"]) == 0
    assert load_hierarchy(out).joint_set == "coco17"


def test_a_file_that_is_no_hierarchy_is_not_replaced(ball, tmp_path, capsys):
    out = tmp_path / "mine.npz"
    np.savez(out, keypoints=np.zeros((17, 3)))
    before = out.read_bytes()
    assert main(["build-graphs", "--mesh", str(ball), "--sizes", "60,20", "-o", str(out)]) == 2
    assert "--force" in capsys.readouterr().err and out.read_bytes() == before


OBJ = """
v 9 9 9
v 0 0 0 0.5 0.5 0.5
v 1 0 0
v 0 1 0
v 0 0 1
vt 0 0
vt 1 1
f 2/1/1 3/1/1 4/1/1
f 2/2 3/2 5/2
f -4//1 -3//2 -2//3 -1//4
"""


def test_vertices_keep_the_indices_of_the_file(tmp_path):
    (tmp_path / "a.obj").write_text(OBJ)
    vertices, faces = read_mesh(tmp_path / "a.obj")
    np.testing.assert_array_equal(vertices, [[9, 9, 9], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(faces, [[1, 2, 3], [1, 2, 4], [1, 2, 3], [1, 3, 4]])
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    for suffix in ("ply", "off", "glb"):
        mesh.export(tmp_path / f"a.{suffix}")
        found = read_mesh(tmp_path / f"a.{suffix}")
        np.testing.assert_allclose(found[0], vertices)
        np.testing.assert_array_equal(found[1], faces)


def test_a_mesh_without_indices_or_with_an_unused_vertex_is_refused(tmp_path, capsys):
    (tmp_path / "a.obj").write_text(OBJ)
    trimesh.creation.box().export(tmp_path / "a.stl")
    for name, message in (("a.obj", "in no face, the first is 0"), ("a.stl", "STL repeats")):
        assert main(["build-graphs", "--mesh", f"{tmp_path / name}", "-o", f"{tmp_path}/a.npz"]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "a.npz").exists()
