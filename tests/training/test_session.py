"""The bar follows a training to its end."""

from __future__ import annotations

import io

from rich.console import Console

from jointwatch.training.progress import progress_bar
from jointwatch.training.session import Progress


def test_bar_shows_epoch_and_losses() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=120)
    with progress_bar("the arm", console) as report:
        report(Progress(0, 2, 1, 4))
        report(Progress(2, 2, 0, 4, train_loss=0.5, validation_loss=0.25, best_epoch=1))
    shown = text.getvalue()
    assert "the arm" in shown
    assert "epoch 2/2 loss 0.5000 validation 0.2500" in shown
