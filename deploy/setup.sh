#!/usr/bin/env bash
# Installs what building and running needs and is missing: the program
# nats-server, which `baogong up` and the tests start as their own child, and
# strace, with which a test of the event log looks at its system calls (without
# it that test says so and is skipped), and python3 with venv, for the suite that
# checks the promises to partner firms (without it that is skipped).
# The system's nats service is neither started nor enabled nor configured.
set -euo pipefail

if ! command -v cargo >/dev/null; then
    echo "Rust is missing: install it with rustup (1.90 or newer), then try again." >&2
    exit 1
fi

# Debian puts daemons where not everybody's PATH looks.
PATH="$PATH:/usr/sbin:/usr/local/sbin"
missing=()
command -v nats-server >/dev/null || missing+=(nats-server)
if [ "$(uname -s)" = Linux ] && command -v apt-get >/dev/null && ! command -v strace >/dev/null; then
    missing+=(strace)
fi
if command -v apt-get >/dev/null && ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    missing+=(python3-venv)
fi
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "nats-server is missing: install version 2.9.10 or newer with your system's package" >&2
    echo "manager (macOS: brew install nats-server), so that it is in PATH, then try again." >&2
    exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        if [[ " ${missing[*]} " != *" nats-server "* ]]; then
            exit 0
        fi
        echo "nats-server is missing, and installing it needs root: apt-get install nats-server" >&2
        exit 1
    fi
    as_root=(sudo)
fi

# A policy of ours says no to starting services, for as long as this runs.
policy=/usr/sbin/policy-rc.d
made_policy=
restore() {
    if [ -n "$made_policy" ]; then
        "${as_root[@]}" rm -f "$policy"
    fi
}
trap restore EXIT
if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

echo "Installing ${missing[*]} from the distribution ..."
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
if [[ " ${missing[*]} " != *" nats-server "* ]]; then
    exit 0
fi
if command -v systemctl >/dev/null; then
    "${as_root[@]}" systemctl disable --quiet nats-server.service 2>/dev/null || true
fi
nats-server --version
