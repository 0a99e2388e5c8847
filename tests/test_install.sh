#!/usr/bin/env bash
# Installs the build, and builds and runs a program against the installed copy.
# usage: test_install.sh BUILD CC [FLAGS...]
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
build=$1 cc=$2
shift 2
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT

cmake --install "$build" --prefix "$prefix" >"$prefix/install.log"
pc=$(find "$prefix" -name ttt.pc)
[ -n "$pc" ] || { echo "ttt.pc was not installed" >&2; exit 1; }
export PKG_CONFIG_PATH=${pc%/*}
flags=$(pkg-config --define-variable=prefix="$prefix" --cflags --libs ttt)

if find "$prefix/include" -name '*_internal.h' | grep .; then
    echo "internal headers were installed" >&2
    exit 1
fi
cp "$source/tests/install/program.c" "$prefix/program.c"
# shellcheck disable=SC2086  # several words
(cd "$prefix" && "$cc" -std=c17 -Wall -Wextra -Werror "$@" program.c $flags -o program)
output=$(LD_LIBRARY_PATH=$prefix/lib "$prefix/program")
echo "$output"
[ "$output" = "silu(2) = 1.761594" ]
