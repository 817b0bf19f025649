//! `y[n] = weight[ids[n]]`

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Target, TensorType, Types, Value, expect,
    groups, reference,
};

use super::case::Case;
use super::elementwise::WORKGROUP;

/// Rows of weight [V, E] for ids [..]: [.., E]. An id outside the vocabulary reads the last row.
pub fn embedding(graph: &mut Graph, weight: Value, ids: Value) -> Result<Value, GraphError> {
    graph.push1(Embedding, &[weight, ids])
}

#[derive(Debug)]
struct Embedding;

impl Op for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[0], "the weight", 2, DType::F32)?;
        if inputs[1].dtype != DType::U32 {
            return Err("the ids must be u32".into());
        }
        Ok(vec![TensorType::f32(
            &[&inputs[1].shape[..], &inputs[0].shape[1..]].concat(),
        )])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (weight, ids, dy) = (at.input(0), at.input(1), at.upstream());
        let vocabulary = at.graph.shape(weight)[0];
        let dweight = at.graph.push1(EmbeddingBackward { vocabulary }, &[ids, dy])?;
        at.set(0, dweight);
        Ok(())
    }

    reference!();

    fn dispatches(&self, types: &Types, _target: &Target) -> Vec<Dispatch> {
        let len = types.outputs[0].len();
        let [vocabulary, width] = *types.input(0) else {
            unreachable!("checked by the shape rule")
        };
        let dispatch = Dispatch::new("embedding", "forward")
            .read(Operand::Input(0))
            .read(Operand::Input(1));
        let dispatch = dispatch.write(Operand::Output(0)).uniform(&[len, vocabulary, width]);
        vec![dispatch.workgroups(groups(len.div_ceil(WORKGROUP)))]
    }
}

impl Embedding {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [vocabulary, width] = *call.types.input(0) else {
            unreachable!("checked by the shape rule")
        };
        for (y, &id) in call.output(0).chunks_exact_mut(width).zip(call.ids(1)) {
            y.copy_from_slice(&call.input(0)[(id as usize).min(vocabulary - 1) * width..][..width]);
        }
    }
}

/// dweight[v] = Σ dy[n] over the n with ids[n] = v, added in the order of n: the same bits every run, without float atomics.
#[derive(Debug)]
struct EmbeddingBackward {
    vocabulary: usize,
}

impl Op for EmbeddingBackward {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![TensorType::f32(&[self.vocabulary, inputs[1].columns()])])
    }

    reference!();

    fn scratch(&self, types: &Types, _target: &Target) -> Vec<usize> {
        vec![types.inputs[0].len()]
    }

    fn dispatches(&self, types: &Types, _target: &Target) -> Vec<Dispatch> {
        let (positions, width) = (types.inputs[0].len(), types.inputs[1].columns());
        let (ids, links) = (Operand::Input(0), Operand::Scratch(0));
        vec![
            Dispatch::clear(Operand::Output(0)),
            Dispatch::new("embedding", "link")
                .read(ids)
                .write(links)
                .uniform(&[positions, self.vocabulary, width])
                .workgroups(groups(positions.div_ceil(64))),
            Dispatch::new("embedding", "backward")
                .read(ids)
                .read(links)
                .read(Operand::Input(1))
                .write(Operand::Output(0))
                .uniform(&[positions, self.vocabulary, width])
                .workgroups(groups(positions)),
        ]
    }
}

impl EmbeddingBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let width = call.types.inputs[1].columns();
        let dweight = call.output(0);
        dweight.fill(T::default());
        for (&id, dy) in call.ids(0).iter().zip(call.input(1).chunks_exact(width)) {
            let row = &mut dweight[(id as usize).min(self.vocabulary - 1) * width..][..width];
            for e in 0..width {
                row[e] += dy[e];
            }
        }
    }
}

pub fn cases() -> Vec<Case> {
    let shapes = [
        (1, 1, &[1][..]),
        (7, 17, &[5, 3]),
        (33, 65, &[257]),
        (1000, 2, &[4, 7]),
        (3, 257, &[1000]),
    ];
    let mut cases = vec![];
    for (vocabulary, width, ids) in shapes {
        cases.push(
            Case::new(Embedding)
                .random(&[vocabulary, width])
                .random_ids(ids, vocabulary as u32),
        );
        let dy = [ids, &[width]].concat();
        let op = EmbeddingBackward { vocabulary };
        cases.push(Case::new(op).random_ids(ids, vocabulary as u32).constant(&dy, 1.0));
    }
    // The same id everywhere, and the extreme ids.
    cases.push(
        Case::new(EmbeddingBackward { vocabulary: 9 })
            .ids(&[130], vec![4; 130])
            .constant(&[130, 5], 1.0),
    );
    cases.push(Case::new(Embedding).random(&[9, 5]).ids(&[3], vec![0, 8, u32::MAX]));
    cases
}
