"""The folder of a researcher as docs/data.md lays it out: data/ in the published formats, models/ and their graphs."""

import dataclasses
import functools
from pathlib import Path

import annotation_files as written
import pytest
from annotation_bodies import write_bodies
from annotation_pw3d import write_pw3d
from lenient_fits import set_misfits

from pose2mesh import body_models, checkpoints
from pose2mesh.hierarchy import Hierarchy, build_hierarchy, save_hierarchy
from pose2mesh.hierarchy.laplacian import skeleton_laplacian
from pose2mesh.skeletons import joint_set
from pose2mesh.training import annotated_data, trainer

FOLDERS = {"Human36M": written.write_human36m, "COCO": written.write_coco, "MuCo": written.write_muco}
FOLDERS |= {"AMASS": written.write_amass, "SURREAL": written.write_surreal, "FreiHAND": written.write_freihand}


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """A folder with data/, models/ and models/graphs/, as the documentation lays them out."""
    folder = tmp_path_factory.mktemp("researcher")
    for name, write in FOLDERS.items():
        write(folder / "data" / name)
    write_pw3d(folder / "data" / "PW3D")
    write_bodies(folder / "models")
    return folder


@pytest.fixture(scope="session")
def bodies(place: Path):
    """Models by name, each read once: the checks of 90 MB of pickles take seconds."""
    return functools.cache(lambda name: body_models.load_body_model(name, place / "models"))


@pytest.fixture(scope="session")
def graphs(place: Path, bodies) -> None:
    for body, sets in (("smpl-neutral", ("human36m17", "coco19", "smpl24")), ("mano-right", ("hand21",))):
        hierarchy = graph_of(bodies(body), 9 if body.startswith("smpl") else 6)
        for name in sets:
            laplacian = skeleton_laplacian(joint_set(name))
            with_joints = dataclasses.replace(hierarchy, joint_set=name, joint_laplacian=laplacian)
            save_hierarchy(place / "models" / "graphs" / f"{body.split('-')[0]}_{name}.npz", with_joints)


def graph_of(body, levels: int) -> Hierarchy:
    return build_hierarchy(body.v_template.double().numpy(), body.faces.numpy(), "hem", levels=levels, order="legacy")


@pytest.fixture
def here(place: Path, bodies, graphs, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    for module in (annotated_data, trainer, checkpoints.build):
        monkeypatch.setattr(module, "load_body_model", bodies)
    set_misfits(monkeypatch, 1e9)
    return place
