"""The wheel carries the built console: hatchling calls this while it builds one (docs/adr/0064)."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INSIDE = "remit/surface/web/console/built"


class ConsoleHook(BuildHookInterface[Any]):
    """Builds `console/` and puts what comes out into the wheel; an editable install builds it by `make`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless the install only points at the sources."""
        if version == "editable":
            return
        builder = runpy.run_path(str(Path(self.root, "console", "build.py")))
        out = Path(self.root, "src", INSIDE)
        builder["build"](out)
        build_data["force_include"][str(out)] = INSIDE
