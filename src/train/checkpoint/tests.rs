use std::collections::HashMap;
use std::fs;

use super::*;

fn tensor(name: &str, shape: &[usize], scale: f32) -> NamedTensor {
    let values = (0..shape.iter().product()).map(|n: usize| (n as f32 - 1.5) * scale);
    NamedTensor { name: name.to_owned(), shape: shape.to_vec(), values: values.collect() }
}

/// Not in the order of names, and with an odd number of values, so that no order or alignment is taken for granted.
fn parameters(scale: f32) -> Vec<NamedTensor> {
    vec![
        tensor("encoder.weight", &[3, 5], scale),
        tensor("decoder.bias", &[7], scale / 3.0),
        tensor("decoder.empty", &[0, 4], scale),
    ]
}

fn expected() -> Vec<(String, Vec<usize>)> {
    parameters(1.0).into_iter().map(|tensor| (tensor.name, tensor.shape)).collect()
}

/// Numbers without a short decimal form, and the smallest and largest there are.
fn state() -> TrainingState {
    TrainingState {
        step: u64::from(u32::MAX) - 1,
        epoch: 3,
        batch: 17,
        schedule: ScheduleState::new(1e-3),
        epoch_loss_sum: 1.0 / 3.0 + 1e5,
        epoch_nll_sum: f64::MAX,
        epoch_batch_nll_sum: 1e-7,
        epoch_tokens: 5e-324,
        best_validation_loss: Some(0.1 + 0.2),
        best_epoch: 2,
        epochs_without_improvement: 1,
        metrics_bytes: 12345,
        seconds: std::f64::consts::PI,
        files: [("train.de".to_owned(), u64::MAX)].into(),
        config: "[data]\nsource = \"de\"\n".into(),
    }
}

fn save_some_last(path: &Path) -> Last {
    let last =
        Last { parameters: parameters(1.0), exp_avg: parameters(0.1), exp_avg_sq: parameters(1e-30), state: state() };
    save_last(path, &last.parameters, &last.exp_avg, &last.exp_avg_sq, &last.state).unwrap();
    last
}

/// What another program would write: `tensors` without our metadata.
fn save_foreign(path: &Path, tensors: &[(&str, Dtype, Vec<usize>)]) {
    let zeros = [0; 256];
    let views = tensors.iter().map(|(name, dtype, shape)| {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (name, TensorView::new(*dtype, shape.clone(), &zeros[..bytes]).unwrap())
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    fs::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

#[test]
fn a_model_comes_back_bit_for_bit_in_the_order_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let mut tensors = parameters(0.7);
    tensors[0].values[..3].copy_from_slice(&[-0.0, f32::MIN_POSITIVE / 2.0, f32::MAX]);
    save_model(&path, &tensors, None).unwrap();
    let loaded = load_model(&path, &expected()).unwrap();
    assert_eq!(loaded, tensors);
    assert_eq!(loaded[0].values[0].to_bits(), (-0.0_f32).to_bits());

    let first = fs::read(&path).unwrap();
    tensors.reverse();
    save_model(&path, &tensors, None).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first, "the same tensors make the same file");
}

#[test]
fn the_state_of_a_run_comes_back_bit_for_bit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("last.safetensors");
    let last = save_some_last(&path);
    assert_eq!(load_last(&path, &expected()).unwrap(), last);
    // PyTorch's names in the file, for whoever looks into it.
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("exp_avg_sq.decoder.bias").unwrap().shape(), [7]);
}

/// Whichever bit of a file flips, it is noticed or makes no difference (as a space of the header that becomes another).
#[test]
fn every_flipped_bit_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("last.safetensors");
    let last = save_some_last(&path);
    let intact = fs::read(&path).unwrap();
    let mut noticed = 0;
    for bit in 0..8 * intact.len() {
        let mut bytes = intact.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, bytes).unwrap();
        match load_last(&path, &expected()) {
            Ok(loaded) => assert_eq!(loaded, last, "bit {bit}"),
            Err(error) => {
                assert!(error.to_string().contains(&path.display().to_string()), "{error}");
                noticed += 1;
            }
        }
    }
    assert!(noticed > 8 * intact.len() - 64, "{noticed} of {} bits", 8 * intact.len());
}

#[test]
fn every_truncation_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    save_model(&path, &parameters(1.0), None).unwrap();
    let intact = fs::read(&path).unwrap();
    for length in 0..intact.len() {
        fs::write(&path, &intact[..length]).unwrap();
        let error = load_model(&path, &expected()).unwrap_err();
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{length}: {error}");
    }
    fs::write(&path, [&intact[..], b"more"].concat()).unwrap();
    let error = load_model(&path, &expected()).unwrap_err().to_string();
    assert!(error.contains("model.safetensors is damaged (") && error.contains("copy it again"), "{error}");
}

#[test]
fn a_state_that_no_run_comes_to_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("last.safetensors");
    let [one, other, third] = [1.0, 0.1, 1e-30].map(parameters);
    let too_far = TrainingState { step: u64::MAX, ..state() };
    save_last(&path, &one, &other, &third, &too_far).unwrap();
    let error = load_last(&path, &expected()).unwrap_err().to_string();
    assert!(error.contains("its state has step = 18446744073709551615"), "{error}");
}

/// The checksum covers the values, not the header that says whose they are.
#[test]
fn tensors_that_change_places_in_the_header_are_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let tensors = [tensor("decoder", &[2, 2], 1.0), tensor("encoder", &[2, 2], 2.0)];
    save_model(&path, &tensors, None).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).position(|part| part == name).unwrap();
    let (decoder, encoder) = (at(&bytes, b"decoder"), at(&bytes, b"encoder"));
    bytes[decoder..][..7].copy_from_slice(b"encoder");
    bytes[encoder..][..7].copy_from_slice(b"decoder");
    fs::write(&path, &bytes).unwrap();
    let expected = [("decoder".to_owned(), vec![2, 2]), ("encoder".to_owned(), vec![2, 2])];
    let error = load_model(&path, &expected).unwrap_err().to_string();
    assert!(error.contains("order of their names"), "{error}");
}

#[test]
fn files_of_other_programs_need_no_checksum() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    save_foreign(&path, &[("a", Dtype::F32, vec![3]), ("b", Dtype::F32, vec![2, 2])]);
    let loaded = load_model(&path, &[("b".to_owned(), vec![2, 2]), ("a".to_owned(), vec![3])]).unwrap();
    assert_eq!((loaded[0].name.as_str(), loaded[1].values.as_slice()), ("b", &[0.0; 3][..]));
}

#[test]
fn all_differences_are_listed_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let tensors = [
        ("decoder.bias", Dtype::F16, vec![7]),
        ("encoder.weight", Dtype::F32, vec![5, 3]),
        ("other", Dtype::F32, vec![1]),
        ("right", Dtype::F32, vec![2]),
    ];
    save_foreign(&path, &tensors);
    let expected = [expected(), vec![("right".to_owned(), vec![2])]].concat();
    let error = load_model(&path, &expected).unwrap_err().to_string();
    let message = format!(
        "{} does not hold the parameters of this model; use the config.toml that it was trained with, and \
         convert other types to F32:\n  \
         encoder.weight is F32 [5, 3]; expected F32 [3, 5]\n  \
         decoder.bias is F16 [7]; expected F32 [7]\n  \
         decoder.empty is missing; expected F32 [0, 4]\n  \
         other is F32 [1]; expected no tensor of this name",
        path.display()
    );
    assert_eq!(error, message);
}

#[test]
fn a_model_is_no_state_of_a_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    save_model(&path, &parameters(1.0), None).unwrap();
    let error = load_last(&path, &expected()).unwrap_err().to_string();
    assert!(error.ends_with("has no training state; expected last.safetensors of the folder of a run"), "{error}");
}

#[test]
fn a_diverged_run_does_not_replace_its_last_good_state() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("last.safetensors");
    let last = save_some_last(&path);
    let mut infinite = parameters(1.0);
    infinite[1].values[3] = f32::INFINITY;
    let error = save_model(&path, &infinite, None).unwrap_err().to_string();
    assert!(error.starts_with("decoder.bias is infinite or not a number, so "), "{error}");
    let changes: [fn(&mut TrainingState); 3] = [
        |state| state.epoch_loss_sum = f64::NAN,
        |state| state.epoch_nll_sum = f64::INFINITY,
        |state| state.best_validation_loss = Some(f64::INFINITY),
    ];
    for change in changes {
        let mut state = state();
        change(&mut state);
        let error = save_last(&path, &last.parameters, &last.exp_avg, &last.exp_avg_sq, &state).unwrap_err();
        assert!(error.to_string().starts_with("the loss is infinite or not a number"), "{error}");
    }
    assert_eq!(load_last(&path, &expected()).unwrap(), last);
}

/// What a program wrote that knew fewer fields of the state: it is read, and its checksum holds.
#[test]
fn a_state_from_before_a_field_was_there_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("last.safetensors");
    let last = save_some_last(&path);
    let bytes = fs::read(&path).unwrap();
    let (header, description) = SafeTensors::read_metadata(&bytes).unwrap();
    let json = &description.metadata().as_ref().unwrap()[METADATA_KEY];
    let (_, state) = json.split_once("\"state\":").unwrap();
    let mut fields: serde_json::Value = serde_json::from_str(state.strip_suffix('}').unwrap()).unwrap();
    for later in ["files", "epoch_batch_nll_sum", "config"] {
        assert!(fields.as_object_mut().unwrap().remove(later).is_some());
    }
    let fields = fields.to_string();
    for (wrong, readable) in [(0, true), (1, false)] {
        let checksum = checksum(&fields, [&bytes[size_of::<u64>() + header..]]) + wrong;
        let metadata = format!("{{\"checksum\":{checksum},\"state\":{fields}}}");
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let bytes = safetensors::serialize(file.tensors(), Some([(METADATA_KEY.to_owned(), metadata)].into())).unwrap();
        fs::write(&path, bytes).unwrap();
        let read = load_last(&path, &expected());
        assert_eq!(read.is_ok(), readable, "{read:?}");
        if let Ok(read) = read {
            let state = TrainingState {
                files: Fingerprints::new(),
                config: String::new(),
                epoch_batch_nll_sum: 0.0,
                ..last.state.clone()
            };
            assert_eq!(read, Last { state, ..last.clone() });
        }
    }
}

fn trained() -> Trained {
    Trained { tokenizers: [u64::MAX, 7], lengths: Lengths { source: 50, target: 60, ratio: 40.0 / 3.0 } }
}

#[test]
fn a_model_says_what_it_was_trained_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    save_model(&path, &parameters(1.0), Some(trained())).unwrap();
    assert_eq!(load_trained(&path).unwrap(), Some(trained()));
    assert_eq!(load_model(&path, &expected()).unwrap(), parameters(1.0));
    let intact = fs::read(&path).unwrap();
    let at = intact.windows(2).position(|two| two == b"50").unwrap();
    let mut changed = intact.clone();
    changed[at] = b'4';
    fs::write(&path, changed).unwrap();
    assert!(load_trained(&path).unwrap_err().to_string().contains("checksum is wrong"));
    save_model(&path, &parameters(1.0), None).unwrap();
    assert_eq!(load_trained(&path).unwrap(), None);
    assert!(fs::read(&path).unwrap().len() < intact.len(), "without it nothing is written");
}

#[test]
fn numbers_that_are_none_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (value, said) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        for prefix in ["", "exp_avg.", "exp_avg_sq."] {
            let path = directory.path().join("last.safetensors");
            save_some_last(&path);
            let bytes = fs::read(&path).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let name = format!("{prefix}encoder.weight");
            let mut data = file.tensor(&name).unwrap().data().to_vec();
            data[4 * 6..4 * 7].copy_from_slice(&value.to_le_bytes());
            let views = file.tensors().into_iter().map(|(other, view)| {
                let bytes = if other == name { &data } else { view.data() };
                (other, TensorView::new(Dtype::F32, view.shape().to_vec(), bytes).unwrap())
            });
            let views: Vec<_> = views.collect();
            let every: Vec<_> = views.iter().map(|(name, view)| (name.clone(), view.shape().to_vec())).collect();
            fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
            let error = load_model(&path, &every).unwrap_err().to_string();
            let start = format!("{}: element 6 of {name} is {said}; expected finite numbers", path.display());
            assert!(error.starts_with(&start), "{error}");
        }
    }
}
