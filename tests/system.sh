# Sourced by the scripts beside it: installing packages of this system.

say() {
    echo "$*" >&2
}

fail() {
    say "error: $*"
    exit 1
}

have() {
    command -v "$1" > /dev/null 2>&1
}

# Runs a command as root: through sudo for other users. sudo asks for a password only where somebody can type it.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif ! have sudo; then
        say "this needs root, and there is no sudo; as root, run: $*"
        return 1
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@" || {
            say "this needs root, and there is no terminal to ask for sudo's password; run: sudo $*"
            return 1
        }
    fi
}

# The same on Debian and its kin. No question is asked.
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"
}

# install_packages WHAT FOR_APT FOR_DNF FOR_PACMAN: each a list of packages, separated by spaces.
install_packages() {
    say "installing $1"
    # The lists are split into words on purpose.
    if have apt-get; then
        # A third party's source may be out of order; what is needed here may come from another.
        apt update || say "apt-get update had errors, trying all the same"
        apt install -y --no-install-recommends $2
    elif have dnf; then
        as_root dnf install -y -q $3
    elif have pacman; then
        as_root pacman -S --needed --noconfirm $4
    else
        false
    fi || fail "$1 could not be installed; install $2 (Debian, Ubuntu), $3 (Fedora) or $4 (Arch)," \
        "or what this system calls them, then try again"
}

# npm_package NAME VERSION SUM FOLDER: downloads a package of npm's registry to FOLDER/NAME.tgz, and checks its sum, the
# registry's own `integrity` in hexadecimal, before anything else is done with it.
npm_package() {
    have npm || install_packages "npm, which $1 comes by" npm nodejs-npm npm
    npm pack --silent --cache "$4/cache" --pack-destination "$4" "$1@$2" > /dev/null &&
        mv "$4/$1-$2.tgz" "$4/$1.tgz" && echo "$3  $4/$1.tgz" | sha512sum --check --quiet >&2
}

# Node 18 or later; Debian 12 has 18.
require_node() {
    have node || install_packages Node nodejs nodejs nodejs
    node -e 'process.exit(Number.parseInt(process.versions.node) < 18 ? 1 : 0)' ||
        fail "the tests need Node 18 or later, and this is $(node --version)"
}
