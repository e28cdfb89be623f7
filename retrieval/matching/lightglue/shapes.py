"""What a LightGlue network's parameters are called and how large they are: files of weights are recognised by it.

Loads no torch; shapes are those of arrays and tensors alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from index.errors import WeightsCorrupt
from retrieval.matching.lightglue.config import LightGlueConfig


class Shaped(Protocol):
    """An array or a tensor."""

    @property
    def shape(self) -> Sequence[int]:
        """How long it is in each dimension."""


Parameter = TypeVar("Parameter", bound=Shaped)


def recognised(
    state: Mapping[str, Parameter], config: LightGlueConfig | None = None
) -> tuple[dict[str, Parameter], LightGlueConfig]:
    """A file's parameters by the names of `expected_shapes`, and the network's configuration.

    Sizes come from the shapes, the rest from `config`. Files without confidence heads, or with the assignment of the
    last layer only, get no early exit.

    Raises
    ------
    WeightsCorrupt
        The tensors are not a LightGlue network.
    """
    # XFeat's file holds its extractor beside the matcher
    tensors = {_current_name(name): state[name] for name in state if not name.startswith("extractor.")}
    tensors.pop("confidence_thresholds", None)
    # that of DISK bears one number a layer that nothing reads, its authors' program neither
    tensors = {name: value for name, value in tensors.items() if not re.fullmatch(r"log_assignment\.\d+\.r", name)}
    sized = _infer_sizes(tensors, config or LightGlueConfig())
    expected = expected_shapes(sized)
    missing = expected.keys() - tensors.keys()
    if any(not _early_exit_head(name, sized.n_layers) for name in missing) or tensors.keys() - expected.keys():
        raise WeightsCorrupt("these weights are not a LightGlue network: parameters are missing or left over.")
    wrong = [name for name in tensors if tuple(tensors[name].shape) != expected[name]]
    if wrong:
        raise WeightsCorrupt(f"these weights do not fit together: {wrong[0]} has another shape than the rest.")
    return tensors, replace(sized, depth_confidence=None) if missing else sized


def expected_shapes(config: LightGlueConfig) -> dict[str, tuple[int, ...]]:
    """Every parameter's shape by its name."""
    dim, inputs = config.descriptor_dim, 4 if config.add_scale_ori else 2
    shapes: dict[str, tuple[int, ...]] = {"posenc.Wr.weight": (config.head_dim // 2, inputs)}
    if config.input_dim != dim:
        shapes |= _linear("input_proj", config.input_dim, dim)
    for layer in range(config.n_layers):
        own, cross = (f"transformers.{layer}.{part}_attn" for part in ("self", "cross"))
        shapes |= _linear(f"{own}.Wqkv", dim, 3 * dim) | _linear(f"{own}.out_proj", dim, dim)
        for name in ("to_qk", "to_v", "to_out"):
            shapes |= _linear(f"{cross}.{name}", dim, dim)
        for block in (own, cross):
            shapes |= _linear(f"{block}.ffn.0", 2 * dim, 2 * dim) | _linear(f"{block}.ffn.3", 2 * dim, dim)
            shapes |= {f"{block}.ffn.1.weight": (2 * dim,), f"{block}.ffn.1.bias": (2 * dim,)}
        head = f"log_assignment.{layer}"
        shapes |= _linear(f"{head}.matchability", dim, 1) | _linear(f"{head}.final_proj", dim, dim)
        if layer < config.n_layers - 1:
            shapes |= _linear(f"token_confidence.{layer}.token.0", dim, 1)
    return shapes


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _current_name(name: str) -> str:
    """Parameter name as in `LightGlue`; published files say `self_attn.0.` or `matcher.self_attn.0.` instead."""
    return re.sub(r"^(self_attn|cross_attn)\.(\d+)\.", r"transformers.\2.\1.", name.removeprefix("matcher."))


def _early_exit_head(name: str, n_layers: int) -> bool:
    head = name.startswith(("token_confidence.", "log_assignment."))
    return head and not name.startswith(f"log_assignment.{n_layers - 1}.")


def _infer_sizes(tensors: Mapping[str, Shaped], config: LightGlueConfig) -> LightGlueConfig:
    layers = {int(name.split(".")[1]) for name in tensors if re.match(r"transformers\.\d+\.", name)}
    try:
        half_head, inputs = tensors["posenc.Wr.weight"].shape
        dim = tensors["transformers.0.self_attn.out_proj.weight"].shape[0]
    except (KeyError, ValueError):
        raise WeightsCorrupt("these weights are not a LightGlue network: its first layer is not there.") from None
    if inputs not in (2, 4) or dim % (2 * half_head):
        raise WeightsCorrupt("this LightGlue network has a position encoding of a kind that is not supported.")
    projection = tensors.get("input_proj.weight")
    return replace(
        config,
        input_dim=dim if projection is None else projection.shape[-1],
        descriptor_dim=dim,
        n_layers=max(layers) + 1,
        num_heads=dim // (2 * half_head),
        add_scale_ori=inputs == 4,
    )
