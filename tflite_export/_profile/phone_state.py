"""What a phone is, and how warm it is: read through its shell, which needs no root."""

import re
from dataclasses import dataclass

from tflite_export._profile.adb import Phone

_LONGEST_TEXT = 200
_PROPERTIES = {
    "fingerprint": "ro.build.fingerprint",
    "soc": "ro.soc.model",
    "board": "ro.board.platform",
    "android": "ro.build.version.release",
    "sdk": "ro.build.version.sdk",
    "abi": "ro.product.cpu.abi",
}
_STATUS = re.compile(r"Thermal Status: (\d+)")
_SKIN = re.compile(r"Temperature\{mValue=([0-9.]+), mType=3,")
_BATTERY = re.compile(r"^ *temperature: (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Warmth:
    """How warm a phone is.

    Attributes:
        celsius: The temperature of its skin sensor, else of its battery; None where it tells neither.
        status: Android's thermal status, 0 (none) to 6 (shutdown); None before Android 10.
    """

    celsius: float | None
    status: int | None

    @property
    def throttled(self) -> bool:
        """Whether Android says that it slows the phone down."""
        return bool(self.status)


def describe(phone: Phone) -> dict[str, str | int | float]:
    """Return what is known of a phone, for a table's `device`."""
    maker, model = _property(phone, "ro.product.manufacturer"), _property(phone, "ro.product.model")
    found: dict[str, str | int | float] = {
        "name": f"{maker} {model}".strip() or phone.serial,
        "kind": "android",
        "serial": _plain(phone.serial),
    }
    for name, key in _PROPERTIES.items():
        if value := _property(phone, key):
            found[name] = int(value) if value.isdecimal() else value
    if cores := _cores(phone.read("cat /sys/devices/system/cpu/present")):
        found["cores"] = cores
    return found


def governors(phone: Phone) -> str:
    """Return the CPU governors in use, one or several; nothing where the phone does not tell."""
    found = phone.read("cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor").split()
    return _plain(" ".join(dict.fromkeys(found)))


def warmth(phone: Phone) -> Warmth:
    """Read a phone's temperature and thermal status."""
    service = phone.read("dumpsys thermalservice")
    status, skin = _STATUS.search(service), _SKIN.search(service)
    battery = None if skin else _BATTERY.search(phone.read("dumpsys battery"))
    celsius = float(skin[1]) if skin else int(battery[1]) / 10 if battery else None
    return Warmth(celsius, int(status[1]) if status else None)


def clusters(phone: Phone) -> list[str]:
    """Return the masks of the phone's clusters, cores of equal top frequency, the slowest first, in hexadecimal."""
    pattern = "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/cpuinfo_max_freq"
    masks: dict[int, int] = {}
    for line in phone.read(f"grep -H . {pattern}").splitlines():
        if match := re.search(r"/cpu(\d+)/cpufreq/cpuinfo_max_freq:(\d+)$", line):
            masks[int(match[2])] = masks.get(int(match[2]), 0) | 1 << int(match[1])
    return [f"{masks[frequency]:x}" for frequency in sorted(masks)]


def _property(phone: Phone, key: str) -> str:
    return _plain(phone.read(f"getprop {key}"))


def _plain(text: str) -> str:
    """Return a text as tables and terminals take it: no control characters, not too long."""
    return "".join(each for each in text if each.isprintable())[:_LONGEST_TEXT]


def _cores(present: str) -> int:
    """Count the cores in the kernel's notation, `0-7` or `0-3,6`."""
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", present):
        return 0
    ends = (part.split("-") for part in present.split(","))
    return sum(int(each[-1]) - int(each[0]) + 1 for each in ends)
