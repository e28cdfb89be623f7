"""The fused assignment chooses what LightGlue's own scores say."""

from __future__ import annotations

import pytest
import torch

from retrieval.matching.lightglue.assignment import FusedAssignment
from retrieval.matching.lightglue.network import MatchAssignment
from retrieval.matching.lightglue.workspace import Workspace


@pytest.mark.parametrize(("pairs", "m", "n"), [(1, 7, 9), (3, 64, 50), (4, 50, 128), (2, 1, 5)])
def test_partners_and_confidences_are_those_of_the_log_scores(pairs: int, m: int, n: int) -> None:
    torch.manual_seed(pairs)
    head, room = MatchAssignment(32), Workspace()
    first, second = 3 * torch.randn(pairs, m, 32), 3 * torch.randn(pairs, n, 32)
    with torch.inference_mode():
        fused = FusedAssignment(head, torch.device("cpu"))
        fused(torch.randn(2, 70, 32), torch.randn(2, 60, 32), room)  # what lies in the room does not matter
        found = fused(first, second, room)
        scores = head(first, second).log_scores
    matched = 0
    for pair in range(pairs):
        for row in range(m):
            column = int(scores[pair, row].argmax())
            if int(scores[pair, :, column].argmax()) == row:
                matched += 1
                assert found.partner[pair, row] == column
                assert found.confidence[pair, row] == pytest.approx(scores[pair, row, column].exp().item(), abs=1e-6)
            else:
                assert found.partner[pair, row] == -1 and not found.confidence[pair, row]
    assert matched


def test_of_equal_counterparts_the_first_is_taken() -> None:
    head = MatchAssignment(8)
    keypoint = torch.ones(1, 1, 8)
    with torch.inference_mode():
        found = FusedAssignment(head, torch.device("cpu"))(keypoint, keypoint.expand(1, 3, 8), Workspace())
    assert found.partner.tolist() == [[0]]
    assert found.confidence[0, 0] > 0
