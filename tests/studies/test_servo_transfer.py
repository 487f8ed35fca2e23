"""The servo study: the heated session is never learned from, and temperature tells what voltage does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.core.errors import InputError, NotEnoughData
from jointwatch.studies import servo_transfer
from jointwatch.studies._servo_rows import DECIDE_S, LEVEL, RISE, ServoRows, read_servo_rows
from jointwatch.studies.servo_transfer import _METHODS, ServoTransfer, _step, _tests

KEYS = {"method", "split", "source", "target", "labels", "metric", "mean", "low", "high", "n", "seeds"}
HEATED = {"a": (1,), "b": (1, 2), "c": (2,)}
SESSION_S = 60


def write_arm(folder: Path, heated: dict[str, tuple[int, ...]] = HEATED) -> Path:
    """Three servos, four normal sessions and some in which servos are heated by 15 K, one after the other."""
    rng = np.random.default_rng(0)
    for session in [*heated, "n1", "n2", "n3", "n4"]:
        path = folder / session
        path.mkdir(parents=True)
        time_s = np.arange(0, SESSION_S if session in heated else 4 * SESSION_S, 0.1)
        for servo in (1, 2, 3):
            hot = np.zeros(len(time_s), bool)
            if servo in heated.get(session, ()):
                start = 10 + 24 * heated[session].index(servo)
                hot = (time_s >= start) & (time_s < start + 12)
            temperature = 30 + 2 * servo + np.round(15 * hot + 0.4 * rng.standard_normal(len(time_s)))
            voltage = 7300 + 20 * rng.standard_normal(len(time_s))
            rows = [
                f"{t:.1f},{500 + int(rng.integers(3))},{c:.0f},{v:.0f},{int(h)}"
                for t, c, v, h in zip(time_s, temperature, voltage, hot, strict=True)
            ]
            text = "\n".join(["time,position,temperature,voltage,label", *rows])
            (path / f"data_motor_{servo}.csv").write_text(text)
    return folder


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_arm(tmp_path_factory.mktemp("arm") / "data")


@pytest.fixture(scope="module")
def rows(arm: Path) -> ServoRows:
    return read_servo_rows(arm)


def test_rows_say_which_servo_is_heated(rows: ServoRows) -> None:
    for session, servos in HEATED.items():
        for servo in (1, 2, 3):
            own = (rows.session == session) & (rows.servo == servo)
            assert own.sum() == SESSION_S / DECIDE_S
            heated = rows.heated[own]
            assert heated.sum() == (6 if servo in servos else 0)
            if heated.any():
                assert rows.values[own][heated, RISE].min() > 10 > rows.values[own][~heated, RISE].max()
    assert not rows.heated[rows.normal].any()
    assert np.isfinite(rows.values).all()


def test_rows_know_only_the_past(arm: Path, rows: ServoRows, tmp_path: Path) -> None:
    """The first half of a session gives the same rows when the second half is not recorded yet."""
    for file in (arm / "b").iterdir():
        lines = file.read_text().splitlines()
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "b" / file.name).write_text("\n".join(lines[: 1 + 10 * SESSION_S // 2]))
    half = read_servo_rows(tmp_path)
    for servo in (1, 2):
        whole = rows.values[(rows.session == "b") & (rows.servo == servo)]
        part = half.values[half.servo == servo]
        np.testing.assert_allclose(part, whole[: len(part)], atol=1e-9)


def test_a_pair_needs_heating_of_the_source_in_another_session(rows: ServoRows) -> None:
    tests, impossible = _tests(rows)
    assert set(tests) == {
        (1, 1, "a"), (1, 1, "b"), (2, 2, "b"), (2, 2, "c"),
        (1, 2, "b"), (1, 2, "c"), (2, 1, "a"), (2, 1, "b"),
    }  # fmt: skip
    assert impossible == []
    once = ServoRows(rows.values, rows.servo, rows.session, rows.heated & (rows.session == "b"), rows.normal)
    assert _tests(once) == ([], [(1, 2), (2, 1)])


def test_the_test_session_is_never_learned_from(rows: ServoRows, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    scorer = servo_transfer._scorer

    def watch(method: object, X: np.ndarray, heated: np.ndarray, seed: int) -> object:
        seen.append(X)
        return scorer(method, X, heated, seed)  # type: ignore[arg-type]

    monkeypatch.setattr(servo_transfer, "_scorer", watch)
    marked = ServoRows(rows.values.copy(), rows.servo, rows.session, rows.heated, rows.normal)
    marked.values[marked.session == "b", LEVEL] += 1000.0
    for method in _METHODS:
        _step(marked, method, 1, 2, "b", 0)
    assert len(seen) == len(_METHODS)
    assert all(len(X) and X[:, LEVEL].max() < 900 for X in seen)


def test_temperature_tells_and_noise_on_the_voltage_does_not(rows: ServoRows) -> None:
    found = {method.name: _step(rows, method, 1, 2, "c", 0) for method in _METHODS}
    assert found["labelled sessions: trees, temperature figures"]["auroc"] > 0.99
    assert found["target only: value, temperature above start"]["auroc"] > 0.99
    assert 0.2 < found["labelled sessions: trees, position and voltage"]["auroc"] < 0.8


def test_study_finds_the_stated_rows(arm: Path, tmp_path: Path) -> None:
    found = ServoTransfer().run(ServoTransfer.Options(data=arm, quick=True), tmp_path).to_dict()
    assert all(set(row) == KEYS for row in found["rows"])
    assert {row["split"] for row in found["rows"]} == {"servo and session out", "session out"}
    methods = {row["method"] for row in found["rows"]}
    assert {name for name in methods if ", against " not in name} == {method.name for method in _METHODS}
    assert any("worst: " in note for note in found["notes"])
    pairs = [row for row in found["rows"] if row["metric"].split(" of ")[0] in ("wins", "losses", "ties")]
    assert {row["method"].partition(", against ")[2] for row in pairs} == {
        "target only: value, temperature above start",
        "target only: mahalanobis, position and voltage",
    }
    assert sum(row["mean"] for row in pairs) == sum(row["n"] for row in pairs) / 3 > 0


def test_one_normal_session_leaves_nothing_for_the_threshold(rows: ServoRows) -> None:
    first = rows.normal & (rows.session == "n1")
    few = ServoRows(rows.values, rows.servo, rows.session, rows.heated, first)
    for method in _METHODS:
        with pytest.raises(NotEnoughData, match=r"servo 2.*add normal sessions.*1 more normal sessions"):
            _step(few, method, 1, 2, "b", 0)


def test_a_folder_without_heating_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no servo is said to be heated"):
        read_servo_rows(write_arm(tmp_path / "arm", {}))


def test_measured_heating_is_carried_by_temperature_only(data_dir: Path) -> None:
    rows = read_servo_rows(data_dir / "armpi_servo_faults")
    tests, impossible = _tests(rows)
    pairs = {(source, target) for source, target, _ in tests}
    assert {(6, servo) for servo in range(1, 7)} <= pairs
    assert (1, 2) in impossible
    session = next(s for source, target, s in tests if (source, target) == (6, 2))
    auroc = {method.name: _step(rows, method, 6, 2, session, 0)["auroc"] for method in _METHODS}
    assert auroc["labelled sessions: trees, temperature figures"] > 0.95
    assert auroc["labelled sessions: trees, position and voltage"] < 0.85
