"""What the publication's figures are drawn from: entropies, spectra, codes, likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.manifold import TSNE

from jointwatch.core.levels import LEVELS
from jointwatch.features.harmonic_drive_vector import HarmonicDriveVector
from jointwatch.studies._transmission_error_drives import problem_of
from jointwatch.studies._transmission_error_methods import AE_HMM, CodeGrades, Problem, code_learned
from jointwatch.studies._transmission_error_protocol import BLOCK, protocol_problem
from jointwatch.studies._transmission_error_table import Cycles, Source

__all__ = ["drives_pictures", "protocol_pictures", "simple_pictures"]

_TOP_HZ = 30.0
_BIN = 5  # bins of the spectrum that are drawn as one
_POINTS = 600  # of a t-SNE
_TABLE_ROWS = 2  # cycles of each level in the table of log-likelihoods

Records = list[dict[str, Any]]


def simple_pictures(source: Source) -> dict[str, Records]:
    """`entropies` of both signals' bands and marginal `spectra` below 30 Hz, by level, of the published drives."""
    published = _published(source.cycles())
    features = HarmonicDriveVector()
    layout, edges = features.layout, features.edges_hz
    entropies, spectra = Records(), Records()
    spectrum = published.vector[:, layout["current marginal spectrum"]]
    count = int(np.searchsorted(edges, _TOP_HZ)) // _BIN
    drawn = spectrum[:, : count * _BIN].reshape(len(spectrum), count, _BIN).sum(axis=2)
    middle = (edges[: count * _BIN : _BIN] + edges[_BIN : count * _BIN + 1 : _BIN]) / 2
    for level in range(LEVELS):
        own = published.level == level
        for signal in ("current", "torque"):
            bands = published.vector[own][:, layout[f"{signal} band entropy"]]
            for band, column in enumerate(bands.T):
                place = {"signal": signal, "level": level + 1, "band": band + 1}
                entropies.append({**place, "mean": float(column.mean()), "sd": float(column.std())})
        for hz, column in zip(middle, drawn[own].T, strict=True):
            spectra.append({"level": level + 1, "hz": float(hz), "mean": float(column.mean())})
    return {"entropies": entropies, "spectra": spectra}


def protocol_pictures(source: Source, epochs: int) -> dict[str, Records]:
    """Mean `codes` by level, `tsne` of codes, `baum_welch` curves and `likelihoods` of some cycles: cycles of the first
    fold held out, the first seed."""
    problem = protocol_problem(source.cycles(), "random", 0, 0)
    code = code_learned("auto_encoder", problem, epochs)
    z = _standard(code.codes(problem.cycles), problem)[problem.asked]
    level = problem.cycles.level[problem.asked]
    codes = [
        {"level": one + 1, "figure": k + 1, "mean": float(column.mean()), "sd": float(column.std())}
        for one in range(LEVELS)
        for k, column in enumerate(z[level == one].T)
    ]
    grades = CodeGrades.of(code, AE_HMM, problem, own=False, cycles=BLOCK)
    # By the published drives' own index, whose blocks make sequences.
    sizes = np.bincount(problem.cycles.level[problem.train], minlength=LEVELS)
    curves = [
        {"level": one + 1, "iteration": number, "log_likelihood": float(value) / int(sizes[one])}
        for one, curve in enumerate(grades.model.curve_)
        for number, value in enumerate(curve)
    ]
    score, _ = grades.scores(problem.cycles)
    names = [name.rpartition(" ")[0] for name in problem.cycles.index.session[problem.asked].tolist()]
    shown = np.concatenate([np.flatnonzero(level == one)[-_TABLE_ROWS:] for one in range(LEVELS)])
    likelihoods = [
        {
            "cycle": f"{names[row]}, {problem.cycles.index.start_s[problem.asked][row]:.0f} s",
            "true": int(level[row]) + 1,
            "level": k + 1,
            "log_likelihood": float(score[row, k]),
        }
        for row in shown
        for k in range(LEVELS)
    ]
    points = _embedded(z, level, problem.cycles.index.unit[problem.asked], "published drives, random cycles held out")
    return {"codes": codes, "baum_welch": curves, "likelihoods": likelihoods, "tsne": points}


def drives_pictures(source: Source, epochs: int) -> dict[str, Records]:
    """`tsne` of codes of drives held out, worn cycles of the first fold and seed."""
    problem = problem_of(source.cycles(), 0, 0)
    code = code_learned("auto_encoder", problem, epochs)
    z = _standard(code.codes(problem.cycles), problem)[problem.asked]
    index = problem.cycles.index
    return {"tsne": _embedded(z, problem.cycles.level[problem.asked], index.unit[problem.asked], "drives held out")}


def _published(cycles: Cycles) -> Cycles:
    return cycles.take(np.flatnonzero(cycles.published))


def _standard(codes: np.ndarray, problem: Problem) -> np.ndarray:
    """By the training rows."""
    learned = codes[problem.train]
    spread = learned.std(axis=0)
    found: np.ndarray = (codes - learned.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return found


def _embedded(codes: np.ndarray, level: np.ndarray, drive: Sequence[str] | np.ndarray, title: str) -> Records:
    """Codes in the plane, some of them where there are many."""
    rows = np.sort(np.random.default_rng(0).permutation(len(codes))[:_POINTS])
    perplexity = min(30.0, (len(rows) - 1) / 3)
    plane = TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(codes[rows].astype(np.float64))
    return [
        {
            "title": title,
            "x": round(float(x), 3),
            "y": round(float(y), 3),
            "level": int(level[row]) + 1,
            "drive": str(drive[row]),
        }
        for row, (x, y) in zip(rows, plane, strict=True)
    ]
