#!/usr/bin/env bash
# Installs what the tests need and is not there yet: Debian packages, cargo tools, a Python venv.
# Says what it does; what it cannot install it names, and exits 1. Given a fresh Debian or Ubuntu
# with a Rust toolchain it needs nothing else.
set -eu
cd "$(dirname "$0")/.."

NEXTEST=0.9.143
export PATH="$PWD/target/tools/bin:$HOME/.cargo/bin:$PATH"

say() { printf 'setup: %s\n' "$*"; }
give_up() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# --- Debian packages: each is asked for by what it provides, not by its name -------------------

has_command() { command -v "$1" >/dev/null 2>&1; }
# A compiler without the C library's headers is no compiler to aws-lc-sys.
has_c_compiler() { echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1; }
has_python() { python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; }
# Debian splits the part that puts pip into a venv off into python3-venv.
has_venv() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }
has_mariadb() {
    [ -x /usr/sbin/mariadbd ] && has_command mariadb-install-db && has_command mariadb
}
# Debian keeps its versions side by side.
has_postgres() {
    has_command psql && { has_command initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
}

missing_packages() {
    has_command make || echo make
    has_c_compiler || echo gcc libc6-dev
    has_python || echo python3
    has_venv || echo python3-venv
    has_command git || echo git
    # The unit file is checked by systemd itself.
    has_command systemd-analyze || echo systemd
    # Locks and finished ids are tested on it.
    has_command redis-server || echo redis-server
    # Tables are tested on these two; neither server is in everybody's PATH.
    has_mariadb || echo mariadb-server mariadb-client
    has_postgres || echo postgresql
    has_command openssl || echo openssl
}

install_packages() {
    local root=()
    has_command apt-get || give_up "there is no apt-get here; install what these Debian packages hold: $*"
    if [ "$(id -u)" -ne 0 ]; then
        has_command sudo || give_up "neither root nor sudo; as root: apt-get install -y $*"
        root=(sudo)
        # Without a terminal nobody can type a password: rather fail than hang.
        [ -t 0 ] || root=(sudo -n)
        "${root[@]}" true || give_up "sudo refused; as root: apt-get install -y $*"
    fi
    say "apt-get install $*"
    "${root[@]}" apt-get update -q </dev/null || say "apt-get update failed; trying with the lists at hand"
    # A fresh machine may be about its own updates.
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "$@" </dev/null ||
        give_up "apt-get could not install: $*"
}

packages=$(missing_packages | tr '\n' ' ')
if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 # a list of names
    install_packages $packages
    packages=$(missing_packages | tr '\n' ' ')
    [ -z "$packages" ] || give_up "still missing after the installation: $packages" \
        "(python3 must be 3.10 or newer)"
fi

# --- Rust ----------------------------------------------------------------------------------------

has_command cargo || give_up "there is no cargo; install a Rust toolchain: https://rustup.rs"
for tool in fmt clippy; do
    cargo "$tool" --version >/dev/null 2>&1 && continue
    component=$tool
    [ "$tool" = clippy ] || component=rustfmt
    say "rustup component add $component"
    rustup component add "$component" || give_up "cargo $tool is missing; install the component $component"
done
if ! cargo nextest --version >/dev/null 2>&1; then
    say "cargo install cargo-nextest $NEXTEST (a few minutes, once)"
    # Unoptimised: it builds in half the time, and the tests wait for other things than nextest.
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=target/tools/build \
        cargo install --locked --debug --root target/tools "cargo-nextest@$NEXTEST" ||
        give_up "cargo-nextest could not be installed; try: cargo install --locked cargo-nextest"
    rm -rf target/tools/build
fi

# --- Python --------------------------------------------------------------------------------------

venv=target/venv
stamp=$venv/.installed
# A changed lock, or another Python under the same venv, makes a new one.
wanted=$({ python3 -c 'import sys; print(sys.version)'; cat tests/requirements.lock; } | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    say "making $venv from tests/requirements.lock"
    rm -rf "$venv"
    mkdir -p target
    python3 -m venv "$venv" || give_up "python3 -m venv failed"
    # No index is named: pip takes whichever this machine is set up for.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
        -r tests/requirements.lock || give_up "pip could not install tests/requirements.lock"
    printf '%s\n' "$wanted" >"$stamp"
fi
say "everything is there"
