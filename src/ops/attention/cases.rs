//! What attention is compared at and measured at.

use super::super::case::{Bench, Case, CaseSet, lengths};
use super::super::dropout::Dropout;
use super::backward::FusedBackward;
use super::{Attention, Fused, Heads};

pub fn cases(set: &CaseSet) -> Vec<Case> {
    let heads = |count, key, value| Heads { count, key, value };
    // (heads, causal, masked, probability of dropout, queries, keys of cross-attention, batch)
    let sizes = [
        (heads(1, 1, 1), false, false, 0.0, 1, None, 1),
        (heads(2, 5, 7), true, true, 0.0, 7, None, 5),
        (heads(3, 8, 8), false, true, 0.0, 17, None, 5),
        (heads(1, 33, 4), true, false, 0.0, 65, None, 2),
        (heads(2, 4, 4), false, true, 0.0, 1, Some(17), 6),
        (heads(2, 17, 5), false, true, 0.0, 7, Some(33), 5),
        (heads(1, 2, 3), false, false, 0.0, 257, Some(65), 1),
        (heads(2, 5, 7), true, true, 0.3, 7, None, 5),
        (heads(1, 4, 3), true, false, 0.1, 33, None, 2),
        (heads(2, 7, 5), false, true, 0.5, 7, Some(36), 5),
        (heads(1, 2, 3), false, false, 0.9, 65, Some(3), 1),
        (heads(2, 8, 12), true, true, 0.3, 33, None, 3),
        (heads(1, 4, 8), false, true, 0.2, 5, Some(18), 6),
    ];
    let odd = set.sizes(&[], [257, 65, 33]).into_iter().enumerate().map(|(i, [queries, batch, width])| {
        let keys = (i % 3 > 0).then_some(queries % 40 + 1);
        (
            heads(1 + i % 2, width, 1 + i % 7),
            keys.is_none() && i % 2 == 0,
            i % 5 > 0,
            0.3 * (i % 2) as f32,
            queries,
            keys,
            batch,
        )
    });
    let many = set.many(64).map(|batch| (heads(1, 1, 1), false, true, 0.0, 1, None, batch));
    let mut cases = vec![];
    for (heads, causal, masked, p, queries, keys, batch) in sizes.into_iter().chain(odd).chain(many) {
        let dropout = (p > 0.0).then(|| Dropout::new(p, 6));
        let op = Fused { which: Attention { heads, causal }, cross: keys.is_some(), masked, dropout };
        let (first, second) = (heads.count * heads.key, heads.count * (heads.key + heads.value));
        let width = if keys.is_some() { first } else { first + second };
        let mut forward = set.case(op).random(&[queries, batch, width]);
        let mut backward = set.case(FusedBackward(op)).constant(&[queries, batch, width], 1.0);
        if let Some(keys) = keys {
            forward = forward.random(&[keys, batch, second]);
            backward = backward.constant(&[keys, batch, second], 1.0);
        }
        // logsumexp is as large as scores between −1 and 1 can make it, and no two neighbours are alike.
        let largest = ((keys.unwrap_or(queries) + 1) as f32).ln() + 1.0;
        let logsumexp = (0..batch * heads.count * queries).map(|row| largest + 0.25 * (row % 5) as f32).collect();
        backward = backward.values(&[batch, heads.count, queries], logsumexp);
        for _ in 0..2 {
            backward = backward.constant(&[queries, batch, heads.count * heads.value], 1.0);
        }
        if masked {
            forward = forward.ids(&[batch], lengths(batch, keys.unwrap_or(queries)));
            backward = backward.ids(&[batch], lengths(batch, keys.unwrap_or(queries)));
        }
        if dropout.is_some() {
            (forward, backward) = (forward.control(), backward.control());
        }
        cases.extend([forward, backward]);
    }
    // Queries of zeros, which are empty sequences to a kernel that takes them for lengths.
    let op =
        Fused { which: Attention { heads: heads(1, 2, 2), causal: false }, cross: true, masked: false, dropout: None };
    let inputs = |case: Case| case.values(&[3, 1, 2], vec![0.0; 6]).constant(&[5, 1, 4], 1.0);
    let backward = inputs(set.case(FusedBackward(op))).values(&[1, 1, 3], vec![5.0f32.ln(); 3]);
    cases.extend([inputs(set.case(op)), backward.constant(&[3, 1, 2], 1.0).constant(&[3, 1, 2], 1.0)]);
    // Scores of 128 among scores of −128, by sentence at each place of the second eight: a sum that does not follow the
    // largest overflows.
    let op =
        Fused { which: Attention { heads: heads(1, 4, 4), causal: false }, cross: true, masked: false, dropout: None };
    let (batch, keys) = (8, 20);
    let number = |i: usize| if i / 8 / batch == 8 + i / 8 % batch { 8.0 } else { -8.0 };
    let far = (0..keys * batch * 8).map(number).collect();
    cases.push(set.case(op).values(&[3, batch, 4], vec![8.0; 3 * batch * 4]).values(&[keys, batch, 8], far));
    // NaN in the keys and values of padding.
    let op =
        Fused { which: Attention { heads: heads(1, 2, 2), causal: false }, cross: true, masked: true, dropout: None };
    let padded = (0..20).map(|i| if i < 12 { i as f32 * 0.1 } else { f32::NAN }).collect();
    cases.push(set.case(op).constant(&[3, 1, 2], 1.0).values(&[5, 1, 4], padded).ids(&[1], vec![3]));
    // A length beyond the keys is all of them.
    let backward = set.case(FusedBackward(op)).constant(&[3, 2, 2], 1.0).constant(&[5, 2, 4], 1.0);
    let backward = backward.values(&[2, 1, 3], vec![6.0f32.ln() + 1.0; 6]);
    let backward = backward.constant(&[3, 2, 2], 1.0).constant(&[3, 2, 2], 1.0);
    let forward = set.case(op).random(&[3, 2, 2]).random(&[5, 2, 4]);
    cases.extend([forward, backward].map(|case| case.ids(&[2], vec![9, 6])));
    cases
}

pub fn benches() -> Vec<Bench> {
    let heads = Heads { count: 2, key: 96, value: 96 };
    let op = |causal, dropout| Fused { which: Attention { heads, causal }, cross: false, masked: true, dropout };
    let (qkv, y) = ([20, 128, 576], [20, 128, 192]);
    let forward = |causal| Case::new(op(causal, None)).constant(&qkv, 1.0).ids(&[128], vec![20; 128]);
    let backward = |dropout| {
        let case = Case::new(FusedBackward(op(false, dropout))).constant(&qkv, 1.0);
        let case = case.values(&[128, 2, 20], vec![4.0; 128 * 2 * 20]).constant(&y, 1.0).constant(&y, 1.0);
        case.ids(&[128], vec![20; 128])
    };
    let dropped = backward(Some(Dropout::new(0.1, 0))).control();
    vec![
        Bench { unread: &[1], ..Bench::new("self, 2 heads of 96, 20 tokens, batch 128", forward(false)) },
        Bench { unread: &[1], ..Bench::new("causal, 2 heads of 96, 20 tokens, batch 128", forward(true)) },
        Bench::new("backward, 2 heads of 96, 20 tokens, batch 128", backward(None)),
        Bench::new("backward with dropout, 2 heads of 96, 20 tokens, batch 128", dropped),
    ]
}
