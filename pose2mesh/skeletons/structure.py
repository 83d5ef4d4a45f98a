"""What a joint set is, and how its left and its right belong together."""

from dataclasses import dataclass
from functools import cached_property

from pose2mesh.errors import InputError


@dataclass(frozen=True)
class JointSet:
    """A named, ordered set of joints."""

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    root: str | None = None  # joint that root-relative coordinates refer to, where the set has one

    def __post_init__(self) -> None:
        """Raises InputError for a joint that is there twice, and for a bone or a root that is none."""
        double = [joint for index, joint in enumerate(self.joints) if joint in self.joints[:index]]
        ends = [*(end for bone in self.bones for end in bone), *([self.root] if self.root else [])]
        lost = [joint for joint in ends if joint not in self.joints]
        if double or lost:
            fault = f"{double[0]} is there twice" if double else f"{lost[0]}, of a bone or the root, is no joint"
            raise InputError(f"joint set {self.name}: {fault}; its joints are {', '.join(self.joints)}")

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        return self.joints.index(joint)

    @cached_property
    def bone_indices(self) -> tuple[tuple[int, int], ...]:
        return tuple((self.index(a), self.index(b)) for a, b in self.bones)

    @cached_property
    def flip_permutation(self) -> tuple[int, ...]:
        """Index of each joint's mirror partner; joints on the mid-line map to themselves. InputError without one."""
        for joint in self.joints:
            if mirror_name(joint) not in self.joints:
                raise InputError(f"joint set {self.name} has {joint} without {mirror_name(joint)}; people have both")
        return tuple(self.index(mirror_name(joint)) for joint in self.joints)

    @cached_property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        return tuple((i, j) for i, j in enumerate(self.flip_permutation) if i < j)


def mirror_name(joint: str) -> str:
    """`left_x` to `right_x` and back; a mid-line name is returned as it is."""
    if joint.startswith("left_"):
        return "right_" + joint[5:]
    if joint.startswith("right_"):
        return "left_" + joint[6:]
    return joint


def both_sides(*bones: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Write limb bones once; `*` stands for the side."""
    return tuple((a.replace("*", side), b.replace("*", side)) for side in ("left", "right") for a, b in bones)
