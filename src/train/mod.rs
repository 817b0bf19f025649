//! Training.

pub mod config;
