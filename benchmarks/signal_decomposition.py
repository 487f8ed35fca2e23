"""Decomposition of signals against PyWavelets and EMD-signal as one would write them by hand, on currents of a
reciprocating drive, and the time of the published vector of a whole cycle.

Run: OMP_NUM_THREADS=1 python benchmarks/signal_decomposition.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace

import numpy as np
import pywt
from _rotate import ratios, show
from PyEMD import EMD
from PyEMD.visualisation import Visualisation
from rich.console import Console
from rich.table import Table
from scipy.signal import hilbert

from jointwatch.core import Channel
from jointwatch.detectors.base import as_windows
from jointwatch.features.harmonic_drive_vector import HarmonicDriveVector
from jointwatch.signals.empirical_modes import empirical_modes
from jointwatch.signals.hilbert import marginal_spectrum
from jointwatch.signals.wavelet_packet import packet_energies

WANTED_EMD, WANTED_PACKETS, WANTED_MS = 3, 2, 20
EDGES_HZ = np.linspace(0, 120, 2477)
RATE_HZ = 1000.0


def main(quick: bool) -> None:
    rounds = 5 if quick else 15
    console = Console()
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load {load:.1f}, numpy {np.__version__}, PyWavelets {pywt.__version__}")

    short = currents(8, 2000, seed=0)
    assert np.allclose([emd_by_hand(each) for each in short], [emd_of_ours(each) for each in short], atol=1e-9)
    found = ratios(
        {
            "EMD-signal, its frequencies, histogram": lambda: [emd_by_hand(each) for each in short],
            "empirical_modes, marginal_spectrum": lambda: [emd_of_ours(each) for each in short],
        },
        "EMD-signal, its frequencies, histogram",
        rounds,
    )
    show(f"time of EMD and marginal spectrum, 2,000 samples; wanted: 1/{WANTED_EMD}", found, "smaller")

    for count, samples in ((1, 8000), (64, 2000), (64, 8000)):
        batch = currents(count, samples, seed=1)
        assert np.allclose(packets_by_hand(batch), packet_energies(batch), rtol=1e-9)
        found = ratios(
            {
                "PyWavelets WaveletPacket, signal by signal": lambda batch=batch: packets_by_hand(batch),
                "packet_energies": lambda batch=batch: packet_energies(batch),
            },
            "PyWavelets WaveletPacket, signal by signal",
            rounds,
        )
        title = f"time of the energies of 8 packets, {count} x {samples:,} samples; wanted: 1/{WANTED_PACKETS}"
        show(title, found, "smaller")

    console.print(cycle_times(10 if quick else 60))


def currents(count: int, samples: int, seed: int) -> np.ndarray:
    """(signal, time): friction, inertia, and the ripple of a wave generator, in noise."""
    rng = np.random.default_rng(seed)
    turn = 2 * np.pi * np.arange(samples) / samples
    phase = turn + rng.uniform(0, 6, (count, 1))
    angle = 60 * np.cos(phase)
    ripple = rng.uniform(0.02, 0.2, (count, 1)) * np.sin(2 * angle) + 0.05 * np.sin(angle)
    swing = 2 * np.tanh(20 * np.sin(phase)) + 0.3 * np.cos(phase)
    measured: np.ndarray = swing + ripple + 0.03 * rng.standard_normal((count, samples))
    return measured


def emd_by_hand(signal: np.ndarray) -> np.ndarray:
    emd = EMD()
    emd.emd(signal)
    modes, _ = emd.get_imfs_and_residue()
    time_s = np.arange(len(signal)) / RATE_HZ
    frequency_hz = Visualisation()._calc_inst_freq(modes, time_s, order=False, alpha=None)
    weight = np.abs(hilbert(modes)) / RATE_HZ
    spectrum: np.ndarray = np.histogram(frequency_hz, EDGES_HZ, weights=weight)[0]
    return spectrum


def emd_of_ours(signal: np.ndarray) -> np.ndarray:
    return marginal_spectrum(empirical_modes(signal)[:-1], RATE_HZ, EDGES_HZ)


def packets_by_hand(batch: np.ndarray) -> list[list[float]]:
    """Sum of squares of each band rebuilt alone."""
    found = []
    for signal in batch:
        energies = []
        for node in pywt.WaveletPacket(signal, "db4", "symmetric", maxlevel=3).get_level(3, "freq"):
            alone = pywt.WaveletPacket(None, "db4", "symmetric", maxlevel=3)
            alone[node.path] = node.data
            energies.append(np.square(alone.reconstruct(update=False)[: len(signal)]).sum())
        found.append(energies)
    return found


def cycle_times(count: int) -> Table:
    """Milliseconds of the vector of one cycle of 8 s at 1 kHz, cycle by cycle as on line."""
    current = currents(count, 8000, seed=2)
    values = np.stack([current, 10 * current + 0.3 * np.random.default_rng(3).standard_normal(current.shape)], axis=1)
    channels = (Channel.parse("current/1"), Channel.parse("torque/1"))
    windows = replace(as_windows(values), channels=channels, rate_hz=RATE_HZ)
    table = Table(title="HarmonicDriveVector, one cycle of 8 s at 1 kHz", caption=f"ms; wanted: {WANTED_MS}")
    for column in ("", "clock, median", "95 %", "processor, median", "95 %"):
        table.add_column(column, justify="left" if not column else "right")
    for name, options in {"as it is": {}, "at the full rate": {"decimated": False}}.items():
        features = HarmonicDriveVector(RATE_HZ, **options).fit(windows)
        features.transform(windows[0])
        walls, own = [], []
        for i in range(count):
            one = windows[i]
            start = time.perf_counter(), time.process_time()
            features.transform(one)
            walls.append(1e3 * (time.perf_counter() - start[0]))
            own.append(1e3 * (time.process_time() - start[1]))
        table.add_row(name, *(f"{np.quantile(ms, q):.1f}" for ms in (walls, own) for q in (0.5, 0.95)))
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, less exact")
    main(parser.parse_args().quick)
