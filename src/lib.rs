//! wgrad trains sequence-to-sequence models on any vendor's GPU, with kernels written by hand in WGSL.

pub mod bench;
pub mod check;
pub mod cpu;
pub mod decode;
pub mod gpu;
pub mod graph;
pub mod models;
pub mod nn;
pub mod ops;
pub mod plan;
pub mod text;
pub mod train;
