"""What ResNet-20 takes on a microcontroller: one array against separate files, copies in RAM, arenas.

    python -m benchmarks.embed_size [NET]

In int8, at depths 1, .6 and .3, which run in place, and at widths 1, .75, .5 and .25, which are copied. The networks
are those of `bundle_size.py`, drawn at random: no size depends on training. Each variant is held against the
bundle's own on random images before anything is written; arenas are those of a board with reference kernels.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bundle_size import LADDERS, converted, elastic
from tflite_export import Variant, write_bundle
from tflite_export._embed import embed


def main() -> None:
    """Print a table for each ladder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", nargs="?", default="resnet20")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    net, found = options.net, []
    for ladder in reversed(LADDERS):
        files = converted(elastic(net, ladder), "int8")
        variants = [
            Variant(name=name, width=1.0, params=0, macs=0, score=0.0, scheme="int8", tflite=data)
            for name, data in files.items()
        ]
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{net}-{ladder}.elastic"
            write_bundle(path, variants, name=net)
            report = embed(path, Path(folder) / ladder)
        found.append(
            {
                "net": net,
                "ladder": ladder,
                "flash_bytes": report.array_bytes,
                "files_bytes": report.separate_bytes,
            }
        )
        if not options.json:
            print(f"{net}, {ladder}\n{report}\n", flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
