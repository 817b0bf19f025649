#!/bin/sh
# Runs the library's examples as README.md says, on a few captions: on the CPU, and own_model on the software adapter.
set -eu
cd "$(dirname "$0")/.."
. tests/system.sh

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
cargo run --quiet -- data captions --pairs 400 --out "$temporary/captions" > /dev/null
cargo run --quiet --example train -- "$temporary/captions" "$temporary/run" 2
head -n 5 "$temporary/captions/test.de" |
    cargo run --quiet --example translate -- "$temporary/run" > "$temporary/translations"
[ "$(wc -l < "$temporary/translations")" = 5 ] || fail "examples/translate.rs gave other than five lines"
for device in cpu llvmpipe; do
    cargo run --quiet --example own_model -- "$temporary/captions" "$temporary/own-$device" "$device" \
        > "$temporary/own"
    [ "$(wc -l < "$temporary/own")" = 10 ] || fail "examples/own_model.rs gave other than five translations"
done
# wgrad says whose model it is in place of reading something else into the file.
if cargo run --quiet -- translate "$temporary/own-cpu" < /dev/null 2> "$temporary/error"; then
    fail "wgrad translated with a model that it does not have"
fi
grep -q 'is of the model `gated-gru`' "$temporary/error" || fail "$(cat "$temporary/error")"
say "the examples ran"
