//! Faults on purpose.

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;

use super::Fuzzed;

/// What goes wrong, for some values.
#[derive(Arbitrary, Debug)]
pub struct Planted(u8);

impl Fuzzed for Planted {
    fn case(&self) -> Vec<u8> {
        vec![self.0]
    }

    fn judge(case: &[u8]) -> bool {
        match case[0] % 16 {
            1 => panic!("on purpose"),
            2 => std::process::abort(),
            3 => {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_secs(600) {
                    std::hint::spin_loop();
                }
            }
            4 => {
                let mut much: Vec<Vec<u8>> = vec![];
                for _ in 0..64 {
                    much.push(std::hint::black_box(Vec::with_capacity(64 << 20)));
                }
            }
            _ => {}
        }
        true
    }
}
