"""Android's debug bridge: which phones are attached, commands in their shells, files onto them.

The client is the user's own, from PATH. Exit codes are not trusted: an adb without the feature shell_v2 loses those of
the phone's shell, and a connection that breaks during a command ends adb with 0. So each command prints its own.
"""

import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tflite_export.errors import DeviceError

_CODE = re.compile(r"rc=(\d+)\s*$")
_KILLED = 128
_NOT_STARTED = (126, 127)  # What a shell answers for a program of another processor.
_USUAL_PORT = 5037

_REMEDIES = {
    "unauthorized": "does not trust this computer: unlock it and allow USB debugging on its screen",
    "authorizing": "does not trust this computer: unlock it and allow USB debugging on its screen",
    "offline": "is offline: unplug it and plug it in again, or restart adb with 'adb kill-server'",
    "no permissions": "may not be used by this user: see developer.android.com/tools/device for udev rules",
    "recovery": "is in recovery mode: start Android on it",
    "sideload": "is in sideload mode: start Android on it",
    "bootloader": "is in its bootloader: start Android on it",
}


@dataclass(frozen=True)
class AttachedPhone:
    """A line of `adb devices`.

    Attributes:
        serial: What adb calls the phone.
        state: `device` where it can be used.
        model: Its model, if adb knows it.
    """

    serial: str
    state: str
    model: str = ""

    @property
    def problem(self) -> str | None:
        """Why it cannot be used, and what helps; None where it can."""
        if self.state == "device":
            return None
        remedy = _REMEDIES.get(self.state, f"is in the state {self.state!r}, expected 'device'")
        return f"phone {self.serial} {remedy}; then run the same command again"


def find_adb() -> str:
    """Return the path of the adb client.

    Raises:
        DeviceError: There is none on PATH.
    """
    found = shutil.which("adb")
    if found is None:
        raise DeviceError(
            "there is no adb on PATH: install Android's platform-tools, or Debian's package adb"
        )
    return found


def attached_phones(adb: str, *, start_server: bool = True) -> list[AttachedPhone]:
    """Return the phones that adb knows, usable or not.

    Args:
        adb: The client's path.
        start_server: Whether the client may start its server, which goes on running; without it, and with none running,
            no phone is known.
    """
    if not start_server and not _server_runs():
        return []
    done = _run([adb, "devices", "-l"], timeout_s=30)
    if done.returncode:
        raise DeviceError(f"'adb devices' failed: {_last_words(done)}")
    return [
        _attached(line)
        for line in done.stdout.splitlines()[1:]
        if line.strip() and not line.startswith("*")
    ]


def choose(adb: str, serials: tuple[str, ...] = ()) -> list[str]:
    """Return the serials to measure on: those asked for, else of all phones that are attached.

    Raises:
        DeviceError: None is attached, one that was asked for is not, or one cannot be used; the message says why.
    """
    found = {each.serial: each for each in attached_phones(adb)}
    known = ", ".join(found) or "none"
    if not found:
        raise DeviceError(
            "no phone is attached: plug one in with USB debugging on, or use 'adb connect HOST:PORT' and see that "
            "'adb devices' lists it (adb connect succeeds even where nothing answers)"
        )
    for serial in serials:
        if serial not in found:
            raise DeviceError(f"phone {serial} is not attached; adb knows {known}")
    chosen = [found[serial] for serial in dict.fromkeys(serials)] or list(found.values())
    for each in chosen:
        if each.problem is not None:
            raise DeviceError(each.problem)
    return [each.serial for each in chosen]


class Phone:
    """One phone, by its serial.

    Args:
        adb: The client's path.
        serial: The phone's serial.
    """

    def __init__(self, adb: str, serial: str) -> None:
        self._adb = adb
        self.serial = serial

    def shell(self, command: str, *, timeout_s: float = 60) -> tuple[str, int]:
        """Run a command in the phone's shell; return what it printed, errors among it, and its exit code.

        Raises:
            DeviceError: The phone was unplugged, or did not answer in time.
        """
        done = self._call(["shell", f"({command}) 2>&1; echo rc=$?"], timeout_s=timeout_s)
        output = done.stdout.replace("\r\n", "\n")
        code = _CODE.search(output)
        if code is None:
            raise DeviceError(
                f"phone {self.serial} was lost during a command, {_last_words(done)}: plug it in again and run the "
                "same command; what was measured is kept"
            )
        return output[: code.start()], int(code[1])

    def read(self, command: str) -> str:
        """Return what a command printed, without the spaces around; nothing where it failed."""
        output, code = self.shell(command)
        return "" if code else output.strip()

    def push(self, local: Path, remote: str) -> None:
        """Copy a file onto the phone, under its name only when it is complete.

        Raises:
            DeviceError: The phone is full, read-only, or was unplugged.
        """
        done = self._call(["push", str(local), f"{remote}.part"], timeout_s=600)
        said = f"{done.stdout}\n{done.stderr}"
        if "No space left" in said:
            raise DeviceError(
                f"phone {self.serial} is full: {local.name} ({local.stat().st_size:,} bytes) does not fit into "
                f"{remote.rpartition('/')[0]}; free some space and run the same command again"
            )
        if done.returncode or "1 file pushed" not in said:
            raise DeviceError(
                f"phone {self.serial}: cannot copy {local.name} to {remote}, {_last_words(done)}"
            )
        _, code = self.shell(f"mv {remote}.part {remote} && chmod 755 {remote}")
        if code:
            raise DeviceError(
                f"phone {self.serial}: cannot make {remote} runnable (exit code {code})"
            )

    def _call(
        self, arguments: list[str], *, timeout_s: float
    ) -> "subprocess.CompletedProcess[str]":
        try:
            return _run([self._adb, "-s", self.serial, *arguments], timeout_s=timeout_s)
        except subprocess.TimeoutExpired:
            raise DeviceError(
                f"phone {self.serial} did not answer within {timeout_s:g} seconds: see whether it sleeps or was "
                "unplugged, and run the same command again; what was measured is kept"
            ) from None


def exit_reason(code: int) -> str:
    """Return what an exit code of a shell says."""
    if code == _KILLED + 9:
        return "was killed (signal 9), as Android does where memory runs out"
    if code > _KILLED:
        return f"crashed (signal {code - _KILLED})"
    if code in _NOT_STARTED:
        return f"cannot be started (exit code {code}): see that it was built for this phone's processor"
    return f"failed (exit code {code})"


def _attached(line: str) -> AttachedPhone:
    serial, _, rest = line.partition(" ") if "\t" not in line else line.partition("\t")
    words = rest.split()
    fields = dict(word.partition(":")[::2] for word in words if ":" in word)
    # The one state of two words comes with an explanation in between.
    state = "no permissions" if rest.strip().startswith("no permissions") else words[0]
    return AttachedPhone(serial, state, fields.get("model", ""))


def _server_runs() -> bool:
    port = int(os.environ.get("ANDROID_ADB_SERVER_PORT", _USUAL_PORT))
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _run(command: list[str], *, timeout_s: float) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )


def _last_words(done: "subprocess.CompletedProcess[str]") -> str:
    words = " ".join((done.stderr or done.stdout).split())[-300:]
    return f"adb said {words!r}" if words else f"adb ended with {done.returncode} and said nothing"
