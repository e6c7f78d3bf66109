"""What a bundle takes against other ways to ship the same variants, and how long it takes to open one.

For each network, at widths 1, .75, .5 and .25 and, of a ResNet, at depths 1, .6 and .3: the bytes of the separate
.tflite files, of one .tflite with a signature for each variant (a microcontroller's interpreter takes no such
file), of a zip of the files, and of the bundle, each as a multiple of the widest file. Every rung has statistics,
shifts and factors of its own, drawn at random; sizes do not depend on training. `--write docs/bundle.md` puts the
tables into that page.

    python -m benchmarks.bundle_size [NET ...] [--schemes int8 float32] [--write docs/bundle.md]
"""

import argparse
import io
import json
import os
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from tfelastic_runtime import Bundle

import tfelastic as te
from benchmarks.measured_page import write
from benchmarks.quiet_machine import measured_quietly
from tflite_export import Variant, convert, write_bundle
from tflite_export.quantize.kernel_sharing import share_kernels, shared_kernels
from tflite_export.stderr import capture_stderr
from tflite_export.tflite import FILE_IDENTIFIER

NETS = ("resnet20", "resnet56", "vgg16_cifar", "mobilenet_v2_cifar")
LADDERS = {
    "width": {"widths": (1.0, 0.75, 0.5, 0.25)},
    "depth": {"widths": (1.0, 1.0, 1.0), "depths": (1.0, 0.6, 0.3)},
}


@dataclass(frozen=True)
class Found:
    """What one ladder of one network takes, in bytes and microseconds."""

    net: str
    ladder: str
    scheme: str
    files: tuple[int, ...]
    signatures: int
    zipped: int
    bundle: int
    stored: tuple[int, ...]
    open_us: float
    expand_us: tuple[float, ...]
    interpreter_us: tuple[float, ...]


def elastic(net: str, ladder: str) -> te.ElasticModel:
    """Return an elastic network in which no rung's own values are at their initial ones."""
    model = te.zoo.build(net, input_shape=(32, 32, 3), classes=10)
    grown = te.ElasticModel(model, te.ladder(model, **LADDERS[ladder]))
    generator = np.random.default_rng(0)
    for variable in grown.variables:
        if variable.name.endswith(("gamma", "moving_variance", "factor")):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
        elif variable.name.endswith(("beta", "bias", "moving_mean")):
            variable.assign(generator.normal(0, 0.3, variable.shape))
    return grown


def converted(net: te.ElasticModel, scheme: str) -> dict[str, bytes]:
    """Return each rung's .tflite, widest first, with the widest's kernels."""
    images = np.random.default_rng(1).integers(0, 256, (64, 32, 32, 3), np.uint8)
    widest, *narrower = net.names
    files = {widest: convert(net.cut(widest), scheme=scheme, samples=images, strip=True)}
    for name in narrower:
        own = convert(net.cut(name), scheme=scheme, samples=images, strip=True)
        files[name], _ = share_kernels(own, files[widest], shared_kernels(net, name))
    return files


def measured(net: str, ladder: str, scheme: str) -> Found:
    """Convert a network's rungs, store them in every way, and time the bundle."""
    grown = elastic(net, ladder)
    files = converted(grown, scheme)
    variants = [
        Variant(name=name, width=1.0, params=0, macs=0, score=0.0, scheme=scheme, tflite=tflite)
        for name, tflite in files.items()
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.elastic"
        report = write_bundle(path, variants, name=net)
        opened = median_us(lambda: Bundle.open(path))
        bundle = Bundle.open(path)
        expanded = tuple(median_us(lambda name=name: bundle.model(name)) for name in files)
    return Found(
        net=net,
        ladder=ladder,
        scheme=scheme,
        files=tuple(map(len, files.values())),
        signatures=len(with_signatures(files)),
        zipped=zipped(files),
        bundle=report.bundle_bytes,
        stored=tuple(report.stored_bytes.values()),
        open_us=opened,
        expand_us=expanded,
        interpreter_us=tuple(
            median_us(lambda data=data: interpreter(data)) for data in files.values()
        ),
    )


def median_us(action: Callable[[], object], *, runs: int = 15) -> float:
    """Return how long an action takes, warm."""
    action()
    taken = []
    for _ in range(runs):
        before = time.perf_counter()
        action()
        taken.append(1e6 * (time.perf_counter() - before))
    return statistics.median(taken)


def interpreter(tflite: bytes) -> object:
    """Open a .tflite the way a runner does."""
    from ai_edge_litert.interpreter import Interpreter

    with capture_stderr():
        opened = Interpreter(model_content=tflite, num_threads=1)
        opened.allocate_tensors()
    return opened


def zipped(files: dict[str, bytes]) -> int:
    """Return the size of a zip of files, deflated as hard as zip can."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name, tflite in files.items():
            target.writestr(f"{name}.tflite", tflite)
    return len(archive.getvalue())


def with_signatures(files: dict[str, bytes]) -> bytes:
    """Return one .tflite with a subgraph and a signature for each file, equal buffers stored once."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    models = {
        name: schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite))
        for name, tflite in files.items()
    }
    merged = next(iter(models.values()))
    codes, buffers, graphs, signatures = [], [schema.BufferT()], [], []
    places: dict[bytes, int] = {}
    for name, model in models.items():
        graph = model.subgraphs[0]
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if data is None or not len(data):
                tensor.buffer = 0
                continue
            if (content := bytes(data)) not in places:
                places[content] = len(buffers)
                buffers.append(model.buffers[tensor.buffer])
            tensor.buffer = places[content]
        for operator in graph.operators:
            operator.opcodeIndex += len(codes)
        codes += model.operatorCodes
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = name, len(graphs)
        signature.inputs = named(schema, "image", graph.inputs[0])
        signature.outputs = named(schema, "logits", graph.outputs[0])
        signatures.append(signature)
        graphs.append(graph)
    merged.operatorCodes, merged.buffers, merged.metadata = codes, buffers, []
    merged.subgraphs, merged.signatureDefs = graphs, signatures
    builder = flatbuffers.Builder(1024)
    builder.Finish(merged.Pack(builder), FILE_IDENTIFIER)
    data = bytes(builder.Output())
    if len(interpreter(data).get_signature_list()) != len(files):
        raise AssertionError("the merged file has lost a signature")
    return data


def named(schema: Any, name: str, tensor: int) -> list[Any]:
    """Return a signature's one input or output."""
    found = schema.TensorMapT()
    found.name, found.tensorIndex = name, tensor
    return [found]


def tables(found: Sequence[Found]) -> str:
    """Return the tables in Markdown."""
    lines = [
        "| network | ladder | scheme | widest, bytes | files | signatures | zip | bundle | each narrower one |",
        "|---|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for each in found:
        whole = each.files[0]
        shares = (
            total / whole for total in (sum(each.files), each.signatures, each.zipped, each.bundle)
        )
        narrower = ", ".join(f"{stored / whole:.1%}" for stored in each.stored[1:])
        lines.append(
            f"| {each.net} | {each.ladder} | {each.scheme} | {whole:,} | "
            + " | ".join(f"{share:.3f}" for share in shares)
            + f" | {narrower} |"
        )
    lines += [
        "",
        "| network | ladder | scheme | open the bundle | expand each variant | open each .tflite in LiteRT |",
        "|---|---|---|--:|---|---|",
    ]
    for each in found:
        expand, opened = (
            ", ".join(f"{us / 1000:.2f}" for us in times)
            for times in (each.expand_us, each.interpreter_us)
        )
        lines.append(
            f"| {each.net} | {each.ladder} | {each.scheme} | {each.open_us / 1000:.2f} | {expand} | {opened} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or write them into a page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--schemes", nargs="+", default=("int8", "float32"))
    parser.add_argument("--ladders", nargs="+", default=tuple(LADDERS), choices=tuple(LADDERS))
    parser.add_argument("--write", type=Path)
    parser.add_argument("--quick", action="store_true", help="ResNet-20 in int8 by width alone")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.quick:
        options.nets, options.schemes, options.ladders = ["resnet20"], ["int8"], ["width"]
    keras.utils.set_random_seed(0)
    found = []
    for net in options.nets:
        for ladder in options.ladders:
            if ladder == "depth" and not net.startswith("resnet"):
                continue
            for scheme in options.schemes:
                found.append(measured_quietly(partial(measured, net, ladder, scheme)))
                print(found[-1], file=sys.stderr, flush=True)
    told = tables(found)
    print(json.dumps([asdict(each) for each in found], indent=1) if options.json else told)
    if options.write is not None:
        write(options.write, told)


if __name__ == "__main__":
    main()
