# Makes or finds the environment in .venv. Sourced by run and test; needs nothing but bash and Python 3.11+.
# ensure_environment EXTRA: EXTRA is "" (what the application needs) or "test" (with the tools of the tests).

say() { printf '%s\n' "$*" >&2; }

die() { say "" "$@"; exit 1; }

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

install_hint() { # what to install, for Debian or Ubuntu ($1) and for Fedora ($2)
  if command -v dnf >/dev/null 2>&1; then say "    sudo dnf install $2"; else say "    sudo apt-get install $1"; fi
}

find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  say "Atelier needs Python 3.11, 3.12 or 3.13, and none was found."
  install_hint "python3 python3-venv" "python3.12"
  die "or point to one:  PYTHON=/path/to/python3.11 $0"
}

# What the installed set depends on; the folder, because an environment cannot be moved.
fingerprint() {
  { printf '%s\n' "$PWD"; cat pyproject.toml constraints.txt; } | { sha256sum 2>/dev/null || shasum -a 256; }
}

# Whether what is asked for is installed; with the tools of the tests, the rest is too.
is_ready() {
  local wanted=$1 stamp
  [ -x .venv/bin/python ] || return 1
  for stamp in .venv/stamp-test ${2:-.venv/stamp}; do
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  done
  return 1
}

# Runs a command quietly into a log; shows on one line what it is doing and for how long.
with_progress() {
  local title=$1 log=$2 began=$SECONDS beat=10 shown="" pid code=0
  shift 2
  "$@" >"$log" 2>&1 &
  pid=$!
  trap 'kill "$pid" 2>/dev/null; say ""; say "Stopped. The next start goes on from here."; exit 130' INT TERM
  [ -t 2 ] && beat=1
  while kill -0 "$pid" 2>/dev/null; do
    shown=$(grep -oE '^(Collecting|Downloading|Using cached|Building|Installing|Attempting) ?[^ ]* ?[^ ]*' "$log" | tail -n 1 | cut -c1-70) || true
    if [ -t 2 ]; then
      printf '\r\033[K  %s  %s  %s' "$title" "$(clock $((SECONDS - began)))" "$shown" >&2
    elif [ $(((SECONDS - began) % beat)) -eq 0 ] && [ $((SECONDS - began)) -gt 0 ]; then
      say "  $title  $(clock $((SECONDS - began)))  $shown"
    fi
    sleep 1
  done
  wait "$pid" || code=$?
  trap - INT TERM
  [ -t 2 ] && printf '\r\033[K' >&2
  if [ "$code" -ne 0 ]; then
    say "  $title failed after $(clock $((SECONDS - began))). The end of $log:"
    tail -n 25 "$log" >&2
    return "$code"
  fi
  say "  $title done in $(clock $((SECONDS - began)))"
}

make_venv() {
  local python=$1
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    say "$python cannot make environments: its venv module is missing."
    install_hint "python3-venv" "python3-pip"
    die "Then start again."
  fi
  rm -rf .venv
  "$python" -m venv .venv
}

# Stops with the line that installs what Qt lacks. Asked until it was fine once: loading Qt takes a moment.
need_libraries() {
  local missing
  [ -e .venv/libraries-fine ] && return
  missing=$(.venv/bin/python -m studio.cli.libraries) || die "$missing"
  touch .venv/libraries-fine
}

# What packs weights, for its tests alone: where it can be imported, every process that loads a model imports it.
install_beside() {
  with_progress "installing bitsandbytes and torchao beside it" .venv/install-beside.log .venv/bin/python -m pip install \
    --disable-pip-version-check --progress-bar off --constraint constraints.txt --no-deps --upgrade \
    --target .venv/quantised bitsandbytes torchao || say "Without them the tests of quantised weights are skipped."
}

ensure_environment() {
  local extra=$1 stamp=".venv/stamp${1:+-$1}" wanted python began=$SECONDS
  wanted=$(fingerprint)
  is_ready "$wanted" "$stamp" && return
  if command -v flock >/dev/null 2>&1; then
    exec 9<pyproject.toml
    flock -n 9 || { say "Another start is installing; waiting for it."; flock 9; }
    if is_ready "$wanted" "$stamp"; then exec 9<&-; return; fi
  fi
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1 || [ "$(cat .venv/home 2>/dev/null || pwd)" != "$PWD" ]; then
    python=$(find_python) || exit 1
    say "Making the environment in .venv with $("$python" --version) ($python)."
    make_venv "$python"
  fi
  pwd >.venv/home
  say "Installing the libraries into .venv: some minutes and up to 7 GB the first time (torch with its GPU"
  say "libraries is most of it; 2 GB without them). The full log is .venv/install.log."
  with_progress "installing" .venv/install.log .venv/bin/python -m pip install --disable-pip-version-check \
    --progress-bar off --constraint constraints.txt --editable ".${extra:+[$extra]}" ||
    die "Repair the cause (network, disk space) and start again; it goes on from here."
  [ "$extra" != test ] || install_beside
  printf '%s\n' "$wanted" >"$stamp"
  say "Ready after $(clock $((SECONDS - began))). The next start skips all of this."
  exec 9<&-
}
