//! A run's saved model, back on a device.

use std::path::Path;
use std::sync::Arc;

use crate::graph::TensorType;
use crate::models::{self, Model, ModelConfig};
use crate::nn::Parameters;
use crate::plan::Device;
use crate::text::Tokenizer;

use super::TrainError;
use super::checkpoint::{CheckpointError, Trained, load_model, load_trained, stored_shape};
use super::fingerprint::tokenizer_fingerprint;
use super::run_directory::RunDirectory;

/// Loads a run's best model onto a device, to translate with it, and what it says of its training.
///
/// # Errors
/// When `model.safetensors` is missing, damaged, of another model or of other tokenizers, or memory is short.
pub fn load(
    device: &mut dyn Device,
    run: &RunDirectory,
    tokenizers: [&Tokenizer; 2],
) -> Result<(Arc<dyn Model>, Option<Trained>), TrainError> {
    let vocabularies = tokenizers.map(Tokenizer::vocabulary_size);
    let path = run.model_path();
    let model = load_weights(device, &run.config().model, vocabularies, &path).map_err(|e| match e {
        TrainError::Checkpoint(error) => blame(error, run, vocabularies),
        other => other,
    })?;
    let trained = load_trained(&path)?;
    check_tokenizers(run, trained, tokenizers.map(Some))?;
    Ok((model, trained))
}

/// Refuses tokenizers that are not those that a run's model was trained with, where it says which those are.
///
/// # Errors
/// Names the tokenizer.
pub fn check_tokenizers(
    run: &RunDirectory,
    trained: Option<Trained>,
    tokenizers: [Option<&Tokenizer>; 2],
) -> Result<(), TrainError> {
    let paths = [run.source_tokenizer_path(), run.target_tokenizer_path()];
    let expected = trained.iter().flat_map(|trained| trained.tokenizers);
    for ((tokenizer, path), expected) in tokenizers.into_iter().zip(paths).zip(expected) {
        if tokenizer.is_some_and(|tokenizer| tokenizer_fingerprint(tokenizer) != expected) {
            return Err(TrainError::ChangedTokenizer { tokenizer: path, checkpoint: run.model_path() });
        }
    }
    Ok(())
}

/// [`load`] for a model of this configuration in any file of named tensors.
///
/// # Errors
/// When the file is missing, damaged or of another model, or memory is short.
pub fn load_weights(
    device: &mut dyn Device,
    config: &ModelConfig,
    vocabularies: [usize; 2],
    path: &Path,
) -> Result<Arc<dyn Model>, TrainError> {
    let model = models::build(config, vocabularies);
    let parameters = model.parameters();
    let tensors = load_model(path, &expected(parameters))?;
    let flat = parameters.weights(tensors.iter().map(|tensor| &tensor.values));
    device.allocate("parameters", &TensorType::f32(&[flat.len()]))?;
    device.write_f32("parameters", &flat)?;
    Ok(model)
}

/// Names and shapes of a model's parameters, as a checkpoint must have them.
pub(super) fn expected(parameters: &Parameters) -> Vec<(String, Vec<usize>)> {
    parameters.iter().map(|p| (p.name.clone(), p.shape.clone())).collect()
}

/// Names the tokenizer if it is why a checkpoint doesn't fit.
pub(super) fn blame(error: CheckpointError, run: &RunDirectory, vocabularies: [usize; 2]) -> TrainError {
    let CheckpointError::Tensors { path, .. } = &error else {
        return error.into();
    };
    let names = models::vocabulary_tensors(&run.config().model);
    for (embedding, tokenizer, tokens) in [
        (names[0], run.source_tokenizer_path(), vocabularies[0]),
        (names[1], run.target_tokenizer_path(), vocabularies[1]),
    ] {
        let stored = stored_shape(path, embedding).and_then(|shape| shape.first().copied());
        if let Some(expected) = stored.filter(|&rows| rows != tokens) {
            return TrainError::WrongTokenizer { tokenizer, tokens, checkpoint: path.clone(), expected };
        }
    }
    error.into()
}
