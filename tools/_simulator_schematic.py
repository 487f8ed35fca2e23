"""The drivetrain and the signal chain of the simulator as a drawing, with the places where faults enter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon

__all__ = ["schematic"]

_INK, _EDGE, _FILL, _FAULT, _QUIET = "#222222", "#0072B2", "#eaf3f9", "#D55E00", "#777777"

_Icon = Callable[[Axes, float, float], None]


def schematic() -> Figure:
    figure = Figure(figsize=(12.6, 6.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 15.2)
    axes.set_ylim(0, 7.72)
    axes.set_aspect("equal")
    axes.axis("off")
    _drivetrain(axes)
    _telemetry(axes)
    return figure


def _drivetrain(axes: Axes) -> None:
    parts: tuple[tuple[float, float, str, str, _Icon, str], ...] = (
        (0.25, 2.45, "controller", "position P, speed PI,\ncurrent loop and limit", _cascade, ""),
        (3.35, 2.1, "motor", "torque constant, cogging,\nripple; rotor inertia", _rotor,
         "axis weakening\ncommutation error"),
        (6.1, 2.1, "friction", "LuGre, by speed, load\nand temperature", _stribeck,
         "friction rise\nlubricant loss\nover temperature"),
        (8.85, 3.2, "gear", "ratio, kinematic error, play,\nthree-segment torsion, hysteresis", _gear,
         "reducer wear, RV pitting\nflexspline crack\nbacklash, loosening"),
        (12.7, 2.25, "link", "mass matrix along the\nreference, gravity, load", _arm,
         "payload change, lost grip\ncollision, base wobble"),
    )  # fmt: skip
    low, high = 4.45, 6.6
    for x, width, title, text, icon, faults in parts:
        _box(axes, x, low, width, high - low)
        middle = x + width / 2
        axes.text(middle, high - 0.2, title, ha="center", va="top", fontsize=12, fontweight="bold", color=_INK)
        icon(axes, middle, 5.62)
        axes.text(middle, low + 0.13, text, ha="center", va="bottom", fontsize=8.3, color=_INK, linespacing=1.25)
        if faults:
            axes.text(middle, low - 0.17, faults, ha="center", va="top", fontsize=8.6, color=_FAULT, linespacing=1.3)
    for nth, ((x, width, *_), (after, *_)) in enumerate(pairwise(parts)):
        _arrow(axes, (x + width, 5.6), (after, 5.6), both=nth > 0)
    axes.text(3.025, 5.72, "current", ha="center", fontsize=8.3, color=_INK)
    _path(axes, [(0.9, 7.3), (0.9, high)])
    axes.text(0.25, 7.38, "reference", fontsize=8.6, color=_INK)
    # the encoder sits at the motor: what happens behind the gear reaches the controller through torque alone
    _path(axes, [(4.1, high), (4.1, 7.3), (1.9, 7.3), (1.9, high)])
    axes.text(3.0, 7.38, "encoder at the motor", ha="center", fontsize=8.6, color=_INK)
    axes.text(3.0, 7.2, "encoder drift", ha="center", va="top", fontsize=8.6, color=_FAULT)
    _path(axes, [(10.45, high), (10.45, 7.3), (4.8, 7.3), (4.8, high)])
    axes.text(7.6, 7.38, "torque acts back on the motor by 1/N + dg/dθ", ha="center", fontsize=8.6, color=_INK)
    _path(axes, [(7.55, high), (7.55, 6.9), (6.75, 6.9), (6.75, high)])
    axes.text(7.15, 6.98, "losses heat the drive", ha="center", fontsize=8.6, color=_INK)
    _path(axes, [(14.4, high), (14.4, 7.3), (13.25, 7.3), (13.25, high)], both=True)
    axes.text(13.82, 7.38, "other joints, by M(q)", ha="center", fontsize=8.6, color=_INK)
    _path(axes, [(0.25, 3.5), (0.25, 3.32), (1.15, 3.32), (1.15, 2.25)])
    axes.plot([0.25, 14.95, 14.95], [3.32, 3.32, 3.5], color=_QUIET, linewidth=1.1)


def _telemetry(axes: Axes) -> None:
    steps: Sequence[tuple[str, str]] = (
        ("true signals", "current, torques,\nmotor and link angles,\ntemperature"),
        ("firmware", "low-pass,\nlatency"),
        ("clock", "rate, jitter,\nrandom phase"),
        ("sensor", "gain, offset, ripple,\nnoise"),
        ("conventions", "sign, zero,\nresolution"),
        ("link to the log", "rows lost\nand repeated"),
        ("recording", "native file\nwith truth"),
    )
    faults = {
        1: "filter change\nfirmware shift",
        2: "clock step",
        3: "torque sensor\ndrift",
        4: "unit change",
        5: "dropouts, frozen and\nrepeated samples",
    }
    width, gap, low, high = 1.82, 0.3267, 0.95, 2.25
    for nth, (title, text) in enumerate(steps):
        x = 0.25 + nth * (width + gap)
        _box(axes, x, low, width, high - low, fill="#f5f5f5", edge=_QUIET)
        axes.text(x + width / 2, high - 0.16, title, ha="center", va="top", fontsize=10, fontweight="bold", color=_INK)
        axes.text(x + width / 2, low + 0.44, text, ha="center", va="center", fontsize=8.3, color=_INK)
        if nth in faults:
            axes.text(
                x + width / 2, low - 0.14, faults[nth], ha="center", va="top", fontsize=8.6, color=_FAULT,
                linespacing=1.3,
            )  # fmt: skip
        if nth:
            _arrow(axes, (x - gap, 1.6), (x, 1.6))
    axes.text(1.3, 2.75, "kept at 1 kHz; then each brand's own telemetry", fontsize=8.6, color=_INK, va="center")
    axes.text(14.95, 3.08, "all joints at once, 4000 steps a second or more", ha="right", va="center", fontsize=8.6,
              color=_QUIET)  # fmt: skip
    axes.text(14.95, 0.3, "orange: where faults enter", ha="right", fontsize=9.5, color=_FAULT)


def _box(axes: Axes, x: float, y: float, width: float, height: float, fill: str = _FILL, edge: str = _EDGE) -> None:
    style = "round,pad=0,rounding_size=0.14"
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=fill, edgecolor=edge, linewidth=1.3))


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], both: bool = False) -> None:
    style = "<|-|>" if both else "-|>"
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle=style, mutation_scale=11, color=_INK, linewidth=1.3, shrinkA=0, shrinkB=0
        )
    )


def _path(axes: Axes, points: list[tuple[float, float]], both: bool = False) -> None:
    x, y = zip(*points, strict=True)
    axes.plot(x, y, color=_QUIET, linewidth=1.1, solid_joinstyle="round")
    ends = [points[-2:]] + ([points[1::-1]] if both else [])
    for (ax, ay), (bx, by) in ends:
        reach = np.hypot(bx - ax, by - ay)
        start = (bx - (bx - ax) / reach * 0.2, by - (by - ay) / reach * 0.2)
        axes.add_patch(
            FancyArrowPatch(
                start, (bx, by), arrowstyle="-|>", mutation_scale=10, color=_QUIET, linewidth=1.1, shrinkA=0, shrinkB=0
            )
        )


def _line(axes: Axes, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, width: float = 1.5) -> None:
    axes.plot(x, y, color=_INK, linewidth=width, solid_capstyle="round", solid_joinstyle="round")


def _cascade(axes: Axes, x: float, y: float) -> None:
    """Three loops, one in the other."""
    for half, tall in ((0.95, 0.42), (0.6, 0.28), (0.26, 0.14)):
        axes.add_patch(
            FancyBboxPatch(
                (x - half, y - tall), 2 * half, 2 * tall, boxstyle="round,pad=0,rounding_size=0.1", facecolor="white",
                edgecolor=_INK, linewidth=1.2,
            )
        )  # fmt: skip


def _rotor(axes: Axes, x: float, y: float) -> None:
    axes.add_patch(Circle((x, y), 0.45, facecolor="white", edgecolor=_INK, linewidth=1.4))
    for angle in np.arange(0, 2 * np.pi, np.pi / 3):
        c, s = np.cos(angle), np.sin(angle)
        _line(axes, [x + 0.27 * c, x + 0.4 * c], [y + 0.27 * s, y + 0.4 * s], 3.0)
    axes.add_patch(Circle((x, y), 0.1, facecolor=_INK, edgecolor=_INK))


def _stribeck(axes: Axes, x: float, y: float) -> None:
    """Friction over speed."""
    _line(axes, [x - 0.8, x + 0.8], [y, y], 0.7)
    _line(axes, [x, x], [y - 0.45, y + 0.45], 0.7)
    v = np.linspace(0.0, 1.0, 60)
    f = 0.2 + 0.16 * np.exp(-((v / 0.12) ** 1.3)) + 0.2 * v**0.7
    _line(axes, x + 0.75 * v, y + f)
    _line(axes, x - 0.75 * v, y - f)
    _line(axes, [x, x], [y - f[0], y + f[0]])


def _gear(axes: Axes, x: float, y: float) -> None:
    """A ratio with teeth, a wavy error, a gap, and a spring beside a damper."""
    at = x - 1.14
    for radius, centre, teeth in ((0.2, (at, y - 0.02), 10), (0.32, (at, y + 0.0), 0)):
        angle = np.linspace(0, 2 * np.pi, 400)
        r = radius + (0.035 * np.sign(np.sin(teeth * angle)) if teeth else 0.0)
        axes.add_patch(
            Polygon(
                np.c_[centre[0] + r * np.cos(angle), centre[1] + r * np.sin(angle)], facecolor="none", edgecolor=_INK,
                linewidth=1.2,
            )
        )  # fmt: skip
    t = np.linspace(0.0, 1.0, 80)
    _line(axes, x - 0.74 + 0.5 * t, y + 0.13 * np.sin(4 * np.pi * t) + 0.08 * np.sin(2 * np.pi * t))
    _line(axes, [x - 0.15, x - 0.02], [y, y])
    _line(axes, [x - 0.02, x - 0.02], [y - 0.2, y + 0.2])
    _line(axes, [x + 0.1, x + 0.1], [y - 0.2, y + 0.2])
    _line(axes, [x + 0.1, x + 0.28], [y, y])
    _line(axes, [x + 0.28, x + 0.28], [y - 0.22, y + 0.22])
    _line(axes, [x + 1.2, x + 1.2], [y - 0.22, y + 0.22])
    spring = np.array([0.0, 0.15, 0.22, 0.34, 0.46, 0.58, 0.7, 0.77, 0.92])
    _line(axes, x + 0.28 + spring, y + 0.22 + np.array([0, 0, 0.1, -0.1, 0.1, -0.1, 0.1, 0, 0]))
    _line(axes, [x + 0.28, x + 0.68], [y - 0.22, y - 0.22])
    _line(axes, [x + 0.68, x + 0.68], [y - 0.32, y - 0.12])
    _line(axes, [x + 0.58, x + 0.82, x + 0.82, x + 0.58], [y - 0.36, y - 0.36, y - 0.08, y - 0.08])
    _line(axes, [x + 0.82, x + 1.2], [y - 0.22, y - 0.22])
    _line(axes, [x + 1.2, x + 1.4], [y, y])


def _arm(axes: Axes, x: float, y: float) -> None:
    joints = np.array([(x - 0.65, y - 0.38), (x - 0.35, y + 0.3), (x + 0.3, y + 0.22), (x + 0.55, y - 0.2)])
    axes.plot(*joints.T, color=_EDGE, linewidth=6, solid_capstyle="round", solid_joinstyle="round", alpha=0.45)
    for px, py in joints[:3]:
        axes.add_patch(Circle((px, py), 0.1, facecolor="white", edgecolor=_INK, linewidth=1.3, zorder=3))
    axes.add_patch(Polygon([(x + 0.45, y - 0.24), (x + 0.65, y - 0.24), (x + 0.65, y - 0.44), (x + 0.45, y - 0.44)],
                           facecolor="white", edgecolor=_INK, linewidth=1.2, zorder=3))  # fmt: skip
    _line(axes, [x - 0.95, x - 0.35], [y - 0.48, y - 0.48], 2.0)
