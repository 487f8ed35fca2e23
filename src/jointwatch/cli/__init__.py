"""The command line: one command a file, no logic."""

from __future__ import annotations

import typer

from jointwatch.cli.adapt import adapt
from jointwatch.cli.advise import advise
from jointwatch.cli.catalog import catalog
from jointwatch.cli.demo import demo
from jointwatch.cli.export import export
from jointwatch.cli.fit import fit
from jointwatch.cli.inspect import inspect
from jointwatch.cli.keys import keys
from jointwatch.cli.pretrain import pretrain
from jointwatch.cli.recalibrate import recalibrate
from jointwatch.cli.score import score
from jointwatch.cli.simulate import simulate
from jointwatch.cli.study import SETTINGS, study
from jointwatch.cli.transmission_error import transmission_error
from jointwatch.cli.verify import verify

__all__ = ["app"]

app = typer.Typer(
    name="jointwatch",
    help="Robot-joint health for mixed fleets: learn on one robot, be trusted on the next.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for function in (
    inspect,
    advise,
    fit,
    adapt,
    score,
    export,
    recalibrate,
    pretrain,
    simulate,
    transmission_error,
    keys,
    verify,
    catalog,
    demo,
):
    app.command()(function)
app.command(context_settings=SETTINGS)(study)
