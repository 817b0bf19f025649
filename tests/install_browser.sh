#!/bin/sh
# Installs what looks at wgrad's pages as a person would, where it is missing: headless Chromium, playwright-core, which
# drives it, and axe-core, which judges whether a screen reader and a keyboard get through. Debian's
# chromium-headless-shell is the browser without windows (150 MB); the two libraries are one file or folder each.
# playwright-core 1.60 runs in Node 18, which Debian 12 comes with; 1.62 and later do not.
set -eu
. "$(dirname "$0")/system.sh"

# Where tests/report/browser.js looks for them
libraries=/usr/local/lib/wgrad/browser

library() {
    say "installing $1"
    npm_package "$1" "$2" "$3" "$folder" && mkdir -p "$folder/$1" &&
        tar -xzf "$folder/$1.tgz" -C "$folder/$1" --strip-components=1 &&
        as_root mkdir -p $libraries && as_root cp -R "$folder/$1" "$libraries/$1-$2" ||
        fail "$1 could not be installed: put what the npm package $1 $2 has to $libraries/$1-$2"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
require_node
sum=f5b5bacef5ff9b49446e04ca27a629a4e2b1f07dd538f04c382161da2ad714e4
sum=${sum}f805b1e0af1e613e3c0960b4f8d0bbbee2ab43dfaa8a73f1e7e7a4ad516e7b20
[ -e $libraries/playwright-core-1.60.0 ] || library playwright-core 1.60.0 $sum
sum=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73
sum=${sum}4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
[ -e $libraries/axe-core-4.14.1 ] || library axe-core 4.14.1 $sum
have chromium-headless-shell || have chromium || have google-chrome ||
    install_packages "headless Chromium" chromium-headless-shell chromium-headless chromium
