#!/usr/bin/env bash
# Checks every promise of docs/PARTNER_GUIDE.md with grpcio, against a suite that
# runs on test clocks: tests/conformance/run.sh --suite data/suite.json
# What it needs is installed below target/. `make conformance` starts suites.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
work=${CARGO_TARGET_DIR:-$root/target}/conformance

"$root/examples/partner-python/setup.sh" "$work"
exec 9>"$work/.lock"
if command -v flock >/dev/null; then flock 9; fi
installed=$work/.venv/conformance
if ! cmp -s "$here/requirements.txt" "$installed"; then
    "$work/.venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$installed"
fi
exec 9>&-
PYTHONPATH=$work/generated PYTHONDONTWRITEBYTECODE=1 exec "$work/.venv/bin/python" "$here/conformance.py" "$@"
