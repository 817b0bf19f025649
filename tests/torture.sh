#!/bin/sh
# torture.sh [MINUTES] [--seed N]...: kills training at random moments, fills its disk, sets two processes on one run,
# and compares what becomes of each run with an undisturbed one, bit by bit. Three minutes if none are given. The
# program is the release build; what kills it is not.
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in
[0-9]*) minutes=$1; shift ;;
*) minutes=3 ;;
esac
cargo build --release
# The folder of builds may be set by a variable or by a file.
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
exec cargo test -q --test torture -- --program "$target/release/wgrad" --minutes "$minutes" "$@"
