import numpy as np
import pytest

from stars_hub.classifiers.validation import validation_mask
from stars_hub.errors import ConfigError

LABELS = np.repeat([0, 1, 2], 10)
SUBJECTS = [str(n % 5) for n in range(30)]


@pytest.mark.parametrize("seed", range(5))
def test_whole_subjects(seed: int) -> None:
    mask = validation_mask(LABELS, SUBJECTS, None, seed=seed)
    who = np.array(SUBJECTS)
    assert len(set(who[mask])) == 1
    assert not set(who[mask]) & set(who[~mask])


def test_seeds_choose_different_subjects() -> None:
    chosen = {np.array(SUBJECTS)[validation_mask(LABELS, SUBJECTS, 0.2, seed=seed)][0] for seed in range(20)}
    assert len(chosen) > 1


def test_who_alone_shows_a_class_is_not_chosen() -> None:
    labels, subjects = np.array([0, 0, 0, 1, 1]), ["a", "b", "c", "a", "a"]
    for seed in range(10):
        mask = validation_mask(labels, subjects, 0.3, seed=seed)
        assert set(labels[~mask]) == {0, 1}
        assert mask.sum() == 1


@pytest.mark.parametrize("subjects", [None, ["a", "b"] * 15])
def test_a_part_of_each_class(subjects: list[str] | None) -> None:
    mask = validation_mask(LABELS, subjects, 0.3, seed=0)
    assert [mask[label == LABELS].sum() for label in range(3)] == [3, 3, 3]
    assert not validation_mask(np.repeat([0, 1], 4), subjects and subjects[:8], None, seed=0).any()


def test_named_subjects() -> None:
    mask = validation_mask(LABELS, SUBJECTS, [1, "3"], seed=0)
    np.testing.assert_array_equal(mask, np.isin(SUBJECTS, ["1", "3"]))
    for nobody in (0, [], np.array([])):
        for subjects in (SUBJECTS, None):
            mask = validation_mask(LABELS, subjects, nobody, seed=0)
            np.testing.assert_array_equal(mask, np.zeros(30, dtype=bool))


def test_numpys_numbers_are_parts() -> None:
    mask = validation_mask(LABELS, None, np.float32(0.3), seed=0)
    np.testing.assert_array_equal(mask, validation_mask(LABELS, None, 0.3, seed=0))


@pytest.mark.parametrize(
    ("validation", "message"),
    [(["9"], "9"), (1.0, "part"), (-0.1, "part"), ("ab", "one a recording"), (set(SUBJECTS), "all subjects")],
)
def test_what_cannot_be(validation: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validation_mask(LABELS, SUBJECTS, validation, seed=0)  # type: ignore[arg-type]
