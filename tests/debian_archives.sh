# Sourced by install_vulkan.sh, after system.sh: where this system takes Debian 12 from.

# debian_archives [URI]: a line "URI SUITE" for each suite of Debian 12 that apt has sources of, in whatever format they
# are written. The last is for backports: from URI if it is given, else from where the system has them, else from beside
# the distribution itself. Where apt knows of no Debian, all are deb.debian.org's.
debian_archives() {
    known=$(debian_suites)
    if [ -z "$known" ]; then
        # Images of containers come without lists.
        apt update >&2 || say "apt-get update had errors, trying all the same"
        known=$(debian_suites)
    fi
    [ -n "$known" ] || known="http://deb.debian.org/debian/ bookworm
http://deb.debian.org/debian/ bookworm-updates
http://deb.debian.org/debian-security/ bookworm-security"
    for suite in bookworm bookworm-updates bookworm-security; do
        archive=$(archive_of $suite)
        [ -z "$archive" ] || echo "$archive $suite"
    done
    backports=${1:-$(archive_of bookworm-backports)}
    backports=${backports:-$(archive_of bookworm)}
    echo "${backports:-http://deb.debian.org/debian/} bookworm-backports"
}

# What apt has lists of. Other archives have suites of the same names, but another origin.
debian_suites() {
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(CODENAME)' 'Created-By: Packages' 'Component: main' |
        sed -n 's/^Debian \(.* bookworm[a-z-]*\)$/\1/p'
}

archive_of() {
    echo "$known" | sed -n "s/ $1\$//p" | head -n 1
}
