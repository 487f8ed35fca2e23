"""What every adaptation shares: labels of a target cannot be reached, sources and labelled rows come as they are given,
and inside a detector it is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from jointwatch.core import Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.detectors.pca import Pca
from jointwatch.models.base import batch_norms
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch
from jointwatch.training.seed import seeded
from jointwatch.transfer._adaptation import Adaptation, Beside, Embedded, Task, embed_by_domain, network_of, width_of
from jointwatch.transfer.adabn import Adabn
from jointwatch.transfer.dann import Dann

SOURCE_ROWS, TARGET_ROWS, FEW = 24, 30, 6


@dataclass(eq=False, repr=False)
class Spy(Adaptation):
    """Adds nothing to the cross-entropy and keeps all that an author's hooks are shown."""

    seen: list[Embedded] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    progresses: list[float] = field(default_factory=list)

    def _opened(self, network: Any, task: Task) -> nn.Module:
        self.tasks.append(task)
        return Beside(network, extra=nn.Linear(1, 1))

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        self.seen.append(rows)
        self.progresses.append(progress)
        return opened.get_submodule("extra")(rows.embedded.new_ones(1)).sum()


def rows(count: int, number: int = 0, classes: int = 2) -> Batch:
    """Class c is lifted by c; robot n by n / 2, and its noise is its own."""
    label = np.arange(count) % classes
    noise = np.random.default_rng(number).standard_normal((count, 3, 16))
    return Batch.of_arrays(noise + label[:, None, None] + 0.5 * number, label=label)


def tiny(classes: int = 2) -> Cnn1d:
    with seeded(0):
        return Cnn1d(3, classes=classes, filters=(4, 6, 8), kernels=(5, 3, 3))


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_no_hook_is_shown_a_label_of_the_target() -> None:
    spy = Spy(epochs=2)
    spy.align(tiny(), rows(SOURCE_ROWS), rows(TARGET_ROWS, 1))
    assert len(spy.seen) == 2 * 8  # at least eight steps an epoch
    assert set(spy.tasks[0].target.label.tolist()) == {-1}
    for step in spy.seen:
        assert set(step.label[step.target].tolist()) == {-1}
        assert set(step.batch.label[step.target].tolist()) == {-1}
        assert (step.label[~step.target] >= 0).all()


def test_other_labels_of_the_target_change_no_bit() -> None:
    target = rows(TARGET_ROWS, 1)
    others = [replace(target, label=1 - target.label), replace(target, label=torch.full_like(target.label, 77))]
    found = [Spy(epochs=2).align(tiny(), rows(SOURCE_ROWS), one) for one in (target, *others)]
    assert same(found[0], found[1])
    assert same(found[0], found[2])


def test_the_given_network_stays() -> None:
    network, twin = tiny(), tiny()
    aligned = Spy(epochs=1).align(network, rows(SOURCE_ROWS), rows(TARGET_ROWS, 1))
    assert same(network, twin)
    assert not same(aligned, twin)
    assert isinstance(aligned, Cnn1d)  # and not what was trained beside it
    assert not aligned.training


def test_seeds_decide() -> None:
    found = [Spy(epochs=1).align(tiny(), rows(SOURCE_ROWS), rows(TARGET_ROWS, 1), seed=seed) for seed in (0, 0, 1)]
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_sources_are_domains_of_their_own_and_the_target_is_the_last() -> None:
    spy = Spy(epochs=1, batch_size=5)
    spy.align(tiny(), [rows(SOURCE_ROWS), rows(10, 1), rows(12, 2)], rows(TARGET_ROWS, 3))
    assert spy.tasks[0].domains == 4
    for step in spy.seen:
        assert set(step.domain.tolist()) == {0, 1, 2, 3}
        assert step.target.equal(step.domain == 3)
        assert len(step.sources) == 3
        assert torch.stack(step.sources).sum(dim=0).equal((~step.target).long())


def test_labelled_rows_belong_to_the_target_and_keep_their_labels() -> None:
    spy, few = Spy(epochs=1), rows(FEW, 1)
    spy.align(tiny(), rows(SOURCE_ROWS), rows(TARGET_ROWS, 1), few)
    for step in spy.seen:
        known = step.target & (step.label >= 0)
        assert known.sum() == FEW
        values = {tuple(row.flatten().tolist()): int(label) for row, label in zip(few.values, few.label, strict=True)}
        for row, label in zip(step.batch.values[known], step.label[known], strict=True):
            assert values[tuple(row.flatten().tolist())] == int(label)
    empty = few.take(np.zeros(0, np.int64))
    plain, without = (
        Spy(epochs=1).align(tiny(), rows(SOURCE_ROWS), rows(TARGET_ROWS, 1), one) for one in (None, empty)
    )
    assert same(plain, without)


def test_labelled_rows_are_learned() -> None:
    """The target says its classes the other way round: only its labelled rows can teach that."""
    source, target, few = rows(200), rows(200, 1), rows(60, 1)
    turned = replace(few, label=1 - few.label)
    strategy = Spy(epochs=15, learning_rate=0.01, weight=0.0)
    said = [
        strategy.align(tiny(), replace(source, label=torch.full_like(source.label, -1)), target, given)(target.values)
        for given in (few, turned)
    ]
    right = [float((logits.argmax(dim=1) == target.label).float().mean()) for logits in said]
    assert right[0] > 0.9
    assert right[1] < 0.1


@pytest.mark.parametrize("kind", [Dann, Adabn])  # one that builds beside the network, one that trains on sources alone
def test_a_part_without_rows_or_of_another_layout_is_refused(kind: type[Adaptation]) -> None:
    source, target = rows(SOURCE_ROWS), rows(TARGET_ROWS, 1)
    none = target.take(np.zeros(0, np.int64))
    for sources, aim in ((source, none), ([source, none], target)):
        with pytest.raises(UsageError, match="every domain needs rows"):
            kind(epochs=1).align(tiny(), sources, aim)
    wide = Batch.of_arrays(np.zeros((4, source.values.shape[1] + 1, source.values.shape[2]), np.float32))
    long = Batch.of_arrays(np.zeros((4, source.values.shape[1], source.values.shape[2] + 1), np.float32))
    for other in (wide, long):
        with pytest.raises(UsageError, match="cut them with one plan"):
            kind(epochs=1).align(tiny(), source, other)
    with pytest.raises(UsageError, match="the network's 3 channels"):
        kind(epochs=1).align(tiny(), replace(wide, label=torch.zeros(4, dtype=torch.int64)), wide)


def test_progress_goes_from_nought_to_one() -> None:
    spy = Spy(epochs=3)
    spy.align(tiny(), rows(SOURCE_ROWS), rows(TARGET_ROWS, 1))
    assert spy.progresses[0] == 0
    assert spy.progresses == sorted(spy.progresses)
    assert 0.9 < spy.progresses[-1] < 1


def test_what_is_trained_beside_is_trained() -> None:
    spy = Spy(epochs=1)
    opened: list[Any] = []
    original = Spy._closed

    def keep(self: Spy, module: nn.Module, task: Task) -> Any:
        opened.append(module)
        return original(self, module, task)

    with seeded(0):
        start = nn.Linear(1, 1).bias.detach().clone()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spy, "_closed", keep)
        network = spy.align(tiny(), rows(SOURCE_ROWS), rows(TARGET_ROWS, 1))
    assert network_of(opened[0]) is network
    assert not torch.equal(opened[0].extra.bias, start)


def test_batch_norms_see_one_domain_at_a_time() -> None:
    network = tiny().train()
    both = Batch.concatenate([rows(20).of_domain(0), rows(20, 8).of_domain(1)])
    apart = embed_by_domain(network, both)
    for number in (0, 1):
        own = both.domain == number
        torch.testing.assert_close(apart[own], network.embed(both.values[own], both.mask[own]))
    together = network.embed(both.values, both.mask)
    assert (apart[:20].mean(dim=0) - apart[20:].mean(dim=0)).abs().max() < 0.5
    assert (together[:20].mean(dim=0) - together[20:].mean(dim=0)).abs().max() > 0.5


def test_the_logits_are_those_of_the_head() -> None:
    spy = Spy(epochs=1)
    spy.align(tiny(classes=3), rows(SOURCE_ROWS, classes=3), rows(TARGET_ROWS, 1))
    step = spy.seen[0]
    assert step.embedded.shape == (len(step.batch), 8)
    assert step.logits.shape == (len(step.batch), 3)
    assert width_of(tiny(), spy.tasks[0]) == 8
    torch.testing.assert_close(step.probabilities.sum(dim=1), torch.ones(len(step.batch)))


def test_classes_count_alike_unless_said_otherwise() -> None:
    source = rows(40)
    rare = source.take(np.concatenate([np.flatnonzero(source.label == 0), np.flatnonzero(source.label == 1)[:4]]))
    spy = Spy(epochs=1)
    for weights in ("balanced", None, (1.0, 3.0)):
        spy.align(tiny(), rare, rows(TARGET_ROWS, 1), class_weights=weights)
    balanced, none, given = (task.class_weights for task in spy.tasks)
    assert balanced == pytest.approx((24 / 40, 24 / 8))
    assert none is None
    assert given == (1.0, 3.0)


def test_bfloat16_reaches_the_embeddings_and_not_the_loss() -> None:
    found = [
        Spy(epochs=1).align(tiny(), rows(SOURCE_ROWS), rows(TARGET_ROWS, 1), bfloat16=kind) for kind in (False, True)
    ]
    assert not same(*found)
    for one, other in zip(found[0].parameters(), found[1].parameters(), strict=True):
        assert other.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("sources", "target", "error", "match"),
    [
        ([], rows(4), UsageError, "needs a source"),
        (rows(6).unlabelled(), rows(4), NotEnoughData, "labelled rows of a source"),
        (rows(6, classes=3), rows(4), UsageError, "class 2"),
        (rows(6), Batch.of_arrays(np.zeros((4, 3, 8))), UsageError, "same \\(channel, time\\)"),
        (rows(6), rows(4).take(np.zeros(0, np.int64)), UsageError, "every domain needs rows"),
    ],
)
def test_errors_name_the_cause(sources: Any, target: Batch, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        Spy(epochs=1).align(tiny(), sources, target)


def detector(**options: Any) -> Cnn:
    return Cnn(filters=(8, 8, 8), epochs=3, batch_size=16, bfloat16=False, **options)


@pytest.mark.parametrize("faulty", [(), (2, 5, 9, 12)], ids=["synthetic", "labels"])
def test_inside_a_detector(arms: Callable[..., Windows], faulty: tuple[int, ...]) -> None:
    """Sources by domain, the target bare; with nothing but healthy sources all rows get a disturbed copy."""
    source = Windows.concatenate([arms(0, faulty=faulty), arms(1, brand="second", faulty=faulty)])
    target = arms(5, brand="third", faulty=(3, 7))
    spy = Spy(detector(), epochs=2)
    fitted = spy.fit(source)
    assert set(fitted.source_.index.domain) == set(source.index.domain)
    adapted = fitted.adapt(target)
    task = adapted.tasks[0]
    assert len(task.sources) == 2
    assert set(task.target.label.tolist()) == {-1}
    known = torch.cat([part.label for part in task.sources])
    assert set(known.tolist()) == {0, 1}  # disturbed copies are the anomalies of healthy sources
    if not faulty:
        assert int((known == 0).sum()) == int((known == 1).sum())
        assert len(task.target) >= 2 * len(target)
    scores = adapted.score_samples(target)
    assert scores.shape == (len(target),)
    assert np.isfinite(scores).all()
    adapted.seen.clear()  # tensors with a graph cannot be copied
    again = adapted.adapt(arms(6, brand="third"))  # a robot drifts: from what it was adapted to before
    assert np.isfinite(again.score_samples(target)).all()
    assert (again.score_samples(target) != scores).any()
    np.testing.assert_array_equal(adapted.score_samples(target), scores)


def test_a_detector_does_not_see_the_targets_labels_either(arms: Callable[..., Windows]) -> None:
    fitted = Spy(detector(), epochs=2).fit(arms(0, faulty=(2, 5)))
    target = arms(5, brand="third", faulty=(3, 7))
    turned = np.where(target.index.label == "normal", "anomalous", "normal")
    other = replace(target, index=replace(target.index, label=turned))
    scores = [fitted.adapt(windows).score_samples(target) for windows in (target, other)]
    np.testing.assert_array_equal(scores[0], scores[1])
    few = target[np.isin(target.index.cycle, np.unique(target.index.cycle)[:6])]
    assert (fitted.adapt(target, few).score_samples(target) != scores[0]).any()


def test_sources_are_remembered_up_to_a_limit(arms: Callable[..., Windows]) -> None:
    source = arms(0, faulty=(2, 5, 9))
    fitted = Spy(detector(), epochs=1, remembered=20).fit(source)
    assert len(fitted.source_) <= 20
    assert {"normal", "anomalous"} <= set(fitted.source_.index.label)


def test_a_detector_without_a_network_is_refused(arms: Callable[..., Windows]) -> None:
    with pytest.raises(UsageError, match="has no network to align"):
        Spy(Pca()).fit(arms(0))


def first_means(network: Any) -> float:
    means = batch_norms(network)[0].running_mean
    assert means is not None
    return float(means.abs().max())


def test_batch_norms_of_the_result_hold_the_mixture() -> None:
    """The base leaves running statistics as training made them; strategies that want the target's measure them."""
    strategy = Spy(epochs=6, weight=0.0)
    near, middle, far = (first_means(strategy.align(tiny(), rows(200), rows(200, number))) for number in (0, 8, 16))
    assert near < middle < far
