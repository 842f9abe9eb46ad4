#!/usr/bin/env bash
# Runs `make fast` on each Python of a list that is on this machine, each in an environment of its
# own below .venv, and says which are missing. Fails if a run fails, or if none is here.
# Usage: pythons.sh 3.11 3.12 ...
set -uo pipefail

is_python() { # COMMAND VERSION
  "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" 2>/dev/null
}

find_python() { # VERSION: on the PATH, of uv, or of pyenv
  local candidate
  for candidate in "python$1" \
    "$(uv python find --no-python-downloads "$1" 2>/dev/null)" \
    "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    if is_python "$candidate" "$1"; then command -v "$candidate" && return; fi
  done
  return 1
}

held="" failed="" missing=""
for version in "$@"; do
  if ! python=$(find_python "$version"); then
    missing+=" $version"
  elif make --no-print-directory fast VENV=".venv/$version" PYTHON="$python"; then
    held+=" $version"
  else
    failed+=" $version"
  fi
done
echo "Pythons that hold:${held:- none}; that fail:${failed:- none}; not on this machine:${missing:- none}"
[ -z "$failed" ] && [ -n "$held" ]
