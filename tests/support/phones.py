"""Stand-in phones behind the real adb: a server of our own, and the commands and files that a phone has.

Their `benchmark_model` is a shell script that prints what the documented output of the real tools looks like, with a
tenth of a microsecond for each byte of its graph: figures that can be checked, and are no phone's.
"""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.adb_device import Phone, furnish, listening, needed_adb

_SCRIPTS = Path(__file__).parent / "benchmark_model"
CLASSIC = (_SCRIPTS / "classic.sh").read_text()
LITERT = (_SCRIPTS / "litert.sh").read_text()

_PROPERTIES = {
    "ro.product.manufacturer": "Stand",
    "ro.product.model": "In",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.product.cpu.abi": "arm64-v8a",
}
_CPU = "/sys/devices/system/cpu"


def make_phone(root: Path, *, name: str = "one", **faults: object) -> Phone:
    """Furnish a phone of two small and two large cores, at 30 degrees."""
    properties = {**_PROPERTIES, "ro.build.fingerprint": f"stand/in/{name}:14/test-keys"}
    cases = "\n".join(f"{key}) echo '{value}' ;;" for key, value in properties.items())
    scripts = {
        "getprop": f"case $1 in\n{cases}\nesac",
        "dumpsys": r"""
if [ "$1" = battery ]; then
  printf 'Current Battery Service state:\n  level: 80\n  temperature: 312\n'
else
  printf 'IsStatusOverride: false\nThermal Status: %s\n' "$(cat "$ROOT/status")"
  printf 'Cached temperatures:\n\tTemperature{mValue=%s, mType=3, mName=skin, mStatus=0}\n' "$(cat "$ROOT/celsius")"
fi""",
        # What toybox's does, without its effect: this machine may have fewer cores.
        "taskset": 'echo "taskset $1" >> "$ROOT/masks"; shift; exec "$@"',
    }
    files = {"/status": "0", "/celsius": "30.5", f"{_CPU}/present": "0-3\n"}
    for core in range(4):
        files[f"{_CPU}/cpu{core}/cpufreq/scaling_governor"] = "schedutil\n"
        frequency = 1_800_000 if core < 2 else 2_900_000
        files[f"{_CPU}/cpu{core}/cpufreq/cpuinfo_max_freq"] = f"{frequency}\n"
    root.mkdir(exist_ok=True)
    furnish(root, scripts=scripts, files=files)
    return Phone(root, **faults)  # type: ignore[arg-type]


@contextlib.contextmanager
def adb_server(home: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of an adb server of our own; it is ended with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {"ANDROID_ADB_SERVER_PORT": str(port), "HOME": str(home)}
    environment = {**os.environ, **own}
    adb = needed_adb()
    subprocess.run([adb, "start-server"], env=environment, check=True, capture_output=True)
    try:
        listed = subprocess.run(
            [adb, "devices"], env=environment, check=True, capture_output=True, text=True
        ).stdout.split("\n", 1)[1]
        assert not listed.strip(), f"unplug these phones, or the tests would use them:\n{listed}"
        yield own
    finally:
        subprocess.run([adb, "kill-server"], env=environment, check=True, capture_output=True)


@contextlib.contextmanager
def plugged_in(phone: Phone, *, state: str = "device") -> Iterator[str]:
    """Connect a phone to the adb server of this environment, wait for the state, and yield its serial."""
    adb = needed_adb()
    with (
        listening(phone) as serial,
        # It waits ten seconds for a phone that does not answer, whose state is known at once.
        subprocess.Popen([adb, "connect", serial], stdout=subprocess.DEVNULL) as client,
    ):
        try:
            _wait(adb, serial, state)
            yield serial
        finally:
            client.terminate()
            subprocess.run([adb, "disconnect", serial], check=False, capture_output=True)


def _wait(adb: str, serial: str, state: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        listed = subprocess.run([adb, "devices"], capture_output=True, text=True, check=True).stdout
        if f"{serial}\t{state}\n" in listed:
            return
        time.sleep(0.05)
    raise AssertionError(f"{serial} did not become {state}: {listed}")
