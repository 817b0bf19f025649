//! What the tests of the command line share: a folder of their own, and the program to run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder that is gone after the test. Commands run in it, so that relative names reach its files.
pub struct Sandbox(TempDir);

impl Sandbox {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// With the folder `data`: so many training pairs of captions, 20 of validation and 20 of test.
    pub fn with_captions(pairs: usize) -> Self {
        let sandbox = Self::new();
        sandbox.succeed(&format!("data captions --pairs {pairs} --out data"));
        for split in ["val.de", "val.en", "test.de", "test.en"] {
            let path = sandbox.path(&format!("data/{split}"));
            let text = fs::read_to_string(&path).expect("captions");
            fs::write(path, text.split_inclusive('\n').take(20).collect::<String>()).expect("a smaller file");
        }
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap_or_else(|e| panic!("{name}: {e}"));
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Every file below the folder and its contents.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn collect(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    collect(&path, into);
                } else {
                    into.insert(path.clone(), fs::read(&path).expect("a file"));
                }
            }
        }
        let mut files = BTreeMap::new();
        collect(self.0.path(), &mut files);
        files
    }

    /// `wgrad` with these arguments, separated by spaces, and standard input from a file.
    pub fn wgrad(&self, arguments: &str, input: Option<&str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wgrad"));
        let input = input.map_or(Stdio::null(), |name| fs::File::open(self.path(name)).expect("the input").into());
        command
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .stdin(input)
            .env("RUST_BACKTRACE", "0")
            // Where the corpus that comes with wgrad would be made.
            .env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// What `wgrad` with these arguments prints; panics unless it succeeds.
    pub fn succeed(&self, arguments: &str) -> String {
        let output = self.wgrad(arguments, None).output().expect("wgrad runs");
        assert!(output.status.success(), "wgrad {arguments}: {}", stderr(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
