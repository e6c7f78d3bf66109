"""`tfelastic embed` as a command."""

import subprocess
import sys
from pathlib import Path

from tests.support.golden import CONFORMANCE


def test_embed_starts_no_keras_and_so_prints_no_greeting(tmp_path: Path) -> None:
    words = ["embed", str(CONFORMANCE / "shared.elastic"), "-o", str(tmp_path / "firmware")]
    program = (
        "import sys; from pipelines.cli.entry import execute\n"
        f"assert execute({words!r}) == 0\n"
        "print(sorted({'keras', 'tensorflow'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "w100-int8" in done.stdout
