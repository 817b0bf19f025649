//! Batch files: `wgrad dump --batch`.

use std::cell::RefCell;
use std::fs;
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Result, Unstructured};
use safetensors::tensor::{Dtype, TensorView};
use wgrad::cpu::Cpu;
use wgrad::models;
use wgrad::train::config::Config;
use wgrad::train::dump::{dump, load_ids};

use super::{Fuzzed, names, names_file};
use crate::mutate::Edits;

const VOCABULARIES: [usize; 2] = [11, 9];

/// A row of ids.
const COLUMNS: usize = 12;

/// A batch that is in order.
pub static SEED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let ids: Vec<u8> = [2_i64, 4, 5, 3, 2, 6, 3, 1].iter().flat_map(|id| id.to_le_bytes()).collect();
    let view = || TensorView::new(Dtype::I64, vec![2, 4], &ids).expect("eight ids");
    safetensors::serialize([("src", view()), ("tgt", view())], None).expect("a small header")
});

/// A word in range, but for some values of the first byte, which stand for special tokens and for any number.
#[derive(Arbitrary, Debug)]
struct Id(u8, u8, i64);

impl Id {
    fn value(&self, vocabulary: usize) -> i64 {
        match self.0 {
            255 => self.2,
            251..=254 => i64::from(self.0 - 251),
            _ => 4 + i64::from(self.1) % (vocabulary as i64 - 4),
        }
    }
}

#[derive(Debug)]
struct Side {
    shape: Vec<usize>,
    dtype: Dtype,
    ids: Vec<Id>,
    /// Ids end with padding, as they should.
    padded: u8,
}

impl<'a> Arbitrary<'a> for Side {
    fn arbitrary(entropy: &mut Unstructured<'a>) -> Result<Self> {
        let rows = 1 + usize::from(u8::arbitrary(entropy)?) % 4;
        let columns = (2 + usize::from(u8::arbitrary(entropy)?)) % COLUMNS;
        let [kind, form, padded] = <[u8; 3]>::arbitrary(entropy)?;
        let shape = match form % 16 {
            15 => vec![rows * columns],
            14 => vec![rows, columns, 1],
            13 => vec![],
            _ => vec![rows, columns],
        };
        let dtype = [Dtype::I64, Dtype::I64, Dtype::I64, Dtype::I64, Dtype::I64, Dtype::I64, Dtype::U64, Dtype::F64]
            [usize::from(kind % 8)];
        let ids = (0..shape.iter().product()).map(|_| Id::arbitrary(entropy)).collect::<Result<_>>()?;
        Ok(Self { shape, dtype, ids, padded })
    }
}

impl Side {
    fn bytes(&self, vocabulary: usize) -> Vec<u8> {
        let columns = self.shape.last().copied().unwrap_or(1).max(1);
        let words = columns.saturating_sub(usize::from(self.padded) % columns);
        let id = |(at, id): (usize, &Id)| {
            let value = if at % columns >= words { 1 } else { id.value(vocabulary) };
            value.to_le_bytes()
        };
        self.ids.iter().enumerate().flat_map(id).collect()
    }
}

#[derive(Arbitrary, Debug)]
pub struct Change {
    source: Side,
    target: Side,
    /// Whether the target has another number of rows than the source.
    unfit: bool,
    file: Edits,
    damage: bool,
}

impl Fuzzed for Change {
    fn case(&self) -> Vec<u8> {
        let (source, mut target) = (self.source.bytes(VOCABULARIES[0]), self.target.bytes(VOCABULARIES[1]));
        let mut shape = self.target.shape.clone();
        if let ([rows, _], [own, columns]) = (&self.source.shape[..], &mut shape[..])
            && !self.unfit
        {
            target.resize(rows * *columns * 8, 0);
            *own = *rows;
        }
        let view = |side: &Side, shape: &[usize], bytes| TensorView::new(side.dtype, shape.to_vec(), bytes);
        let views = [
            ("src", view(&self.source, &self.source.shape, &source).expect("as many bytes")),
            ("tgt", view(&self.target, &shape, &target).expect("as many bytes")),
        ];
        let file = safetensors::serialize(views, None).expect("a small header");
        if self.damage { self.file.apply(file) } else { file }
    }

    fn judge(case: &[u8]) -> bool {
        thread_local! {
            static DEVICE: RefCell<(usize, Cpu<f32>)> = RefCell::new((0, Cpu::new()));
        }
        let folder = super::scratch();
        let path = folder.join("batch.safetensors");
        fs::write(&path, case).expect("a temporary file");
        let batch = match load_ids(&path) {
            Ok(batch) => batch,
            Err(error) => {
                names_file(error, &path);
                return false;
            }
        };
        assert!(batch.sentences > 0);
        for ids in [&batch.source, &batch.target] {
            assert!(ids.len().is_multiple_of(batch.sentences), "{} ids of {} rows", ids.len(), batch.sentences);
        }
        DEVICE.with_borrow_mut(|(used, device)| {
            // A device keeps the plans that it prepared.
            *used += 1;
            if *used % 100 == 0 {
                *device = Cpu::new();
            }
            let config = configuration(case.len());
            let model = models::build(&config.model, VOCABULARIES);
            let flat = model.parameters().initial(1);
            let parameters = wgrad::graph::TensorType::f32(&[flat.len()]);
            wgrad::plan::Device::allocate(device, "parameters", &parameters).expect("a small model");
            wgrad::plan::Device::write_f32(device, "parameters", &flat).expect("it is there");
            match dump(device, &*model, &config, VOCABULARIES, &batch) {
                Ok(tensors) => {
                    let in_range =
                        |ids: &[i64], vocabulary: usize| ids.iter().all(|id| (0..vocabulary as i64).contains(id));
                    assert!(in_range(&batch.source, VOCABULARIES[0]) && in_range(&batch.target, VOCABULARIES[1]));
                    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
                    for tensor in &tensors {
                        assert!(finite(&tensor.values), "{} holds what is no number", tensor.name);
                        assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>(), "{}", tensor.name);
                    }
                    true
                }
                Err(error) => {
                    names(error, "expected");
                    false
                }
            }
        })
    }
}

/// One of each family of models, by the file's length.
fn configuration(length: usize) -> Config {
    let (preset, sizes): (_, &[&str]) = match length % 4 {
        0 => ("tiny", &["model.embedding=4", "model.hidden=4"]),
        1 => ("bahdanau", &["model.embedding=4", "model.hidden=4", "data.max_tokens=8"]),
        2 => (
            "course-transformer",
            &["model.hidden=4", "model.head_width=3", "model.value_width=2", "model.feed_forward=4"],
        ),
        _ => ("course-full-transformer", &["model.hidden=4", "model.heads=2", "model.feed_forward=4"]),
    };
    let mut config = Config::preset(preset).expect("it is one of the presets");
    config.set_all(sizes).expect("they are in range");
    config
}
