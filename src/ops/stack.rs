//! Joins tensors along their first axis (torch.cat): the steps of a decoder, a cache that grows.

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, grid, kernel, width};
use super::slice::slice;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("stack", &[SHADER], cases, benches);

const SHADER: Shader = shader!("stack");

/// Joins [t_i, ..] to [Σ t_i, ..]; numbers or ids.
pub fn stack(graph: &mut Graph, parts: &[Value]) -> Result<Value, GraphError> {
    if let [part] = parts { Ok(*part) } else { graph.push1(Stack, parts) }
}

#[derive(Debug)]
struct Stack;

impl Op for Stack {
    fn name(&self) -> &'static str {
        "stack"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let Some((first, _)) = inputs.split_first().filter(|(first, _)| !first.shape.is_empty()) else {
            return Err("there must be a part with at least one axis".into());
        };
        if inputs.iter().any(|t| t.dtype != first.dtype || t.shape.get(1..) != first.shape.get(1..)) {
            return Err("the parts must agree in type and in all axes but the first".into());
        }
        let mut result = first.clone();
        result.shape[0] = inputs.iter().map(|t| t.shape[0]).sum();
        Ok(vec![result])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let shape = at.graph.shape(at.output(0)).to_vec();
        let dy = at.upstream();
        let mut start = 0;
        for i in 0.. {
            if start == shape[0] {
                break;
            }
            let len = at.graph.shape(at.input(i))[0];
            let part = slice(at.graph, dy, 0, start, len)?;
            at.set(i, part);
            start += len;
        }
        Ok(())
    }

    reference!();

    /// A launch a part: a kernel binds at most eight buffers, and a decoder has dozens of steps.
    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let mut offset = 0;
        let copy = |(i, part): (usize, &TensorType)| {
            let width = width(&[part.len(), offset]);
            let dispatch = kernel(SHADER, "forward", width, target)
                .read(Operand::Input(i))
                .write(Operand::Output(0))
                .uniform(&[part.len() / width, offset / width]);
            offset += part.len();
            dispatch.workgroups(grid(part.len() / width, target))
        };
        types.inputs.iter().enumerate().map(copy).collect()
    }
}

impl Stack {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let lengths: Vec<usize> = call.types.inputs.iter().map(TensorType::len).collect();
        let ids = call.types.outputs[0].dtype == DType::U32;
        let (mut numbers, mut words): (&mut [T], &mut [u32]) =
            if ids { (&mut [], call.output_ids(0)) } else { (call.output(0), &mut []) };
        for (i, len) in lengths.into_iter().enumerate() {
            if ids {
                words[..len].copy_from_slice(call.ids(i));
                words = &mut words[len..];
            } else {
                numbers[..len].copy_from_slice(call.input(i));
                numbers = &mut numbers[len..];
            }
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let mut cases = vec![
        set.case(Stack).random(&[1, 7]).random(&[1, 7]).random(&[3, 7]),
        set.case(Stack).random(&[2, 17, 5]).random(&[65, 17, 5]),
        set.case(Stack).random(&[257]).random(&[1000]).random(&[1]),
        set.case(Stack).random(&[3, 12]).random(&[257, 12]),
        set.case(Stack).random(&[8, 128]).random(&[8, 128]),
    ];
    let odd = set.sizes(&[], [257, 257, 65]).into_iter();
    cases.extend(odd.map(|[a, b, columns]| set.case(Stack).random(&[a, columns]).random(&[b, columns])));
    cases.extend(set.many(WORKGROUP).map(|n| set.case(Stack).constant(&[n], 1.0).constant(&[3], 1.0)));
    cases
}

fn benches() -> Vec<Bench> {
    vec![Bench::new(
        "20 steps of 1280 x 1024",
        (0..20).fold(Case::new(Stack), |case, _| case.constant(&[1, 1280, 1024], 1.0)),
    )]
}
