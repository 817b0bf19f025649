//! `model.safetensors` and `last.safetensors`: bytes, headers, and states and tensors under a right checksum.

use std::fs;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use safetensors::SafeTensors;
use serde_json::Value;
use wgrad::train::checkpoint::{CheckpointError, Last, NamedTensor, load_last, load_model, stored_shape};

use super::{Fuzzed, names_file};
use crate::mutate::{Edits, JsonEdits};
use crate::parts;
use crate::seeds::{PARAMETERS, RUN};

const FILES: [&str; 2] = ["model.safetensors", "last.safetensors"];

#[derive(Arbitrary, Debug)]
enum How {
    /// Any byte, in the header or in the tensors.
    Bytes(Edits),
    /// The header by its structure.
    Header(JsonEdits),
    /// What the header says of the run, with a checksum that is right again.
    State(JsonEdits, Edits),
    /// The header's length.
    Length(u64),
}

#[derive(Arbitrary, Debug)]
pub struct Change {
    last: bool,
    how: How,
}

impl Fuzzed for Change {
    fn case(&self) -> Vec<u8> {
        let name = FILES[usize::from(self.last)];
        let file = &RUN[name];
        let file = match &self.how {
            How::Bytes(edits) => edits.apply(file.clone()),
            How::Header(edits) => with_header(file, edits.apply(header(file)).as_bytes()),
            How::State(edits, text) => changed_state(file, edits, text),
            How::Length(length) => {
                let mut file = file.clone();
                file[..8].copy_from_slice(&length.to_le_bytes());
                file
            }
        };
        parts::join(&[(name, &file)])
    }

    fn judge(case: &[u8]) -> bool {
        let parts = parts::split(case);
        let (name, file) = &parts[0];
        let folder = super::scratch();
        let path = folder.join(name);
        fs::write(&path, file).expect("a temporary file");
        let _ = stored_shape(&path, "encoder.embedding.weight");
        let told = |error: CheckpointError| names_file(error, &path);
        if name == FILES[0] {
            return match load_model(&path, &PARAMETERS) {
                Ok(tensors) => {
                    are_parameters(&tensors);
                    assert!(is_unchanged(name, file, &tensors), "a changed tensor was loaded");
                    true
                }
                Err(error) => {
                    told(error);
                    false
                }
            };
        }
        match load_last(&path, &PARAMETERS) {
            Ok(Last { parameters, exp_avg, exp_avg_sq, .. }) => {
                for tensors in [&parameters, &exp_avg, &exp_avg_sq] {
                    are_parameters(tensors);
                }
                let all = [parameters, exp_avg, exp_avg_sq].concat();
                assert!(is_unchanged(name, file, &all), "a changed tensor was loaded");
                true
            }
            Err(error) => {
                told(error);
                false
            }
        }
    }
}

fn header(file: &[u8]) -> &str {
    let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
    std::str::from_utf8(&file[8..][..length]).expect("JSON is text")
}

fn with_header(file: &[u8], new: &[u8]) -> Vec<u8> {
    let tensors = &file[8 + header(file).len()..];
    [&(new.len() as u64).to_le_bytes(), new, tensors].concat()
}

/// The file with something else said of its training, and with the checksum of that.
pub fn changed_state(file: &[u8], edits: &JsonEdits, text: &Edits) -> Vec<u8> {
    let mut document: Value = serde_json::from_str(header(file)).expect("JSON");
    let own = document["__metadata__"]["wgrad"].as_str().expect("what wgrad says").to_string();
    // The checksum comes first, and covers what follows its neighbour's name.
    let (_, rest) = own.split_once(',').expect("a checksum and more");
    let rest = text.apply_to_text(&edits.apply(&format!("{{{rest}")));
    let covered = rest.split_once("\"state\":").and_then(|(_, covered)| covered.strip_suffix('}')).unwrap_or_default();
    let checksum = checksum(covered, &file[8 + header(file).len()..]);
    let own = rest.strip_prefix('{').map_or(rest.clone(), |rest| format!("{{\"checksum\":{checksum},{rest}"));
    document["__metadata__"]["wgrad"] = own.into();
    with_header(file, document.to_string().as_bytes())
}

/// The sum that wgrad keeps: 64-bit FNV-1a over words of 32 bits.
fn checksum(state: &str, tensors: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for bytes in [state.as_bytes(), tensors] {
        for chunk in bytes.chunks(4) {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = (hash ^ u64::from(u32::from_le_bytes(word))).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// Names, shapes and numbers of what was loaded.
fn are_parameters(tensors: &[NamedTensor]) {
    assert_eq!(tensors.len(), PARAMETERS.len());
    for (tensor, (name, shape)) in tensors.iter().zip(PARAMETERS.iter()) {
        assert_eq!((&tensor.name, &tensor.shape), (name, shape));
        assert_eq!(tensor.values.len(), shape.iter().product::<usize>(), "{name}");
        assert!(tensor.values.iter().all(|value| value.is_finite()), "{name} holds what is no number");
    }
}

/// The values of the run's own files.
static VALUES: LazyLock<[Vec<f32>; 2]> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    FILES.map(|name| {
        let path = folder.path().join(name);
        fs::write(&path, &RUN[name]).expect("a temporary file");
        let tensors = match name {
            "model.safetensors" => load_model(&path, &PARAMETERS).expect("the run's own"),
            _ => {
                let last = load_last(&path, &PARAMETERS).expect("the run's own");
                [last.parameters, last.exp_avg, last.exp_avg_sq].concat()
            }
        };
        tensors.into_iter().flat_map(|tensor| tensor.values).collect()
    })
});

/// Whether the numbers are those that were saved. A file without wgrad's checksum is one of another program, and may
/// have any.
fn is_unchanged(name: &str, file: &[u8], tensors: &[NamedTensor]) -> bool {
    let (_, description) = SafeTensors::read_metadata(file).expect("it was loaded");
    let foreign = description.metadata().as_ref().is_none_or(|own| !own.contains_key("wgrad"));
    let bits = |value: &f32| value.to_bits();
    let saved = VALUES[usize::from(name == FILES[1])].iter().map(bits);
    foreign || tensors.iter().flat_map(|tensor| &tensor.values).map(bits).eq(saved)
}
