"""Policy files as one text, and back: which line of which file a line of the whole is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from remit.surface.cli.failures import Misused
from remit.surface.cli.render import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files of one policy set, in their order."""

    files: tuple[tuple[Path, str], ...]

    @classmethod
    def read(cls, files: list[Path]) -> "Sources":
        """Read them; a folder stands for its `.cedar` files. Raises `Misused`."""
        found = [
            part for file in files for part in (sorted(file.glob("*.cedar")) if file.is_dir() else [file])
        ]
        return cls(files=tuple((file, _read(file)) for file in found))

    @property
    def text(self) -> str:
        """All of them as one policy set."""
        return "\n".join(text for _, text in self.files)

    def placed(self, fault: Mapping[str, Any]) -> dict[str, Any]:
        """A fault of the whole text as one of a file."""
        line = int(fault.get("line", 0))
        for file, text in self.files if line else ():
            lines = text.count("\n") + 1
            if line <= lines:
                return {**fault, "file": str(file), "line": line}
            line -= lines
        return dict(fault)

    @contextmanager
    def faults_placed(self) -> Iterator[None]:
        """Turn a refusal of the text into one that names file, line and column of every fault."""
        from remit.decision.policy.errors import PolicyRefused  # noqa: PLC0415 — the domain costs `--help` time

        try:
            yield
        except PolicyRefused as refused:
            lines = [fault_line(self.placed(asdict(fault))) for fault in refused.faults]
            raise Misused("\n".join(lines), next_step="remit policy check FILE") from refused


def fault_line(fault: Mapping[str, Any]) -> str:
    """`file:line:column: policy: sentence; hint`, as compilers write it."""
    place = f"{fault['file']}:{fault['line']}:{fault['column']}: " if fault.get("file") else ""
    policy = f"policy {fault['policy']}: " if fault.get("policy") else ""
    hint = f"; {fault['hint']}" if fault.get("hint") else ""
    return visible(f"{place}{policy}{fault['sentence']}{hint}")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise Misused(f"policy file `{file}` cannot be read", next_step="remit policy check FILE") from broken
