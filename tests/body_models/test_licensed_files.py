import numpy as np
import pytest
from synthetic_models import arrays, write_pickle

from pose2mesh.body_models import load_body_model
from pose2mesh.body_models.licensed_files import MANO, find_model, find_regressor, read_model, read_regressor
from pose2mesh.cli.main import main
from pose2mesh.errors import FormatError, MissingFileError


@pytest.fixture(autouse=True)
def no_models_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSE2MESH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("POSE2MESH_MODELS", raising=False)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("smpl-neutral", "smpl/SMPL_NEUTRAL.pkl"),
        ("smpl-neutral", "SMPL_NEUTRAL.npz"),
        ("smpl-neutral", "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl"),
        ("smpl-male", "smpl/models/basicmodel_m_lbs_10_207_0_v1.1.0.pkl"),
        ("smpl-male", "basicmodel_m_lbs_10_207_0_v1.0.0.pkl"),
        ("smpl-female", "basicModel_f_lbs_10_207_0_v1.0.0.pkl"),
        ("smpl-female", "_DATA/data/smpl/SMPL_FEMALE.pkl"),
        ("mano-right", "mano/MANO_RIGHT.pkl"),
        ("mano-right", "mano_data/MANO_RIGHT.pkl"),
        ("mano-left", "_DATA/data/mano/MANO_LEFT.pkl"),
        ("mano-left", "mano/models/MANO_LEFT.pkl"),
        ("smpl-neutral", "data/basicModel_neutral_lbs_10_207_0_v1.0.0.pkl"),  # 4D-Humans
        ("smpl-neutral", "data/smpl/SMPL_NEUTRAL.pkl"),  # its cache
        ("mano-right", "data/mano/MANO_RIGHT.pkl"),
        ("mano-right", "models/MANO_RIGHT.pkl"),  # mano_v1_2
        ("mano-left", "mano_v1_2/models/MANO_LEFT.pkl"),
        ("smpl-neutral", "models/smpl/SMPL_NEUTRAL.pkl"),  # the folder above that of smplx
        ("mano-right", "models/mano/MANO_RIGHT.pkl"),
        ("smpl-neutral", "code/models/basicModel_neutral_lbs_10_207_0_v1.0.0.pkl"),  # smplify_public
        ("smpl-neutral", "smplify_public/code/models/basicModel_neutral_lbs_10_207_0_v1.0.0.pkl"),
    ],
)
def test_the_layouts_that_users_have(name, file, tmp_path):
    path = tmp_path / "some" / file
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_model(name, tmp_path / "some") == path


def test_the_search_order(tmp_path, monkeypatch):
    places = {place: tmp_path / place / "SMPL_MALE.pkl" for place in ("cache/models", "models", "env", "given")}
    monkeypatch.setenv("POSE2MESH_MODELS", str(tmp_path / "env"))
    for place, path in places.items():  # from the last to the first
        path.parent.mkdir(parents=True)
        path.touch()
        found = find_model("smpl-male", tmp_path / "given" if place == "given" else None)
        assert found.resolve() == path
    assert find_model("smpl-male", places["models"]) == places["models"]  # a file is taken as it is


def test_a_missing_model_names_the_page_and_the_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE2MESH_MODELS", str(tmp_path / "mine"))
    with pytest.raises(MissingFileError) as caught:
        load_body_model("smpl-female")
    message = str(caught.value)
    for part in (
        "https://smpl.is.tue.mpg.de",
        str(tmp_path / "mine" / "SMPL_FEMALE.pkl"),
        "models/SMPL_FEMALE.pkl",
    ):
        assert part in message
    with pytest.raises(MissingFileError, match=r"https://mano\.is\.tue\.mpg\.de"):
        find_model("mano-right")
    with pytest.raises(MissingFileError, match="no file or folder nowhere"):
        find_model("mano-right", "nowhere")
    with pytest.raises(MissingFileError, match="Pose2Mesh_RELEASE"):
        find_regressor("human36m17")


def change(name: str, edit):
    def apply(entries: dict) -> dict:
        value = entries[name]
        value = (value.toarray() if hasattr(value, "toarray") else value).copy()
        return {**entries, name: edit(value)}

    return apply


def with_value(value, *index):
    def edit(array):
        array[index] = value
        return array

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("v_template", lambda a: a[:-1]), r"'v_template' has shape \(777, 3\), expected \(778, 3\)"),
        (
            change("shapedirs", lambda a: a[..., :9]),
            r"'shapedirs' has shape .* expected \(778, 3, 10 or more\)",
        ),
        (change("posedirs", lambda a: a.reshape(778, 405)), r"'posedirs' has shape \(778, 405\)"),
        (change("weights", with_value(np.nan, 5, 5)), r"'weights' holds numbers that are not finite"),
        (change("J_regressor", with_value(np.inf, 0, 0)), r"'J_regressor' holds numbers that are not finite"),
        (change("hands_mean", with_value(np.nan, 3)), r"'hands_mean' holds numbers that are not finite"),
        (change("f", lambda a: a.astype(float)), r"'f' has type float64, expected integers"),
        (change("v_template", lambda a: a.astype(int)), r"'v_template' has type int64, expected floating"),
        (change("f", with_value(778, 3, 1)), r"'f' names vertices \d+\.\.778 of 778"),
        (change("kintree_table", with_value(9, 0, 4)), r"'kintree_table' is no tree"),
        (change("kintree_table", with_value(0, 0, 0)), r"'kintree_table' is no tree"),
        (lambda entries: {k: v for k, v in entries.items() if k != "f"}, "lacks f[,;]"),
        (lambda entries: {**entries, "weights": "none"}, "'weights' is not a readable array"),
    ],
)
@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
def test_wrong_arrays_are_one_clear_error(edit, message, suffix, tmp_path):
    entries = edit(arrays(MANO))
    path = tmp_path / f"MANO_RIGHT{suffix}"
    if suffix == ".pkl":
        write_pickle(path, entries)
    else:
        np.savez(path, **{k: v.toarray() if hasattr(v, "toarray") else v for k, v in entries.items()})
        message = message.replace("'weights' is not a readable array", "'weights' has shape")
    with pytest.raises(FormatError, match=message) as caught:
        load_body_model("mano-right", path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value) and ";" in str(caught.value)


@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
def test_truncated_at_64_points(suffix, tmp_path):
    source, cut = tmp_path / "MANO_RIGHT.pkl", tmp_path / f"cut{suffix}"
    write_pickle(source, arrays(MANO))
    if suffix == ".npz":
        assert main(["convert-model", str(source), "-o", str(tmp_path / "model.npz")]) == 0
        source = tmp_path / "model.npz"
    content = source.read_bytes()
    for i in range(64):
        cut.write_bytes(content[: len(content) * i // 64])
        with pytest.raises(FormatError, match="cut"):
            read_model(cut, MANO)


def test_convert_model_round_trip(tmp_path, capsys):
    entries = arrays(MANO)
    write_pickle(tmp_path / "MANO_RIGHT.pkl", entries)
    out = tmp_path / "models" / "mano" / "MANO_RIGHT.npz"
    assert main(["convert-model", "MANO_RIGHT.pkl", "-o", str(out)]) == 0
    assert "778 vertices" in capsys.readouterr().out
    with np.load(out, allow_pickle=False) as file:
        for name in ("v_template", "f", "posedirs", "kintree_table", "hands_components", "hands_mean"):
            np.testing.assert_array_equal(file[name], entries[name])
    direct = load_body_model("mano-right", tmp_path / "MANO_RIGHT.pkl")
    converted = load_body_model("mano-right")  # found under ./models
    assert converted.path.resolve() == out
    for (name, a), b in zip(direct.named_buffers(), converted.buffers(), strict=True):
        assert (a == b).all(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.pkl", "-o", "x.npz"], "no body model at absent.pkl"),
        (["absent.pkl", "-o", "x.pkl"], "stored as .npz"),
        (["body.pkl", "-o", "x.npz"], "neither SMPL's"),
        (["text.pkl", "-o", "x.npz"], "text.pkl is damaged or no body model"),
    ],
)
def test_convert_model_refuses_in_one_line(arguments, message, tmp_path, capsys):
    write_pickle(tmp_path / "body.pkl", {"v_template": np.zeros((10475, 3))})
    (tmp_path / "text.pkl").write_text("hello")
    assert main(["convert-model", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / arguments[-1]).exists()


@pytest.mark.parametrize("name", ["model.npz", "./folder/../model.npz", "link.npz"])
def test_convert_model_does_not_write_over_its_input(name, tmp_path, capsys):
    write_pickle(tmp_path / "MANO_RIGHT.pkl", arrays(MANO))
    assert main(["convert-model", "MANO_RIGHT.pkl", "-o", "model.npz"]) == 0
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.npz").symlink_to(tmp_path / "model.npz")
    content = (tmp_path / "model.npz").read_bytes()
    time_ns = (tmp_path / "model.npz").stat().st_mtime_ns
    assert main(["convert-model", "model.npz", "-o", name]) == 2
    assert "model.npz: would be lost by writing" in capsys.readouterr().err
    assert (tmp_path / "model.npz").read_bytes() == content
    assert (tmp_path / "model.npz").stat().st_mtime_ns == time_ns


@pytest.mark.parametrize("array", [np.zeros((17, 6889)), np.full((17, 6890), np.nan), np.zeros((17, 6890), int)])
def test_a_foreign_regressor_is_refused(array, tmp_path):
    np.save(tmp_path / "r.npy", array)
    with pytest.raises(FormatError, match=r"r\.npy: it"):
        read_regressor(tmp_path / "r.npy", 17, 6890)
    (tmp_path / "r.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(FormatError, match=r"r\.npy is damaged or no NPY file"):
        read_regressor(tmp_path / "r.npy", 17, 6890)
