//! f32 on the CPU and through the shaders against the true value: computed in f64 from the same inputs, by a formula
//! that loses nothing there. The bound of the tracked reference says how far a formula may be off; these tests say
//! that the formula is a good one.

mod gpu;

use wgrad::cpu::Cpu;
use wgrad::graph::{DType, Graph, GraphError, TensorType, Value};
use wgrad::models;
use wgrad::ops::adam::{Adam, adam};
use wgrad::ops::beam_step::{BeamStep, beam_step};
use wgrad::ops::gradients;
use wgrad::ops::gru::gru;
use wgrad::ops::layer_norm::layer_norm;
use wgrad::ops::linear_cross_entropy::{LinearCrossEntropy, linear_cross_entropy};
use wgrad::ops::log_softmax::log_softmax;
use wgrad::ops::lstm::{LstmWeights, lstm};
use wgrad::ops::mul::mul;
use wgrad::ops::normalize::normalize;
use wgrad::ops::relu::relu;
use wgrad::ops::rnn::rnn;
use wgrad::ops::sigmoid::sigmoid;
use wgrad::ops::sum::sum;
use wgrad::ops::tanh::tanh;
use wgrad::plan::{Device, Plan};
use wgrad::train::config::Config;
use wgrad::train::dump::{IdBatch, dump};

/// A tensor that a graph reads.
enum Input {
    Numbers(Vec<usize>, Vec<f32>),
    Ids(Vec<usize>, Vec<u32>),
}

fn numbers(shape: &[usize], values: impl IntoIterator<Item = f32>) -> Input {
    Input::Numbers(shape.to_vec(), values.into_iter().collect())
}

/// Numbers in [−scale, scale), other ones for another salt.
fn spread(shape: &[usize], salt: usize, scale: f32) -> Input {
    let wave = |i: usize| ((i + 31 * salt) * 7919 % 1009) as f32 / 504.5 - 1.0;
    numbers(shape, (0..shape.iter().product()).map(|i| scale * wave(i)))
}

/// What `build` makes of the inputs on a device.
fn compute(
    device: &mut dyn Device,
    inputs: &[Input],
    build: impl Fn(&mut Graph, &[Value]) -> Result<Vec<Value>, GraphError>,
) -> Vec<Vec<f32>> {
    let mut graph = Graph::new();
    let mut values = vec![];
    for (i, input) in inputs.iter().enumerate() {
        let name = format!("input {i}");
        let (Input::Numbers(shape, _) | Input::Ids(shape, _)) = input;
        let dtype = if matches!(input, Input::Ids(..)) { DType::U32 } else { DType::F32 };
        let tensor = TensorType { shape: shape.clone(), dtype };
        device.allocate(&name, &tensor).expect("memory");
        match input {
            Input::Numbers(_, values) => device.write_f32(&name, values).expect("it was allocated"),
            Input::Ids(_, ids) => device.write_u32(&name, ids).expect("it was allocated"),
        }
        values.push(graph.input(&name, tensor).expect("a new input"));
    }
    let fetches = build(&mut graph, &values).expect("shapes that fit");
    let plan = device.prepare(Plan::new(&graph, &fetches, &[], &device.target())).unwrap_or_else(|e| panic!("{e}"));
    device.run(plan, false).unwrap_or_else(|e| panic!("{e}"));
    (0..fetches.len()).map(|i| device.fetch_f32(plan, i).unwrap_or_else(|e| panic!("{e}"))).collect()
}

/// Whatever computes in f32, each with nothing on it.
fn devices() -> Vec<(&'static str, Box<dyn Device>)> {
    let mut hardware = gpu::open();
    hardware.take_hardware_kernels();
    vec![
        ("cpu", Box::new(Cpu::<f32>::new())),
        ("software kernels", Box::new(gpu::open())),
        ("hardware kernels", Box::new(hardware)),
    ]
}

/// Each number within `bound` of the true one.
fn assert_close(what: &str, got: &[f32], exact: &[f64], bound: impl Fn(f64) -> f64) {
    assert_eq!(got.len(), exact.len(), "{what}");
    for (i, (&got, &exact)) in got.iter().zip(exact).enumerate() {
        let error = (f64::from(got) - exact).abs();
        assert!(error <= bound(exact), "{what}, number {i}: {got:e} in place of {exact:e}, off by {error:.1e}");
    }
}

#[test]
fn tanh_and_sigmoid_err_relative_to_their_value() {
    let sizes = [1e-30, 1e-9, 1e-6, 1e-4, 0.01, 0.2, 0.49, 0.499_999_97, 0.5, 0.51, 0.7, 1.0, 3.0, 12.0];
    let x: Vec<f32> = sizes.into_iter().chain([20.0, 50.0, 80.0, 86.0, 0.0]).flat_map(|x| [x, -x]).collect();
    let exact = |f: fn(f64) -> f64| -> Vec<f64> { x.iter().map(|&x| f(f64::from(x))).collect() };
    let (tanhs, sigmoids) = (exact(f64::tanh), exact(|x| 1.0 / (1.0 + (-x).exp())));
    for (name, mut device) in devices() {
        // Rows of a length that is a multiple of four, and one that is not: other kernels.
        for len in [x.len(), x.len() - 1] {
            let input = [numbers(&[len], x[..len].iter().copied())];
            let got = compute(&mut *device, &input, |graph, x| Ok(vec![tanh(graph, x[0])?, sigmoid(graph, x[0])?]));
            assert_close(&format!("tanh, {name}"), &got[0], &tanhs[..len], |y| 1e-6 * y.abs());
            // WGSL lets e^x err by (3 + 2|x|) ULP: −ln y is |x|.
            let of_exp = |y: f64| if name == "cpu" { 0.0 } else { -2.4e-7 * y.min(0.5).ln() };
            assert_close(&format!("sigmoid, {name}"), &got[1], &sigmoids[..len], |y| (1e-6 + of_exp(y)) * y);
        }
    }
}

#[test]
fn activations_leave_nan_what_it_is() {
    for (name, mut device) in devices() {
        for len in [4, 3] {
            let input = [numbers(&[len], vec![f32::NAN; len])];
            let got = compute(&mut *device, &input, |graph, x| {
                Ok(vec![tanh(graph, x[0])?, sigmoid(graph, x[0])?, relu(graph, x[0])?])
            });
            assert!(got.iter().flatten().all(|y| y.is_nan()), "{name}: {got:?}");
        }
    }
}

/// With weights of 0.003 of the usual, nearly all that a recurrence computes is tanh near zero. Ten times nearer than
/// what is promised of every gradient, since a model has several such layers.
#[test]
fn gradients_of_recurrences_with_small_weights() {
    let mut devices = devices();
    // The second has a product a step on every device.
    for [time, batch, hidden] in [[6, 5, 7], [3, 2, 260]] {
        for (kind, gates) in [("rnn", 1), ("gru", 3), ("lstm", 4)] {
            let small = 0.003 / (hidden as f32).sqrt();
            let inputs = [
                spread(&[time, batch, gates * hidden], 1, 3.0 * small),
                spread(&[gates * hidden, hidden], 2, small),
                spread(&[gates * hidden], 3, small),
                spread(&[gates * hidden], 4, small),
                Input::Ids(vec![batch], (0..batch).map(|b| (time - b % 2) as u32).collect()),
                spread(&[time, batch, hidden], 5, 1.0),
            ];
            let build = |graph: &mut Graph, x: &[Value]| {
                let weights = [x[1], x[2], x[3]];
                let outputs = match kind {
                    "rnn" => rnn(graph, x[0], weights, x[4], None, false)?.outputs,
                    "gru" => gru(graph, x[0], weights, x[4], None, false)?.outputs,
                    _ => {
                        let [w_hh, b_ih, b_hh] = weights;
                        lstm(graph, x[0], LstmWeights { w_hh, b_ih, b_hh }, x[4], None, false)?.outputs
                    }
                };
                let weighted = mul(graph, outputs, x[5])?;
                let scalar = sum(graph, weighted)?;
                let found = gradients(graph, scalar, &x[..4])?;
                Ok([outputs].into_iter().chain(found.into_iter().flatten()).collect())
            };
            let exact = compute(&mut Cpu::<f64>::new(), &inputs, build);
            assert_eq!(exact.len(), 5, "{kind}: states and four gradients");
            for (name, device) in &mut devices {
                for (i, (got, exact)) in compute(&mut **device, &inputs, build).iter().zip(&exact).enumerate() {
                    let exact: Vec<f64> = exact.iter().copied().map(f64::from).collect();
                    let largest = exact.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
                    assert_close(&format!("{kind} {hidden}, {name}, {i}"), got, &exact, |_| 1e-6 * largest);
                }
            }
        }
    }
}

/// The same of whole models, as far as every gradient is promised to agree with PyTorch's. Without attention: to that
/// of small states all scores are alike, so that its gradients are zero but for rounding, in f64 too.
#[test]
fn gradients_of_models_with_small_weights() {
    let rows = |salt: usize| -> Vec<i64> {
        (0..3).flat_map(|b| [2, 4 + (b * 7 + salt) as i64 % 20, 5 + (b + salt) as i64 % 9, 3, 1].into_iter()).collect()
    };
    let batch = IdBatch { sentences: 3, source: rows(1), target: rows(4) };
    let mut devices = devices();
    for rnn in ["rnn", "gru", "lstm"] {
        let mut config = Config::preset("tiny").expect("a preset");
        let rnn_setting = format!("model.rnn={rnn}");
        config
            .set_all(&[rnn_setting.as_str(), "model.attention=none", "model.dropout=0.0"])
            .expect("valid assignments");
        let model = models::build(&config.model, [25, 27]);
        let small: Vec<f32> = model.parameters().initial(5).iter().map(|x| 0.003 * x).collect();
        let gradients = |device: &mut dyn Device| {
            device.allocate("parameters", &TensorType::f32(&[small.len()])).expect("memory");
            device.write_f32("parameters", &small).expect("it is there");
            dump(device, &*model, &config, [25, 27], &batch).unwrap_or_else(|e| panic!("{rnn}: {e}"))
        };
        let exact = gradients(&mut Cpu::<f64>::new());
        for (name, device) in &mut devices {
            let got = gradients(&mut **device);
            for (got, exact) in got.iter().zip(&exact).filter(|(got, _)| got.name.starts_with("grad.")) {
                let exact: Vec<f64> = exact.values.iter().copied().map(f64::from).collect();
                let largest = exact.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
                let what = format!("{rnn}, {name}, {}", got.name);
                assert_close(&what, &got.values, &exact, |_| 1e-5 * largest);
            }
        }
    }
}

/// ln Σ e^z − z[0], of logits whose first is the largest.
fn surprise(z: &[f64]) -> f64 {
    z[1..].iter().map(|x| (x - z[0]).exp()).sum::<f64>().ln_1p()
}

/// The surprise at a token that is all but certain, among large logits: ln Σ e^(z − max) must not be added to max.
/// WGSL grants a logarithm near 0 an error of 2⁻²¹.
#[test]
fn the_likelihood_of_a_likely_token_among_large_logits() {
    let rows = [[1000.0, 992.0, 991.0, 980.0, 0.0], [-500.0, -507.0, -509.5, -900.0, -508.0]];
    let logits: Vec<f32> = rows.as_flattened().iter().map(|&z| z as f32).collect();
    let exact = rows.map(|row| surprise(&row));
    let bound = |_: f64| 5e-7;
    for (name, mut device) in devices() {
        let what = |op: &str| format!("{op}, {name}");
        let got =
            compute(&mut *device, &[numbers(&[2, 5], logits.clone())], |graph, x| Ok(vec![log_softmax(graph, x[0])?]));
        assert_close(&what("log_softmax"), &[-got[0][0], -got[0][5]], &exact, bound);

        let zeros = [numbers(&[2], [0.0; 2]), Input::Ids(vec![2], vec![1; 2]), Input::Ids(vec![2], vec![4; 2])];
        let inputs: Vec<Input> = [numbers(&[2, 5], logits.clone())].into_iter().chain(zeros).collect();
        let op = BeamStep { beam: 1, length_penalty: 1.0, length: 1, end: 3 };
        let got =
            compute(&mut *device, &inputs, |graph, x| Ok(vec![beam_step(graph, op, x[0], x[1], x[2], x[3])?.scores]));
        assert_close(&what("beam_step"), &got[0].iter().map(|x| -x).collect::<Vec<_>>(), &exact, bound);

        // x·weightᵀ are the logits of one row each.
        for (row, &exact) in rows.iter().zip(&exact) {
            let weight = numbers(&[5, 1], row.iter().map(|&z| z as f32));
            let inputs = [numbers(&[1, 1], [1.0]), weight, numbers(&[5], [0.0; 5]), Input::Ids(vec![1], vec![0])];
            let op = LinearCrossEntropy::new(9, 0.0);
            let got = compute(&mut *device, &inputs, |graph, x| {
                let loss = linear_cross_entropy(graph, x[0], x[1], x[2], x[3], op)?;
                Ok(vec![loss.mean, loss.statistics])
            });
            assert_close(&what("linear_cross_entropy"), &[got[0][0], got[1][1]], &[exact; 2], bound);
        }
    }
}

/// Rows of equal numbers have no variance, and √ε in its place magnifies what their mean is off by 316 times. Where a
/// mean is large beside what numbers differ by, it is rounded once, by half a ULP of its own, as the numbers were.
#[test]
fn layer_norm_of_equal_numbers_and_of_large_ones() {
    let mut devices = devices();
    for columns in [17, 128, 300, 2104] {
        let equal: Vec<f32> = [0.1, -1.1, 3333.3333, 142_857.14].into_iter().flat_map(|x| vec![x; columns]).collect();
        let wave = |i: usize| (i * 7919 % 1009) as f32 / 504.5 - 1.0;
        let large: Vec<f32> = (0..4 * columns).map(|i| 10f32.powi((i / columns) as i32) + wave(i)).collect();
        let exact: Vec<f64> = large.chunks_exact(columns).flat_map(normed).collect();
        for (name, device) in &mut devices {
            let mut run = |rows: Vec<f32>, residual: bool| {
                let (ones, zeros) = (numbers(&[columns], vec![1.0; columns]), numbers(&[columns], vec![0.0; columns]));
                let inputs =
                    [numbers(&[4, columns], rows), ones, zeros, numbers(&[4, columns], vec![0.0; 4 * columns])];
                compute(&mut **device, &inputs, |graph, x| {
                    Ok(vec![layer_norm(graph, x[0], residual.then_some(x[3]), x[1], x[2])?.output])
                })
                .remove(0)
            };
            for residual in [false, true] {
                let what = format!("{columns} columns, residual {residual}, {name}");
                assert_close(&format!("equal, {what}"), &run(equal.clone(), residual), &vec![0.0; 4 * columns], |_| {
                    0.0
                });
                for (row, (got, exact)) in
                    run(large.clone(), residual).chunks(columns).zip(exact.chunks(columns)).enumerate()
                {
                    // Half a ULP of 10^row, beside a standard deviation of 0.58.
                    let bound = 1.8 * 0.6e-7 * 10f64.powi(row as i32) + 4e-6;
                    assert_close(&format!("row {row}, {what}"), got, exact, |_| bound);
                }
            }
        }
    }
}

/// A row less its mean, by its standard deviation.
fn normed(row: &[f32]) -> Vec<f64> {
    let mean_of = |f: &dyn Fn(f64) -> f64| row.iter().map(|&x| f(f64::from(x))).sum::<f64>() / row.len() as f64;
    let mean = mean_of(&|x| x);
    let deviation = (mean_of(&|x| (x - mean) * (x - mean)) + f64::from(1e-5f32)).sqrt();
    row.iter().map(|&x| (f64::from(x) - mean) / deviation).collect()
}

#[test]
fn directions_of_short_and_long_rows() {
    let lengths = [3e-8, 1e-6, 1.0, 1e6, 1e15];
    let rows: Vec<f32> = (0..5 * 33).map(|i| lengths[i / 33] * ((i * 7919 % 1009) as f32 / 504.5 - 1.0)).collect();
    let direction = |row: &[f32]| -> Vec<f64> {
        let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        row.iter().map(|&x| f64::from(x) / length).collect()
    };
    let exact: Vec<f64> = rows.chunks_exact(33).flat_map(direction).collect();
    for (name, mut device) in devices() {
        let got =
            compute(&mut *device, &[numbers(&[5, 33], rows.clone())], |graph, x| Ok(vec![normalize(graph, x[0])?]));
        assert_close(&format!("normalize, {name}"), &got[0], &exact, |y| 2e-6 * y.abs());
    }
}

/// Adam's step of parameters whose gradients are zeros, vanish when squared, or are usual: against the formula in f64.
#[test]
fn adam_of_gradients_that_vanish() {
    let gradients = [0.0, 1e-30, -1e-22, 1e-15, -1e-8, 1e-3, 0.0, 1.0];
    let op = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    let words = |t: i32| {
        let correction = |beta: f32| ((1.0 - f64::from(beta).powi(t)) as f32).to_bits();
        vec![0, 0, t as u32, 1f32.to_bits(), correction(op.beta1), correction(op.beta2), 0, 0]
    };
    let zeros = || numbers(&[8], [0.0; 8]);
    let control = Input::Ids(vec![8], words(1));
    let inputs = [zeros(), zeros(), zeros(), numbers(&[8], gradients), numbers(&[2], [1.0, 0.0]), control];
    // At the first step the moments, corrected, are the gradient and its square.
    let exact = gradients.map(|g| -f64::from(g) / (f64::from(g).abs() + f64::from(1e-8f32)));
    for (name, mut device) in devices() {
        let got = compute(&mut *device, &inputs, |graph, x| {
            adam(graph, op, [x[0], x[1], x[2]], x[3], x[4], x[5]).map(|updated| vec![updated[0]])
        });
        assert_close(&format!("adam, {name}"), &got[0], &exact, |y| 2e-6 * y.abs());
    }
}
