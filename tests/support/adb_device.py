"""A stand-in for a phone: a daemon that speaks adb's protocol over TCP, so that the real adb client can be tested.

It knows CNXN, AUTH (to refuse), OPEN, WRTE, OKAY and CLSE, the shell services v1 and v2, and of the sync service STAT,
SEND, RECV and LIST, as AOSP's `packages/modules/adb/protocol.txt` and `SYNC.TXT` describe them. Its shell is this
machine's, inside a folder: paths below `/data`, `/sys` and `/proc` lead there, and so do the commands that only a
phone has. What it "measures" is what the files in that folder print: no figure of it is a phone's.
"""

import contextlib
import queue
import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HEADER = struct.Struct("<4sIIII4s")
VERSION, LARGEST = 0x01000001, 256 * 1024
ROOTED = re.compile(r"(?<![\w./])/(?=(?:data|sys|proc)/)")
STDOUT, STDERR, EXIT = 1, 2, 3
TOKEN, SIGNATURE = 1, 2


@dataclass
class Phone:
    """What a stand-in is, and which faults it has.

    Attributes:
        root: The folder that is its file system; `bin` in it comes first on the shell's path.
        shell_v2: Whether its shell tells exit codes.
        authorized: Whether it accepts this computer.
        silent: Whether it takes a connection and never answers.
        free_bytes: How much may still be pushed.
        unplug_after: How many shell commands it answers before the connection breaks; None for ever.
        commands: The shell commands that it was given.
        pushed: The paths that were pushed.
    """

    root: Path
    shell_v2: bool = True
    authorized: bool = True
    silent: bool = False
    free_bytes: int = 1 << 30
    unplug_after: int | None = None
    commands: list[str] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)

    def local(self, path: str) -> Path:
        """Return where a path of the phone lies on this machine."""
        return self.root / path.lstrip("/")


@contextlib.contextmanager
def listening(phone: Phone) -> Iterator[str]:
    """Serve the phone, and yield the address for `adb connect`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stopping = threading.Event()
        connections: list[socket.socket] = []

        def accept() -> None:
            while not stopping.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                threading.Thread(target=_Link(connection, phone).serve, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        stopping.set()
        # Waking a thread that accepts takes more than closing its socket.
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Link:
    """One connection, whose streams are served by a thread each."""

    def __init__(self, connection: socket.socket, phone: Phone) -> None:
        self._connection, self._phone = connection, phone
        self._file = connection.makefile("rb")
        self._sending = threading.Lock()
        self._streams: dict[int, _Stream] = {}

    def serve(self) -> None:
        with self._connection, self._file:
            with contextlib.suppress(OSError, struct.error):
                while header := self._file.read(HEADER.size):
                    command, sender, _, length, _, _ = HEADER.unpack(header)
                    self._handle(command, sender, self._file.read(length))
            for stream in self._streams.values():
                stream.end()

    def _handle(self, command: bytes, sender: int, data: bytes) -> None:
        if self._phone.silent:
            return
        if command == b"CNXN":
            self._greet()
        elif command == b"AUTH":
            # A signature is answered by another challenge; the public key that follows waits for a person for ever.
            if sender == SIGNATURE:
                self.send(b"AUTH", TOKEN, 0, bytes(20))
        elif command == b"OPEN":
            stream = self._streams[sender] = _Stream(self, sender)
            threading.Thread(
                target=stream.serve, args=(data.rstrip(b"\0").decode(), self._phone), daemon=True
            ).start()
        elif sender in self._streams:
            if command == b"WRTE":
                self.send(b"OKAY", sender, sender)
                self._streams[sender].received.put(data)
            elif command == b"OKAY":
                self._streams[sender].acknowledged.put(True)
            elif command == b"CLSE":
                self._streams.pop(sender).end()

    def _greet(self) -> None:
        if not self._phone.authorized:
            self.send(b"AUTH", TOKEN, 0, bytes(20))
            return
        features = "shell_v2,cmd" if self._phone.shell_v2 else "cmd"
        banner = (
            "device::ro.product.name=stand_in;ro.product.model=Stand In;"
            f"ro.product.device=standin;features={features}"
        )
        self.send(b"CNXN", VERSION, LARGEST, banner.encode())

    def send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        magic = bytes(byte ^ 0xFF for byte in command)
        header = HEADER.pack(command, first, second, len(data), sum(data) & 0xFFFFFFFF, magic)
        with self._sending:
            self._connection.sendall(header + data)

    def unplug(self) -> None:
        """Break the connection, as pulling the cable does."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


class _Stream:
    """One stream of a connection; both sides call it by the client's number."""

    def __init__(self, link: _Link, number: int) -> None:
        self._link, self._number = link, number
        self.received: queue.Queue[bytes | None] = queue.Queue()
        self.acknowledged: queue.Queue[bool] = queue.Queue()
        self._buffer = b""

    def end(self) -> None:
        self.received.put(None)
        self.acknowledged.put(False)

    def serve(self, service: str, phone: Phone) -> None:
        with contextlib.suppress(OSError, EOFError):
            name, _, argument = service.partition(":")
            kind, *options = name.split(",")
            if kind not in ("shell", "exec", "sync"):
                self._link.send(b"CLSE", 0, self._number)
                return
            self._link.send(b"OKAY", self._number, self._number)
            if kind == "sync":
                _Sync(self, phone).serve()
            else:
                self._shell(phone, argument, v2="v2" in options)
            self._link.send(b"CLSE", self._number, self._number)

    def _shell(self, phone: Phone, command: str, *, v2: bool) -> None:
        phone.commands.append(command)
        if phone.unplug_after is not None and len(phone.commands) > phone.unplug_after:
            self._link.unplug()
            return
        path = f"{phone.root / 'bin'}:/usr/bin:/bin"
        done = subprocess.run(
            ["/bin/sh", "-c", ROOTED.sub(f"{phone.root}/", command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if v2 else subprocess.STDOUT,
            env={"PATH": path, "ROOT": str(phone.root)},
            cwd=phone.root,
            check=False,
        )
        if not v2:
            self.write(done.stdout)
            return
        code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        for kind, data in ((STDOUT, done.stdout), (STDERR, done.stderr), (EXIT, bytes([code]))):
            if data:
                self.write(struct.pack("<BI", kind, len(data)) + data)

    def read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            data = self.received.get()
            if data is None:
                raise EOFError
            self._buffer += data
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), LARGEST):
            self._link.send(b"WRTE", self._number, self._number, data[start : start + LARGEST])
            if not self.acknowledged.get():
                raise EOFError


class _Sync:
    """The sync service: files to and from the phone."""

    def __init__(self, stream: _Stream, phone: Phone) -> None:
        self._stream, self._phone = stream, phone

    def serve(self) -> None:
        actions = {b"STAT": self._stat, b"SEND": self._receive, b"RECV": self._send}
        while True:
            kind, length = struct.unpack("<4sI", self._stream.read(8))
            if kind == b"QUIT":
                return
            argument = self._stream.read(length).decode()
            if kind == b"LIST":
                self._list(argument)
            else:
                actions[kind](argument)

    def _stat(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            found = self._phone.local(path).stat()
            self._answer(b"STAT", found.st_mode, found.st_size, int(found.st_mtime))
            return
        self._answer(b"STAT", 0, 0, 0)

    def _receive(self, argument: str) -> None:
        path, _, mode = argument.rpartition(",")
        data = b""
        while (header := struct.unpack("<4sI", self._stream.read(8)))[0] == b"DATA":
            data += self._stream.read(header[1])
        if len(data) > self._phone.free_bytes:
            self._fail("write failed: No space left on device")
            return
        self._phone.free_bytes -= len(data)
        self._phone.pushed.append(path)
        target = self._phone.local(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(int(mode) & 0o777)
        self._answer(b"OKAY", 0)

    def _send(self, path: str) -> None:
        try:
            data = self._phone.local(path).read_bytes()
        except OSError as error:
            self._fail(f"open failed: {error.strerror}")
            return
        for start in range(0, len(data), 64 * 1024):
            chunk = data[start : start + 64 * 1024]
            self._stream.write(struct.pack("<4sI", b"DATA", len(chunk)) + chunk)
        self._answer(b"DONE", 0)

    def _list(self, path: str) -> None:
        folder = self._phone.local(path)
        for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
            found, name = entry.stat(), entry.name.encode()
            fields = (found.st_mode, found.st_size, int(found.st_mtime), len(name))
            self._stream.write(struct.pack("<4s4I", b"DENT", *fields) + name)
        self._answer(b"DONE", 0, 0, 0, 0)

    def _answer(self, kind: bytes, *fields: int) -> None:
        self._stream.write(struct.pack(f"<4s{len(fields)}I", kind, *fields))

    def _fail(self, text: str) -> None:
        self._stream.write(struct.pack("<4sI", b"FAIL", len(text)) + text.encode())


def furnish(root: Path, *, scripts: dict[str, str], files: dict[str, str]) -> None:
    """Give a phone commands of its own, as shell scripts, and files, by their paths."""
    (root / "data/local/tmp").mkdir(parents=True, exist_ok=True)
    (root / "bin").mkdir(exist_ok=True)
    for name, text in scripts.items():
        script = root / "bin" / name
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def needed_adb() -> str:
    """Return the path of the real adb client; its absence is a failure, not a reason to skip."""
    found = shutil.which("adb")
    assert found, "these tests need Debian's adb: make system-packages"
    return found
