"""`tfelastic doctor`: what is installed here, what cannot be done without the rest, and whether the demo can run."""

import importlib
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from importlib import metadata

import click

from pipelines.cli import options
from pipelines.cli.json_output import echo_json
from pipelines.cli.waiting import waiting

#: Extra of the package: the distributions and modules it brings. "base" is the plain install.
EXTRAS: dict[str, dict[str, str]] = {
    "base": {
        "keras": "keras",
        "numpy": "numpy",
        "click": "click",
        "rich": "rich",
        "PyYAML": "yaml",
    },
    "tensorflow": {
        "tensorflow": "tensorflow",
        "ai-edge-litert": "ai_edge_litert.interpreter",
        "tfelastic-runtime": "tfelastic_runtime",
    },
    "report": {
        "scikit-learn": "sklearn",
        "pillow": "PIL",
        "matplotlib": "matplotlib",
        "jinja2": "jinja2",
    },
    "tfds": {"tensorflow-datasets": "tensorflow_datasets"},
    "tfmot": {
        "tensorflow-model-optimization": "tensorflow_model_optimization",
        "tf_keras": "tf_keras",
    },
    "jax": {"jax": "jax"},
    "ray": {"ray": "ray"},
    "tflm": {"tflite-micro": "tflite_micro"},
    "serial": {"pyserial": "serial"},
}

#: What cannot be done without an extra.
WITHOUT = {
    "tensorflow": "no training on TensorFlow, no export, no measurement",
    "report": "no digits or image folders, no pictures, no report",
    "tfds": "no data sets of TensorFlow Datasets",
    "tfmot": "no quantization-aware training (scheme int8-qat)",
    "jax": "no training on JAX, which is the backend for a GPU",
    "ray": "no work spread over processes and machines (--workers)",
    "tflm": "no arena measured or planned for microcontrollers, no target tflm",
    "serial": "no tables read from boards over a serial line",
}

#: Programs beside Python, and what cannot be done without them.
PROGRAMS = {
    "g++": "the C++ runtime cannot be built for this machine",
    "arm-none-eabi-g++": "firmware cannot be built for a Cortex-M here",
    "java": "the Android app and the Kotlin runtime cannot be built here",
    "nvidia-smi": "no GPU of NVIDIA: training runs on the processor",
}

#: What the demo imports; only these are imported to see whether they work.
_DEMO = ("base", "tensorflow", "report")


@dataclass(frozen=True)
class Finding:
    """One package: its version, or None where it is missing; `problem` is why it does not work."""

    extra: str
    package: str
    version: str | None
    problem: str | None = None

    @property
    def blocks_demo(self) -> bool:
        """Whether its absence or fault keeps the demo from running."""
        return self.extra in _DEMO and (self.version is None or self.problem is not None)


@click.command()
@options.as_json
def command(as_json: bool) -> None:
    """Say which packages and programs are installed, and what each missing one costs.

    Exit code 0 only when the demo can run.

    \b
    tfelastic doctor
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    from tflite_export import capture_stderr

    with waiting("importing what is installed"), capture_stderr():
        findings = [
            examine(extra, package, module)
            for extra, packages in EXTRAS.items()
            for package, module in packages.items()
        ]
        backend, obstacle = _backend()
    adb, phones = _phones()
    programs = {name: shutil.which(name) for name in PROGRAMS}
    ready = obstacle is None and not any(finding.blocks_demo for finding in findings)
    if as_json:
        echo_json(
            {
                **_as_json(findings, backend, ready),
                "programs": programs,
                "adb": adb,
                "phones": phones,
            }
        )
    else:
        _print(findings, backend, ready)
        for line in (*_about_programs(programs), *_about_phones(adb, phones)):
            click.echo(line)
        if obstacle is not None:
            click.echo(obstacle)
    if not ready:
        raise click.exceptions.Exit(1)


def examine(extra: str, package: str, module: str) -> Finding:
    """Look a package up; where the demo needs it, import it too."""
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return Finding(extra, package, None)
    problem = None
    if extra in _DEMO:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 (a broken install may raise anything)
            problem = f"{type(error).__name__}: {error}"
    return Finding(extra, package, version, problem)


def _backend() -> tuple[str, str | None]:
    """Return Keras' backend, and why the demo cannot run on it, if so."""
    try:
        import keras
    except Exception as error:  # noqa: BLE001 (a broken install may raise anything)
        return "none", f"Keras cannot be imported: {error}"
    backend: str = keras.backend.backend()
    if backend != "tensorflow":
        return backend, f"the demo exports, so it needs KERAS_BACKEND=tensorflow, not {backend}"
    return backend, None


def _phones() -> tuple[str | None, list[dict[str, str | None]]]:
    """Return adb's path, and the phones that its server knows, if one runs: looking must not start one."""
    import tflite_export as tx

    try:
        adb = tx.find_adb()
        found = tx.attached_phones(adb, start_server=False)
    except tx.DeviceError:
        return None, []
    return adb, [
        {"serial": each.serial, "state": each.state, "model": each.model, "problem": each.problem}
        for each in found
    ]


def _about_programs(programs: dict[str, str | None]) -> list[str]:
    return [
        f"{name}: {path}" if path else f"{name}: missing: {PROGRAMS[name]}"
        for name, path in programs.items()
    ]


def _about_phones(adb: str | None, phones: list[dict[str, str | None]]) -> list[str]:
    if adb is None:
        return [
            "adb: missing, so phones cannot be profiled; install Android's platform-tools, or Debian's adb"
        ]
    listed = [each["problem"] or f"{each['serial']} {each['model']}".strip() for each in phones]
    return [f"adb: {adb}; phones: {', '.join(listed) or 'none (adb devices lists them)'}"]


def _as_json(findings: list[Finding], backend: str, ready: bool) -> dict[str, object]:
    return {
        "tfelastic": metadata.version("tfelastic"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "keras_backend": backend,
        "packages": [asdict(finding) for finding in findings],
        "demo_can_run": ready,
    }


def _print(findings: list[Finding], backend: str, ready: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    console.print(
        f"tfelastic {metadata.version('tfelastic')}, Python {platform.python_version()}, "
        f"{os.cpu_count()} CPUs, Keras on {backend}\n{platform.platform()}"
    )
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for heading in ("extra", "package", "version"):
        table.add_column(heading)
    for finding in findings:
        version = finding.version or "[yellow]missing[/]"
        if finding.problem is not None:
            version += f"  [red]{escape(finding.problem)}[/]"
        table.add_row(finding.extra, finding.package, version)
    console.print(table)
    missing = sorted({finding.extra for finding in findings if finding.version is None} - {"base"})
    for extra in missing:
        console.print(escape(f"Without [{extra}]: {WITHOUT[extra]}."))
    if missing:
        console.print(
            escape(f"To add what is missing: pip install 'tfelastic[{','.join(missing)}]'")
        )
    console.print("The demo can run." if ready else "[red]The demo cannot run.[/]")
