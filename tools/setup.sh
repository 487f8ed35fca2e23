#!/bin/sh
# Makes the virtual environment from the lock. Called by make; PYTHON and VENV may be set.
set -eu
PYTHON="${PYTHON:-python3}"
VENV="${VENV:-.venv}"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "jointwatch needs Python 3.11 or newer; set PYTHON to one" >&2
    exit 1
}
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
uv_line=$(grep '^uv==' requirements.lock)
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$uv_line"

# A CPU build of torch keeps gigabytes of CUDA away: from pip's find-links folder where one is configured,
# elsewhere from the CPU builds that uv knows of.
torch_line=$(grep '^torch==' requirements.lock)
if ! "$VENV/bin/python" -c "import torch, sys; sys.exit(torch.__version__.split('+')[0] != '${torch_line#torch==}')" 2>/dev/null; then
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps "$torch_line" 2>/dev/null ||
        "$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" --torch-backend cpu "$torch_line"
fi
grep -v '^torch==' requirements.lock >"$VENV/requirements.txt"
"$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" --compile-bytecode -r "$VENV/requirements.txt"
"$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" --no-deps -e .
