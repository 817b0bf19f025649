//! What the tests of bad input share: `wgrad` refuses, and nothing of the user's is touched.

use std::process::Command;

use super::cli::{Sandbox, stderr};

impl Sandbox {
    /// Runs `wgrad`, which must refuse: exit status 1, or 2 for a command line that makes no sense; an `error:` with
    /// all of these parts; and no file created, changed or removed.
    #[track_caller]
    pub fn refuse(&self, arguments: &str, parts: &[&str]) -> String {
        self.refuse_command(self.wgrad(arguments, None), parts)
    }

    #[track_caller]
    pub fn refuse_command(&self, mut command: Command, parts: &[&str]) -> String {
        let before = self.files();
        let output = command.output().expect("wgrad runs");
        let message = stderr(&output);
        let wrong_usage = message.contains("try '--help'");
        assert_eq!(output.status.code(), Some(1 + i32::from(wrong_usage)), "{message}");
        let error = message.find("error: ").map_or("", |at| &message[at..]);
        for part in parts {
            assert!(error.contains(part), "`{part}` is not in\n{message}");
        }
        assert!(self.files() == before, "files changed after\n{message}");
        error.to_owned()
    }
}
