//! Command lines, which the program itself reads: `wgrad` beside the driver, else `target/release/wgrad`. Each gets a
//! folder of its own.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, ExitStatus};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;

use super::Fuzzed;
use crate::mutate::{Edits, Fragment, Number};
use crate::parts;
use crate::seeds::{RUN, TEXT};
use crate::worker::processor_seconds;

/// Subcommands with arguments that are in order.
const COMMANDS: [&str; 14] = [
    "translate run --device cpu",
    "translate run --device cpu --beam 1",
    "evaluate run --src text/val.de --ref text/val.en --device cpu",
    "dump run --batch batch.safetensors --out out.safetensors --device cpu",
    "init --preset tiny --src-vocab 9 --tgt-vocab 8 --out new",
    "graph --preset rnn --steps 3 --format dot",
    "graph --preset tiny --out graph.svg",
    "data captions --pairs 30 --seed 2 --out new",
    "devices",
    "check --op tanh --case 1 --device cpu",
    "check --plan tiny --device nowhere --shaders shaders",
    "bench --device nowhere",
    "train --data text --preset tiny --set train.epochs=1 --out new --device cpu",
    "train --resume run --data text --set train.epochs=2 --device cpu",
];

/// Those that go on as long as they are told to.
const LONG: [&str; 4] = ["train", "bench", "check", "data"];

const FLAGS: [&str; 32] = [
    "--device",
    "--beam",
    "--length-penalty",
    "--src",
    "--ref",
    "--lowercase",
    "--json",
    "--batch",
    "--out",
    "--preset",
    "--set",
    "--src-vocab",
    "--tgt-vocab",
    "--seed",
    "--steps",
    "--format",
    "--pairs",
    "--op",
    "--case",
    "--plan",
    "--report",
    "--shaders",
    "--webgpu-limits",
    "--cases",
    "--step",
    "--data",
    "--config",
    "--print-config",
    "--resume",
    "--verbose",
    "-v",
    "--help",
];

const WORDS: [&str; 24] = [
    "cpu",
    "run",
    "text",
    "new",
    "text/val.de",
    "my.toml",
    "shaders",
    "batch.safetensors",
    "tiny",
    "transformer",
    "svg",
    "full",
    "quick",
    "tanh",
    "train.epochs=1",
    "model.hidden=3",
    "model.layers=2147483648",
    "model.embedding=4611686018427387904",
    "data.source=en",
    "train.batch.tokens=64",
    "runs",
    "run/config.toml",
    "nowhere",
    "-",
];

#[derive(Arbitrary, Debug)]
enum Argument {
    Flag(u8),
    Word(u8),
    Number(Number),
    Strange(Fragment),
    /// `--flag=number`
    Joined(u8, Number),
    Set(u8, Number),
}

const KEYS: [&str; 12] = [
    "model.hidden",
    "model.embedding",
    "model.layers",
    "data.source_vocabulary",
    "data.max_tokens",
    "train.batch.sentences",
    "train.batch.tokens",
    "train.seed",
    "train.learning_rate",
    "train.log_every",
    "train.checkpoint_every",
    "train.average_epochs",
];

impl Argument {
    fn bytes(&self) -> Vec<u8> {
        let flag = |which: u8| FLAGS[usize::from(which) % FLAGS.len()];
        match self {
            Self::Flag(which) => flag(*which).into(),
            Self::Word(which) => WORDS[usize::from(*which) % WORDS.len()].into(),
            Self::Number(number) => number.text().into(),
            Self::Strange(fragment) => harmless(fragment.bytes()),
            Self::Joined(which, number) => format!("{}={}", flag(*which), number.text()).into(),
            Self::Set(which, number) => {
                format!("--set={}={}", KEYS[usize::from(*which) % KEYS.len()], number.text()).into()
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Change {
    Insert(u8, Argument),
    Replace(u8, Argument),
    Remove(u8),
    Double(u8),
    Swap(u8, u8),
    Bytes(u8, Edits),
}

#[derive(Arbitrary, Debug)]
pub struct Command {
    which: u8,
    changes: [Change; 3],
    count: u8,
    input: Edits,
    strange_input: bool,
}

/// No argument may reach outside the folder.
fn harmless(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.retain(|byte| *byte != 0);
    bytes.iter_mut().filter(|byte| **byte == b'/').for_each(|byte| *byte = b'_');
    // Two dots lead nowhere without a slash, but for the folder above itself.
    if bytes.windows(2).any(|pair| pair == b"..") { b"dots".to_vec() } else { bytes }
}

impl Change {
    fn apply(&self, arguments: &mut Vec<Vec<u8>>) {
        let place = |which: &u8| usize::from(*which) % arguments.len().max(1);
        match self {
            Self::Insert(at, argument) => arguments.insert(usize::from(*at) % (arguments.len() + 1), argument.bytes()),
            _ if arguments.is_empty() => {}
            Self::Replace(at, argument) => {
                let at = place(at);
                arguments[at] = argument.bytes();
            }
            Self::Remove(at) => drop(arguments.remove(place(at))),
            Self::Double(at) => {
                let at = place(at);
                arguments.insert(at, arguments[at].clone());
            }
            Self::Swap(one, other) => {
                let (one, other) = (place(one), place(other));
                arguments.swap(one, other);
            }
            Self::Bytes(at, edits) => {
                let at = place(at);
                arguments[at] = harmless(edits.apply(arguments[at].clone()));
            }
        }
    }
}

impl Fuzzed for Command {
    fn case(&self) -> Vec<u8> {
        let words = COMMANDS[usize::from(self.which) % COMMANDS.len()].split(' ');
        let mut arguments: Vec<Vec<u8>> = words.map(|word| word.as_bytes().to_vec()).collect();
        for change in self.changes.iter().take(usize::from(self.count % 4)) {
            change.apply(&mut arguments);
        }
        let input = TEXT.source[..3].join("\n").into_bytes();
        let input = if self.strange_input { self.input.apply(input) } else { input };
        let mut all = vec![("input", &input[..])];
        all.extend(arguments.iter().map(|argument| ("argument", &argument[..])));
        parts::join(&all)
    }

    fn judge(case: &[u8]) -> bool {
        let parts = parts::split(case);
        let arguments: Vec<OsString> = parts[1..].iter().map(|(_, bytes)| OsString::from_vec(bytes.to_vec())).collect();
        let folder = super::scratch().join("command");
        furnish(&folder);
        fs::write(folder.join("input"), parts[0].1).expect("a temporary file");
        let long = LONG.iter().any(|command| arguments.iter().any(|argument| argument == command));
        let ended = run(&folder, &arguments, long);
        fs::remove_dir_all(&folder).expect("a temporary folder");
        // Too many arguments for this system, or told to go on for long.
        let Some((status, said)) = ended else { return false };
        assert!(!said.contains("panicked at"), "it panics: {said}");
        assert!(status.signal().is_none(), "it ends by signal {:?}: {said}", status.signal());
        let code = status.code().expect("no signal");
        assert!((0..=2).contains(&code), "it ends with {code}: {said}");
        // Without a command it answers with the help.
        let helps = code == 2 && said.contains("Usage: wgrad <COMMAND>");
        assert!(code == 0 || helps || said.contains("error:"), "it ends with {code} and does not say why: {said}");
        code == 0
    }
}

/// What commands read: a corpus, a run, a batch, shaders and a configuration.
fn furnish(folder: &Path) {
    for sub in ["text", "run", "shaders"] {
        fs::create_dir_all(folder.join(sub)).expect("a temporary folder");
    }
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("a temporary file");
    for split in ["train", "val", "test"] {
        write(&format!("text/{split}.de"), TEXT.source.join("\n").as_bytes());
        write(&format!("text/{split}.en"), TEXT.target.join("\n").as_bytes());
    }
    for (name, file) in RUN.iter() {
        write(&format!("run/{name}"), file);
    }
    write("batch.safetensors", &super::batch::SEED);
    write("my.toml", b"[model]\nhidden = 6\n");
    let (name, text) = super::shaders::files()[0];
    write(&format!("shaders/{name}.wgsl"), text.as_bytes());
}

/// The program, where `cargo build --release` puts it.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let own = std::env::current_exe().expect("this program's file");
    let beside = own.with_file_name("wgrad");
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/wgrad");
    let found = [beside, built].into_iter().find(|path| path.is_file());
    found.expect("there is no program beside this one; expected `wgrad` there: run `cargo build` first")
});

/// How it ended and what it said, or `None` if it cannot be started so or goes on for long as it may.
fn run(folder: &Path, arguments: &[OsString], long: bool) -> Option<(ExitStatus, String)> {
    let file = |name: &str| fs::File::create(folder.join(name)).expect("a temporary file");
    let mut child = Process::new(&*PROGRAM)
        .args(arguments)
        .current_dir(folder)
        .stdin(fs::File::open(folder.join("input")).expect("the input"))
        .stdout(file("stdout"))
        .stderr(file("stderr"))
        .env("HOME", folder)
        .env("XDG_CACHE_HOME", super::scratch().join("cache"))
        // No driver: what a graphics adapter computes is not looked at here.
        .env("VK_DRIVER_FILES", folder.join("none"))
        .env("RUST_BACKTRACE", "0")
        .spawn()
        .ok()?;
    let status = wait(&mut child, long)?;
    let mut said = vec![];
    fs::File::open(folder.join("stderr")).and_then(|mut file| file.read_to_end(&mut said)).expect("a temporary file");
    Some((status, String::from_utf8_lossy(&said).into_owned()))
}

fn wait(child: &mut Child, long: bool) -> Option<ExitStatus> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().expect("a child of this process") {
            return Some(status);
        }
        let limit = if long { 3.0 } else { 10.0 };
        if processor_seconds(child.id()) > limit || begun.elapsed() > Duration::from_secs(60) {
            // One that has ended meanwhile is as good.
            let _ = child.kill();
            let _ = child.wait();
            assert!(long, "it goes on for more than 10 seconds");
            return None;
        }
        std::thread::sleep(pause);
        pause = (2 * pause).min(Duration::from_millis(50));
    }
}
