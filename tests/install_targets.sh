#!/bin/sh
# Installs what judges wgrad on targets whose hardware is not here, where it is missing: spirv-val; DXC, Microsoft's compiler for Direct3D 12; and SwiftShader,
# a second Vulkan driver (subgroups of 4, where llvmpipe has 8). Prints the path of SwiftShader's manifest, which VK_DRIVER_FILES takes.
#
# SwiftShader comes with Chromium. Debian's chromium-common has it (26 MB) without the browser. DXC comes for Linux in a Python package, compushady (67 MB), of
# which nothing is installed but that library.
set -eu
. "$(dirname "$0")/system.sh"

swiftshader() {
    for manifest in /usr/lib*/chromium*/vk_swiftshader_icd.json /opt/google/chrome/vk_swiftshader_icd.json; do
        [ ! -e "$manifest" ] || { echo "$manifest"; return; }
    done
    return 1
}

# Where tests/targets/dxc.rs looks for it
dxc=/usr/local/lib/wgrad/libdxcompiler-1.6.so

install_dxc() {
    say "installing DXC"
    python3 -m pip --version > /dev/null 2>&1 || install_packages "pip, which DXC comes by" python3-pip python3-pip python-pip
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    # The sum is checked before anything else is done with the file.
    echo "compushady==0.17.5 --hash=sha256:5052caf9e955d8e7a48e22f536e82b44b72e83af46e824a9e99157c7809de691" > "$folder/wanted"
    python3 -m pip download -q --no-deps --no-binary :all: --require-hashes -d "$folder" -r "$folder/wanted" >&2 &&
        tar -xzf "$folder/compushady-0.17.5.tar.gz" -C "$folder" --strip-components=3 \
            "compushady-0.17.5/compushady/backends/libdxcompiler_$(uname -m).so.3.7" &&
        as_root install -D -m 644 "$folder/libdxcompiler_$(uname -m).so.3.7" $dxc ||
        fail "DXC could not be installed: put the one that the Python package compushady 0.17.5 has to $dxc"
}

[ "$(uname -s)" = Linux ] || fail "these checks run on Linux only"
have spirv-val || install_packages spirv-val spirv-tools spirv-tools spirv-tools
[ -e $dxc ] || install_dxc
swiftshader > /dev/null || install_packages SwiftShader chromium-common chromium chromium
swiftshader || fail "vk_swiftshader_icd.json is missing after the installation of Chromium: does this system's come without SwiftShader?"
