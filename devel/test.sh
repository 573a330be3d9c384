#!/usr/bin/env bash
# test [--quick] [-k EXPR]: every test there is. Unit tests, fuzz corpora and the house rules under meson; end-to-end tests under pytest against
# real daemons; then all of it once more with ASan+UBSan, and the unit tests built with clang. --quick stops after the first round.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

usage() { echo "usage: ./dev test [--quick] [-k EXPR]" >&2 && exit 2; }

quick='' pick=()
while [ $# -gt 0 ]; do
        case $1 in
        --quick) quick=1 ;;
        -k) [ $# -ge 2 ] || usage
                pick=(-k "$2")
                shift ;;
        *) usage ;;
        esac
        shift
done

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }

# round NAME FOLDER [build options]: unit, fuzz and house tests, then the end-to-end ones against that build.
unit() { meson test -C "$1" --print-errorlogs --no-rebuild --num-processes 2; }
e2e() { TOCSIN_BUILD=$PWD/$1 /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/e2e "${pick[@]}" "${@:2}"; }

./dev setup test
say "build"
./dev build
say "unit tests, fuzz corpora, house rules"
unit build
say "end to end"
e2e build
[ -z "$quick" ] || exit 0

say "ASan + UBSan: build"
./dev build --asan
say "ASan + UBSan: unit tests and fuzz corpora"
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
unit build-asan
say "ASan + UBSan: end to end"
e2e build-asan -m 'not slow'
unset ASAN_OPTIONS UBSAN_OPTIONS

say "clang: build and unit tests"
./dev build --clang
unit build-clang
