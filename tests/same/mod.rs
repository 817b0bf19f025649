//! Whether two runs came to the same bits.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use wgrad::train::metrics::{Record, read_records};

/// Compares models, optimizer states and logs of two runs. Only the clock may differ.
#[track_caller]
pub fn assert_same(one: &Path, other: &Path) {
    let name = other.display();
    let read = |run: &Path, file: &str| fs::read(run.join(file)).unwrap_or_else(|e| panic!("{}: {e}", run.display()));
    for file in ["model.safetensors", "config.toml", "tokenizer.de.json", "tokenizer.en.json"] {
        assert!(read(one, file) == read(other, file), "{file} of {} and of {name} differ", one.display());
    }
    assert_eq!(timeless(one), timeless(other), "{name}");
    let [one, other] = [one, other].map(|run| read(run, "last.safetensors"));
    assert_eq!(state(&one), state(&other), "{name}");
    let [one, other] = [&one, &other].map(|bytes| SafeTensors::deserialize(bytes).expect("a checkpoint"));
    assert_eq!(one.len(), other.len(), "{name}");
    for (tensor, values) in one.iter() {
        let found = other.tensor(tensor).unwrap_or_else(|e| panic!("{name}: {tensor}: {e}"));
        assert_eq!(values.shape(), found.shape(), "{name}: {tensor}");
        assert!(values.data() == found.data(), "{name}: {tensor} differs");
    }
}

/// The log without what the clock says.
pub fn timeless(run: &Path) -> Vec<Record> {
    let mut records = read_records(&run.join("metrics.jsonl")).unwrap_or_else(|e| panic!("{e}"));
    for record in &mut records {
        match record {
            Record::Step(step) => step.tokens_per_second = 0.0,
            Record::Epoch(epoch) => epoch.seconds = 0.0,
        }
    }
    records
}

/// The training state in a checkpoint, without the time and what depends on how many digits times have.
pub fn state(last: &[u8]) -> serde_json::Value {
    let (_, header) = SafeTensors::read_metadata(last).expect("a checkpoint");
    let metadata = header.metadata().as_ref().expect("metadata")["wgrad"].clone();
    let mut metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let mut state = metadata["state"].take();
    for clock in ["seconds", "metrics_bytes"] {
        assert!(state.as_object_mut().expect("an object").remove(clock).is_some(), "no {clock}");
    }
    state
}
