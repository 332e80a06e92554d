#!/usr/bin/env bash
# Makes what the example needs: a virtual environment with grpcio, and the stubs
# generated from the protos. Give a folder to put both there instead of here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
into=${1:-$here}
protos=$here/../../proto

mkdir -p "$into"
python=$into/.venv/bin/python
stamp=$into/.venv/installed
if ! cmp -s "$here/requirements.txt" "$stamp"; then
    python3 -m venv --clear "$into/.venv" || {
        echo "python3 cannot make virtual environments; on Debian and Ubuntu install python3-venv" >&2
        exit 1
    }
    "$python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$stamp"
fi

# The stubs are made anew each time: that takes a second, and old ones mislead.
rm -rf "$into/generated"
mkdir -p "$into/generated"
cd "$protos"
find baogong -name '*.proto' -print0 | sort -z | xargs -0 "$python" -m grpc_tools.protoc \
    --proto_path=. --python_out="$into/generated" --grpc_python_out="$into/generated"
