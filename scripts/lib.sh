# Shared by the scripts beside it: where we are, how we speak, how a Debian
# package gets here. To be sourced by bash; standard output belongs to the caller.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The name of the script that sourced us, for its messages.
ME=scripts/$(basename "$0")

# Where rustup puts cargo, for shells that do not know it yet.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

# The version in rust-toolchain.toml, or stable where a machine without a network has no other.
if ! (cd "$ROOT" && rustc -V) >/dev/null 2>&1 && rustc +stable -V >/dev/null 2>&1; then
  export RUSTUP_TOOLCHAIN=stable
fi

# The Envoy that everything here is tried with, unless another one is asked for.
# shellcheck disable=SC2034 # used by those who source this
ENVOY_VERSION=${KEYGATE_ENVOY_VERSION:-1.40.0}

say() { printf '%s: %s\n' "$ME" "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# need COMMAND ADVICE...: stops with the advice when the command is missing.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null 2>&1 || die "'$command' is missing. $*"
}

need_cargo() {
  need cargo "Install Rust with rustup (see https://rustup.rs), open a new shell, and try again."
  # Rust links with it, and SQLite is written in C.
  need cc "Install a C compiler, such as with apt-get install gcc libc6-dev."
}

# What may become root without asking: prints "" or "sudo -n"; fails otherwise.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    echo ""
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    echo "sudo -n"
  else
    return 1
  fi
}

# debian_install PACKAGE...: installs those that are missing, or says what to type.
debian_install() {
  local missing=() package sudo log
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! sudo=$(as_root); then
    say "needs these packages, and may not install them. Please run:"
    say "  sudo apt-get install --no-install-recommends ${missing[*]}"
    return 1
  fi
  say "installing with apt-get: ${missing[*]}"
  mkdir -p "$ROOT/.cache"
  log=$ROOT/.cache/apt.log
  # shellcheck disable=SC2086 # $sudo is empty or two words
  apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -q "$@" </dev/null; }
  if ! apt install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    # Fresh images carry no package lists, old ones carry stale lists.
    if ! { apt update && apt install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
      say "apt-get could not install ${missing[*]}; the end of $log:"
      tail -n 5 "$log" >&2
      return 1
    fi
  fi
}

# make_venv NAME REQUIREMENTS AFTER [OPTION...]: makes the virtual environment .cache/NAME with what a
# file lists, from PyPI, and sets VENV to it. Runs the function AFTER before it is complete.
make_venv() {
  local wanted=$ROOT/$2 after=$3
  VENV=$ROOT/.cache/$1
  need python3 "It brings packages of PyPI here."
  mkdir -p "$ROOT/.cache"
  # A second run of this script at the same time waits here for the first.
  if command -v flock >/dev/null 2>&1; then
    exec 9>"$VENV.lock"
    flock 9
  fi
  # The copy is the marker of a venv that is whole, with these versions.
  ! cmp -s "$wanted" "$VENV/requirements.txt" || return 0
  rm -rf "$VENV"
  python3 -m venv "$VENV" >"$VENV.log" 2>&1 ||
    die "this Python cannot make a venv: $(tail -n 1 "$VENV.log"). On Debian, install python3-venv."
  say "installing from PyPI what $2 lists"
  if ! "$VENV/bin/python" -m pip install -q --disable-pip-version-check "${@:4}" -r "$wanted" >"$VENV.log" 2>&1; then
    tail -n 3 "$VENV.log" >&2
    die "pip could not install what $2 lists"
  fi
  "$after"
  cp "$wanted" "$VENV/requirements.txt"
}

# Makes the secrets of the demo in .run/demo.env, once: a key of yesterday works today.
make_secrets() {
  local name new run=$ROOT/.run
  (umask 077 && mkdir -p "$run")
  if [ ! -e "$run/demo.env" ]; then
    say "generating secrets into .run/demo.env"
    new=$(mktemp "$run/demo.env.XXXXXX")
    for name in KEYGATE_MEDIA KEYGATE_APP_KEYS KEYGATE_ADMIN_TOKEN KEYGATE_EDGE_TOKEN; do
      printf '%s=%s\n' "$name" "$(random_hex)" >>"$new"
    done
    chmod 600 "$new"
    mv "$new" "$run/demo.env"
  fi
  for name in KEYGATE_MEDIA KEYGATE_APP_KEYS KEYGATE_ADMIN_TOKEN KEYGATE_EDGE_TOKEN; do
    grep -q "^$name=." "$run/demo.env" ||
      die ".run/demo.env has no $name. Add it, or move the file away to get a new one."
  done
}

random_hex() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# The sources of other crates and of std by the last part of their directories.
short_paths() {
  local home=${CARGO_HOME:-$HOME/.cargo} source
  for source in "$home"/registry/src/*/; do
    printf -- '--remap-path-prefix=%s= ' "$source"
  done
  printf -- '--remap-path-prefix=/rustc/%s/library=' "$(${RUSTC:-rustc} -vV | sed -n 's/^commit-hash: //p')"
}
