//! A corpus on the device: uploaded once, so that a step names its sentences by number.

use crate::decode::Lengths;
use crate::graph::{Graph, GraphError, TensorType, Value};
use crate::ops::gather_batch::{GatherBatch, gather_batch};
use crate::plan::{Device, DeviceError};
use crate::text::{BatchShape, EOS, Frame, PAD, within_limit};

/// Token ids of one side, the special ones of its [`Frame`] included: sentence s is tokens[offsets[s]..offsets[s + 1]].
#[derive(Clone, Debug, Default)]
struct Side {
    tokens: Vec<u32>,
    offsets: Vec<u32>,
}

impl Side {
    fn new<'s>(sentences: impl Iterator<Item = &'s [u32]>, start: &[u32]) -> Self {
        let (mut tokens, mut offsets) = (vec![], vec![0]);
        for sentence in sentences {
            tokens.extend(start);
            tokens.extend(sentence);
            tokens.push(EOS);
            offsets.push(tokens.len() as u32);
        }
        Self { tokens, offsets }
    }
}

/// The pairs of a split that are short enough, as token ids.
#[derive(Clone, Debug)]
pub struct Split {
    name: &'static str,
    source: Side,
    target: Side,
    /// Positions that a step holds for each pair, special tokens included: of the source, and labels.
    pub lengths: [Vec<usize>; 2],
    /// Pairs left out because a side has more than the limit's tokens.
    pub too_long: usize,
}

/// What gathering a batch of a split gives.
pub struct GatheredPairs {
    /// [S, B]
    pub source: Value,
    /// [B]
    pub source_lengths: Value,
    /// What the decoder reads, `<sos>` first: [T, B].
    pub target: Value,
    /// What it should say, `<eos>` last, as [T·B].
    pub labels: Value,
    /// [B]
    pub target_lengths: Value,
}

impl Split {
    /// Pairs of token ids without specials, sources and targets. Those with more than `limit` tokens on a side are
    /// dropped.
    pub fn new(name: &'static str, [sources, targets]: [&[Vec<u32>]; 2], limit: usize, frame: Frame) -> Self {
        let lengths = [sources, targets].map(|side| side.iter().map(|s| frame.positions(s.len())).collect::<Vec<_>>());
        let (kept, too_long) = within_limit(&lengths[0], &lengths[1], frame.positions(limit));
        let side = |sentences: &[Vec<u32>], start: &[u32]| {
            Side::new(kept.iter().map(|&i| sentences[i as usize].as_slice()), start)
        };
        let (source, target) = (side(sources, frame.source_start()), side(targets, frame.target_start()));
        let lengths = lengths.map(|lengths| kept.iter().map(|&i| lengths[i as usize]).collect());
        Self { name, source, target, lengths, too_long }
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.lengths[0].len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lengths of the pairs without special tokens.
    pub fn pair_lengths(&self, frame: Frame) -> Lengths {
        let tokens = |positions: &usize| positions - frame.positions(0);
        Lengths::of(self.lengths[0].iter().map(tokens).zip(self.lengths[1].iter().map(tokens)))
    }

    fn buffers(&self) -> [(String, &[u32]); 4] {
        let name = |part: &str| format!("{}.{part}", self.name);
        [
            (name("source.tokens"), &self.source.tokens),
            (name("source.offsets"), &self.source.offsets),
            (name("target.tokens"), &self.target.tokens),
            (name("target.offsets"), &self.target.offsets),
        ]
    }

    /// Bytes of its buffers on a device.
    pub fn bytes(&self) -> u64 {
        self.buffers().iter().map(|(_, values)| size_of_val(*values) as u64).sum()
    }

    /// Makes the corpus resident.
    ///
    /// # Errors
    /// When memory is short.
    pub fn upload(&self, device: &mut dyn Device) -> Result<(), DeviceError> {
        for (name, values) in self.buffers() {
            device.allocate(&name, &TensorType::u32(&[values.len()]))?;
            device.write_u32(&name, values)?;
        }
        Ok(())
    }

    /// Gathers the sentences that the control words name.
    ///
    /// # Errors
    /// When the control words cannot hold that many sentences.
    pub fn gather(&self, graph: &mut Graph, shape: BatchShape, control: Value) -> Result<GatheredPairs, GraphError> {
        let [source_tokens, source_offsets, target_tokens, target_offsets] =
            self.buffers().map(|(name, values)| graph.input(&name, TensorType::u32(&[values.len()])));
        let which = |time, labels| GatherBatch { batch: shape.sentences, time, labels, padding: PAD };
        let source = gather_batch(graph, which(shape.source, false), source_tokens?, source_offsets?, control)?;
        let target = gather_batch(graph, which(shape.target, true), target_tokens?, target_offsets?, control)?;
        let labels = target.labels.expect("labels were asked for");
        let labels = graph.reshape(labels, &[shape.target * shape.sentences])?;
        Ok(GatheredPairs {
            source: source.ids,
            source_lengths: source.lengths,
            target: target.ids,
            labels,
            target_lengths: target.lengths,
        })
    }
}
