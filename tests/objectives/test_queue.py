import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from stars_hub.errors import ConfigError
from stars_hub.objectives import NeighbourQueue


def filled(vectors: list[list[float]], ids: list[int]) -> NeighbourQueue:
    queue = NeighbourQueue(len(vectors), len(vectors[0]))
    queue.enqueue(torch.tensor(vectors), torch.tensor(ids))
    return queue


def test_starts_with_random_unit_vectors_of_nobody() -> None:
    queue = NeighbourQueue(100, 8)
    torch.testing.assert_close(queue.features.norm(dim=1), torch.ones(100))
    assert queue.features.mean(dim=0).abs().max() < 0.2
    assert queue.ids.tolist() == [-1] * 100
    assert queue.pointer == 0
    assert set(queue.state_dict()) == {"features", "ids", "pointer"}
    assert not list(queue.parameters())


@given(size=st.integers(1, 7), batches=st.lists(st.integers(0, 17), max_size=6))
def test_holds_the_last_rows_whatever_the_batches(size: int, batches: list[int]) -> None:
    queue = NeighbourQueue(size, 2)
    pushed = [-1] * size
    for batch in batches:
        ids = torch.arange(len(pushed), len(pushed) + batch)
        queue.enqueue(F.pad(ids[:, None].float(), (0, 1)), ids)
        pushed += ids.tolist()
    pointer = int(queue.pointer)
    assert pointer == sum(batches) % size
    oldest_first = queue.ids.roll(-pointer)
    assert oldest_first.tolist() == pushed[-size:]
    known = queue.ids >= 0
    assert queue.features[known, 0].tolist() == queue.ids[known].tolist()


def test_nearest_is_the_most_similar_of_another_sample() -> None:
    queue = filled([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0], [0.0, 1.0]], [7, 8, 9, 7])
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    nearest = queue.nearest(z, torch.tensor([3, 7, 8]))
    assert nearest.tolist() == [[1.0, 0.0], pytest.approx([0.8, 0.6]), [0.0, 1.0]]


def test_own_rows_count_as_opposite() -> None:
    # Only own rows and one that is nearly opposite: that one is still the nearest.
    queue = filled([[1.0, 0.0], [-0.8, 0.6]], [7, 8])
    assert queue.nearest(torch.tensor([[1.0, 0.0]]), torch.tensor([7])).tolist() == [
        pytest.approx([-0.8, 0.6])
    ]


def test_topk_picks_among_the_nearest_with_the_given_generator() -> None:
    torch.manual_seed(0)
    features = F.normalize(torch.randn(50, 4))
    queue = filled(features.tolist(), list(range(50)))
    z, ids = features[:1].expand(300, 4), torch.full((300,), 99)
    allowed = {tuple(row) for row in queue.features[(queue.features @ z[0]).topk(3).indices].tolist()}
    picks = [
        queue.nearest(z, ids, topk=3, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    ]
    assert {tuple(row) for row in picks[0].tolist()} == allowed
    assert torch.equal(picks[0], picks[1])
    assert not torch.equal(picks[0], picks[2])
    assert torch.equal(queue.nearest(z, ids, topk=1), queue.nearest(z, ids))


def test_an_empty_queue_is_refused() -> None:
    with pytest.raises(ConfigError, match="queue_size must be at least 1, got 0"):
        NeighbourQueue(0, 4)
