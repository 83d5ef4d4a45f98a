"""Building a wheel or an editable install: compile the C++ kernels where there is a compiler.

It never fails for want of one, and it needs neither torch nor a network. POSE2MESH_BUILD_KERNELS=0 leaves the kernels
out, which makes a wheel for every platform.
"""

import importlib.util
import os
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = Path("pose2mesh/ops/native")


class CustomBuildHook(BuildHookInterface):
    """Puts the libraries into pose2mesh/ops/native/lib, and from there into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if os.environ.get("POSE2MESH_BUILD_KERNELS") == "0":
            return
        root = Path(self.root)
        spec = importlib.util.spec_from_file_location("pose2mesh_build", root / NATIVE / "build.py")
        assert spec is not None and spec.loader is not None
        build = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(build)
        try:
            libraries = build.build(root / NATIVE / "lib")
        except build.BuildError as error:
            self.app.display_warning(f"no compiled kernels, graph layers and pictures will take longer: {error}")
            return
        build_data["artifacts"] += [path.relative_to(root).as_posix() for path in libraries]
        if version == "standard":  # an editable install is of this machine anyhow
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data |= {"pure_python": False, "tag": f"py3-none-{platform}"}
