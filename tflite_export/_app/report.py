"""What was written of an app."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class AppReport:
    """What was written.

    Attributes:
        folder: The project.
        application_id: By which a phone tells the app from others.
        title: The app's title on the phone.
        bundle_bytes: The bundle's size.
        variants: The names of its variants, widest first.
        labels: How many classes it names.
        files: The project's files.
        kept: Those of them that the user had changed, and that were left alone.
    """

    folder: str
    application_id: str
    title: str
    bundle_bytes: int
    variants: tuple[str, ...]
    labels: int
    files: tuple[str, ...]
    kept: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.folder}: an Android app around {', '.join(self.variants)}, {self.bundle_bytes:,} bytes, "
            f"{self.labels} labels; {self.folder}/README.md says how to build it"
        ]
        if self.kept:
            lines.append(f"kept, since you changed them: {', '.join(self.kept)}")
        return "\n".join(lines)
