#!/bin/sh
# Make .venv exactly as uv.lock says, installing uv first where it is missing.
#   bootstrap.sh run       what the service needs
#   bootstrap.sh develop   that, and the tools of `make test` and `make check`
#   bootstrap.sh bench     that, and the peers of `make bench`
#   bootstrap.sh lock      resolve uv.lock anew
set -eu
cd "$(dirname "$0")/.."
UV_VERSION=0.13.9
OWN=.venv-uv # uv's own small environment; beside .venv, which uv makes

say() { printf '%s\n' "$*" >&2; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if command -v "$name" >/dev/null 2>&1 && is_new_enough "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    say "Python 3.11 or newer is needed, and was not found on PATH ($(python3 --version 2>&1 || echo 'no python3'))."
    say "Debian or Ubuntu: apt install python3 python3-venv      macOS: brew install python"
    return 1
}

# A uv on PATH serves when it reads this lock file, which releases from 0.8 on do.
uv_on_path() {
    command -v uv >/dev/null 2>&1 || return 1
    case "$(uv --version 2>/dev/null)" in
    "uv 0."[0-7].* | "") return 1 ;;
    "uv "*) command -v uv ;;
    *) return 1 ;;
    esac
}

own_uv() { "$OWN/bin/uv" --version >/dev/null 2>&1 && echo "$PWD/$OWN/bin/uv"; }

install_uv() {
    say "Installing uv $UV_VERSION into $OWN (once) ..."
    rm -rf "$OWN/bin" "$OWN/lib" "$OWN/lib64" "$OWN/include" "$OWN/pyvenv.cfg"
    log="$OWN/install.log"
    "$1" -m venv "$OWN" >"$log" 2>&1 && "$OWN/bin/python" -m pip install --quiet "uv==$UV_VERSION" >>"$log" 2>&1 && return
    # Debian without python3-venv: pip may still be there. Its "user" place is our folder, so no home is touched.
    rm -rf "$OWN/bin" "$OWN/lib" "$OWN/lib64" "$OWN/include" "$OWN/pyvenv.cfg"
    PYTHONUSERBASE="$PWD/$OWN" PIP_BREAK_SYSTEM_PACKAGES=1 \
        "$1" -m pip install --quiet --user "uv==$UV_VERSION" >>"$log" 2>&1 && return
    say "uv could not be installed:"
    tail -n 5 "$log" >&2
    if "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        say "Install uv yourself, then run make again:  pipx install uv"
    else
        say "Type this, then run make again:  apt install python3-venv   (as root; or install uv yourself)"
    fi
    return 1
}

mkdir -p "$OWN" "${HOME:-$OWN/home}"
python=$(find_python)
uv=$(uv_on_path || own_uv || { install_uv "$python" && own_uv; })
export UV_PYTHON="$python" UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}" # trust what the machine trusts, as behind a company's proxy

install() {
    [ -d .venv ] || say "Installing the pinned dependencies into .venv (once) ..."
    [ ! -d .venv ] || .venv/bin/python -c "" 2>/dev/null || rm -rf .venv
    "$uv" sync --frozen --quiet "$@"
}

case "${1:-develop}" in
run) install --no-dev --inexact ;;
develop) install ;;
bench) install --group bench ;;
lock) "$uv" lock ;;
*)
    say "usage: bootstrap.sh run | develop | bench | lock"
    exit 2
    ;;
esac
