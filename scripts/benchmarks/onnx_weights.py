"""XFeat's weights out of an ONNX export, where batch normalisation has been folded into the convolutions.

An ONNX file is a protocol buffer; only the graph's nodes and initialisers are read here, by their
field numbers in onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GRAPH, NODES, INITIALISERS = 7, 1, 5
NODE_INPUTS, NODE_OUTPUTS, NODE_TYPE = 1, 2, 4
TENSOR_SIZES, TENSOR_NAME, TENSOR_BYTES = 1, 8, 9


def xfeat_state(path: Path) -> dict[str, Tensor]:
    """Parameters as kornia's XFeat names them; what the export does not hold (its fine matcher) is left out.

    A folded bias b becomes the statistics of the batch normalisation behind the convolution: mean -b, variance 1.
    """
    [graph] = _all(path.read_bytes(), GRAPH)
    messages = {_text(tensor, TENSOR_NAME): tensor for tensor in _all(graph, INITIALISERS)}
    state: dict[str, Tensor] = {}
    for node in _all(graph, NODES):
        if _text(node, NODE_TYPE) != "Conv":
            continue
        weight, bias = (_tensor(messages[name.decode()]) for name in _all(node, NODE_INPUTS)[1:])
        # /net/block1/block1.0/layer/layer.0/Conv_output_0 is the module block1.0.layer.0
        parts = _text(node, NODE_OUTPUTS).split("/")[2:-1]
        name = ".".join([parts[-1]] if len(parts) < 3 else [parts[1], parts[-1]])
        state[f"{name}.weight"] = weight
        if ".layer." in name:
            normalisation = name.removesuffix("0") + "1"
            state[f"{normalisation}.running_mean"] = -bias
            state[f"{normalisation}.running_var"] = torch.full_like(bias, 1 - 1e-5)
            state[f"{normalisation}.num_batches_tracked"] = torch.tensor(0)
        else:
            state[f"{name}.bias"] = bias
    return state


def _tensor(message: bytes) -> Tensor:
    sizes = [size for number, size in _fields(message) if number == TENSOR_SIZES and isinstance(size, int)]
    [raw] = _all(message, TENSOR_BYTES)
    return torch.from_numpy(np.frombuffer(raw, np.float32).reshape(sizes).copy())


def _text(message: bytes, wanted: int) -> str:
    return _all(message, wanted)[0].decode()


def _all(message: bytes, wanted: int) -> list[bytes]:
    return [value for number, value in _fields(message) if number == wanted and isinstance(value, bytes)]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values: varints as int, everything else as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(wire, 0)
        if wire == 2:
            length, at = _varint(message, at)
        yield number, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
