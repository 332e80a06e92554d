#!/usr/bin/env bash
# Makes what the example needs: a virtual environment with grpcio, and the stubs
# generated from the protos. Give a folder to put both there instead of here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
into=${1:-$here}
protos=$here/../../proto

mkdir -p "$into"
# One at a time.
exec 9>"$into/.lock"
if command -v flock >/dev/null; then flock 9; fi

python=$into/.venv/bin/python
installed=$into/.venv/installed
if ! cmp -s "$here/requirements.txt" "$installed"; then
    python3 -m venv --clear "$into/.venv" || {
        echo "python3 cannot make virtual environments; on Debian and Ubuntu install python3-venv" >&2
        exit 1
    }
    "$python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$installed"
fi

# Anew when a proto has changed since.
stubs=$into/generated
if [ -e "$stubs/made" ] && [ -z "$(find "$protos" "$installed" -newer "$stubs/made" -type f)" ]; then
    exit 0
fi
rm -rf "$stubs"
mkdir -p "$stubs"
cd "$protos"
find baogong -name '*.proto' -print0 | sort -z | xargs -0 "$python" -m grpc_tools.protoc \
    --proto_path=. --python_out="$stubs" --grpc_python_out="$stubs"
touch "$stubs/made"
