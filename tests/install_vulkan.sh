#!/bin/sh
# Installs the Vulkan loader and a software adapter, Mesa's llvmpipe, where they are missing: the tests of the shaders
# run on it, so that they need no GPU. Does nothing in no time where both are there.
#
# On Debian 12 Mesa comes from bookworm-backports: its version 25 runs our kernels 5 to 8 times as fast as Debian's own
# version 22. It is taken from the mirror that the system uses, whose package sources stay as they are.
set -eu
. "$(dirname "$0")/system.sh"
. "$(dirname "$0")/debian_archives.sh"

LOADER_APT=libvulkan1
MESA_APT=mesa-vulkan-drivers

# The loader, the system's or one that LD_LIBRARY_PATH names.
loader() {
    PATH="$PATH:/usr/sbin:/sbin" ldconfig -p 2> /dev/null | grep -q 'libvulkan\.so\.1 ' && return
    for folder in $(echo "${LD_LIBRARY_PATH:-}" | tr : ' ') /usr/lib /usr/lib64 /usr/lib/*-linux-gnu* /usr/local/lib; do
        [ ! -e "$folder/libvulkan.so.1" ] || return 0
    done
    return 1
}

# llvmpipe's manifest, where the loader looks for it.
llvmpipe() {
    for folder in "${XDG_DATA_HOME:-$HOME/.local/share}" /usr/local/etc /usr/local/share /etc /usr/share; do
        for manifest in "$folder"/vulkan/icd.d/lvp_icd*.json; do
            [ ! -e "$manifest" ] || return 0
        done
    done
    return 1
}

mesa_version() {
    dpkg-query -W -f '${Version}' $MESA_APT 2> /dev/null
}

debian_12() {
    have apt-get && [ -r /etc/os-release ] &&
        (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ])
}

# Whether llvmpipe is the slow one, for which there is a faster one.
outdated() {
    debian_12 && version=$(mesa_version) && dpkg --compare-versions "$version" lt 25
}

# Mesa from bookworm-backports, by package sources and package lists that are gone afterwards.
install_backport() {
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -r $key ] || { say "$key is missing, so bookworm-backports cannot be trusted"; return 1; }
    temporary=$(mktemp -d)
    trap 'as_root rm -rf "$temporary"' EXIT
    # apt reads it as a user of its own.
    chmod 755 "$temporary"
    mkdir -p "$temporary/lists/partial"
    say "installing the Vulkan loader, and Mesa from bookworm-backports"
    # A mirror need not have backports.
    install_from "$(debian_archives)" || install_from "$(debian_archives http://deb.debian.org/debian/)"
}

# install_from ARCHIVES: lines as debian_archives writes them.
install_from() {
    echo "$1" | sed "s|.*|deb [signed-by=$key] & main|" > "$temporary/sources.list"
    set -- -o Dir::Etc::SourceList="$temporary/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$temporary/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    apt "$@" update && apt "$@" install -y --no-install-recommends $LOADER_APT &&
        apt "$@" install -y --no-install-recommends -t bookworm-backports $MESA_APT
}

case $(uname -s) in
Linux) ;;
Darwin)
    say "Vulkan: not needed, macOS brings Metal"
    exit
    ;;
*) fail "Vulkan can be installed on Linux only; elsewhere the driver of the GPU brings what is needed" ;;
esac

if loader && llvmpipe && ! outdated; then
    say "Vulkan: the loader and llvmpipe are installed"
    exit
fi
if debian_12 && ! install_backport; then
    say "Mesa of bookworm-backports could not be installed; Debian's own will do, but slowly"
fi
if ! loader || ! llvmpipe; then
    install_packages "the Vulkan loader and llvmpipe" "$LOADER_APT $MESA_APT" "vulkan-loader mesa-vulkan-drivers" \
        "vulkan-icd-loader vulkan-swrast"
fi
loader || fail "libvulkan.so.1 is missing after its installation"
llvmpipe ||
    fail "lvp_icd*.json is missing after the installation of Mesa: does this system's Mesa come without llvmpipe?"
say "Vulkan: the loader and llvmpipe are installed"
