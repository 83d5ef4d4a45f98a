"""One sheet of photos: keypoints, overlay and side view of each. `python contact_sheet.py [PHOTO ...]`

Without photos it takes a drawn figure and the astronaut of scikit-image: so the picture of the README is made.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pose2mesh import Pose2Mesh
from pose2mesh.detectors.images import read_image
from pose2mesh.rendering import contact_sheet, photo_row


def sample_photos() -> list[np.ndarray]:
    from skimage.data import astronaut

    from pose2mesh.body_models import load_anny_body
    from pose2mesh.synthesis.studio import figure_scene

    return [figure_scene(load_anny_body(), "greet", yaw_degrees=25.0).image, astronaut()]


photos = [read_image(Path(name)) for name in sys.argv[1:]] or sample_photos()
model = Pose2Mesh.from_pretrained("anny-body")
rows = [photo_row(photo, model.predict(photo), height=420) for photo in photos]
Image.fromarray(contact_sheet(rows)).save("sheet.png")
print("sheet.png:", len(rows), "photos")
