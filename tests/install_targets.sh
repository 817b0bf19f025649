#!/bin/sh
# Installs what judges wgrad on targets whose hardware is not here, where it is missing: spirv-val; DXC, Microsoft's
# compiler for Direct3D 12; Dawn, Chrome's WebGPU, with its compiler of WGSL; and SwiftShader, a second Vulkan driver
# (subgroups of 4, where llvmpipe has 8). Prints the path of SwiftShader's manifest, which VK_DRIVER_FILES takes.
#
# SwiftShader comes with Chromium. Debian's chromium-common has it (26 MB) without the browser. DXC comes for Linux in a
# Python package, compushady (67 MB), and Dawn in one for Node, webgpu (42 MB); of both nothing is installed but that
# library.
set -eu
. "$(dirname "$0")/system.sh"

swiftshader() {
    for manifest in /usr/lib*/chromium*/vk_swiftshader_icd.json /opt/google/chrome/vk_swiftshader_icd.json; do
        [ ! -e "$manifest" ] || { echo "$manifest"; return; }
    done
    return 1
}

# Where tests/targets/dxc.rs and dawn.rs look for them
dawn=/usr/local/lib/wgrad/dawn-0.6.2.node
dxc=/usr/local/lib/wgrad/libdxcompiler-1.6.so

install_dxc() {
    say "installing DXC"
    python3 -m pip --version > /dev/null 2>&1 ||
        install_packages "pip, which DXC comes by" python3-pip python3-pip python-pip
    # The sum is checked before anything else is done with the file.
    echo "compushady==0.17.5 --hash=sha256:5052caf9e955d8e7a48e22f536e82b44b72e83af46e824a9e99157c7809de691" \
        > "$folder/wanted"
    python3 -m pip download -q --no-deps --no-binary :all: --require-hashes -d "$folder" -r "$folder/wanted" >&2 &&
        tar -xzf "$folder/compushady-0.17.5.tar.gz" -C "$folder" --strip-components=3 \
            "compushady-0.17.5/compushady/backends/libdxcompiler_$(uname -m).so.3.7" &&
        as_root install -D -m 644 "$folder/libdxcompiler_$(uname -m).so.3.7" $dxc ||
        fail "DXC could not be installed: put the one that the Python package compushady 0.17.5 has to $dxc"
}

install_dawn() {
    say "installing Dawn"
    case $(uname -m) in
    x86_64) library=package/dist/linux-x64/dawn.node ;;
    aarch64) library=package/dist/linux-arm64/dawn.node ;;
    *) fail "Dawn comes for x86_64 and aarch64 only" ;;
    esac
    sum=dcbe067e6a892ef6142045899e011063ed87422525005920f3e3fc3430e3dd7c
    sum=${sum}798471c814efebf095beca77ea063ee41cde266e7c0eef8b81fa5ad1b4b869e1
    npm_package webgpu 0.6.2 $sum "$folder" && tar -xzf "$folder/webgpu.tgz" -C "$folder" "$library" &&
        as_root install -D -m 644 "$folder/$library" $dawn ||
        fail "Dawn could not be installed: put $library of the npm package webgpu 0.6.2 to $dawn"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
[ "$(uname -s)" = Linux ] || fail "these checks run on Linux only"
have spirv-val || install_packages spirv-val spirv-tools spirv-tools spirv-tools
[ -e $dxc ] || install_dxc
require_node
[ -e $dawn ] || install_dawn
swiftshader > /dev/null || install_packages SwiftShader chromium-common chromium chromium
swiftshader ||
    fail "vk_swiftshader_icd.json is missing after the installation of Chromium:" \
        "does this system's come without SwiftShader?"
