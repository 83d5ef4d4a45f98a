# ruff: noqa: E501 - a table with one gesture a line
"""Named gestures and grasps of a right hand, written down as joint angles in degrees (`hand_frames.ANGLES`).

Grasps after the GRASP taxonomy (Feix et al. 2016), letters and numbers after the American manual alphabet. The angles are
our own, set by looking at the posed hand; opposing fingertips were brought together by a small least-squares fit.
A family is kept together: tests measure on families that training never sees.
"""

import torch
from torch import Tensor

from pose2mesh.augmentation.hand_frames import ANGLES
from pose2mesh.errors import InputError

Finger = str | tuple[float, float, float]

# Bends of a finger at its three joints: knuckle (MCP), middle (PIP), end (DIP).
_BENDS = {
    "straight": (2, 4, 2), "over": (-15, 2, 0), "relaxed": (25, 30, 15), "half": (45, 55, 30), "curled": (80, 96, 46),
    "hook": (5, 92, 58), "claw": (5, 55, 35), "bent": (80, 6, 4), "folded": (60, 100, 65),
}  # fmt: skip
# The thumb: radial and palmar abduction, roll, bends at MCP and IP.
_THUMBS = {
    "beside": (33, 16, 0, 5, 5), "out": (60, 22, 0, 0, -5), "up": (62, 12, 0, 0, -10), "over": (30, 48, 0, 45, 40),
    "palm": (18, 44, 0, 52, 45), "side": (38, 30, 0, 8, 12), "relaxed": (42, 36, 0, 15, 18), "round": (32, 58, 0, 15, 25),
    "in": (8, 42, 0, 45, 55),
}  # fmt: skip


def _gesture(
    thumb: str | tuple[float, ...],
    index: Finger,
    middle: Finger,
    ring: Finger,
    pinky: Finger,
    *,
    spread: tuple[float, float, float, float] = (1, 0, 2, 4),
    wrist: tuple[float, float] = (0, 0),
    cup: float = 0,
) -> list[float]:
    """The 24 angles; `spread` away from the middle finger, index to pinky."""
    bends = [_BENDS[f] if isinstance(f, str) else f for f in (index, middle, ring, pinky)]
    fingers = [angle for s, bend in zip(spread, bends, strict=True) for angle in (s, *bend)]
    return [*wrist, cup, *(_THUMBS[thumb] if isinstance(thumb, str) else thumb), *fingers]


_S, _C, _H, _R = "straight", "curled", "hook", "relaxed"
_WIDE = (14.0, 0.0, 12.0, 22.0)
_FIST = (3.0, 0.0, 4.0, 8.0)

GESTURES: dict[str, dict[str, list[float]]] = {
    "basic": {
        "flat": _gesture("beside", _S, _S, _S, _S),
        "spread": _gesture("out", _S, _S, _S, _S, spread=_WIDE),
        "bent_back": _gesture("out", "over", "over", "over", "over", spread=(8, 0, 8, 14)),
        "relaxed": _gesture("relaxed", _R, (30, 35, 18), (34, 38, 20), (36, 36, 20), spread=(4, 0, 5, 10)),
        "half_open": _gesture("relaxed", "half", "half", "half", "half", spread=(4, 0, 4, 8), cup=5),
        "fist": _gesture("over", _C, _C, _C, _C, spread=_FIST, cup=8),
        "fist_thumb_beside": _gesture("side", _C, _C, _C, _C, spread=_FIST, cup=8),
        "loose_fist": _gesture((35, 54, -5, 39, 36), (71, 87, 51), (72, 86, 46), (70, 82, 46), (70, 80, 45), spread=(3, 0, 4, 8), cup=6),
        "claw": _gesture("out", "claw", "claw", "claw", "claw", spread=_WIDE),
        "roof": _gesture("beside", "bent", "bent", "bent", "bent"),
        "hooked": _gesture("beside", _H, _H, _H, _H),
        "cupped": _gesture((30, 35, 0, 10, 10), (30, 20, 10), (32, 20, 10), (34, 20, 10), (36, 20, 10), cup=18),
        "wave": _gesture("out", _S, _S, _S, _S, spread=(8, 0, 8, 14), wrist=(-35, 0)),
        "drooping": _gesture("relaxed", _R, _R, _R, _R, spread=(3, 0, 4, 8), wrist=(55, 5)),
    },
    "counting": {
        "one": _gesture("over", _S, _C, _C, _C, spread=_FIST),
        "two": _gesture("over", _S, _S, _C, _C, spread=(10, -6, 4, 8)),
        "three": _gesture("palm", _S, _S, _S, _C, spread=(10, 0, 10, 6)),
        "four": _gesture("palm", _S, _S, _S, _S, spread=(10, 0, 9, 16)),
        "five": _gesture("out", _S, _S, _S, _S, spread=(12, 0, 10, 18)),
        "thumb_one": _gesture("up", _C, _C, _C, _C, spread=_FIST),
        "thumb_two": _gesture("out", _S, _C, _C, _C, spread=(6, 0, 4, 8)),
        "thumb_three": _gesture("out", _S, _S, _C, _C, spread=(10, -2, 4, 8)),
    },
    "pinches": {
        "pinch_index": _gesture((34, 52, 5, 10, 30), (52, 48, 30), (40, 40, 22), (36, 36, 20), (34, 34, 18)),
        "pinch_index_open": _gesture((34, 52, 5, 10, 30), (52, 48, 30), _S, _S, _S, spread=(2, 2, 10, 18)),
        "pinch_middle": _gesture((20, 59, 6, 18, 34), (20, 20, 10), (56, 49, 32), (35, 35, 20), (30, 30, 18), spread=(1, 0, 2, 4)),
        "pinch_ring": _gesture((9, 63, 6, 27, 38), (12, 10, 6), (20, 20, 10), (58, 46, 33), (40, 35, 20), spread=(1, 0, 2, 4), cup=7),
        "pinch_pinky": _gesture((-5, 58, 8, 40, 45), (8, 8, 5), (12, 12, 8), (30, 30, 18), (58, 44, 33), spread=(1, 0, 2, 4), cup=15),
        "pinch_three": _gesture((25, 62, 2, 17, 39), (54, 48, 30), (57, 49, 31), (45, 45, 25), (42, 42, 24), spread=(1, -1, 2, 4)),
        "pinch_all": _gesture((24, 56, 8, 12, 28), (40, 48, 20), (44, 49, 21), (46, 50, 22), (48, 48, 22), spread=(1, 0, 1, 2), cup=10),
        "pad_pinch": _gesture((32, 56, 4, 17, 7), (60, 38, 6), (45, 45, 25), (42, 42, 24), (40, 40, 22), spread=(1, 0, 2, 4)),
    },
    "signs": {
        "victory": _gesture("palm", _S, _S, _C, _C, spread=(14, -8, 4, 8)),
        "okay": _gesture((36, 53, 4, 12, 32), (50, 51, 32), (15, 12, 8), (8, 8, 5), (4, 6, 4), spread=(2, 2, 10, 18)),
        "thumbs_up": _gesture("up", (80, 98, 46), (82, 98, 46), (84, 98, 46), (84, 96, 44), spread=_FIST, cup=8),
        "point": _gesture((30, 48, 0, 44, 40), (-3, 3, 0), (71, 91, 55), (74, 92, 55), (76, 90, 52), spread=(3, 0, 4, 8)),
        "gun": _gesture("up", _S, _S, _C, _C, spread=(0, 1, 4, 8)),
        "horns": _gesture("over", _S, _C, _C, _S, spread=(6, 0, 3, 16)),
        "love": _gesture("out", _S, _C, _C, _S, spread=(8, 0, 3, 18)),
        "call_me": _gesture("out", _C, _C, _C, (-5, 4, 2), spread=(3, 0, 4, 24)),
        "long_life": _gesture("out", _S, _S, _S, _S, spread=(0, 8, 12, 16)),
        "stop": _gesture("beside", (-8, 2, 0), (-8, 2, 0), (-8, 2, 0), (-8, 2, 0), wrist=(-45, 0)),
        "beckon": _gesture("over", (20, 60, 35), _C, _C, _C, spread=_FIST),
        "middle_only": _gesture("over", _C, _S, _C, _C, spread=_FIST),
        "beak": _gesture((17, 64, -9, 24, 22), (77, 35, 13), (69, 32, 15), (72, 32, 13), (54, 15, 8), spread=(10, 0, 7, 4), cup=2),
    },
    "grasps": {
        "large_cylinder": _gesture((45, 58, 0, 10, 20), (35, 42, 25), (38, 44, 26), (38, 44, 26), (36, 42, 25), cup=6),
        "medium_cylinder": _gesture((38, 58, 0, 15, 25), (48, 62, 36), (52, 64, 38), (54, 64, 38), (52, 62, 36), cup=8),
        "small_cylinder": _gesture((36, 52, 0, 28, 35), (63, 84, 46), (66, 84, 48), (68, 84, 48), (68, 82, 46), spread=(1, 0, 2, 4), cup=10),
        "tool_thumb_along": _gesture("side", (58, 78, 40), (64, 82, 45), (68, 84, 46), (70, 84, 46), wrist=(-15, 12), cup=8),
        "hook_grip": _gesture("beside", (12, 82, 48), (14, 84, 50), (14, 84, 50), (14, 82, 48)),
        "suitcase": _gesture((30, 25, 0, 15, 25), (40, 90, 45), (42, 92, 46), (42, 92, 46), (42, 90, 45)),
        "large_sphere": _gesture((50, 60, 0, 5, 20), (25, 38, 24), (26, 40, 25), (26, 40, 25), (25, 38, 24), spread=(12, 0, 10, 20), cup=10),
        "small_sphere": _gesture((34, 60, 0, 10, 28), (48, 48, 30), (50, 50, 32), (50, 50, 32), (48, 48, 30), spread=(7, 0, 6, 12), cup=14),
        "disk": _gesture((52, 52, 0, 5, 28), (12, 48, 34), (12, 50, 35), (12, 50, 35), (12, 48, 34), spread=(13, 0, 12, 22), cup=6),
        "pen": _gesture((35, 52, 2, 20, 21), (49, 42, 13), (58, 55, 28), (62, 66, 36), (64, 68, 36), spread=(1, 0, 2, 4), wrist=(-20, 0), cup=6),
        "key": _gesture((42, 32, 0, 22, 18), (55, 72, 30), (66, 80, 42), (70, 84, 45), (72, 84, 45), cup=6),
        "plate": _gesture((38, 50, 0, 12, 0), (52, 8, 4), (54, 8, 4), (54, 8, 4), (52, 8, 4), wrist=(-20, 0)),
        "scissor_grip": _gesture("beside", (15, 8, 4), (15, 8, 4), (40, 45, 25), (44, 46, 25), spread=(-2, 0, 2, 4)),
        "pointer_grip": _gesture((38, 45, 0, 28, 20), (12, 14, 8), (66, 82, 44), (70, 84, 46), (72, 84, 46), cup=8),
        "spray": _gesture((44, 48, 0, 15, 25), (20, 62, 40), (58, 72, 42), (62, 74, 44), (62, 74, 44), cup=6),
        "cup_handle": _gesture((40, 41, 0, 24, 17), (59, 73, 40), (55, 80, 42), (68, 84, 45), (70, 84, 45), spread=(1, 0, 2, 4), wrist=(0, -12)),
        "tray": _gesture("out", (-5, 8, 4), (-5, 8, 4), (-5, 8, 4), (-5, 8, 4), spread=(9, 0, 8, 15), wrist=(-60, 0)),
        "chopsticks": _gesture((33, 50, 0, 20, 18), (40, 46, 20), (48, 46, 20), (58, 58, 28), (62, 62, 30), spread=(1, 0, 2, 4), cup=6),
        "ball_throw": _gesture((46, 58, 0, 5, 22), (30, 42, 26), (30, 44, 28), (62, 72, 42), (64, 74, 42), spread=(9, -4, 4, 8)),
    },
    "letters": {
        "a": _gesture("side", (84, 96, 46), (84, 96, 46), (84, 98, 46), (84, 96, 44), spread=_FIST, cup=6),
        "b": _gesture("palm", _S, _S, _S, _S, spread=(-1, 0, 0, 0)),
        "c": _gesture((46, 54, 0, 5, 18), (30, 45, 30), (32, 46, 30), (34, 46, 30), (34, 44, 28), spread=(1, 0, 1, 2)),
        "d": _gesture((13, 61, 0, 28, 38), (2, 4, 2), (56, 52, 32), (56, 50, 32), (58, 52, 32), spread=(4, 0, 2, 5)),
        "e": _gesture((19, 42, -1, 48, 60), (38, 103, 60), (38, 104, 60), (38, 102, 60), (38, 100, 58), spread=(1, 0, 2, 4)),
        "f": _gesture((36, 53, 4, 12, 32), (51, 48, 32), (2, 4, 2), (2, 4, 2), (2, 4, 2), spread=(2, 2, 9, 16)),
        "g": _gesture((40, 34, 0, 5, 5), (38, 6, 4), _C, _C, _C, spread=(2, 0, 4, 8), wrist=(0, 10)),
        "h": _gesture("palm", (35, 4, 2), (35, 4, 2), _C, _C, spread=(-1, 0, 4, 8), wrist=(15, 0)),
        "i": _gesture("over", _C, _C, _C, _S, spread=(3, 0, 4, 12)),
        "k": _gesture((40, 34, 0, 12, 5), (-2, 4, 2), (38, 8, 4), _C, _C, spread=(5, -4, 4, 8)),
        "l": _gesture((66, 14, 0, 0, -5), _S, _C, _C, _C, spread=(0, 0, 4, 8)),
        "m": _gesture((3, 36, -8, 43, 50), (67, 76, 40), (60, 68, 31), (66, 86, 46), (84, 96, 56), spread=(2, 0, 3, 8), cup=4),
        "n": _gesture((10, 52, -7, 41, 41), (63, 72, 36), (71, 86, 45), (83, 97, 58), (84, 96, 56), spread=(2, 0, 4, 8)),
        "o": _gesture((24, 60, 3, 18, 37), (49, 51, 32), (51, 52, 32), (54, 52, 32), (56, 50, 32), spread=(1, -1, 2, 4), cup=8),
        "p": _gesture((40, 34, 0, 12, 5), (10, 4, 2), (55, 8, 4), _C, _C, spread=(4, -3, 4, 8), wrist=(60, 0)),
        "q": _gesture((42, 36, 0, 5, 5), (45, 6, 4), _C, _C, _C, spread=(2, 0, 4, 8), wrist=(58, 8)),
        "r": _gesture("palm", (14, 10, 4), (2, 6, 2), _C, _C, spread=(-9, 9, 4, 8)),
        "t": _gesture((34, 46, -5, 24, 16), (61, 90, 45), (80, 98, 58), (83, 97, 58), (84, 96, 56), spread=(6, 0, 4, 8)),
        "u": _gesture("palm", _S, _S, _C, _C, spread=(-2, 0, 4, 8)),
        "w": _gesture("palm", _S, _S, _S, (60, 80, 45), spread=(12, 0, 12, 4)),
        "x": _gesture("over", (10, 75, 45), _C, _C, _C, spread=_FIST),
        "y": _gesture((64, 18, 0, 0, -5), _C, _C, _C, _S, spread=(3, 0, 5, 22), cup=4),
    },
}  # fmt: skip

TRAINING_FAMILIES = ("basic", "counting", "pinches")
VALIDATION_FAMILIES = ("signs",)
TEST_FAMILIES = ("grasps", "letters")
DISTINCT_DEGREES = 5.0


def gesture_pool(families: tuple[str, ...]) -> Tensor:
    """The gestures of these families [N,24], degrees. Raises InputError for an unknown family."""
    if unknown := [family for family in families if family not in GESTURES]:
        raise InputError(f"unknown gesture family {unknown[0]!r}; known: {', '.join(GESTURES)}")
    rows = [angles for family in families for angles in GESTURES[family].values()]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, len(ANGLES))


def distinct_gestures(families: tuple[str, ...], seen: tuple[str, ...]) -> list[tuple[str, Tensor]]:
    """(family, angles [24]) of the gestures that differ from all gestures of the families `seen`.

    The letter F is a pinch and the letter A a fist: left out is what is nearer than `DISTINCT_DEGREES` in the mean square
    over the fingers' angles. The families in `seen` are taken whole.
    """
    known = gesture_pool(tuple(family for family in seen if family not in families))[:, 3:]
    out = []
    for family in families:
        for angles in gesture_pool((family,)):
            difference = (angles[3:] - known).square().mean(1).sqrt()
            if not (difference < DISTINCT_DEGREES).any():
                out.append((family, angles))
    return out
