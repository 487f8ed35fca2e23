"""Pre-train the foundation model on healthy recordings of any robots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from jointwatch.cli._shared import command, console, progress, writable_folder, written
from jointwatch.core.errors import UsageError

__all__ = ["pretrain"]


@command
def pretrain(
    data: Annotated[list[Path], typer.Option(help="Recordings: a file or folder; may be given several times.")],
    out: Annotated[Path, typer.Option(help="Folder for weights, card and, while it runs, the state to go on from.")],
    size: Annotated[str, typer.Option(help="small (0.9 M parameters) or paper (4.9 M).")] = "small",
    epochs: Annotated[int, typer.Option(help="Passes over the windows, or so many times --steps.")] = 24,
    steps: Annotated[int | None, typer.Option(help="Steps of an epoch; default: every window once.")] = None,
    batch_size: Annotated[int, typer.Option(help="Windows of a step.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW; it rises, then falls in half a cosine wave.")] = 1e-3,
    vary: Annotated[
        float, typer.Option(help="Share of windows told as another robot might: joints turn the other way, sizes vary.")
    ] = 0.8,
    seed: Annotated[int, typer.Option(help="Of weights, masks, batches and what is held out.")] = 0,
    hold_out: Annotated[
        str, typer.Option(help="Brands or models, comma-separated, that are kept apart and only judged at the end.")
    ] = "",
    cuts: Annotated[
        str, typer.Option(help="How recordings are cut, comma-separated: cycle, or a rate in Hz.")
    ] = "cycle,250,50",
    most: Annotated[int, typer.Option(help="Windows of a robot and cut, at most.")] = 2000,
    hours: Annotated[float | None, typer.Option(help="Hours of signals, at most: whole sessions by lot.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto: a GPU where there is one.")] = "auto",
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) for CSV or HDF5.")] = None,
) -> None:
    """Pre-train the foundation model on healthy recordings; the same command goes on where it was stopped."""
    import torch

    from jointwatch import recordings
    from jointwatch.models._patch_encoder import SIZES
    from jointwatch.models._pretrained import load_pretrained, save_pretrained
    from jointwatch.training.card import card, facts
    from jointwatch.training.clock import Clock
    from jointwatch.training.corpus import Corpus
    from jointwatch.training.options import Options, device_of
    from jointwatch.training.pretraining import figures
    from jointwatch.training.pretraining import pretrain as train
    from jointwatch.training.progress import progress_bar
    from jointwatch.training.session import Progress, Session, session
    from jointwatch.training.telemetry import MaskPolicy

    if size not in SIZES:
        raise UsageError(f"sizes are {', '.join(SIZES)}, got {size!r}")
    options = Options(
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=0.01,
        schedule="cosine",
        warm_up=0.05,
        clip_norm=1.0,
        seed=seed,
        device=device,
    )
    policy = MaskPolicy(vary=vary)
    corpus = Corpus(_names(cuts), hold_out=_names(hold_out), most=most, hours=hours, seed=seed)
    writable_folder(out)
    with progress("reading") as step:
        for path in data:
            reading = recordings.read(path, columns=columns, progress=step)
            corpus.add(reading)
    parts, apart = corpus.parts(), corpus.held_out()
    total = sum(len(part.windows) for part in parts)
    console.print(
        f"{corpus.recordings} recordings, {corpus.unused} of them without anything to learn from; {total} windows of "
        f"{len({part.robot for part in parts})} robots, {sum(part.hours for part in parts):.2f} h",
        highlight=False,
    )
    clock = Clock(out / "clock.json")
    with progress_bar("pre-training") as report:

        def told(at: Progress) -> None:
            clock.mark()
            report(at)

        with session(Session(progress=told, checkpoints=out / "checkpoints")):
            found = train(
                parts,
                cast(Literal["small", "paper"], size),
                options=options,
                batch_size=batch_size,
                steps=steps,
                policy=policy,
            )
    seconds = clock.mark(now=True)
    settings = {
        "size": size,
        "epochs": epochs,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "vary": vary,
        "seed": seed,
        "hold_out": hold_out,
        "cuts": cuts,
        "most": most,
        "hours": hours,
    }
    known = facts(
        found,
        corpus,
        parts,
        {f"{part.robot}, {part.cut}": figures(found.network, part, seed) for part in apart},
        settings=settings,
        seconds=seconds,
        device=str(device_of(device)),
        threads=torch.get_num_threads(),
    )
    weights = save_pretrained(found.encoder, out / "encoder.safetensors", known)
    _, stored = load_pretrained(weights)
    (out / "card.md").write_text(card(stored), encoding="utf-8")
    for path in (weights, weights.with_suffix(".json"), out / "card.md"):
        written(path)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
