"""Reads the table that a board prints over a serial line (`runtime/SPEC.md`, section 6)."""

import itertools
import os
import re
import statistics
import time
from collections.abc import Iterator
from typing import Any

from tfelastic_runtime import Bundle

from tflite_export._profile.host import Progress
from tflite_export._profile.measurement import MeasuredLatency, MeasuredProfile
from tflite_export._profile.stopping import relative_half_width
from tflite_export.errors import DeviceError, ProfileError

FORMAT = "1"

_FRAME = re.compile(rb"\$(TFE,[\x20-\x7e]*)\*([0-9A-F]{2})[\r\n]*$")
_FIELDS = {"begin": 2, "device": 2, "runtime": 2, "switch": 2, "first": 2, "run": 2, "end": 1}
_ASK = b"profile\n"
_ASK_EVERY_S = 2.0
_LARGEST_DAMAGED_SHARE = 0.1


class BoardTable:
    """What a board's lines said so far."""

    def __init__(self) -> None:
        self._begin()
        self.begun = False

    def _begin(self, sha256: str = "") -> None:
        self.begun = True
        self.sha256 = sha256
        self.device: dict[str, str | int | float] = {}
        self.runtime: tuple[str, str] = ("", "")
        self.switches: dict[str, list[int]] = {}
        self.firsts: dict[str, list[int]] = {}
        self.runs: list[tuple[str, int]] = []
        self.lines = 0

    def take(self, line: bytes) -> bool:
        """Take a line, and return whether it ended a block.

        Raises:
            ProfileError: A line is of another format, or says what no board can mean.
            DeviceError: Too many lines of the block were damaged or lost.
        """
        framed = _FRAME.search(line)
        if framed is None or f"{checksum(framed[1]):02X}".encode() != framed[2]:
            return False
        kind, *values = framed[1].decode("ascii").split(",")[1:]
        if kind == "begin" and values[:1] != [FORMAT]:
            raise ProfileError(
                f"the board prints format {','.join(values[:1])!r} of profiling lines, this reader knows {FORMAT}"
            )
        if _FIELDS.get(kind, len(values)) != len(values):
            raise ProfileError(f"the board printed {line!r}: {kind} has {_FIELDS[kind]} fields")
        if kind == "begin":
            self._begin(values[1])
        elif self.begun and kind == "end":
            self._check_complete(_whole(values[0], line, least=0))
            return True
        elif self.begun:
            self.lines += 1
            self._note(kind, values, line)
        return False

    def _note(self, kind: str, values: list[str], line: bytes) -> None:
        if kind == "device":
            key, value = values
            self.device[key] = int(value) if re.fullmatch("-?[0-9]{1,15}", value) else value
        elif kind == "runtime":
            self.runtime = (values[0], values[1])
        elif kind == "switch":
            self.switches.setdefault(values[0], []).append(_whole(values[1], line, least=0))
        elif kind == "first":
            self.firsts.setdefault(values[0], []).append(_whole(values[1], line, least=1))
        elif kind == "run":
            self.runs.append((values[0], _whole(values[1], line, least=1)))

    def _check_complete(self, expected: int) -> None:
        bad = expected - self.lines
        if bad > _LARGEST_DAMAGED_SHARE * expected:
            raise DeviceError(
                f"{bad} of the board's {expected} lines were damaged or lost: check the baud rate and the cable, and "
                "let nothing else print in between"
            )

    def measured(self) -> MeasuredProfile:
        """Return the table of the block that has ended.

        Raises:
            ProfileError: There is no device's name, or no run.
        """
        if "name" not in self.device:
            raise ProfileError("the board did not print a line 'device,name,...'")
        if not self.runs:
            raise ProfileError("the board did not print a line 'run,...'")
        turns: dict[str, list[list[int]]] = {}
        for name, runs in itertools.groupby(self.runs, key=lambda run: run[0]):
            turns.setdefault(name, []).append([latency for _, latency in runs])
        latencies = {
            name: MeasuredLatency.of(
                itertools.chain.from_iterable(found),
                half_width=relative_half_width([statistics.median(turn) for turn in found]),
                switch_us=_median(self.switches.get(name)),
                first_us=_median(self.firsts.get(name)),
            )
            for name, found in turns.items()
        }
        return MeasuredProfile(
            device={"kind": "board", **self.device},
            threads=1,
            latencies=latencies,
            runtime=self.runtime[0] or None,
            kernels=self.runtime[1] or None,
            bundle_sha256=self.sha256 or None,
        )


def checksum(text: bytes) -> int:
    """Return the exclusive or of all bytes, as NMEA 0183 has it.

    Examples:
        >>> f"{checksum(b'TFE,end,0'):02X}"
        '08'
    """
    found = 0
    for byte in text:
        found ^= byte
    return found


def profile_serial(
    path: str | os.PathLike[str],
    *,
    port: str,
    baud: int = 115_200,
    limit_s: float = 600.0,
    progress: Progress | None = None,
) -> MeasuredProfile:
    """Read the table of a bundle's variants from a board that prints it over a serial line.

    Args:
        path: The bundle that the board runs.
        port: The serial port, such as `/dev/ttyACM0` or `COM3`, or a URL that pyserial knows.
        baud: Its bits per second.
        limit_s: Seconds to wait for the end of the block, at most.
        progress: Called as `progress("profile", runs, runs)` after each line.

    Raises:
        DeviceError: The port cannot be opened, the board does not answer, or its lines arrive damaged.
        ProfileError: What it prints is no table of this bundle.
        BundleError: The bundle cannot be read.
    """
    bundle = Bundle.open(path)
    table = BoardTable()
    for line in _lines(port, baud, limit_s, table):
        if table.take(line):
            break
        if progress is not None and table.runs:
            progress("profile", len(table.runs), len(table.runs))
    found = table.measured()
    names = [variant.name for variant in bundle.variants]
    if set(found.latencies) != set(names):
        raise ProfileError(
            f"the board at {port} measured {', '.join(found.latencies)}, {path} holds {', '.join(names)}"
        )
    if found.bundle_sha256 not in (None, bundle.payload_sha256):
        raise ProfileError(
            f"the board at {port} runs another bundle: it prints the SHA-256 {found.bundle_sha256}, the payload "
            f"of {path} has {bundle.payload_sha256}"
        )
    return found


def _lines(port: str, baud: int, limit_s: float, table: BoardTable) -> Iterator[bytes]:
    """Yield the lines that arrive; ask for them until the block begins."""
    try:
        import serial
    except ImportError:
        raise DeviceError(
            "reading a serial port takes pyserial: pip install 'tfelastic[serial]'"
        ) from None
    deadline, asked = time.monotonic() + limit_s, -_ASK_EVERY_S
    try:
        with serial.serial_for_url(port, baudrate=baud, timeout=0.2) as line:
            received = b""
            while time.monotonic() < deadline:
                if not table.begun and time.monotonic() - asked >= _ASK_EVERY_S:
                    line.write(_ASK)
                    asked = time.monotonic()
                received += line.read(max(1, line.in_waiting))
                *complete, received = received.split(b"\n")
                yield from complete
    except (OSError, serial.SerialException) as error:
        raise DeviceError(f"serial port {port}: {error}") from error
    failure = "began to print its table, and did not end" if table.begun else "printed no table"
    raise DeviceError(
        f"the board at {port} {failure} within {limit_s:g} seconds: check the baud rate ({baud}), and that its "
        "firmware answers the line 'profile' as runtime/SPEC.md, section 6, says"
    )


def _whole(text: str, line: bytes, *, least: int) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) < least:
        raise ProfileError(
            f"the board printed {line!r}: expected a whole number of at least {least}"
        )
    return int(text)


def _median(values: list[int] | None) -> Any:
    return None if values is None else statistics.median_low(values)
