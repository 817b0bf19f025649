#!/bin/sh
# Installs what judges wgrad on targets whose hardware is not here, where it is missing: spirv-val, and SwiftShader, a second Vulkan driver (subgroups
# of 4, where llvmpipe has 8). Prints the path of SwiftShader's manifest, which VK_DRIVER_FILES takes.
#
# SwiftShader comes with Chromium. Debian's chromium-common has it (26 MB) without the browser.
set -eu
. "$(dirname "$0")/system.sh"

swiftshader() {
    for manifest in /usr/lib*/chromium*/vk_swiftshader_icd.json /opt/google/chrome/vk_swiftshader_icd.json; do
        [ ! -e "$manifest" ] || { echo "$manifest"; return; }
    done
    return 1
}

[ "$(uname -s)" = Linux ] || fail "these checks run on Linux only"
have spirv-val || install_packages spirv-val spirv-tools spirv-tools spirv-tools
swiftshader > /dev/null || install_packages SwiftShader chromium-common chromium chromium
swiftshader || fail "vk_swiftshader_icd.json is missing after the installation of Chromium: does this system's come without SwiftShader?"
