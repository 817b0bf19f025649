//! The formulas of docs/bptt.md, evaluated as they stand there, against automatic differentiation and finite
//! differences.

use wgrad::cpu::Cpu;
use wgrad::graph::TensorType;
use wgrad::graph::draw::{drawing, svg};
use wgrad::models::textbook_rnn::{PARAMETERS, Sizes, TextbookRnn, textbook_rnn};
use wgrad::ops::threefry::{threefry, uniform};
use wgrad::plan::{Device, Plan, Prepared};

const SIZES: Sizes = Sizes { steps: 4, inputs: 3, hidden: 5, outputs: 7 };
const CLASSES: [u32; 4] = [6, 0, 3, 3];

/// Numbers in [−1, 1).
fn random(count: usize, stream: u32) -> Vec<f64> {
    (0..count).map(|i| 2.0 * f64::from(uniform(threefry([i as u32, stream, 0, 0], [5, 6, 0, 0])[0])) - 1.0).collect()
}

/// Everything that the network reads, in the order of [`PARAMETERS`], then h0 and the x_t.
struct Point {
    parameters: Vec<Vec<f64>>,
    h0: Vec<f64>,
    x: Vec<Vec<f64>>,
}

impl Point {
    fn new() -> Self {
        let Sizes { steps, inputs, hidden, outputs } = SIZES;
        let sizes = [hidden * inputs, hidden * hidden, hidden, outputs * hidden, outputs];
        Self {
            parameters: sizes.iter().enumerate().map(|(i, &size)| random(size, i as u32)).collect(),
            h0: random(hidden, 8),
            x: (0..steps).map(|t| random(inputs, 10 + t as u32)).collect(),
        }
    }
}

/// M·v of a matrix with as many columns as v has elements.
fn times(m: &[f64], v: &[f64]) -> Vec<f64> {
    m.chunks(v.len()).map(|row| row.iter().zip(v).map(|(m, v)| m * v).sum()).collect()
}

/// Mᵀ·v of a matrix with as many rows as v has elements.
fn transposed_times(m: &[f64], v: &[f64]) -> Vec<f64> {
    let columns = m.len() / v.len();
    (0..columns).map(|c| v.iter().enumerate().map(|(r, v)| m[r * columns + c] * v).sum()).collect()
}

/// Adds v·wᵀ.
fn add_outer(sum: &mut [f64], v: &[f64], w: &[f64]) {
    for (row, v) in sum.chunks_mut(w.len()).zip(v) {
        row.iter_mut().zip(w).for_each(|(sum, w)| *sum += v * w);
    }
}

fn plus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// The page's formulas: loss and its derivatives by U, W, b, V, c.
fn by_hand(point: &Point) -> (f64, Vec<Vec<f64>>) {
    let [u, w, b, v, c] = &point.parameters[..] else { panic!("five parameters") };
    let steps = SIZES.steps;
    let (mut h, mut p, mut loss) = (vec![point.h0.clone()], vec![], 0.0);
    for t in 0..steps {
        let a = plus(&plus(&times(u, &point.x[t]), &times(w, &h[t])), b);
        h.push(a.iter().map(|a| a.tanh()).collect());
        let o = plus(&times(v, &h[t + 1]), c);
        let total: f64 = o.iter().map(|o| o.exp()).sum();
        p.push(o.iter().map(|o| o.exp() / total).collect::<Vec<f64>>());
        loss -= p[t][CLASSES[t] as usize].ln();
    }
    let mut gradients: Vec<Vec<f64>> = point.parameters.iter().map(|p| vec![0.0; p.len()]).collect();
    let mut da_next = vec![0.0; SIZES.hidden];
    for t in (0..steps).rev() {
        // δo_t = p_t − y_t
        let mut delta_o = p[t].clone();
        delta_o[CLASSES[t] as usize] -= 1.0;
        // δh_t = Vᵀ·δo_t + Wᵀ·δa_{t+1}; δa_t = δh_t ∘ (1 − h_t²)
        let delta_h = plus(&transposed_times(v, &delta_o), &transposed_times(w, &da_next));
        let delta_a: Vec<f64> = delta_h.iter().zip(&h[t + 1]).map(|(d, h)| d * (1.0 - h * h)).collect();
        add_outer(&mut gradients[0], &delta_a, &point.x[t]);
        add_outer(&mut gradients[1], &delta_a, &h[t]);
        gradients[2] = plus(&gradients[2], &delta_a);
        add_outer(&mut gradients[3], &delta_o, &h[t + 1]);
        gradients[4] = plus(&gradients[4], &delta_o);
        da_next = delta_a;
    }
    (loss, gradients)
}

struct Network {
    cpu: Cpu<f64>,
    plan: Prepared,
}

impl Network {
    fn new(point: &Point) -> Self {
        let TextbookRnn { graph, loss, gradients, .. } = textbook_rnn(SIZES).expect("the shapes fit");
        let mut cpu = Cpu::<f64>::new();
        let Sizes { inputs, hidden, outputs, .. } = SIZES;
        let shapes: [&[usize]; 5] = [&[hidden, inputs], &[hidden, hidden], &[hidden], &[outputs, hidden], &[outputs]];
        for ((name, shape), values) in PARAMETERS.iter().zip(shapes).zip(&point.parameters) {
            cpu.allocate(name, &TensorType::f32(shape)).expect("memory");
            cpu.write(name, values);
        }
        cpu.allocate("h0", &TensorType::f32(&[1, hidden])).expect("memory");
        cpu.write("h0", &point.h0);
        for (t, (x, class)) in point.x.iter().zip(CLASSES).enumerate() {
            cpu.allocate(&format!("x{}", t + 1), &TensorType::f32(&[1, inputs])).expect("memory");
            cpu.write(&format!("x{}", t + 1), x);
            cpu.allocate(&format!("y{}", t + 1), &TensorType::u32(&[1])).expect("memory");
            cpu.write_u32(&format!("y{}", t + 1), &[class]).expect("it is there");
        }
        let fetches: Vec<_> = [loss].into_iter().chain(gradients).collect();
        let plan = cpu.prepare(Plan::new(&graph, &fetches, &[], &cpu.target())).expect("a plan");
        Self { cpu, plan }
    }

    fn run(&mut self) -> Vec<Vec<f64>> {
        self.cpu.run(self.plan, false).expect("a run");
        (0..6).map(|i| self.cpu.fetch(self.plan, i)).collect()
    }
}

/// The page shows what the command draws.
#[test]
fn the_picture_is_up_to_date() {
    let network = textbook_rnn(Sizes { steps: 4, inputs: 3, hidden: 5, outputs: 7 }).expect("the shapes fit");
    let picture = svg(&drawing(&network.graph, network.forward, &network.labels));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/bptt.svg");
    let committed = std::fs::read_to_string(path).expect("docs/bptt.svg");
    assert!(picture == committed, "draw it again: wgrad graph --preset rnn --format svg --out docs/bptt.svg");
}

#[test]
fn formulas_equal_automatic_differentiation() {
    let point = Point::new();
    let (loss, gradients) = by_hand(&point);
    let results = Network::new(&point).run();
    assert!((results[0][0] - loss).abs() < 1e-12 * loss, "{} against {loss}", results[0][0]);
    for ((name, expected), got) in PARAMETERS.iter().zip(&gradients).zip(&results[1..]) {
        let scale = expected.iter().fold(0.0f64, |max, g| max.max(g.abs()));
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            assert!((got - expected).abs() < 1e-12 * scale, "∂L/∂{name}[{i}]: {got} against {expected} by hand");
        }
    }
}

#[test]
fn formulas_equal_finite_differences() {
    const STEP: f64 = 1e-5;
    let mut point = Point::new();
    let gradients = by_hand(&point).1;
    for (parameter, gradient) in gradients.iter().enumerate() {
        for (i, expected) in gradient.iter().enumerate() {
            let value = point.parameters[parameter][i];
            let mut loss = |x: f64| {
                point.parameters[parameter][i] = x;
                by_hand(&point).0
            };
            let numeric = (loss(value + STEP) - loss(value - STEP)) / (2.0 * STEP);
            loss(value);
            let name = PARAMETERS[parameter];
            assert!((numeric - expected).abs() < 1e-8, "∂L/∂{name}[{i}]: {expected} by hand, {numeric} by differences");
        }
    }
}
