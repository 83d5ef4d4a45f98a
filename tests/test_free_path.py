"""Everything free runs without smplx, whose license allows non-commercial research only."""

import os
import subprocess
import sys
from pathlib import Path

from tiny_adaptation import adapt_config
from tiny_run import tiny_run

from pose2mesh.checkpoints import load_network
from pose2mesh.training.config import TrainConfig

HERE = Path(__file__).parent

PROGRAM = """
import sys
sys.modules["smplx"] = None  # importing it fails
from pathlib import Path
import numpy as np
from test_free_path import adapting, training
from tiny_adaptation import people
from pose2mesh import Pose2Mesh
from pose2mesh.adaptation import adapt
from pose2mesh.body_models import load_anny_body, load_body_model, load_hand_body
from pose2mesh.checkpoints.export import export_network
from pose2mesh.errors import MissingDependencyError
from pose2mesh.training.trainer import train

folder = Path(sys.argv[1])
model = Pose2Mesh.from_pretrained("anny-body")
(person,) = model.predict(people(1)[0], joint_set="coco17")
assert np.isfinite(person.vertices).all() and person.vertices.shape == (13718, 3)
for body in (load_anny_body(), load_hand_body()):
    assert body.rest(body.v_template.new_zeros(1, body.num_shape)).vertices.isfinite().all()
trained = train(training(folder))
adapted, _ = adapt(adapting(folder), "key2mesh")
export_network(Pose2Mesh.from_pretrained(trained).network, folder / "network.pt2", "torch-export")
try:
    load_body_model("smpl-neutral", folder)
except MissingDependencyError as error:
    print(error)
"""


def training(folder: Path) -> TrainConfig:
    """One step of each stage."""
    config = tiny_run(folder)
    return TrainConfig.model_validate(config | {"stages": [{**stage, "steps": 1} for stage in config["stages"]]})


def adapting(folder: Path):
    return adapt_config(folder, steps=1, validate_every=1)


def test_prediction_training_adaptation_and_export_without_smplx(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSE2MESH_")}
    environment["PYTHONPATH"] = f"{HERE.parent}:{HERE}"
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "pip install 'pose2mesh[smpl]'" in done.stdout.splitlines()[-1]
    assert load_network(tmp_path / "run" / "weights.safetensors").joint_set == "coco17"
    assert (tmp_path / "network.pt2").is_file()
