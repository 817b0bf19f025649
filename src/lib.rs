//! wgrad trains sequence-to-sequence models on any vendor's GPU, with kernels written by hand in WGSL.
//!
//! A computation is built once as a [`graph`] of [`ops`], differentiated into more nodes of that graph, [planned](plan)
//! (what is computed when, and where it lies), and run by a [`Device`](plan::Device): the [CPU executor](cpu::Cpu) or a
//! [GPU](gpu::Gpu), on the same plan.
//!
//! ```
//! use wgrad::cpu::Cpu;
//! use wgrad::graph::{Graph, TensorType};
//! use wgrad::ops::{gradients, matmul::matmul_nt, sum::sum, tanh::tanh};
//! use wgrad::plan::{Device, Plan};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // L = Σ tanh(x·Wᵀ), and its derivative by W
//! let mut graph = Graph::new();
//! let x = graph.input("x", TensorType::f32(&[2, 3]))?;
//! let w = graph.input("w", TensorType::f32(&[1, 3]))?;
//! let product = matmul_nt(&mut graph, x, w)?;
//! let squashed = tanh(&mut graph, product)?;
//! let loss = sum(&mut graph, squashed)?;
//! let dw = gradients(&mut graph, loss, &[w])?[0].expect("the loss depends on W");
//!
//! // Gpu::open("") in place of Cpu::new() takes the best graphics adapter.
//! let mut device = Cpu::<f32>::new();
//! device.allocate("x", &TensorType::f32(&[2, 3]))?;
//! device.allocate("w", &TensorType::f32(&[1, 3]))?;
//! device.write_f32("x", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! let plan = device.prepare(Plan::new(&graph, &[loss, dw], &[], &device.target()))?;
//! device.run(plan, false)?;
//! assert_eq!(device.fetch_f32(plan, 0)?, [0.0]); // W is zero,
//! assert_eq!(device.fetch_f32(plan, 1)?, [5.0, 7.0, 9.0]); // so that tanh' is 1
//! # Ok(())
//! # }
//! ```
//!
//! To train and to translate, read in this order: [`models`] (made of [`nn`]'s layers), [`text`] (corpora, tokenizers,
//! batches), [`train::step`] (one step as a graph), [`train::Trainer`], [`decode`]. To judge a kernel: [`check`]; to
//! time it: [`bench`](mod@bench). `ARCHITECTURE.md` in the repository tells who may know whom, and how to add an op.

pub mod bench;
pub mod check;
#[cfg(feature = "cli")]
pub mod commands;
pub mod cpu;
pub mod decode;
pub mod device;
pub mod gpu;
pub mod graph;
mod hash;
mod markup;
pub mod memory;
pub mod models;
pub mod nn;
pub mod ops;
pub mod plan;
pub mod report;
pub mod shell;
pub mod text;
pub mod train;
pub mod tune;
