"""`print(graph)` reads well."""

from typing import Any

import keras
from keras import layers

import tfelastic as te

EXPECTED = """\
model 'small': 7 layers, 1 prunable group, 2 frozen groups, 1 block

layers, in execution order
  stem    Conv2D                  (8, 8, 8)
  branch  Conv2D                  (8, 8, 8)
  sum     Add                     (8, 8, 8)
  thin    Conv2D                  (8, 8, 4)
  twice   Lambda                  (8, 8, 4)
  pool    GlobalAveragePooling2D  (4,)
  logits  Dense                   (10,)

groups: channels that are kept or dropped together
  group stem: 8 channels, coupled in stem kernel axis 3 [0:8]; stem bias axis 0 [0:8]; branch kernel
      axis 3 [0:8]; branch kernel axis 2 [0:8]; branch bias axis 0 [0:8]; thin kernel axis 2 [0:8]

blocks: parts that can be removed
  block sum: 1 layer (branch)

frozen: channels that no plan may drop
  group thin: 4 channels, coupled in thin kernel axis 3 [0:4]; thin bias axis 0 [0:4]; frozen: twice
      is opaque: Lambda has no rule
  group logits: 10 channels, coupled in logits kernel axis 1 [0:10]; logits bias axis 0 [0:10];
      frozen: an output of the model

opaque: layers that no rule describes
  twice: Lambda has no rule"""


def small_net() -> keras.Model:
    def twice(x: Any) -> Any:
        return x * 2.0

    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same", name="stem")(x)
    x = layers.Add(name="sum")([x, layers.Conv2D(8, 3, padding="same", name="branch")(x)])
    x = layers.Lambda(twice, name="twice")(layers.Conv2D(4, 1, name="thin")(x))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="small")


def test_graph_reads_as_a_text() -> None:
    assert str(te.trace(small_net())) == EXPECTED


def test_sections_without_content_are_left_out() -> None:
    text = str(te.trace(keras.Sequential([keras.Input((4,)), layers.Dense(3)], name="tiny")))
    assert text.startswith("model 'tiny': 1 layer, 0 prunable groups, 1 frozen group, 0 blocks\n")
    assert "blocks:" not in text
    assert "opaque:" not in text


def test_every_layer_group_and_block_is_listed() -> None:
    model = te.zoo.build("resnet8", input_shape=(32, 32, 3), classes=10)
    graph = te.trace(model)
    lines = str(graph).splitlines()
    for named in (*graph.steps,):
        assert any(line.startswith(f"  {named.path} ") for line in lines)
    for named in (*graph.groups, *graph.blocks):
        kind = "block" if named in graph.blocks else "group"
        assert any(line.startswith(f"  {kind} {named.name}:") for line in lines)
