"""Six servos on one clock: glitches, heating, and a sheet that disagrees."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Label
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings.armpi import Armpi

ROWS = 60


def session(folder: Path, heated: dict[int, slice] | None = None, motors: int = 6, **cells: str) -> Path:
    """A session folder; `cells` are whole rows to put in place, named m<motor>_<row>."""
    folder.mkdir(parents=True)
    for motor in range(1, motors + 1):
        lines = [
            f"{76522 + 0.1 * i:.3f},{400 + motor + i},{30 + motor},{7300 + motor},"
            f"{int(i in range(*(heated or {}).get(motor, slice(0)).indices(ROWS)))}"
            for i in range(ROWS)
        ]
        for name, text in cells.items():
            which, row = name[1:].split("_")
            if int(which) == motor:
                lines[int(row)] = f"{76522 + 0.1 * int(row):.3f},{text}"
        (folder / f"data_motor_{motor}.csv").write_text("\n".join(["time,position,temperature,voltage,label", *lines]))
    return folder


def sheet(path: Path, rows: list[list[str | int]]) -> Path:
    """A spreadsheet with one sheet of texts and whole numbers."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    cells = "".join(
        f'<row r="{r}">'
        + "".join(
            f'<c r="{chr(65 + c)}{r}"><v>{cell}</v></c>'
            if isinstance(cell, int)
            else f'<c r="{chr(65 + c)}{r}" t="inlineStr"><is><t>{cell}</t></is></c>'
            for c, cell in enumerate(row)
        )
        + "</row>"
        for r, row in enumerate(rows, 1)
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.'
            f'openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.'
            f'sheet.main+xml"/><Override PartName="/xl/s.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{links}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{links}"><sheets><sheet name="s" sheetId="1" r:id="r"/></sheets>'
            "</workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{links}/worksheet" '
            'Target="s.xml"/></Relationships>',
        )
        archive.writestr("xl/s.xml", f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>')
    return path


def test_a_session_of_any_name_is_one_recording_of_all_servos(tmp_path: Path) -> None:
    (recording,) = Armpi().read(session(tmp_path / "kept" / "20240524_103973").parent)
    assert (recording.session, len(recording.robot.joints)) == ("20240524_103973", 6)
    assert recording.values.shape == (18, ROWS)
    assert recording["position/2"][0] == pytest.approx(np.radians(402 * 0.24))
    assert recording["voltage/1"][0] == pytest.approx(7.301)
    assert recording.condition.label is Label.NORMAL


def test_glitches_are_blanked_and_counted_one_by_one(tmp_path: Path) -> None:
    folder = session(
        tmp_path / "s", m1_4="401,255,7300,0", m2_9="-15883,31,7300,0", m4_20="404,31,-25689,0", m5_30="405,55,7300,0"
    )
    (recording,) = Armpi().read(folder)
    assert recording.quality.count("out_of_range") == 3
    assert recording.quality.count("temperature_jump") == 1
    assert int(np.isnan(recording.values).sum()) == 4
    assert np.isnan(recording["voltage/4"][20])
    assert recording["temperature/4"][20] == 31


def test_heated_rows_are_cycles_and_events_of_their_joint(tmp_path: Path) -> None:
    (recording,) = Armpi().read(session(tmp_path / "s", {6: slice(20, 40), 2: slice(35, 50)}))
    marks = [(c.name, c.condition.label, c.condition.joint) for c in recording.cycles]
    assert marks == [
        ("not heated", Label.NORMAL, None),
        ("heated 6", Label.ANOMALOUS, 6),
        ("heated 2 6", Label.ANOMALOUS, None),
        ("heated 2", Label.ANOMALOUS, 2),
        ("not heated", Label.NORMAL, None),
    ]
    np.testing.assert_allclose([c.start_s for c in recording.cycles], [0, 2, 3.5, 4, 5], atol=1e-9)
    assert [(e.name, e.condition.joint) for e in recording.events] == [("heating", 6), ("heating", 2)]


def test_a_session_whose_sheet_names_a_failure_that_no_row_shows_is_uncertain(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    for name in ("a", "b", "c", "d"):
        session(tmp_path / name, {1: slice(5, 9)} if name == "d" else None)
    header = ["Test id", "Description", *(f"Motor_{m}_failure" for m in range(1, 7))]
    sheet(
        tmp_path / "Test conditions.xlsx",
        [
            header,
            ["a", "Not moving", 0, 0, 0, 0, 0, 0],
            ["b", "Pick up and place", 0, 1, 0, 0, 0, 0],
            ["c", "Perform motor 1 fail", 0, 0, 0, 0, 0, 0],
            ["d", "Not moving", 1, 0, 0, 0, 0, 0],
        ],
    )
    found = {r.session: r for r in Armpi().read(tmp_path)}
    assert {name: r.condition.label for name, r in found.items()} == {
        "a": Label.NORMAL,
        "b": Label.UNCERTAIN,
        "c": Label.UNCERTAIN,
        "d": Label.ANOMALOUS,
    }
    assert found["b"].truth["failed_motors_in_sheet"] == [2]
    assert found["a"].truth["task"] == "Not moving"


def test_servos_on_different_clocks_are_refused_by_name(tmp_path: Path) -> None:
    folder = session(tmp_path / "s")
    path = folder / "data_motor_3.csv"
    path.write_text(path.read_text().replace("7652", "7653"))
    with pytest.raises(CorruptInput, match=r"data_motor_3\.csv.*clock"):
        list(Armpi().read(folder))


def test_one_garbled_time_and_one_short_file_cost_only_themselves(tmp_path: Path) -> None:
    folder = session(tmp_path / "s")
    stray, short = folder / "data_motor_2.csv", folder / "data_motor_4.csv"
    stray.write_text(stray.read_text().replace("76522.700", "9e99"))
    short.write_text("\n".join(short.read_text().splitlines()[:-5]))
    (recording,) = Armpi().read(folder)
    assert recording.values.shape == (18, ROWS - 5)
    assert (recording.quality.count("stray_time"), recording.quality.count("short_file")) == (1, 5)
    np.testing.assert_allclose(np.diff(recording.time_s), 0.1, atol=1e-6)


def test_one_motor_file_alone_keeps_its_joint(tmp_path: Path) -> None:
    folder = session(tmp_path / "s")
    (recording,) = Armpi().read(folder / "data_motor_5.csv")
    assert [channel.key for channel in recording.channels] == ["position/5", "temperature/5", "voltage/5"]


def test_measured_glitches_are_counted(data_dir: Path) -> None:
    recordings = list(Armpi().read(data_dir / "armpi_servo_faults"))
    assert sum(r.quality.count("out_of_range") for r in recordings) >= 10
    assert {r.condition.label for r in recordings} == {Label.NORMAL, Label.ANOMALOUS, Label.UNCERTAIN}
