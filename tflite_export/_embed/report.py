"""What was written, and what each variant takes of flash and RAM."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tflite_export._embed.memory import Buffers


@dataclass(frozen=True)
class EmbeddedVariant:
    """One variant in the array.

    Attributes:
        name: Its name.
        in_place: Whether it runs where it lies in flash.
        flash_bytes: What it adds to the array.
        ram_bytes: RAM that its copy takes, besides the arena; 0 in place.
        arena_bytes: What its arena takes on a board, with 32-bit pointers.
        scratch_bytes: The part of it that kernels use while they run, by formula.
        arena_with_margin_bytes: What the project gives it.
    """

    name: str
    in_place: bool
    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    scratch_bytes: int
    arena_with_margin_bytes: int


@dataclass(frozen=True, kw_only=True)
class EmbedReport:
    """What was written.

    Attributes:
        folder: The project.
        name: The network's: namespace, files and macros.
        layout: The build system that the project is for.
        array_bytes: Flash that all variants take together.
        separate_bytes: What their files would take one by one.
        margin: The share added to each arena.
        kernels: The library of kernels that the arenas are for.
        buffers: RAM of the firmware's buffers.
        resident: Whether all variants stay open in one arena.
        operators: The union of the variants' operators.
        int8_kernels: Those of them that are registered for int8 alone.
        measured_on: The device whose table the firmware holds; None where it measures at first start.
        variants: Widest first.
        files: The project's files.
        kept: The user's files among them that stood there already and were left alone.
    """

    folder: str
    name: str
    layout: str
    array_bytes: int
    separate_bytes: int
    margin: float
    kernels: str
    buffers: Buffers
    resident: bool
    operators: tuple[str, ...]
    int8_kernels: tuple[str, ...]
    measured_on: str | None
    variants: tuple[EmbeddedVariant, ...]
    files: tuple[str, ...]
    kept: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        head = (
            f"{'variant':<24}{'runs':>10}{'flash':>12}{'copy in RAM':>13}{'scratch':>10}{'arena':>12}"
            f"{'+ margin':>12}"
        )
        lines = [
            f"{self.folder}: an array of {self.array_bytes:,} bytes; the files one by one take "
            f"{self.separate_bytes:,}",
            head,
        ]
        lines += [
            f"{each.name:<24}{'in place' if each.in_place else 'copied':>10}{each.flash_bytes:>12,}"
            f"{each.ram_bytes:>13,}{each.scratch_bytes:>10,}{each.arena_bytes:>12,}{each.arena_with_margin_bytes:>12,}"
            for each in self.variants
        ]
        lines += self._memory()
        lines.append(
            f"arenas are for {self.kernels} kernels and 32-bit pointers: values and scratch by formula, tables "
            f"measured here and reduced by formula; the margin is {self.margin:.0%}"
        )
        lines.append(
            f"latencies: measured on {self.measured_on}"
            if self.measured_on
            else "latencies: the firmware measures them at first start; --profile embeds a table"
        )
        if self.kept:
            lines.append(f"left as they were: {', '.join(self.kept)}")
        return "\n".join(lines)

    def _memory(self) -> list[str]:
        """Say what both choices take: one variant at a time, or all of them resident."""
        chosen = "  (chosen)"
        one = f"RAM, one variant at a time: {self.buffers.pool_bytes:,} bytes"
        if self.buffers.copy_bytes:
            one += (
                f", copies in front of the arena ({self.buffers.arena_bytes:,} and "
                f"{self.buffers.copy_bytes:,} in buffers of their own)"
            )
        if self.buffers.resident_bytes is None:
            return [one, "RAM, all resident: only where all run in place"]
        return [
            one + ("" if self.resident else chosen),
            f"RAM, all resident, no cost of switching: {self.buffers.resident_bytes:,} bytes"
            + (chosen if self.resident else ""),
        ]
