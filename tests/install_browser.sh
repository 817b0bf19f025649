#!/bin/sh
# Installs what looks at wgrad's pages as a person would, where it is missing: headless Chromium, playwright-core, which
# drives it, and axe-core, which judges whether a screen reader and a keyboard get through. Debian's
# chromium-headless-shell is the browser without windows (150 MB); the two libraries are one file or folder each.
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
sum=86a3e9cfb6e548c3f1595768784d728814b35ec2a254e77693e9230af994cb00
sum=${sum}f618f3b60ddf477dc5a7abd34dd061db3590c5819f497c116bf97e7f04ba34ab
[ -e $libraries/playwright-core-1.65.1 ] || library playwright-core 1.65.1 $sum
sum=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73
sum=${sum}4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
[ -e $libraries/axe-core-4.14.1 ] || library axe-core 4.14.1 $sum
have chromium-headless-shell || have chromium || have google-chrome ||
    install_packages "headless Chromium" chromium-headless-shell chromium-headless chromium
