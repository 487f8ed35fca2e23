"""Proposed column maps: right on measured tables of known layout, and on made-up ones with every trap."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core.errors import CorruptInput, UsageError
from jointwatch.recordings import ColumnMap, suggest_columns
from jointwatch.recordings._names import parse_name
from jointwatch.recordings.csv_table import CsvTable


def save(path, columns: dict[str, np.ndarray], header: bool = True, delimiter: str = ","):
    np.savetxt(
        path,
        np.stack(list(columns.values()), axis=1),
        fmt="%.6f",
        delimiter=delimiter,
        header=delimiter.join(columns) if header else "",
        comments="",
    )
    return path


def said(suggestion) -> dict[str, tuple[str, str]]:
    return {p.column: (p.channel.key, p.unit) for p in suggestion.confident}


@pytest.mark.parametrize(
    ("name", "quantity", "source", "number", "unit"),
    [
        ("actual_q_0", "position", "measured", 0, ""),
        ("target_qd_5", "velocity", "commanded", 5, ""),
        ("target_moment_2", "torque", "commanded", 2, ""),
        ("joint_temperatures_3", "temperature", "measured", 3, ""),
        ("Temperature_T0", "temperature", "measured", 0, ""),
        ("Position7", "position", "measured", 7, ""),
        ("PositionCmptd7", "position", "commanded", 7, ""),
        ("TorqueSm2", "joint_torque", "measured", 2, ""),
        ("TorqueCur2", "torque", "measured", 2, ""),
        ("Cur4", "current", "measured", 4, ""),
        ("joint1_pos [deg]", "position", "measured", 1, "deg"),
        ("axis_4_velocity_rpm", "velocity", "measured", 4, "rpm"),
        ("motor_current_mA_2", "current", "measured", 2, "mA"),
        ("motor_iq_1", "current", "measured", 1, ""),
        ("tau3", "torque", "measured", 3, ""),
        ("dq_1", "velocity", "measured", 1, ""),
        ("current_position_3", "position", "measured", 3, ""),
        ("following_error_2", "position_error", "measured", 2, ""),
    ],
)
def test_names_as_makers_write_them(name, quantity, source, number, unit):
    named = parse_name(name)
    assert (named.quantity, named.source, named.number, named.unit) == (quantity, source, number, unit)


@pytest.fixture
def arm():
    rng = np.random.default_rng(3)
    t = np.arange(1500) / 125
    columns = {"t": t}
    phases = [(1.0, 0.3), (0.7, 1.1), (1.3, 2.0)]
    q = [np.sin(w * t + p) + 0.3 * np.sin(2.3 * w * t) for w, p in phases]
    v = [w * np.cos(w * t + p) + 0.69 * w * np.cos(2.3 * w * t) for w, p in phases]
    i = [0.8 * np.tanh(20 * x) + 0.5 * y + 0.05 * rng.standard_normal(len(t)) for x, y in zip(v, q, strict=True)]
    return t, q, v, i, columns


def test_degrees_milliampere_and_milliseconds_by_numbers_alone(arm, tmp_path):
    t, q, v, i, columns = arm
    columns["t"] = t * 1e3
    for j in range(3):
        columns[f"q_{j + 1}"] = np.degrees(q[j])
    for j in range(3):
        columns[f"qd_{j + 1}"] = v[j]
    for j in range(3):
        columns[f"I_{j + 1}"] = i[j] * 1e3
    suggestion = suggest_columns(save(tmp_path / "arm.csv", columns))
    assert (suggestion.clock.column, suggestion.clock.unit) == ("t", "ms")
    assert said(suggestion) == {
        **{f"q_{j}": (f"position/{j}", "deg") for j in (1, 2, 3)},
        **{f"qd_{j}": (f"velocity/{j}", "rad/s") for j in (1, 2, 3)},
        **{f"I_{j}": (f"current/{j}", "mA") for j in (1, 2, 3)},
    }
    assert all("57" in p.reason or "0.057" in p.reason for p in suggestion.columns if p.column.startswith("q"))


@pytest.mark.parametrize(("factor", "unit"), [(1.0, "rad/s"), (180 / np.pi, "deg/s"), (30 / np.pi, "rpm")])
def test_velocity_unit_by_the_derivative_test(factor, unit, arm, tmp_path):
    _, q, v, _, columns = arm
    columns |= {"joint1_pos": q[0], "joint1_vel": v[0] * factor}
    assert said(suggest_columns(save(tmp_path / "arm.csv", columns)))["joint1_vel"] == ("velocity/1", unit)


def test_headerless_blocks_are_found_by_the_derivative_test(arm, tmp_path):
    _, q, v, i, columns = arm
    for block, name in ((q, "q"), (v, "v"), (i, "i")):
        columns |= {f"{name}{j}": block[j] for j in range(3)}
    suggestion = suggest_columns(save(tmp_path / "arm.csv", columns, header=False))
    assert (suggestion.clock.column, suggestion.header) == ("0", False)
    assert said(suggestion) == {
        **{str(j): (f"position/{j}", "rad") for j in (1, 2, 3)},
        **{str(3 + j): (f"velocity/{j}", "rad/s") for j in (1, 2, 3)},
    }


def test_the_proposed_map_reads_the_file_it_was_made_for(arm, tmp_path):
    _, q, _, i, columns = arm
    columns |= {"A1": np.degrees(q[0]), "A2": np.degrees(q[1]), "Iq1": i[0]}
    path = save(tmp_path / "arm.csv", columns, delimiter=";")
    path.with_name("arm.csv.map.yaml").write_text(suggest_columns(path).to_yaml())
    (recording,) = CsvTable().read(path)
    assert {channel.key for channel in recording.channels} == {"position/1", "position/2", "current/1"}
    np.testing.assert_allclose(recording["position/1"], q[0], atol=1e-6)
    assert recording.rate_hz == pytest.approx(125)


def test_every_line_has_confidence_and_reason(arm, tmp_path):
    t, q, _, _, _ = arm
    text = suggest_columns(save(tmp_path / "arm.csv", {"t": t, "q1": q[0], "gizmo": q[1]})).to_yaml()
    assert "0.90 name" in text
    assert '# "gizmo": ?' in text
    assert ColumnMap.parse(text).columns["q1"].channel == "position/1"


def test_nothing_to_be_told_is_a_clear_error(tmp_path):
    path = save(tmp_path / "odd.csv", {"alpha beta": np.arange(20.0) % 3, "gizmo": np.arange(20.0) % 5})
    with pytest.raises(CorruptInput, match=r"odd\.csv: no column can be told.*by hand"):
        suggest_columns(path).to_yaml()


def test_no_clock_asks_for_the_rate(arm, tmp_path):
    _, q, _, _, _ = arm
    suggestion = suggest_columns(save(tmp_path / "arm.csv", {"q1": q[0]}))
    assert "rate_hz:       # ? no column rises steadily" in suggestion.to_yaml()
    with pytest.raises(UsageError, match="give a time column or rate_hz"):
        suggestion.to_map()


# ---- measured tables, layout known from their own documentation ----


def test_measured_ur_collisions_headerless_degrees(data_dir):
    suggestion = suggest_columns(data_dir / "ur_collisions" / "Calibration" / "Axis_1_1.csv")
    assert (suggestion.header, suggestion.clock.column, suggestion.clock.unit) == (False, "0", "ms")
    assert said(suggestion) == {str(j): (f"position/{j}", "deg") for j in range(1, 7)}
    hints = {p.column: p.channel.key for p in suggestion.columns if p.channel and p.confidence < 0.5}
    assert hints == {str(12 + j): f"current/{j}" for j in range(1, 7)}


def test_measured_ur10e_headerless_radians(data_dir):
    path = data_dir / "ur10e_innopolis" / "identification_data" / "ur-20_02_06-20sec_10harm.csv"
    suggestion = suggest_columns(path)
    assert (suggestion.clock.column, suggestion.clock.unit) == ("0", "s")
    assert said(suggestion) == {
        **{str(j): (f"position/{j}", "rad") for j in range(1, 7)},
        **{str(6 + j): (f"velocity/{j}", "rad/s") for j in range(1, 7)},
    }
    hints = {p.column: p.channel.key for p in suggestion.columns if p.channel and p.confidence < 0.5}
    assert hints == {str(12 + j): f"current/{j}" for j in range(1, 7)}


def test_measured_ur3e_rtde_names_from_zero(data_dir):
    suggestion = suggest_columns(data_dir / "ur3e_rad_power" / "L1L2.csv")
    found = said(suggestion)
    assert suggestion.clock.column == "timestamp"
    for j in range(6):
        assert found[f"actual_q_{j}"] == (f"position/{j + 1}", "rad")
        assert found[f"target_q_{j}"] == (f"position.commanded/{j + 1}", "rad")
        assert found[f"actual_qd_{j}"] == (f"velocity/{j + 1}", "rad/s")
        assert found[f"actual_current_{j}"] == (f"current/{j + 1}", "A")
        assert found[f"target_moment_{j}"][0] == f"torque.commanded/{j + 1}"
        assert found[f"joint_temperatures_{j}"] == (f"temperature/{j + 1}", "degC")
    assert found["actual_TCP_pose_0"] == ("tcp_position:x", "m")
    assert found["actual_TCP_force_5"][0] == "tcp_torque:z"
    assert not any(name.startswith(("output_", "payload", "joint_control")) for name in found)


def test_measured_kinova_counter_is_milliseconds(data_dir):
    suggestion = suggest_columns(data_dir / "kinova_gen3_harmonic" / "identification_data" / "RunTrajectory1.csv")
    found = said(suggestion)
    assert (suggestion.clock.column, suggestion.clock.unit) == ("Time", "ms")
    for j in range(1, 8):
        assert found[f"Position{j}"] == (f"position/{j}", "rad")
        assert found[f"Velocity{j}"] == (f"velocity/{j}", "rad/s")
        assert found[f"Cur{j}"] == (f"current/{j}", "A")
        assert found[f"Temp{j}"] == (f"temperature/{j}", "degC")
        assert found[f"TorqueSm{j}"][0] == f"joint_torque/{j}"


def test_measured_armpi_single_joint(data_dir):
    path = next(iter(sorted((data_dir / "armpi_servo_faults" / "collected_data").glob("*/data_motor_1.csv"))))
    suggestion = suggest_columns(path)
    assert suggestion.clock.unit == "s"
    assert said(suggestion)["temperature"] == ("temperature/1", "degC")
    assert said(suggestion)["voltage"] == ("voltage/1", "mV")
    assert '# label: {column: "label"' in suggestion.to_yaml()


def test_cobotops_like_names_and_dates(tmp_path):
    rng = np.random.default_rng(0)
    names = ["Num", "Timestamp", *(f"Current_J{j}" for j in range(6)), "Temperature_T0"]
    names += [*(f"Temperature_J{j}" for j in range(1, 6)), *(f"Speed_J{j}" for j in range(6)), "Tool_current", "cycle "]
    lines = [",".join(names)]
    for n in range(60):
        cells = [n + 1, f"2022-10-26T08:17:{n % 60:02d}.847Z", *rng.normal(0, 1.5, 6).round(4)]
        lines.append(
            ",".join(map(str, [*cells, *(28 + rng.random(6)).round(3), *rng.normal(0, 0.3, 6).round(4), 0.08, 1]))
        )
    path = tmp_path / "cobot.csv"
    path.write_text("\n".join(lines))
    suggestion = suggest_columns(path)
    found = said(suggestion)
    assert (suggestion.clock.column, suggestion.clock.unit) == ("Timestamp", "datetime")
    assert found["Temperature_T0"] == ("temperature/1", "degC")
    assert found["Temperature_J5"] == ("temperature/6", "degC")
    assert found["Current_J0"] == ("current/1", "A")
    assert found["Speed_J5"] == ("velocity/6", "rad/s")
    assert "Tool_current" not in found
    path.with_name("cobot.csv.map.yaml").write_text(suggestion.to_yaml())
    (recording,) = CsvTable().read(path)
    assert recording.rate_hz == pytest.approx(1)
