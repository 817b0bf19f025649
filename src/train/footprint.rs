//! What a run takes of memory, counted before any of it is asked for.

use thiserror::Error;

use crate::memory;
use crate::models::{self, ModelConfig};
use crate::plan::{Device, Plan, pool_elements};
use crate::text::{BatchShape, BatchSize};

use super::config::Config;

/// Flat buffers of a model in training: parameters, gradients, Adam's two moments.
const FLAT: u64 = 4;
/// Copies of a flat buffer in the machine's memory while a checkpoint is written or read: parameters and moments as
/// tensors, the same as bytes of a file, and one that is under way.
const COPIES: u64 = 7;

/// What takes memory, and the keys that make it large.
#[derive(Clone, Debug, PartialEq)]
struct Share {
    what: String,
    bytes: u64,
    keys: Vec<String>,
}

/// What a run takes: of the device's memory, and of the machine's besides.
#[derive(Clone, Debug, PartialEq)]
pub struct Footprint {
    device: Vec<Share>,
    host: Vec<Share>,
}

/// A run that a device or the machine has no memory for.
#[derive(Clone, Debug, Error, PartialEq)]
#[error(
    "{} of memory are needed, and {place} has {}: {}. Lower {}",
    mib(*needed), mib(*left), shares.join("; "), keys.join(" or ")
)]
pub struct NoRoom {
    needed: u64,
    left: u64,
    place: String,
    /// What takes it, the largest first.
    shares: Vec<String>,
    /// Those of the largest.
    keys: Vec<String>,
}

impl Footprint {
    /// Of the model alone, in training.
    pub fn of_model(config: &ModelConfig, vocabularies: [usize; 2]) -> Self {
        let flat = flat_bytes(config, vocabularies);
        let keys = heavy(config, vocabularies, flat);
        let share = |what: &str, times: u64| {
            vec![Share { what: what.into(), bytes: flat.saturating_mul(times), keys: keys.clone() }]
        };
        Self {
            device: share("parameters, gradients and Adam's moments", FLAT),
            host: share("copies of the model and its moments for a checkpoint", COPIES),
        }
    }

    /// With buffers of so many bytes for text and control words.
    pub fn with_text(mut self, bytes: u64) -> Self {
        self.device.push(Share { what: "text".into(), bytes, keys: vec!["the number of pairs".into()] });
        self
    }

    /// With what these plans compute on, prepared in this order; `shape` is that of the largest batch.
    pub fn with_plans<'p>(
        mut self,
        plans: impl IntoIterator<Item = &'p Plan>,
        config: &Config,
        shape: BatchShape,
        device: &dyn Device,
    ) -> Self {
        let bytes = 4 * pool_elements(plans, &device.target()) as u64;
        let BatchShape { sentences, source, target } = shape;
        let what = format!("batches of up to {sentences} pairs of {source} and {target} tokens");
        let batch = match config.train.batch {
            BatchSize::Sentences(size) => format!("train.batch.sentences = {size}"),
            BatchSize::Tokens(size) => format!("train.batch.tokens = {size}"),
        };
        let keys = vec![batch, format!("data.max_tokens = {}", config.data.max_tokens)];
        self.device.push(Share { what, bytes, keys });
        self
    }

    /// Refuses what the device or the machine has no room for, as far as they tell.
    ///
    /// # Errors
    /// The figures, what takes the memory, and the keys to lower.
    pub fn check(&self, device: &dyn Device) -> Result<(), NoRoom> {
        if device.target().is_cpu() {
            return fits(&[&self.device[..], &self.host].concat(), "the machine", memory::available());
        }
        fits(&self.device, &device.describe(), device.memory())?;
        self.check_machine()
    }

    /// [`check`](Self::check) of the machine's memory alone.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_machine(&self) -> Result<(), NoRoom> {
        fits(&self.host, "the machine", memory::available())
    }

    /// "46 MiB on cpu (2 threads) of 23410 MiB"
    pub fn describe(&self, device: &dyn Device) -> String {
        let mut bytes = sum(&self.device);
        if device.target().is_cpu() {
            bytes = bytes.saturating_add(sum(&self.host));
        }
        let of = device.memory().map_or(String::new(), |left| format!(" of {}", mib(left)));
        format!("{} on {}{of}", mib(bytes), device.describe())
    }
}

fn sum(shares: &[Share]) -> u64 {
    shares.iter().fold(0, |sum, share| sum.saturating_add(share.bytes))
}

fn fits(shares: &[Share], place: &str, left: Option<u64>) -> Result<(), NoRoom> {
    let needed = sum(shares);
    let Some(left) = left.filter(|left| needed > *left) else { return Ok(()) };
    let mut shares: Vec<&Share> = shares.iter().collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.bytes));
    let keys = shares[0].keys.clone();
    let shares = shares.iter().map(|share| format!("{} for {}", mib(share.bytes), share.what)).collect();
    Err(NoRoom { needed, left, place: place.into(), shares, keys })
}

/// Rounded up.
fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn flat_bytes(config: &ModelConfig, vocabularies: [usize; 2]) -> u64 {
    4_u64.saturating_mul(models::build(config, vocabularies).parameters().flat_len() as u64)
}

/// The keys that make a model large: those whose halves would make it smaller by a fifth or more, the most first.
fn heavy(config: &ModelConfig, vocabularies: [usize; 2], whole: u64) -> Vec<String> {
    let mut changed = config.clone();
    let sizes: Vec<(&str, usize)> = changed.sizes().into_iter().map(|(key, size)| (key, *size)).collect();
    let mut found: Vec<(u64, String)> = vec![];
    let mut note = |key: &str, value: usize, less: u64| {
        if less <= whole / 5 * 4 {
            found.push((less, format!("{key} = {value}")));
        }
    };
    for (i, &(key, size)) in sizes.iter().enumerate() {
        *changed.sizes()[i].1 = (size / 2).max(1);
        note(key, size, flat_bytes(&changed, vocabularies));
        *changed.sizes()[i].1 = size;
    }
    for (i, key) in ["data.source_vocabulary", "data.target_vocabulary"].into_iter().enumerate() {
        let mut halved = vocabularies;
        halved[i] = (halved[i] / 2).max(1);
        note(key, vocabularies[i], flat_bytes(config, halved));
    }
    found.sort();
    found.into_iter().map(|(_, key)| key).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::train::config::read::keys;

    /// Every key with numbers that no machine has room for: refused by name or accepted, at once.
    #[test]
    fn extreme_values_are_refused_or_fit() {
        let values = [
            "-9223372036854775808",
            "-1",
            "0",
            "1",
            "1024",
            "65535",
            "2147483648",
            "4294967295",
            "4294967296",
            "4611686018427387904",
            "9223372036854775807",
            "18446744073709551615",
        ];
        let fields =
            ["train.batch.sentences", "train.batch.tokens", "train.schedule.patience", "train.schedule.warmup_steps"];
        let (mut refused, mut too_large, mut accepted) = (0, 0, 0);
        for preset in ["lstm-attention", "bahdanau", "course-transformer", "course-full-transformer", "translator"] {
            for key in keys().chain(fields) {
                for value in values {
                    let (mut config, start) = (Config::preset(preset).unwrap(), Instant::now());
                    match config.set(&format!("{key}={value}")) {
                        Err(error) => {
                            let key = key.split('.').take(2).collect::<Vec<_>>().join(".");
                            assert!(error.to_string().contains(&key), "{preset} {key}={value}: {error}");
                            refused += 1;
                        }
                        Ok(()) => {
                            let data = &config.data;
                            let footprint =
                                Footprint::of_model(&config.model, [data.source_vocabulary, data.target_vocabulary]);
                            let shares = [&footprint.device[..], &footprint.host].concat();
                            match fits(&shares, "the machine", Some(24 << 30)) {
                                Err(error) => {
                                    let error = error.to_string();
                                    assert!(error.contains(&format!("{key} = {value}")), "{preset}: {error}");
                                    too_large += 1;
                                }
                                Ok(()) => accepted += 1,
                            }
                        }
                    }
                    assert!(start.elapsed() < Duration::from_secs(1), "{preset} {key}={value}: {:?}", start.elapsed());
                }
            }
        }
        assert!(refused > 1000 && too_large > 5 && accepted > 100, "{refused} {too_large} {accepted}");
    }

    #[test]
    fn a_refusal_names_figures_and_keys() {
        let mut config = Config::preset("lstm").unwrap();
        config.set("model.hidden=60000").unwrap();
        let footprint = Footprint::of_model(&config.model, [5; 2]);
        let error = fits(&footprint.device, "a device", Some(1 << 30)).unwrap_err().to_string();
        let needed = sum(&footprint.device).div_ceil(1 << 20);
        let start = format!(
            "{needed} MiB of memory are needed, and a device has 1024 MiB: {needed} MiB for parameters, gradients and \
             Adam's moments. Lower model.hidden = 60000"
        );
        assert!(error.starts_with(&start), "{error}");
        // Exactly what is there is enough.
        assert_eq!(fits(&footprint.device, "a device", Some(sum(&footprint.device))), Ok(()));
        assert_eq!(fits(&footprint.device, "a device that tells nothing", None), Ok(()));
    }
}
