"""Files are recognised by the shapes that torch's network has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.shapes import expected_shapes, recognised
from tests.retrieval.oracles import PUBLISHED, TOY

CONFIGS = PUBLISHED | {"toy": TOY, "one layer": replace(TOY, n_layers=1)}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_has_the_shape_that_is_expected(name: str) -> None:
    config = CONFIGS[name]
    state = LightGlue(config).state_dict()
    assert expected_shapes(config) == {key: tuple(value.shape) for key, value in state.items()}
    found, sized = recognised(state, replace(config, n_layers=99, num_heads=1))
    assert sized == config
    assert found.keys() == state.keys()
