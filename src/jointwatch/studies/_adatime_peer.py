"""Figures of AdaTime's own code on the scenarios of its UCI HAR split."""

from __future__ import annotations

from jointwatch.studies._adatime_data import SCENARIOS

__all__ = ["PEER", "peer_name"]

_NAMES = {"source only": "no adaptation", "deep-coral": "Deep CORAL", "dann": "DANN", "dsan": "DSAN"}

PEER = {
    method: dict(zip(SCENARIOS, figures, strict=False))
    for method, figures in {
        "source only": (1.0, 0.957, 0.923, 0.636, 0.744),
        "deep-coral": (1.0, 0.967, 0.933, 0.697, 0.730),
        "dann": (1.0, 0.975, 0.933, 0.780, 0.641),
        "dsan": (1.0, 0.984, 0.930, 0.912, 0.666),
    }.items()
}
"""Method -> scenario -> target macro F1: its CNN, its hyper-parameters, last epoch, mean of three seeds, run on a CPU.

Source: Ragab et al., "AdaTime: a benchmarking suite for domain adaptation on time series data", ACM TKDD 17, 2023.
"""


def peer_name(method: str) -> str:
    """The method's name there.

    >>> peer_name("dann")
    'DANN'
    """
    return _NAMES[method]
