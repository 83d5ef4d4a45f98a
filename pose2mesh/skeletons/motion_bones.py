"""The bones whose rotations motion packs store; every other bone of a body follows from them."""

MOTION_BONES = (
    *("root", "spine03", "spine01", "neck01", "head"),
    *("clavicle.L", "upperarm01.L", "lowerarm01.L", "wrist.L", "upperleg01.L", "lowerleg01.L", "foot.L"),
    *("clavicle.R", "upperarm01.R", "lowerarm01.R", "wrist.R", "upperleg01.R", "lowerleg01.R", "foot.R"),
)
MOTION_PARENTS = (-1, 0, 1, 2, 3, 2, 5, 6, 7, 0, 9, 10, 2, 12, 13, 14, 0, 16, 17)  # nearest stored ancestor
MIRROR_BONES = tuple(  # left for right, the others themselves
    MOTION_BONES.index(b[:-1] + {"L": "R", "R": "L"}[b[-1]]) if b[-2] == "." else i for i, b in enumerate(MOTION_BONES)
)
