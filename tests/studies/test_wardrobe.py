"""The clothes of target pictures are other ones than those of training."""

import numpy as np

from pose2mesh.body_models import load_anny_body
from tools.studies.wardrobe import Wardrobe


def test_another_wardrobe_has_stripes_and_sometimes_bare_limbs():
    model = Wardrobe(load_anny_body())
    wardrobe = [model.striped(np.random.default_rng(seed)) for seed in range(8)]
    shirt, legs = model.parts == "shirt", model.shins
    assert all(len(np.unique(colors[shirt], axis=0)) >= 2 for colors in wardrobe)
    skin = np.flatnonzero(model.parts == "skin")[0]
    assert {bool((colors[legs] == colors[skin]).all()) for colors in wardrobe} == {True, False}
    assert all(colors.min() >= 0 and colors.max() <= 1 for colors in wardrobe)
