"""Prove every architecture and write the table; what was proven before is taken from the workspace.

python -m tests.strangers --write docs/strangers.md
"""

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from tests.strangers.catalogue import ARCHITECTURES, Architecture
from tests.strangers.page import page
from tests.strangers.proof import Proof, prove
from tfelastic.files import write_atomically


def kept(workspace: Path, architecture: Architecture) -> Proof:
    """Return a proof, from the workspace where it was made before."""
    path = workspace / f"{architecture.build.__name__}.json"
    if not path.exists():
        proof = prove(architecture)
        write_atomically(path, json.dumps(dataclasses.asdict(proof), indent=1))
        print(f"{architecture.name}: {'; '.join(proof.faults) or 'holds'}", file=sys.stderr)  # noqa: T201
    return Proof.from_json(json.loads(path.read_text("utf-8")))


def main() -> int:
    """Return 1 where something does not hold."""
    parser = argparse.ArgumentParser(description="Prove every architecture and write the table.")
    parser.add_argument("--workspace", type=Path, default=Path("runs/strangers"), metavar="FOLDER")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="Names; no page is written then.")
    parser.add_argument("--write", type=Path, metavar="PAGE.md", help="Where to write the page.")
    arguments = parser.parse_args()
    arguments.workspace.mkdir(parents=True, exist_ok=True)
    chosen = [each for each in ARCHITECTURES if each.name in (arguments.only or (each.name,))]
    proofs = {architecture: kept(arguments.workspace, architecture) for architecture in chosen}
    if arguments.write and not arguments.only:
        write_atomically(arguments.write, page(proofs))
    return int(any(proof.faults for proof in proofs.values()))


if __name__ == "__main__":
    sys.exit(main())
