//! The parameters of a model: parts of one flat buffer, with the names that PyTorch gives them.

use crate::graph::{ALIGNMENT, elements};
use crate::ops::threefry::{threefry, uniform};

/// How a parameter starts. The defaults of torch.nn, so that a model starts where its PyTorch twin would.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// U(−bound, bound): torch.nn.Linear and torch.nn.LSTM, with 1/√fan.
    Uniform(f32),
    /// N(0, σ²): torch.nn.Embedding, with σ = 1.
    Normal(f32),
    /// One number everywhere: torch.nn.LayerNorm, with 1 and 0.
    Constant(f32),
    /// Row p, columns 2i and 2i + 1: sin and cos of p/10000^(2i/columns) (Vaswani et al. 2017, 3.5).
    Sinusoidal,
}

impl Init {
    /// Uniform with the variance 2/(in + out) (Glorot and Bengio 2010): torch.nn.init.xavier_uniform_.
    pub fn xavier(outputs: usize, inputs: usize) -> Self {
        Init::Uniform((6.0 / (inputs + outputs) as f32).sqrt())
    }
}

/// A parameter's place in the flat buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    /// First element in the flat buffer, a multiple of [`ALIGNMENT`].
    pub offset: usize,
    init: Init,
}

impl Parameter {
    pub fn len(&self) -> usize {
        elements(&self.shape)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All parameters of a model, in the order in which its layers were made.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    list: Vec<Parameter>,
    /// Tables that lie in the flat buffer too, but are neither trained nor saved.
    constants: Vec<Parameter>,
    flat_len: usize,
}

impl Parameters {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter at the end of the flat buffer.
    pub fn add(&mut self, name: String, shape: &[usize], init: Init) -> Parameter {
        let parameter = self.place(name, shape, init);
        self.list.push(parameter.clone());
        parameter
    }

    /// Adds a table that is not trained: its gradient stays zero, so that the optimizer leaves it alone.
    pub fn add_constant(&mut self, name: String, shape: &[usize], init: Init) -> Parameter {
        let constant = self.place(name, shape, init);
        self.constants.push(constant.clone());
        constant
    }

    fn place(&mut self, name: String, shape: &[usize], init: Init) -> Parameter {
        let parameter = Parameter { name, shape: shape.to_vec(), offset: self.flat_len, init };
        // Saturating, as `elements` is: what is too large to count is refused where it is planned.
        let padded = parameter.len().checked_next_multiple_of(ALIGNMENT).unwrap_or(usize::MAX);
        self.flat_len = self.flat_len.saturating_add(padded);
        parameter
    }

    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.list.iter()
    }

    /// Elements of the flat buffer, gaps included.
    pub fn flat_len(&self) -> usize {
        self.flat_len
    }

    /// Elements of all parameters.
    pub fn count(&self) -> usize {
        self.list.iter().map(Parameter::len).fold(0, usize::saturating_add)
    }

    /// The flat buffer at the start of training: a function of the seed, the same on every machine. Gaps are zero.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        self.weights(self.list.iter().enumerate().map(|(number, parameter)| parameter.start(number, seed)))
    }

    /// The flat buffer that a model reads: these values of its parameters, in their order, and its constants.
    pub fn weights<V: AsRef<[f32]>>(&self, values: impl IntoIterator<Item = V>) -> Vec<f32> {
        let mut flat = self.moments(values);
        for constant in &self.constants {
            flat[constant.offset..][..constant.len()].copy_from_slice(&constant.start(0, 0));
        }
        flat
    }

    /// A flat buffer of the optimizer: these values, one for each element of the parameters, and zero where the
    /// constants lie, which have no gradient. Sinusoids there once made Adam take the root of a negative number.
    pub fn moments<V: AsRef<[f32]>>(&self, values: impl IntoIterator<Item = V>) -> Vec<f32> {
        let mut flat = vec![0.0; self.flat_len];
        for (parameter, values) in self.list.iter().zip(values) {
            flat[parameter.offset..][..parameter.len()].copy_from_slice(values.as_ref());
        }
        flat
    }
}

impl Parameter {
    /// The values at the start of training, of the parameter with this `number`.
    fn start(&self, number: usize, seed: u64) -> Vec<f32> {
        let key = [seed as u32, (seed >> 32) as u32, 0, number as u32];
        // The last counter word sets these numbers apart from dropout's.
        let words = |i: usize| threefry([i as u32, 0, 0, 1], key);
        let columns = self.shape.last().copied().unwrap_or(1);
        let value = |i: usize| match self.init {
            Init::Uniform(bound) => bound * (2.0 * uniform(words(i)[0]) - 1.0),
            Init::Normal(deviation) => deviation * normal(words(i)[0], words(i)[1]),
            Init::Constant(value) => value,
            Init::Sinusoidal => sinusoid(i / columns, i % columns, columns),
        };
        (0..self.len()).map(value).collect()
    }
}

/// In f64: WGSL bounds the error of sin and cos only from −π to π, and f32 angles would be off by 1e-5 at position 100.
fn sinusoid(position: usize, column: usize, columns: usize) -> f32 {
    let frequency = 1e4_f64.powf(-((column - column % 2) as f64) / columns as f64);
    let angle = position as f64 * frequency;
    (if column.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
}

/// A normal number from two uniform words (Box and Muller 1958), in f64 so that libraries' rounding does not show in
/// f32.
fn normal(a: u32, b: u32) -> f32 {
    let radius = (-2.0 * (1.0 - f64::from(uniform(a))).ln()).sqrt();
    (radius * (std::f64::consts::TAU * f64::from(uniform(b))).cos()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_with_the_moments_asked_for() {
        let mut parameters = Parameters::new();
        let normal = parameters.add("a".into(), &[100, 100], Init::Normal(2.0));
        let even = parameters.add("b".into(), &[101], Init::Uniform(0.5));
        let flat = parameters.initial(7);
        let values = &flat[normal.offset..][..normal.len()];
        let mean = values.iter().sum::<f32>() / 1e4;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 1e4;
        // Standard errors: 0.02 of the mean, 0.057 of the variance.
        assert!(mean.abs() < 0.1 && (variance - 4.0).abs() < 0.3, "{mean} {variance}");
        assert!(flat[even.offset..][..even.len()].iter().all(|v| v.abs() <= 0.5));
        assert_eq!((even.offset % ALIGNMENT, parameters.flat_len()), (0, 10_048 + 128));
        assert_ne!(parameters.initial(8), flat);
    }

    #[test]
    fn a_constant_is_a_weight_and_has_no_moments() {
        let mut parameters = Parameters::new();
        parameters.add("a".into(), &[2], Init::Constant(1.0));
        let table = parameters.add_constant("positions".into(), &[3, 2], Init::Sinusoidal);
        let of_table = |flat: &[f32]| flat[table.offset..][..table.len()].to_vec();
        let [weights, moments] = [parameters.weights([[2.0, 3.0]]), parameters.moments([[2.0, 3.0]])];
        assert_eq!((&weights[..2], &moments[..2]), (&[2.0, 3.0][..], &[2.0, 3.0][..]));
        assert_eq!(of_table(&weights), of_table(&parameters.initial(1)));
        assert_eq!(of_table(&weights)[..2], [0.0, 1.0]);
        assert_eq!(of_table(&moments), [0.0; 6]);
    }
}
