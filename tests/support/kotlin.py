"""The Kotlin runtime, compiled as an app's build would: any warning is an error, for Java 8's library.

What was compiled is kept under `build/kotlin`, by the content of its sources, for the next run of the tests.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "runtime" / "kotlin"
TESTS = ROOT / "tests" / "runtime" / "kotlin"
BUILD = ROOT / "build" / "kotlin"
LIBRARIES = BUILD / "node_modules" / "kotlin-compiler" / "lib"
JARS = Path("/usr/share/java")
"""Where Debian's packages put Java's libraries."""
STDLIB = (LIBRARIES / "kotlin-stdlib.jar", LIBRARIES / "kotlinx-coroutines-core-jvm.jar")
_JUNIT = (JARS / "junit4.jar", JARS / "hamcrest-core.jar")
_COMPILER = (
    *("kotlin-compiler", "kotlin-stdlib", "kotlin-script-runtime", "kotlin-reflect"),
    *("kotlin-daemon-client", "annotations-13.0", "kotlinx-coroutines-core-jvm"),
)
_OPTIONS = ("-Werror", "-jvm-target", "1.8", "-Xjdk-release=8", "-no-stdlib", "-no-reflect")


@dataclass(frozen=True)
class Module:
    """Sources that are compiled together.

    Attributes:
        name: Names its folder of classes.
        sources: Folders or files of Kotlin.
        uses: The modules that it may use.
        jars: The libraries that it may use, beside Kotlin's own.
        sees_internals: Whether it may use what those modules keep internal, as tests do.
        java: Folders of Java sources that it refers to; they are not compiled.
    """

    name: str
    sources: tuple[Path, ...]
    uses: tuple[Module, ...] = ()
    jars: tuple[Path, ...] = ()
    sees_internals: bool = False
    java: tuple[Path, ...] = ()

    @property
    def files(self) -> list[Path]:
        """Every source file, in order."""
        found = []
        for source in self.sources:
            found += sorted(source.rglob("*.kt")) if source.is_dir() else [source]
        return found

    @property
    def key(self) -> str:
        """A digest of all that the classes depend on."""
        digest = hashlib.sha256(repr((_OPTIONS, self.jars, self.sees_internals)).encode())
        digest.update((RUNTIME / "package-lock.json").read_bytes())
        for module in self.uses:
            digest.update(module.key.encode())
        java = sorted(file for folder in self.java for file in folder.rglob("*.java"))
        for file in (*self.files, *java):
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
        return digest.hexdigest()[:16]

    @property
    def classes(self) -> Path:
        """Where its classes are, once it is compiled."""
        return BUILD / "classes" / f"{self.name}-{self.key}"

    @property
    def classpath(self) -> tuple[Path, ...]:
        """All that its classes need to run."""
        used = (path for module in self.uses for path in module.classpath)
        return tuple(dict.fromkeys((self.classes, *used, *self.jars, *STDLIB)))


CORE = Module("core", (RUNTIME / "core" / "src" / "main" / "kotlin",))
DESKTOP = Module(
    "desktop", (RUNTIME / "desktop" / "src" / "main" / "kotlin",), (CORE,), (JARS / "jna.jar",)
)
DRIVER = Module("driver", (TESTS / "Driver.kt",), (CORE, DESKTOP), sees_internals=True)
STUBS = TESTS / "stubs"
"""The few classes of Android and of LiteRT that are used, written by hand: no index here has them."""
LITERT_STUB = Module("litert-stub", (STUBS / "kotlin",))
ANDROID = Module(
    "android",
    (RUNTIME / "android" / "src" / "main" / "kotlin",),
    (CORE, LITERT_STUB),
    java=(STUBS / "java",),
)
JUNIT = Module(
    "junit",
    (TESTS / "junit",),
    (CORE, DESKTOP, ANDROID),
    (LIBRARIES / "kotlin-test.jar", LIBRARIES / "kotlin-test-junit.jar", *_JUNIT),
    sees_internals=True,
)


def litert() -> tuple[str, str]:
    """Return the file of LiteRT's C library and its version: those of the installed Python package."""
    import ai_edge_litert

    library = Path(ai_edge_litert.__file__).with_name("libLiteRt.so")
    return str(library), importlib.metadata.version("ai-edge-litert")


def joined(paths: Sequence[Path]) -> str:
    """Return a class path as Java takes it."""
    return os.pathsep.join(map(str, paths))


def compiled(module: Module) -> Module:
    """Compile a module and what it uses, unless that was done before.

    Raises:
        AssertionError: It does not compile without a warning; the message is the compiler's.
    """
    for used in module.uses:
        compiled(used)
    with _locked():
        if not module.classes.exists():
            _compile(module)
    return module


def _compile(module: Module) -> None:
    subprocess.run(["make", "--silent", "kotlin-compiler"], cwd=ROOT, check=True)
    temporary = BUILD / "classes" / f"{module.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    compiler = joined([LIBRARIES / f"{name}.jar" for name in _COMPILER])
    classpath = joined(module.classpath[1:])
    friends = joined([each.classes for each in module.uses]).replace(os.pathsep, ",")
    command = [
        *("java", "-XX:TieredStopAtLevel=1", "-cp", compiler),
        *("org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", *_OPTIONS),
        *("-module-name", module.name, "-cp", classpath, "-d", str(temporary)),
        *((f"-Xfriend-paths={friends}",) if module.sees_internals else ()),
        *((f"-Xjava-source-roots={','.join(map(str, module.java))}",) if module.java else ()),
        *map(str, module.files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{module.name} does not compile:\n{done.stderr}"
    for old in temporary.parent.glob(f"{module.name}-*"):
        shutil.rmtree(old, ignore_errors=True)
    temporary.rename(module.classes)


@contextmanager
def _locked() -> Iterator[None]:
    """One process compiles at a time; the others find its classes."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
