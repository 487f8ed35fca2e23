"""Draw the pictures of docs/simulator.md from seeded runs of the simulator.

Run it after a change to the simulator: python tools/simulator_pictures.py
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from _simulator_runs import Run, friction, generator, pair, row, session, swing
from _simulator_runs import log_of as run
from _simulator_schematic import schematic
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from PIL import Image
from scipy.signal import butter, hilbert, sosfiltfilt
from scipy.stats import spearmanr

from jointwatch.core import catalog
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.signals.orders import monotone_stretches, order_spectrum
from jointwatch.simulation.motion import MOTION_RATE_HZ, Mark, Motion
from jointwatch.simulation.robot import load_robot
from jointwatch.simulation.transmission import static_error
from jointwatch.simulation.unit import draw_unit

__all__ = ["FOLDER", "main"]

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "simulator"

_HEALTHY, _HALF, _WORN, _QUIET = "#0072B2", "#E69F00", "#D55E00", "#8c8c8c"
_STAGES = ((0.0, _HEALTHY, "healthy"), (0.5, _HALF, "severity 0.5"), (1.0, _WORN, "severity 1"))
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "savefig.facecolor": "white",
}
_DPI = 115
_ARCSEC = np.pi / 180 / 3600
_BRANDS = ("ur5e", "crx10ia", "gofa5", "iiwa7", "m1013")
_EFFORT = ("current", "joint_torque", "torque")
_UNITS = {"current": "A", "joint_torque": "N m", "torque": "N m"}
_OCTAVES_HZ = 2.0 * 2.0 ** np.arange(0.0, 6.1, 0.5)
_REMARKS = {"rv_pitting": ", 25 Hz", "collision": ", 0.5 s of it"}
_SPEEDS_DEG_S = (3.0, 6.0, 12.0, 25.0, 60.0)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    pictures = {
        "schematic": schematic,
        "current": _current,
        "orders": _orders,
        "hilbert": _hilbert,
        "brands": _brands,
        "friction": _friction,
        "faults": _faults,
        "static_error": _static_error,
    }
    for name, draw in pictures.items():
        with matplotlib.rc_context(_STYLE):
            _save(draw(), FOLDER / f"{name}.png")
        print(FOLDER / f"{name}.png")


def _current() -> Figure:
    """Motor current of one swing, healthy and worn: the whole cycle, a moment of steady speed, the turn at the top."""
    figure = Figure(figsize=(9.2, 5.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1.25, 1))
    whole, steady, turn = (figure.add_subplot(place) for place in (grid[0, :], grid[1, 0], grid[1, 1]))
    for severity, colour, label in reversed(_STAGES):  # the healthy curve swings least: on top it hides nothing
        log = swing(severity)
        start = log.motion.cycles[1].start_s
        time_s, current = log.log.time_s - start, row(log, "current", 1)
        for axis, (low, high) in ((whole, (0, 8)), (steady, (1.5, 2.3)), (turn, (3.75, 4.55))):
            part = (time_s >= low) & (time_s <= high)
            axis.plot(time_s[part], current[part], color=colour, linewidth=0.9, label=label)
    for axis, (low, high) in ((whole, (0, 8)), (steady, (1.5, 2.3)), (turn, (3.75, 4.55))):
        axis.set_xlim(low, high)
        axis.set_xlabel("time in the cycle, s")
    whole.set_ylabel("motor current, A")
    steady.set_ylabel("motor current, A")
    whole.set_title("one swing from −45° up over the top to 45° and back, 1 kHz")
    steady.set_title("near the top at steady speed: ripple and friction")
    turn.set_title("turning round at 45°: friction changes sides")
    handles, labels = whole.get_legend_handles_labels()
    whole.legend(handles[::-1], labels[::-1], ncols=3, loc="upper center", bbox_to_anchor=(0.6, 1.0))
    return figure


def _orders() -> Figure:
    """Spectrum of the current by motor angle, mean over the strokes of ten swings."""
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    axis = figure.subplots()
    ratio = load_robot("harmonic_rig").number("drive.ratio")[0]
    for severity, colour, label in _STAGES:
        log = swing(severity)
        angle = row(log, "position", 1) * ratio
        current = row(log, "current", 1)[None]
        found = [
            order_spectrum(current[:, part], angle[part], 7.0)
            for part in monotone_stretches(angle, min_turns=20.0, slack_rad=0.05)
        ]
        orders = np.arange(0.4, 7.0, 0.02)
        mean = np.mean([np.interp(orders, at, spectrum[0]) for spectrum, at in found], axis=0)
        axis.plot(orders, 1e3 * mean, color=colour, linewidth=1.3, label=label)
    axis.set_yscale("log")
    axis.set_xlim(0.4, 7.0)
    for order in (1, 2, 4, 6):
        axis.axvline(order, color=_QUIET, linewidth=0.8, linestyle=":", zorder=0)
    axis.set_yticks([2, 5, 10, 20, 50, 100, 200], ["2", "5", "10", "20", "50", "100", "200"])
    axis.minorticks_off()
    axis.set_xticks(range(1, 8))
    axis.set_xlabel("order, cycles per motor turn")
    axis.set_ylabel("amplitude of the current, mA")
    axis.legend(loc="upper right", ncols=3)
    return figure


def _hilbert() -> Figure:
    """Amplitude by time and frequency of healthy and worn, and the marginal spectra."""
    figure = Figure(figsize=(9.6, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1.15, 1))
    frequency_hz = np.geomspace(2.0, 128.0, 61)
    spectra = {severity: _hilbert_spectrum(swing(severity), frequency_hz) for severity, _, _ in _STAGES}
    top = max(spectrum.max() for _, spectrum in spectra.values())
    first = None
    for column, (severity, label) in enumerate(((0.0, "healthy"), (1.0, "severity 1"))):
        axis = figure.add_subplot(grid[0, column], sharey=first)
        first = first or axis
        time_s, spectrum = spectra[severity]
        seen = np.ma.masked_less(spectrum, 2e-3)
        image = axis.pcolormesh(
            time_s, frequency_hz, seen, norm=LogNorm(2e-3, top), cmap="viridis", rasterized=True, shading="flat"
        )
        axis.set_yscale("log")
        axis.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
        axis.set_title(label)
        axis.set_xlabel("time in the cycle, s")
        axis.grid(False)
        if column == 0:
            axis.set_ylabel("instantaneous frequency, Hz")
    figure.colorbar(image, ax=figure.axes, label="amplitude, A", pad=0.01)
    marginal, growth = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    means = {
        severity: 1e3 * _hilbert_spectrum(swing(severity), _OCTAVES_HZ)[1].mean(axis=1) for severity, _, _ in _STAGES
    }
    for severity, colour, label in _STAGES:
        marginal.stairs(means[severity], _OCTAVES_HZ, color=colour, linewidth=1.5, label=label)
        if severity:
            growth.stairs(means[severity] - means[0.0], _OCTAVES_HZ, color=colour, linewidth=1.5)
    added = means[1.0] - means[0.0]
    low = 100 * added[_OCTAVES_HZ[1:] < 25.0].sum() / added.sum()
    marginal.set_title("marginal spectrum, half octaves")
    growth.set_title(f"what wear adds: {low:.0f} % of it below {_OCTAVES_HZ[_OCTAVES_HZ < 25.0][-1]:.0f} Hz")
    for axis in (marginal, growth):
        axis.set_xscale("log")
        axis.set_xticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
        axis.minorticks_off()
        axis.set_xlim(1.9, 135)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("frequency, Hz")
        axis.set_ylabel("mean amplitude, mA")
    marginal.legend()
    return figure


def _hilbert_spectrum(log: Run, edges_hz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges of time (s) and mean amplitude (frequency, time) of one cycle, over all cycles but the first and last.

    Half-octave bands of the current, so that each holds about one component; the analytic signal of each gives its
    amplitude and frequency from moment to moment.
    """
    time_s, current = log.log.time_s, row(log, "current", 1)
    rate_hz = log.plant.telemetry.rate_hz
    cycles = log.motion.cycles[1:-1]
    edges_s = np.linspace(0.0, cycles[0].stop_s - cycles[0].start_s, 161)
    total = np.zeros((len(edges_hz) - 1, len(edges_s) - 1))
    within = (time_s - cycles[0].start_s) % edges_s[-1]
    inside = (time_s >= cycles[0].start_s) & (time_s < cycles[-1].stop_s)
    for band_hz in pairwise(_OCTAVES_HZ):
        band = butter(2, band_hz, "bandpass", fs=rate_hz, output="sos")
        analytic = hilbert(sosfiltfilt(band, current))
        turn = np.unwrap(np.angle(analytic))
        frequency = np.gradient(turn) * rate_hz / (2 * np.pi)
        total += np.histogram2d(
            frequency[inside], within[inside], bins=(edges_hz, edges_s), weights=abs(analytic)[inside]
        )[0]
    return edges_s, total / (inside.sum() / (len(edges_s) - 1))


def _brands() -> Figure:
    """One cycle of the same pick-and-place on five brands, as each reports it."""
    figure = Figure(figsize=(12.4, 8.6), layout="constrained")
    axes = figure.subplots(4, len(_BRANDS), gridspec_kw={"height_ratios": (1, 1, 1, 0.8)})
    colours = {2: "#009E73", 4: "#CC79A7"}
    for column, name in enumerate(_BRANDS):
        plant, motion = session(name, "pick_and_place", 2, part_kg=1.0)
        log, robot, mark = run(plant, motion), plant.robot, motion.cycles[1]
        effort = next(kind for kind in _EFFORT if kind in robot.telemetry.signals)
        time_s = log.log.time_s - mark.start_s
        inside = (time_s >= 0) & (time_s <= mark.stop_s - mark.start_s)
        angles, two, four, rest = axes[:, column]
        for joint, axis in ((2, two), (4, four)):
            angle, force = row(log, "position", joint)[inside], row(log, effort, joint)[inside]
            angles.plot(time_s[inside], np.rad2deg(angle - angle[0]), color=colours[joint], label=f"joint {joint}")
            axis.plot(time_s[inside], force, color=colours[joint], linewidth=0.7)
            axis.set_title(f"{effort.replace('_', ' ')}, joint {joint}")
        start_s = _lift_s(motion, mark) - 0.11
        near = (time_s >= start_s) & (time_s < start_s + 0.1)
        force = row(log, effort, 2)[near]
        rest.plot(1e3 * (time_s[near] - start_s), force - force.mean(), ".-", color=colours[2], linewidth=0.6, ms=4)
        noise = np.broadcast_to(robot.telemetry.signals[effort].noise.value, robot.n_joints)[1]
        angles.set_title(f"{robot.brand}\n{robot.model.removeprefix('LBR ')}", fontweight="bold")
        rest.set_title(f"0.1 s at rest: {robot.number('telemetry.rate_hz'):g} Hz")
        for axis in (angles, two, four):
            axis.set_xlim(0, 9.6)
            axis.set_xticks([0, 3, 6, 9])
        angles.set_ylim(-20, 17)
        for axis in (two, four, rest):
            axis.set_ylabel(_UNITS[effort], labelpad=1)
        rest.set_ylim(-0.28, 0.28)
        four.set_xlabel("time in the cycle, s")
        rest.set_xlabel(
            f"time, ms\n\nnoise {noise:g} {_UNITS[effort]}; reports\n{_wrapped(', '.join(robot.telemetry.signals), 24)}"
        )
    axes[0, 0].set_ylabel("from the start, °")
    axes[0, 1].legend(loc="lower right", fontsize=9)
    return figure


def _lift_s(motion: Motion, mark: Mark) -> float:
    """When, within the cycle, the part is lifted: the end of the stop in which it is taken."""
    taken = next(load.start_s for load in motion.loads if load.start_s > mark.start_s)
    moving = np.flatnonzero(motion.velocity_rad_s.any(axis=1)) / MOTION_RATE_HZ
    return float(moving[moving > taken][0]) - mark.start_s


def _wrapped(text: str, width: int) -> str:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f"{word} "
    return "\n".join(line.strip() for line in lines)


def _friction() -> Figure:
    """Friction against speed of a dozen units, warm and cool, healthy and worn; beside it what each factor does."""
    figure = Figure(figsize=(10.6, 4.2), layout="constrained")
    warm, cool, effect = figure.subplots(1, 3, gridspec_kw={"width_ratios": (1, 1, 1.15)})
    units = range(12)
    curves = {
        (celsius, severity): np.array([friction(unit, celsius, severity, _SPEEDS_DEG_S) for unit in units])
        for celsius in (40.0, 25.0)
        for severity in (0.0, 1.0)
    }
    for axis, celsius in ((warm, 40.0), (cool, 25.0)):
        for severity, colour, label in (_STAGES[0], _STAGES[2]):
            axis.plot(_SPEEDS_DEG_S, curves[celsius, severity].T, color=colour, linewidth=0.8, alpha=0.75)
            axis.plot([], [], color=colour, label=label)
        axis.set_title(f"drives at {celsius:g} °C")
        axis.set_xlabel("speed of the joint, °/s")
        axis.set_ylim(0, 1.05 * max(curve.max() for curve in curves.values()))
    warm.set_ylabel("friction torque at the output, N m")
    warm.legend(loc="upper left")
    at = _SPEEDS_DEG_S.index(25.0)
    healthy = curves[40.0, 0.0][:, at]
    days = np.array([friction(0, 40.0, 0.0, (25.0,), day)[0] for day in range(12)])
    half = np.array([friction(unit, 40.0, 0.5, (25.0,))[0] for unit in units])
    rows = (
        ("from unit\nto unit", healthy / healthy.mean(), _HEALTHY),
        ("from day to day,\none unit", days / days.mean(), _HEALTHY),
        ("15 K cooler", curves[25.0, 0.0][:, at] / healthy, _HEALTHY),
        ("wear,\nseverity 0.5", half / healthy, _HALF),
        ("wear,\nseverity 1", curves[40.0, 1.0][:, at] / healthy, _WORN),
    )
    for place, (_, ratio, colour) in enumerate(rows):
        effect.plot(100 * (ratio - 1), np.full(len(ratio), place), "o", color=colour, alpha=0.55, markersize=6)
    effect.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    effect.set_ylim(len(rows) - 0.5, -0.5)
    effect.axvline(0, color=_QUIET, linewidth=0.8)
    effect.set_xlabel("change of friction at 25 °/s, %")
    effect.set_title("12 units or days, a dot each")
    return figure


def _faults() -> Figure:
    """What each fault adds to the effort of the joint concerned, over one cycle, and what chance alone would change."""
    names = [name for name in catalog.names("faults") if catalog.load("faults", name).scope != "telemetry"]
    figure = Figure(figsize=(11.4, 9.0), layout="constrained")
    axes = figure.subplots(4, 4)
    for axis, name in zip(axes.ravel(), names, strict=True):
        robot = "industrial6" if name == "rv_pitting" else "m1013"
        effort = "joint_torque" if name == "torque_sensor_drift" else "current"
        joint = 1 if name == "backlash" else 2  # gravity presses joint 2 to one side of any play
        healthy, other, worn = pair(robot, name, joint)
        mark = healthy.motion.cycles[1]
        time_s = healthy.log.time_s - mark.start_s
        inside = (time_s >= 0) & (time_s <= mark.stop_s - mark.start_s)
        base = row(healthy, effort, joint)
        for log, colour in ((other, "#c0c0c0"), (worn, _WORN)):
            change = np.interp(healthy.log.time_s, log.log.time_s, row(log, effort, joint)) - base
            axis.plot(time_s[inside], change[inside], color=colour, linewidth=0.6)
        axis.set_title(f"{name.replace('_', ' ')}, joint {joint}{_REMARKS.get(name, '')}")
        axis.set_ylabel(_UNITS[effort], labelpad=1)
        axis.set_xlim(0, 9.4)
        axis.set_xticks([0, 3, 6, 9])
        if worn.plant.contacts:  # too short to be seen in a whole cycle
            begin_s = worn.plant.contacts[0].start_s - mark.start_s
            axis.set_xlim(begin_s - 0.1, begin_s + 0.4)
            axis.set_xticks(np.round(begin_s, 1) + np.array([-0.1, 0.1, 0.3]))
    for axis in axes[-1]:
        axis.set_xlabel("time in the cycle, s")
    return figure


def _static_error() -> Figure:
    """Static error against severity for thirty units, and the part that a label sees against the part it does not."""
    figure = Figure(figsize=(10.4, 4.4), layout="constrained")
    path, parts = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1.1, 1)})
    severity = np.linspace(0.0, 1.0, 21)
    fault = catalog.load("faults", "reducer_wear")()
    _, motion = session("harmonic_rig", "reciprocation", 1)
    units = range(30)
    ends: dict[float, list[tuple[float, float]]] = {0.0: [], 1.0: []}
    for unit in units:
        plant = draw_unit(load_robot("harmonic_rig"), generator("unit", unit))
        stages = [
            fault.apply(plant, motion, 1, float(s), generator("law", unit), generator("chance", unit))[0].drives
            for s in severity
        ]
        error_deg = np.rad2deg([static_error(drives, 1).total_rad for drives in stages])
        path.plot(severity, error_deg, color=_QUIET, linewidth=0.8, alpha=0.8)
        path.plot(severity[[0]], error_deg[[0]], "o", color=_HEALTHY, markersize=4)
        path.plot(severity[[-1]], error_deg[[-1]], "o", color=_WORN, markersize=4)
        for s, drives in ((0.0, stages[0]), (1.0, stages[-1])):
            ends[s].append((drives.wave_rad[0, 1] / _ARCSEC, static_error(drives, 1).output_rad / _ARCSEC))
    width = np.rad2deg(LEVEL_RAD)
    path.set_ylim(0, max(6.6 * width, 1.04 * max(line.get_ydata().max() for line in path.lines)))
    path.set_yticks(width * np.arange(7), [f"{width * k:.3f}" for k in range(7)])
    for level in range(1, 7):
        path.text(1.06, width * (level - 0.5), f"level {level}", va="center", fontsize=9, color=_QUIET)
    path.set_xlim(-0.03, 1.22)
    path.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    path.set_xlabel("severity of reducer wear")
    path.set_ylabel("static transmission error, °")
    path.set_title("30 units of one model")
    for s, colour, label in (_STAGES[0], _STAGES[2]):
        points = np.array(ends[s])
        rank = spearmanr(*points.T).statistic
        parts.plot(
            *points.T, "o", color=colour, alpha=0.75, markersize=5, label=f"{label}, rank correlation {rank:.2f}"
        )
    parts.set_xscale("log")
    parts.set_yscale("log")
    parts.set_xticks([10, 20, 50, 100, 200], ["10", "20", "50", "100", "200"])
    parts.set_yticks([5, 10, 20, 50, 100, 200, 500], ["5", "10", "20", "50", "100", "200", "500"])
    parts.minorticks_off()
    parts.set_ylim(4, 900)
    parts.set_xlabel("wave part, twice a motor turn, arcsec")
    parts.set_ylabel("output part, as measured over 20 input turns, arcsec")
    parts.set_title("what the current sees, what the label sees")
    parts.legend(loc="lower right")
    return figure


def _save(figure: Figure, path: Path) -> None:
    """Few colours and no dithering keep line drawings small."""
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(_DPI)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.quantize(colors=128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
