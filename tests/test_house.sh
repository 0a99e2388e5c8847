#!/usr/bin/env bash
# Rules of the source tree: floors, headers that stand alone, layout, lengths, a README in every folder.
# usage: test_house.sh CC [FLAGS...]
set -uo pipefail
cd "$(dirname "$0")/.."
cc=$1
shift
rooms=(ttt data vision eval train tools)
failed=0
complain() { echo "$*"; failed=1; }
sources() { find "$@" \( -name '*.c' -o -name '*.h' \) | sort; }

# What each folder may include, itself aside; a path is judged by its longest entry here.
allowed() {
    case $1 in
    ttt/base/*) echo 'ttt/base' ;;
    ttt/device/*) echo 'ttt/(base|device)' ;;
    ttt/graph/*) echo 'ttt/(base|device|graph)' ;;
    ttt/ops/*) echo 'ttt/(base|device|graph|ops)' ;;
    ttt/*) echo 'ttt' ;;
    data/*) echo '(ttt|data)' ;;
    vision/*) echo '(ttt|vision)' ;;
    eval/*) echo '(ttt|data|vision|eval)' ;;
    train/*) echo '(ttt|data|vision|eval|train)' ;;
    tools/*) echo '(ttt|data|vision|eval|train|tools)' ;;
    esac
}

while read -r file; do
    bad=$(grep -oP '^#include "\K[^"]+' "$file" | grep -vE "^$(allowed "$file")/")
    [ -z "$bad" ] || complain "$file includes from a higher floor or a neighbour: $bad"
done < <(sources "${rooms[@]}")

while read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 450 ] || complain "$file has $lines lines; past 450 it is two files"
done < <(sources "${rooms[@]}" tests)

while read -r header; do
    guard=$(tr 'a-z/.' 'A-Z__' <<<"$header")
    grep -q "#ifndef $guard\$" "$header" || complain "$header has no guard $guard"
    echo "#include \"$header\"" | "$cc" -std=c17 -D_GNU_SOURCE -I. "$@" -Wall -Werror -fsyntax-only -x c - ||
        complain "$header does not compile alone"
done < <(sources "${rooms[@]}" tests | grep '\.h$')

while read -r folder; do
    lines=$(cat "$folder/README.md" 2>/dev/null | wc -l)
    [ "$lines" -gt 0 ] && [ "$lines" -le 30 ] || complain "$folder needs a README.md of 1 to 30 lines; it has $lines"
done < <(find "${rooms[@]}" tests -type d | sort)

clang_format=$(command -v clang-format || true)
if [ -n "$clang_format" ]; then
    sources "${rooms[@]}" tests | xargs "$clang_format" --dry-run -Werror || complain "run clang-format -i on these files"
else
    complain "clang-format is missing; tools/packages.txt names it"
fi

# What writes into a pipe that is closed early fails, at times, and under pipefail the script with it.
if grep -rlI 'pipefail' tools .ci | xargs grep -nE '\| *(head|grep -[a-z]*[qm])'; then
    complain "a pipe may be closed before all is written: read it to the end"
fi

if grep -rnIE 'T[O]DO|F[I]XME' "${rooms[@]}" tests configs; then
    complain "notes to oneself are left"
fi
exit $failed
