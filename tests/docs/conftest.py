"""Drawn photos and the catalogue of seven photos, as the tests of `retrieval` have them."""

from __future__ import annotations

from tests.retrieval.conftest import made as made, samples as samples, shell as shell
