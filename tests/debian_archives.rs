//! Where `tests/install_vulkan.sh` takes Mesa from: what apt says of its sources decides, here a stand-in for apt.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// What `debian_archives` prints where apt has these lists, before its update and after.
fn archives(before: &str, after: &str, arguments: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("lists"), before).expect("a file");
    fs::write(path("updated"), after).expect("a file");
    let apt = "#!/bin/sh\ncase \" $* \" in\n*\" update \"*) exec cp \"$LISTS/updated\" \"$LISTS/lists\" ;;\n\
               *\" indextargets \"*) exec cat \"$LISTS/lists\" ;;\nesac\nexit 1\n";
    // As root it is called by its name, for others by sudo's.
    for (name, script) in [("apt-get", apt), ("sudo", "#!/bin/sh\n[ \"$1\" != -n ] || shift\nexec \"$@\"\n")] {
        fs::write(path(name), script).expect("a file");
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).expect("a program");
    }
    let output = Command::new("sh")
        .args(["-euc", &format!(". tests/system.sh; . tests/debian_archives.sh; debian_archives {arguments}")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("LISTS", folder.path())
        .env("PATH", format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a path")))
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

const MIRROR: &str = "Debian http://mirror.example/debian/ bookworm\n\
                      Debian http://mirror.example/debian/ bookworm-updates\n\
                      Debian http://mirror.example/security/ bookworm-security\n\
                      Docker https://docker.example/ bookworm\n";

#[test]
fn the_mirror_is_the_one_that_the_system_uses() {
    let from_mirror = [
        "http://mirror.example/debian/ bookworm",
        "http://mirror.example/debian/ bookworm-updates",
        "http://mirror.example/security/ bookworm-security",
        "http://mirror.example/debian/ bookworm-backports",
    ];
    assert_eq!(archives(MIRROR, "", ""), from_mirror);
    // Before the first update apt knows nothing.
    assert_eq!(archives("", MIRROR, ""), from_mirror);
    let listed = format!("{MIRROR}Debian http://backports.example/ bookworm-backports\n");
    assert_eq!(archives(&listed, "", "")[3], "http://backports.example/ bookworm-backports");
    assert_eq!(archives(&listed, "", "http://other.example/")[3], "http://other.example/ bookworm-backports");
    let few = "Debian http://mirror.example/debian/ bookworm\n";
    assert_eq!(archives(few, "", ""), [from_mirror[0], from_mirror[3]]);
}

#[test]
fn without_sources_it_is_the_usual_one() {
    let usual = [
        "http://deb.debian.org/debian/ bookworm",
        "http://deb.debian.org/debian/ bookworm-updates",
        "http://deb.debian.org/debian-security/ bookworm-security",
        "http://deb.debian.org/debian/ bookworm-backports",
    ];
    assert_eq!(archives("", "Docker https://docker.example/ bookworm\n", ""), usual);
}
