"""Raw tables: dialects found out, the fast and the careful pass agree, rows numbered as a person counts them."""

from __future__ import annotations

import numpy as np
import pyarrow
import pyarrow.csv
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jointwatch.core.errors import CorruptInput, MissingChannel
from jointwatch.recordings import _csv
from jointwatch.recordings._csv import read_csv


@pytest.fixture(params=["arrow", "numpy"], autouse=True)
def parser(request, monkeypatch):
    """Every test runs with Arrow and, as on a small installation, without."""
    if request.param == "numpy":
        monkeypatch.setattr(_csv, "pa", None)


@pytest.fixture
def table(tmp_path):
    def read(content: str, **options):
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode())
        return read_csv(path, **options)

    return read


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", "|"])
@pytest.mark.parametrize("header", [True, False])
def test_delimiter_and_header_are_found_out(delimiter, header, table):
    lines = [["t", "q 1" if delimiter != " " else "q1", "state"]] if header else []
    lines += [[f"{i / 10}", f"{i}.5", "ok"] for i in range(5)]
    read = table("\n".join(delimiter.join(line) for line in lines))
    assert (read.delimiter, read.header, len(read)) == (delimiter, header, 5)
    assert read.names[0] == ("t" if header else "0")
    np.testing.assert_array_equal(read.columns[read.names[1]], np.arange(5) + 0.5)
    assert read.columns[read.names[2]].tolist() == ["ok"] * 5


def test_columns_aligned_with_blanks(table):
    read = table("   t      q1\n 0.00   1.25\n 0.01  -1.25\n")
    assert read.columns["q1"].tolist() == [1.25, -1.25]


def test_header_in_a_comment_and_unit_row(table):
    assert table("# t,q1\n0.0,1\n0.1,2\n").names == ["t", "q1"]
    read = table("time,pos\n[s],[deg]\n0.0,1\n0.1,2\n")
    assert read.units == {"time": "s", "pos": "deg"}
    assert len(read) == 2


def test_blank_lines_are_no_rows(table):
    read = table("t,q\n\n0,1\n\n1,2\n\n")
    assert (read.rows.tolist(), read.rows_read) == ([1, 2], 2)


def test_trailing_delimiter_is_no_column(table):
    assert table("t,q\n0,1,\n1,2,\n").names == ["t", "q"]


def test_row_numbers_stay_those_of_the_file(table):
    read = table("t,q\n0,1\n1\n2,3\n")
    assert (read.rows.tolist(), read.rows_read) == ([1, 3], 3)


def test_text_columns_on_request(table):
    read = table("t,label\n0,1\n1,01\n", text=["label"])
    assert read.columns["label"].tolist() == ["1", "01"]


def test_missing_names_give_the_nearest(table):
    read = table("time,actual_q_0\n0,1\n1,2\n")
    with pytest.raises(MissingChannel, match="'actual_q_0'"):
        read.number("actual_q0")
    with pytest.raises(MissingChannel, match="the file has 2, counted from 0"):
        read.number(5)
    with pytest.raises(CorruptInput, match="holds text"):
        table("t,mode\n0,auto\n1,manual\n").number("mode")


def test_overlong_numbers_do_not_crash(table):
    read = table("t,q\n0," + "9" * 400 + "\n1,2\n")
    assert not np.isfinite(read.columns["q"][0])


@given(
    values=st.lists(
        st.lists(st.one_of(st.floats(allow_infinity=False, width=64), st.integers(-999, 999)), min_size=3, max_size=3),
        min_size=2,
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_are_read_exactly_and_both_passes_agree(values, table, monkeypatch):
    text = "a,b,c\n" + "\n".join(",".join(repr(float(cell)) for cell in row) for row in values) + "\n"
    expected = np.array(values, float)
    fast = table(text)
    with monkeypatch.context() as patch:
        patch.setattr(_csv, "_fast", lambda *_: None)
        careful = table(text)
    for i, name in enumerate("abc"):
        np.testing.assert_array_equal(fast.columns[name], expected[:, i])
        np.testing.assert_array_equal(careful.columns[name], expected[:, i])


@pytest.mark.parametrize(
    "content",
    [
        "t,q,mode\n0,1,auto\n0.1,2.5e3,stop\n0.2,-inf,auto\n",
        "t;q;mode\n0,00;1,5;auto\n0,01\n0,02;oops;auto\n0,03;1,7;stop\n",
        "t,q\n0,\n1,nan\n2,N/A\n3,+4\n4,0x10\n5,1_0\n6, 7 \n",
        't,"q, of arm"\n0,"1.5"\n1,"2.5"\n2,3',
        "t q\n0   1\n1   2\n2   x\n",
        "t,q,\n0,1,\n1,2,\n",
        "t\n0\n1\n",
        "a,b\nx,y\nz,w\n",
    ],
)
def test_without_arrow_the_same_is_read(content, table, monkeypatch):
    found = []
    for parser in (pyarrow, None):
        monkeypatch.setattr(_csv, "pa", parser)
        try:
            found.append(table(content))
        except CorruptInput as error:
            found.append(str(error))
    first, second = found
    if isinstance(first, str):
        assert first == second
        return
    assert first.names == second.names
    assert first.issues == second.issues
    assert first.rows.tolist() == second.rows.tolist()
    for name in first.names:
        np.testing.assert_array_equal(first.columns[name], second.columns[name])
        assert first.columns[name].dtype.kind == second.columns[name].dtype.kind


def test_measured_files_take_the_fast_pass(data_dir, monkeypatch):
    def fail(*_args, **_options):
        raise AssertionError("a whole file took the slow pass")

    monkeypatch.setattr(_csv, "_careful", fail)
    path = data_dir / "kinova_gen3_harmonic" / "jointwise_motion" / "joint_1_trapez.csv"
    read = read_csv(path)
    assert len(read) == len(path.read_text().strip().splitlines()) - 1
    assert read.issues == []
