//! A training step as one graph: gather, forward, backward, clip, Adam.

use crate::graph::{Graph, GraphError, Target, TensorType, Value};
use crate::models::{Feedback, Model, Source, unroll};
use crate::nn::{Parameters, Scope};
use crate::ops;
use crate::ops::adam::{Adam, adam};
use crate::ops::clip_grad_norm::clip_grad_norm;
use crate::ops::control::{self, NO_SENTENCE, SENTENCES};
use crate::ops::linear_cross_entropy::{LinearCrossEntropy, Loss};
use crate::plan::{Device, DeviceError, Plan};
use crate::text::{BatchShape, PAD};

use super::Split;
use super::config::{Config, TrainConfig};

/// What a step reports: the numbers that [`training_plan`] and [`validation_plan`] log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepResult {
    /// Loss summed over the target tokens, nats.
    pub loss_sum: f64,
    /// −log p of the target tokens, the loss without label smoothing.
    pub nll_sum: f64,
    /// Target tokens, padding not counted.
    pub tokens: f64,
    /// Mean −log p of each batch, summed over the batches.
    pub batch_nll_sum: f64,
    pub batches: f64,
    /// L2 norm of the gradients before clipping; 0 in validation.
    pub grad_norm: f64,
}

impl StepResult {
    /// From the numbers that a device logged for a run.
    pub fn from_log(record: &[f32]) -> Self {
        let number = |i: usize| f64::from(record.get(i).copied().unwrap_or(0.0));
        let (nll_sum, tokens) = (number(1), number(2));
        let batch_nll_sum = nll_sum / tokens.max(1.0);
        Self { loss_sum: number(0), nll_sum, tokens, batch_nll_sum, batches: 1.0, grad_norm: number(4) }
    }

    pub fn add(&mut self, other: &Self) {
        self.loss_sum += other.loss_sum;
        self.nll_sum += other.nll_sum;
        self.tokens += other.tokens;
        self.batch_nll_sum += other.batch_nll_sum;
        self.batches += other.batches;
    }

    /// Mean loss, nats per target token.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.tokens
    }

    /// e to the mean −log p per target token.
    pub fn perplexity(&self) -> f64 {
        (self.nll_sum / self.tokens).exp()
    }

    /// e to the mean of the batches' means, as courses and tutorials report it: a token of a batch with much padding
    /// weighs more.
    pub fn batch_perplexity(&self) -> f64 {
        (self.batch_nll_sum / self.batches).exp()
    }
}

/// The buffers that a model and its optimizer need, made and filled: parameters, gradients, Adam's moments, control
/// words for `sentences` sentences.
///
/// # Errors
/// When memory is short.
pub fn allocate(
    device: &mut dyn Device,
    parameters: &Parameters,
    seed: u64,
    sentences: usize,
) -> Result<(), DeviceError> {
    // Before a copy is made here: a model that is too large is the device's to refuse, where Rust would end the
    // program.
    for name in ["parameters", "gradients", "exp_avg", "exp_avg_sq"] {
        device.allocate(name, &TensorType::f32(&[parameters.flat_len()]))?;
    }
    device.allocate("control", &control_type(sentences))?;
    device.write_f32("parameters", &parameters.initial(seed))
}

fn control_type(sentences: usize) -> TensorType {
    TensorType::u32(&[SENTENCES + sentences])
}

/// The control words of a step.
pub fn control_words(train: &TrainConfig, step: u64, learning_rate: f32, sentences: &[u32], most: usize) -> Vec<u32> {
    let mut words = vec![0; SENTENCES];
    words[control::SEED] = train.seed as u32;
    words[control::SEED + 1] = (train.seed >> 32) as u32;
    words[control::STEP] = step as u32;
    words[control::LEARNING_RATE] = learning_rate.to_bits();
    // In f64: 1 − β^t of the first steps would lose half its digits in f32.
    for (i, beta) in [train.beta1, train.beta2].into_iter().enumerate() {
        let correction = 1.0 - f64::from(beta).powf(step as f64);
        words[control::BIAS_CORRECTION + i] = (correction as f32).to_bits();
    }
    words.extend(sentences);
    words.resize(SENTENCES + most, NO_SENTENCE);
    words
}

/// What a plan is made for: the sentences of a split, the shape of the batch, and the most sentences that any batch of
/// the run has.
#[derive(Clone, Copy)]
pub struct StepBatch<'a> {
    pub split: &'a Split,
    pub shape: BatchShape,
    pub most: usize,
}

/// The loss of one batch in `scope`.
fn batch_loss(
    model: &dyn Model,
    scope: &mut Scope,
    StepBatch { split, shape, .. }: StepBatch,
    control: Value,
    (feedback, smoothing): (Feedback, f32),
) -> Result<Loss, GraphError> {
    let source = model.source_positions(shape.source, shape.target);
    let batch = split.gather(scope.graph, BatchShape { source, ..shape }, control)?;
    let encoded = model.encode(scope, Source { ids: batch.source, lengths: batch.source_lengths })?;
    let decoded = match feedback {
        Feedback::Forced => model.decode(scope, &encoded, batch.target, batch.target_lengths)?,
        _ => unroll(model, scope, &encoded, batch.target, feedback)?,
    };
    model.projection().loss(scope, decoded.features, batch.labels, LinearCrossEntropy::new(PAD, smoothing))
}

/// Gradients of `loss` by the parameters that it reaches, with each one's place in the flat buffer.
///
/// # Errors
/// When an op on the way has no derivative.
pub fn parameter_gradients(
    graph: &mut Graph,
    parameters: &Parameters,
    loss: Value,
) -> Result<Vec<(Value, usize)>, GraphError> {
    let mut scope = Scope::evaluating(graph, parameters)?;
    let values = parameters.iter().map(|p| scope.parameter(p)).collect::<Result<Vec<_>, _>>()?;
    let gradients = ops::gradients(graph, loss, &values)?;
    Ok(gradients.into_iter().zip(parameters.iter()).filter_map(|(g, p)| Some((g?, p.offset))).collect())
}

/// The graph of a whole step on a batch, and what it is made for.
pub struct TrainingGraph {
    pub graph: Graph,
    /// Number of nodes of the forward pass, which come first.
    pub forward: usize,
    fetches: [Value; 2],
    updated: Vec<Value>,
}

/// Builds a whole step: gather, forward, backward, clip, Adam.
///
/// # Errors
/// When the model's shapes don't fit.
pub fn training_graph(model: &dyn Model, config: &Config, batch: StepBatch) -> Result<TrainingGraph, GraphError> {
    let train = &config.train;
    let mut graph = Graph::new();
    let control = graph.input("control", control_type(batch.most))?;
    let mut scope = Scope::training(&mut graph, model.parameters(), control, config.model.dropout())?;
    let criterion = (Feedback::new(train.teacher_forcing), train.label_smoothing);
    let loss = batch_loss(model, &mut scope, batch, control, criterion)?;
    let flat = scope.flat();
    let forward = graph.nodes().len();
    // A parameter that the loss does not reach keeps a gradient of zero: its part of the buffer is never written.
    let packed = parameter_gradients(&mut graph, model.parameters(), loss.mean)?;
    let [buffer, exp_avg, exp_avg_sq] =
        ["gradients", "exp_avg", "exp_avg_sq"].map(|name| graph.input(name, graph.type_of(flat).clone()));
    let gradients = graph.pack(buffer?, &packed)?;
    let clip = clip_grad_norm(&mut graph, gradients, train.clip_norm)?;
    let op = Adam { beta1: train.beta1, beta2: train.beta2, epsilon: train.epsilon };
    let updated = adam(&mut graph, op, [flat, exp_avg?, exp_avg_sq?], gradients, clip, control)?;
    Ok(TrainingGraph { graph, forward, fetches: [loss.statistics, clip], updated: updated.to_vec() })
}

/// [`training_graph`] as a plan. Logs what [`StepResult::from_log`] reads.
///
/// # Errors
/// When the model's shapes don't fit.
pub fn training_plan(
    model: &dyn Model,
    config: &Config,
    batch: StepBatch,
    target: &Target,
) -> Result<Plan, GraphError> {
    let TrainingGraph { graph, fetches, updated, .. } = training_graph(model, config, batch)?;
    Ok(Plan::new(&graph, &fetches, &updated, target))
}

/// The loss of a batch, without dropout, smoothing or update. Free-running if training is so all the time, else forced:
/// a loss under a coin's decisions could not be compared from epoch to epoch.
///
/// # Errors
/// When the model's shapes don't fit.
pub fn validation_plan(
    model: &dyn Model,
    config: &Config,
    batch: StepBatch,
    target: &Target,
) -> Result<Plan, GraphError> {
    let mut graph = Graph::new();
    let control = graph.input("control", control_type(batch.most))?;
    let mut scope = Scope::evaluating(&mut graph, model.parameters())?;
    let feedback = if config.train.teacher_forcing == 0.0 { Feedback::Free } else { Feedback::Forced };
    let loss = batch_loss(model, &mut scope, batch, control, (feedback, 0.0))?;
    Ok(Plan::new(&graph, &[loss.statistics], &[], target))
}
