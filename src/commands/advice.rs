//! What to type about an error. The library says what is wrong in its own terms; the flags and commands that help are
//! those of the command line, and stand here.

use std::error::Error;

use crate::bench::BenchError;
use crate::decode::DecodeError;
use crate::gpu::OpenError;
use crate::plan::DeviceError;
use crate::shell::word;
use crate::text::TextError;
use crate::train::TrainError;
use crate::train::config::ConfigError;
use crate::train::dump::DumpError;
use crate::train::footprint::NoRoom;
use crate::train::metrics::MetricsError;
use crate::train::run_directory::RunError;
use crate::tune::StudyError;
use crate::tune::study::SEED;

use super::program;

const CPU: &str = "--device cpu takes the CPU";
const ANOTHER_FOLDER: &str = "--out DIR takes another folder";
const A_FOLDER: &str = "--out DIR names it";
const KEYS: &str = "--set KEY=VALUE changes a key";

/// An error as a person sees it: with all that led to it, and the advice behind it.
pub fn told(error: &anyhow::Error) -> String {
    match error.chain().find_map(of) {
        Some(advice) => format!("{error:#}. {advice}"),
        None => format!("{error:#}"),
    }
}

/// The advice on one error of the library's. What an error is made of is looked at here too: one that says no more than
/// its part hides that from the chain.
fn of(error: &(dyn Error + 'static)) -> Option<String> {
    let kinds: [fn(&(dyn Error + 'static)) -> Option<String>; 11] = [
        |error| error.downcast_ref().and_then(train),
        |error| error.downcast_ref().and_then(run),
        |error| error.downcast_ref().and_then(config),
        |error| error.downcast_ref().and_then(text),
        |error| error.downcast_ref().and_then(metrics),
        |error| error.downcast_ref().and_then(device),
        |error| error.downcast_ref().map(open),
        |error| error.downcast_ref().and_then(decode),
        |error| error.downcast_ref().and_then(dump),
        |error| error.downcast_ref().and_then(bench),
        |error| error.downcast_ref().and_then(study),
    ];
    kinds.iter().find_map(|kind| kind(error)).or_else(|| error.is::<NoRoom>().then(|| KEYS.into()))
}

fn train(error: &TrainError) -> Option<String> {
    match error {
        TrainError::NoRoom(_) => Some(KEYS.into()),
        TrainError::Device(error) => device(error),
        TrainError::Metrics(error) => metrics(error),
        TrainError::Run(error) => run(error),
        TrainError::Decode(error) => decode(error),
        TrainError::Text(error) => text(error),
        TrainError::Changed { .. } | TrainError::Reconfigured { .. } => Some(ANOTHER_FOLDER.into()),
        _ => None,
    }
}

fn run(error: &RunError) -> Option<String> {
    match error {
        RunError::Exists { .. } | RunError::Locked { .. } | RunError::Missing { .. } => Some(ANOTHER_FOLDER.into()),
        RunError::Run { path } => {
            Some(format!("`{} train --resume {}` resumes it; {ANOTHER_FOLDER}", program(), word(path)))
        }
        RunError::NotAFolder { .. } => Some("--out DIR takes another name".into()),
        RunError::NotARun { .. } => Some("Training creates one under the name given by --out".into()),
        RunError::NoModel { path } => Some(format!(
            "`{} train --resume {}` resumes it; --set train.epochs=N gives it more epochs",
            program(),
            word(path)
        )),
        RunError::NoCheckpoint { .. } => Some(A_FOLDER.into()),
        RunError::Fixed { .. } => Some("With --resume, --set takes only those; --out DIR begins another run".into()),
        RunError::Config(error) => config(error),
        _ => None,
    }
}

fn config(error: &ConfigError) -> Option<String> {
    match error {
        ConfigError::Kind { example, .. } => Some(format!("--preset {example} takes that one")),
        _ => None,
    }
}

fn text(error: &TextError) -> Option<String> {
    match error {
        TextError::EmptyVocabulary { .. } => Some("--set data.min_frequency=1 takes every word".into()),
        TextError::MissingFile { hint, .. } if !hint.assignments().is_empty() => {
            let flags: Vec<String> =
                hint.assignments().iter().map(|assignment| format!("--set {assignment}")).collect();
            Some(format!("Say so with {}", flags.join(" ")))
        }
        _ => None,
    }
}

fn metrics(error: &MetricsError) -> Option<String> {
    matches!(error, MetricsError::Changed { .. }).then(|| ANOTHER_FOLDER.into())
}

fn device(error: &DeviceError) -> Option<String> {
    match error {
        DeviceError::OutOfMemory { device, .. } => {
            // By its name, or as it describes itself: "cpu (2 threads)".
            let other = if device.split(' ').next() == Some("cpu") { "" } else { ", or --device cpu" };
            Some(format!("Take --set train.batch.sentences=64{other}"))
        }
        DeviceError::Lost { .. } => Some("Continue with --resume, perhaps with --device cpu".into()),
        DeviceError::Validation { .. } => Some(format!("Add the output of `wgrad devices --json`; {CPU}")),
        _ => None,
    }
}

fn open(error: &OpenError) -> String {
    match error {
        OpenError::Unknown { .. } => "Choose one with --device NAME".into(),
        OpenError::NoAdapter | OpenError::Refused { .. } => CPU.into(),
    }
}

fn decode(error: &DecodeError) -> Option<String> {
    match error {
        DecodeError::Device(error) => device(error),
        _ => None,
    }
}

fn dump(error: &DumpError) -> Option<String> {
    match error {
        DumpError::Device(error) => device(error),
        _ => None,
    }
}

fn bench(error: &BenchError) -> Option<String> {
    match error {
        BenchError::Config(error) => config(error),
        BenchError::Device(error) => device(error),
        BenchError::Decode(error) => decode(error),
        BenchError::Wrong { op, .. } => Some(format!("`{} check --op {op}` says where", program())),
        _ => None,
    }
}

fn study(error: &StudyError) -> Option<String> {
    match error {
        StudyError::NoStudy { .. } => Some("`wgrad tune --study FILE` makes one".into()),
        StudyError::Other { what, there, .. } if what == SEED => {
            Some(format!("--study FILE takes a new name; --seed {there} is the seed that it began with"))
        }
        StudyError::Other { .. } => Some("--study FILE takes a new name".into()),
        StudyError::OtherRuns { .. } => Some("--study FILE takes another name".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;
    use crate::commands::usage;
    use crate::train::config::Config;

    fn out_of_memory(device: &str) -> DeviceError {
        DeviceError::OutOfMemory { device: device.into(), message: "no".into() }
    }

    #[test]
    fn advice_stands_behind_an_error_however_deep_it_lies() {
        let decode = || DecodeError::from(out_of_memory("a GPU"));
        for error in [
            out_of_memory("a GPU").into(),
            anyhow::Error::from(TrainError::from(decode())),
            anyhow::Error::from(BenchError::from(decode())),
            Err::<(), _>(DumpError::from(out_of_memory("a GPU"))).context("batch").unwrap_err(),
        ] {
            let said = told(&error);
            let advice = "take less. Take --set train.batch.sentences=64, or --device cpu";
            assert!(said.contains("the device `a GPU` ran out of memory: no. ") && said.ends_with(advice), "{said}");
        }
        for device in ["cpu", "cpu (2 threads)"] {
            let said = told(&out_of_memory(device).into());
            assert!(said.ends_with("take less. Take --set train.batch.sentences=64"), "{said}");
        }
    }

    #[test]
    fn advice_on_a_command_line_stands_before_the_hint() {
        let unknown = OpenError::Unknown { wanted: "x".into(), present: "`cpu`".into() };
        let said = told(&usage(unknown));
        let end = "is enough. Choose one with --device NAME\n\nFor more information, try '--help'.";
        assert!(said.ends_with(end), "{said}");
    }

    #[test]
    fn an_error_without_advice_is_told_as_it_is() {
        let error = anyhow::Error::from(Config::preset("tine").unwrap_err());
        assert_eq!(told(&error), error.to_string());
    }
}
