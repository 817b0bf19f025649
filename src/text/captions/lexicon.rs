//! The vocabulary: tables with a line for each word or scene, for a speaker to proof-read.
//!
//! What makes sense together is written down as sets of tags: a noun carries tags, and
//! adjectives, scenes and places name the tags that they go with.

pub mod adjectives;
pub mod frames;
pub mod links;
pub mod nouns;
pub mod places;
pub mod tags;
pub mod verbs;
