"""Reading sphere centres: many ways to write the same table, one clear line for whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.core.errors import InputError, UsageError
from jointwatch.metrology.sphere_centres import SphereCentres, read_centres, write_centres

HEADER = "run,state,sphere,x,y,z"
ROWS = [
    "1,before,A,150,0,40",
    "1,before,B,110,70.5,40",
    "1,before,C,120,20,110",
    "1,after,A,0,150,40",
    "1,after,B,-70.5,110,40",
    "1,after,C,-20,120,110",
]
SECOND = [row.replace("1,", "2,", 1) for row in ROWS]


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "centres.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def expected() -> np.ndarray:
    return np.array([[[150, 0, 40], [110, 70.5, 40], [120, 20, 110]]], float)


@pytest.mark.parametrize(
    "lines",
    [
        [HEADER, *ROWS],
        ["# from the machine", "", HEADER.upper(), *reversed(ROWS)],
        [HEADER, *ROWS[:2], "# measured again, as it was, loose, at first", *ROWS[2:], " # end"],
        ["Run;State;Ball;X [mm];Y [mm];Z [mm]", *(row.replace(",", ";").replace(".", ",") for row in ROWS)],
        ["run\tstate\tsphere\tx_mm\ty_mm\tz_mm", *(row.replace(",", "\t") for row in ROWS)],
        [HEADER, ",,,mm,mm,mm", *ROWS],
        [HEADER, *(row.replace("before", "Start").replace("after", "END") for row in ROWS)],
        [HEADER.removeprefix("run,"), *(row.removeprefix("1,") for row in ROWS)],
        [HEADER + ",", *(row + "," for row in ROWS)],
        [
            "sphere,x_before_mm,y_before_mm,z_before_mm,x_after_mm,y_after_mm,z_after_mm",
            "A,150,0,40,0,150,40",
            "B,110,70.5,40,-70.5,110,40",
            "C,120,20,110,-20,120,110",
        ],
    ],
)
def test_ways_to_write_it(tmp_path: Path, lines: list[str]) -> None:
    found = read_centres(table(tmp_path, *lines))
    assert (found.runs, found.spheres) == (("1",), ("A", "B", "C"))
    np.testing.assert_array_equal(found.before_mm, expected())
    assert found.after_mm[0, 1].tolist() == [-70.5, 110, 40]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = SphereCentres(("first", "2"), ("A", "B", "C", "D"), *(100 * rng.standard_normal((2, 2, 4, 3))))
    write_centres(tmp_path / "c.csv", centres, comment="made up\nfor a test")
    found = read_centres(tmp_path / "c.csv")
    assert (found.runs, found.spheres) == (centres.runs, centres.spheres)
    np.testing.assert_allclose(found.after_mm, centres.after_mm, atol=5.1e-5)
    with pytest.raises(UsageError, match="1 runs and 4 spheres"):
        SphereCentres(("1",), centres.spheres, centres.before_mm, centres.after_mm)


def test_names_may_begin_like_comments(tmp_path: Path) -> None:
    centres = SphereCentres(("#1", "2"), ("#A", "B", "C"), np.ones((2, 3, 3)) * 10, np.ones((2, 3, 3)))
    centres = SphereCentres(centres.runs, centres.spheres, expected().repeat(2, axis=0), expected().repeat(2, axis=0))
    write_centres(tmp_path / "c.csv", centres)
    found = read_centres(tmp_path / "c.csv")
    assert (found.runs, found.spheres) == (centres.runs, centres.spheres)
    with pytest.raises(InputError, match=r"no centres; lines that begin with # are comments"):
        read_centres(table(tmp_path, HEADER, *("#" + row for row in ROWS)))
    with pytest.raises(InputError, match="comments and no centres"):
        read_centres(table(tmp_path, "# nothing", "# here"))


def test_the_line_of_the_file_is_named(tmp_path: Path) -> None:
    lines = ["# from the machine", "", HEADER, *ROWS[:2], "", "# loose", *ROWS[2:5], "1,after,C,-20,abc,110"]
    with pytest.raises(InputError, match=r"row 6, channel y: 'abc' is no number \(line 11 of the file\)") as error:
        read_centres(table(tmp_path, *lines))
    assert error.value.row == 6


def edited(row: int, cell: int, text: str) -> list[str]:
    rows = [*ROWS, *SECOND]
    cells = rows[row - 1].split(",")
    cells[cell] = text
    rows[row - 1] = ",".join(cells)
    return [HEADER, *rows]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (edited(3, 3, ""), r"row 3, channel x: the cell is empty.* Remedy"),
        (edited(8, 5, "nan"), r"row 8, channel z: 'nan' is no coordinate.* Remedy"),
        (edited(4, 3, "1e300"), r"row 4, channel x: '1e300' is no coordinate \(line 5"),
        (edited(8, 5, "inf"), r"row 8, channel z: 'inf' is no coordinate"),
        (edited(4, 4, "abc"), r"row 4, channel y: 'abc' is no number.* Remedy"),
        (edited(4, 1, "during"), r"row 4, channel state: unknown state 'during'.* Remedy: write before or after"),
        (edited(4, 2, ""), r"row 4, channel sphere: the cell is empty"),
        (edited(2, 2, "A"), r"row 2: sphere A before run 1 stands in row 1 already.* Remedy"),
        (edited(9, 2, "D"), r"run 1 lacks sphere D before its turn.* Remedy"),
        ([HEADER, *ROWS, *SECOND[:-1]], r"run 2 lacks sphere C after its turn.* Remedy"),
        ([HEADER, *ROWS, *SECOND[:3]], r"run 2 has no centres after its turn.* Remedy"),
        ([HEADER, *(r for r in ROWS if ",C," not in r)], r"there are 2 spheres.* Remedy"),
        ([HEADER, *ROWS[:5], "1,after,C,1"], r"row 6: 4 values where the header names 6 columns.* Remedy"),
        (["run,state,sphere,x,y", *(r.rpartition(",")[0] for r in ROWS)], r"no column 'z' among run, .* Remedy"),
        (["run,state,x,y,z", *(r.replace(",A,", ",") for r in ROWS[:1])], r"no column 'sphere'"),
        (["run,state,sphere,x,y,x", *ROWS], r"two columns are named 'x'.* Remedy"),
        (
            ["run,sphere,before_x,before_y,before_z,after_x,after_y,after_z", "1,A,1,2,3,4,5,6"],
            r"no column 'state' among .*before_x.*one for every sphere with run, sphere, x_before",
        ),
        (["run,state,sphere,x/mm,y/mm,z/mm", *ROWS], r"no column 'x' among .*x/mm.* said as x, x_mm or x \[mm\]"),
        ([HEADER], r"no centres.* Remedy|no rows.* Remedy"),
        (["run,state,sphere,x_m,y_m,z_m", *ROWS], r"channel x_m: the coordinates are said to be in m\..* to mm"),
        ([HEADER, ",,,m,m,m", *ROWS], r"said to be in m\."),
        (
            [HEADER, *(",".join([*r.split(",")[:3], *(str(float(c) / 1000) for c in r.split(",")[3:])]) for r in ROWS)],
            r"run 1 before its turn are at most 0\.\d+ mm apart, as if the centres were in metres.* Remedy: convert",
        ),
        (
            [HEADER, *(",".join([*r.split(",")[:3], *(str(float(c) * 1000) for c in r.split(",")[3:])]) for r in ROWS)],
            r"as if the centres were in micrometres",
        ),
    ],
)
def test_every_damage_is_one_clear_line(tmp_path: Path, lines: list[str], says: str) -> None:
    with pytest.raises(InputError, match=r"centres\.csv") as error:
        read_centres(table(tmp_path, *lines))
    error.match(says)


def test_files_that_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match=r"empty\.csv"):
        read_centres(tmp_path / "empty.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError, match=r"binary\.csv"):
        read_centres(tmp_path / "binary.csv")
    with pytest.raises(FileNotFoundError):
        read_centres(tmp_path / "none.csv")
