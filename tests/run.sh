#!/bin/sh
# Installs what a test machine lacks, then runs every test, and last what the README promises: that `cargo run --release
# -- train`, without more, ends in a translator that works. Takes under an hour on 2 cores.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
. tests/system.sh

started=$(date +%s)
passed() {
    say "$1 passed after $(($(date +%s) - started)) s"
}

step() {
    say
    say "== $*"
    "$@" || fail "$* failed: the reason stands above"
    passed "$*"
}

# What rustup installed is found without a new login.
[ ! -d "${CARGO_HOME:-$HOME/.cargo}/bin" ] || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
have cargo || fail "cargo is missing. Install Rust, then run this again:
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"
have cc || install_packages "a C compiler, which Rust links with" "gcc libc6-dev" gcc gcc
for component in fmt:rustfmt clippy:clippy; do
    if ! cargo "${component%:*}" --version > /dev/null 2>&1; then
        have rustup || fail "cargo ${component%:*} is missing; install this system's package of ${component#*:}"
        rustup component add "${component#*:}" || fail "rustup could not add ${component#*:}"
    fi
done
tests/install_vulkan.sh
swiftshader=$(tests/install_targets.sh)
tests/install_browser.sh

step cargo fmt --check
# The torture is no part of --all-targets.
step cargo clippy --all-targets --test torture -- -D warnings
step env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
step cargo test
# A crate with an op of its own, on the adapter that the tests use, and what its README's part says.
own_op="cargo run --manifest-path examples/own_op/Cargo.toml --target-dir target --"
step cargo fmt --check --manifest-path examples/own_op/Cargo.toml
step cargo test --manifest-path examples/own_op/Cargo.toml --target-dir target
step $own_op check
step $own_op check --mutants 20
step tests/examples.sh
# What failed once, and a short campaign: in the profile of the tests, whose dependencies are compiled, and with their
# program.
step cargo fmt --check --manifest-path fuzz/Cargo.toml
step cargo run --manifest-path fuzz/Cargo.toml --target-dir target -- --inputs 20000
# A second driver, and Vulkan's validation layers, in one go.
step env VK_DRIVER_FILES="$swiftshader" tests/validation.sh

# Three minutes of what takes hours where somebody wants to know more.
step tests/torture.sh 3

say
say "== cargo run --release -- train"
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
cd "$temporary"
# Its corpus is made anew as well.
XDG_CACHE_HOME=$temporary/cache cargo run --release --manifest-path "$root/Cargo.toml" -- train > printed ||
    fail "training failed: the reason stands above"
cat printed
bleu=$(sed -n 's/^best epoch .* BLEU ([^)]*) \([0-9][0-9.]*\)$/\1/p' printed)
[ -n "$bleu" ] || fail "training printed no line \"best epoch ..., BLEU (...) ...\""
awk "BEGIN { exit !($bleu > 80) }" || fail "training reached BLEU $bleu; expected more than 80"
passed "training"

say
say "All tests passed in $(($(date +%s) - started)) s, and the quick start's translator reached BLEU $bleu."
