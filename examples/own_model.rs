//! A model that no preset has: a GRU whose states pass a gated linear unit (Dauphin et al. 2017) before the projection.
//! It is trained, resumed, and translates: `cargo run --release --example own_model -- DIR RUN DEVICE`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wgrad::decode::Beam;
use wgrad::graph::{GraphError, Value};
use wgrad::models::{Decoded, Encoded, Model, ModelConfig, OwnModel, Source, State};
use wgrad::nn::{Embedding, Linear, Parameters, Projection, Recurrent, RecurrentSizes, RnnKind, RnnState, Scope};
use wgrad::ops::{mul::mul, sigmoid::sigmoid};
use wgrad::train::config::Config;
use wgrad::train::corpus::Corpus;
use wgrad::train::run_directory::RunDirectory;
use wgrad::train::{RunTranslator, Setup, Trainer};

/// Elements of an embedding and of a state.
const WIDTH: usize = 128;

#[derive(Debug)]
struct GatedGru {
    parameters: Parameters,
    embeddings: [Embedding; 2],
    encoder: Recurrent,
    decoder: Recurrent,
    gate: Linear,
    value: Linear,
    output: Linear,
}

impl GatedGru {
    /// Over vocabularies of these sizes, source and target.
    fn new([source, target]: [usize; 2]) -> Self {
        let mut parameters = Parameters::new();
        let p = &mut parameters;
        let sizes =
            RecurrentSizes { kind: RnnKind::Gru, layers: 1, bidirectional: false, inputs: WIDTH, hidden: WIDTH };
        Self {
            embeddings: [("source", source), ("target", target)]
                .map(|(name, words)| Embedding::new(p, name, [words, WIDTH], 1.0)),
            encoder: Recurrent::new(p, "encoder", sizes),
            decoder: Recurrent::new(p, "decoder", sizes),
            gate: Linear::new(p, "gate", WIDTH, WIDTH, true),
            value: Linear::new(p, "value", WIDTH, WIDTH, true),
            output: Linear::new(p, "output", WIDTH, target, true),
            parameters,
        }
    }

    /// Reads ids [T, B] from a state [B, H] on: what the projection reads, [T·B, H], and the last state.
    fn read(
        &self,
        scope: &mut Scope,
        ids: Value,
        lengths: Option<Value>,
        hidden: Value,
    ) -> Result<(Decoded, State), GraphError> {
        let x = self.embeddings[1].forward(scope, ids)?;
        let x = scope.dropout(x)?;
        let (states, last) = self.decoder.forward(scope, x, lengths, Some(&[RnnState { hidden, cell: None }]))?;
        let [time, batch] = *scope.graph.shape(ids) else { unreachable!("ids are [T, B]") };
        let states = scope.graph.reshape(states, &[time * batch, WIDTH])?;
        let gate = self.gate.forward(scope, states)?;
        let gate = sigmoid(scope.graph, gate)?;
        let value = self.value.forward(scope, states)?;
        let features = mul(scope.graph, value, gate)?;
        Ok((Decoded { features, weights: None }, vec![last[0].hidden]))
    }
}

impl Model for GatedGru {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn projection(&self) -> Projection<'_> {
        self.output.projection()
    }

    fn encode(&self, scope: &mut Scope, source: Source) -> Result<Encoded, GraphError> {
        let x = self.embeddings[0].forward(scope, source.ids)?;
        let x = scope.dropout(x)?;
        let (_, last) = self.encoder.forward(scope, x, Some(source.lengths), None)?;
        Ok(Encoded { memory: vec![], weights: None, lengths: source.lengths, start: vec![last[0].hidden] })
    }

    fn decode(&self, scope: &mut Scope, encoded: &Encoded, ids: Value, lengths: Value) -> Result<Decoded, GraphError> {
        Ok(self.read(scope, ids, Some(lengths), encoded.start[0])?.0)
    }

    fn step(
        &self,
        scope: &mut Scope,
        _encoded: &Encoded,
        ids: Value,
        state: &State,
        _t: usize,
    ) -> Result<(Decoded, State), GraphError> {
        let batch = scope.graph.shape(ids)[0];
        let ids = scope.graph.reshape(ids, &[1, batch])?;
        self.read(scope, ids, None, state[0])
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, out, device] = &arguments[..] else { return Err("expected DIR RUN DEVICE".into()) };
    let model = OwnModel::new("gated-gru", 0.2, |vocabularies| Arc::new(GatedGru::new(vocabularies)));
    let mut config = Config::preset("lstm-attention")?;
    config.data.directory = data.clone();
    config.model = ModelConfig::Own(model.clone());
    config.train.epochs = 2;
    let corpus = Corpus::read(Path::new(data), &config.data)?;
    let tokenizers = corpus.train_tokenizers(&config.data, |_| ())?;
    train(&RunDirectory::new(out, config)?, tokenizers, &corpus, device, false)?;
    // Later, perhaps in another process: two epochs more.
    let mut run = RunDirectory::resume_own(out, &model)?;
    run.change(&["train.epochs=4"])?;
    train(&run, run.tokenizers()?, &corpus, device, true)?;
    let run = RunDirectory::open_own(out, &model)?;
    let beam = Beam { width: 5, length_penalty: 1.0 };
    let mut translator = RunTranslator::open(&run, beam, None, wgrad::device::open(device)?.device)?;
    let (_, test) = &corpus.test;
    let sentences = &test.source[..test.source.len().min(5)];
    for (source, translation) in sentences.iter().zip(translator.translate(sentences)?) {
        println!("{source}\n  {translation}");
    }
    Ok(())
}

fn train(
    run: &RunDirectory,
    tokenizers: [wgrad::text::Tokenizer; 2],
    corpus: &Corpus,
    device: &str,
    resume: bool,
) -> Result<(), Box<dyn Error>> {
    let mut device = wgrad::device::open(device)?.device;
    let setup = Setup::new(run.config(), tokenizers, corpus.splits.clone(), &*device)?;
    Trainer::new(setup.allocate(&mut *device)?, run, resume)?.train(&AtomicBool::new(false), &mut ())?;
    Ok(())
}
