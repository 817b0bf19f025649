//! Where the nodes of a drawing stand, and how its edges run: in rows (Sugiyama et al. 1981), the forward pass down the
//! left side, the backward pass up the right side, as one draws back-propagation on paper.
//!
//! A node's row is the longest path to it, of a backward node the longest path from the loss, but an input stands right
//! before its first reader. Forward and backward nodes have rows of their own, so that no edge stays in a row. An edge
//! that crosses rows has a place in each of them, as if it were a narrow node: so edges run between the boxes, never
//! through them. All edges of a node into one pass and direction share a trunk.

use std::collections::BTreeMap;

use super::{Drawn, Role};

/// Sweeps over the rows that sort them; then those that only straighten the edges.
const SWEEPS: [usize; 2] = [16, 12];
/// Pixels between neighbours of a row, between rows, and between the two passes where they come nearest.
const APART: f64 = 16.0;
const GAP: f64 = 34.0;
const BETWEEN: f64 = 56.0;
/// Pixels that a passing edge takes.
const NARROW: f64 = 6.0;
/// How much more a straight edge matters where both its ends are passing edges.
const STRAIGHT: f64 = 8.0;

type Point = [f64; 2];

/// A drawing's geometry, in pixels from its upper left corner.
pub struct Layout {
    /// Centre of each node.
    pub centres: Vec<Point>,
    pub curves: Vec<Curve>,
    pub size: Point,
}

/// Part of an edge, from an upper to a lower point. Where it arrives at the node that reads, it has an arrow.
pub struct Curve {
    pub from: Point,
    pub to: Point,
    /// The y between which it bends, which are those of the gap between two rows.
    pub bend: [f64; 2],
    /// Whether it leads to the backward pass.
    pub backward: bool,
    pub arrow: Option<Arrow>,
}

/// The end of an edge that is one of its curves' upper or lower point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrow {
    Up,
    Down,
}

/// A node, or a place where a trunk passes a row.
struct Item {
    row: usize,
    lane: usize,
    width: f64,
    x: f64,
}

/// Part of a trunk between neighbouring rows.
struct Link {
    upper: usize,
    lower: usize,
    trunk: usize,
    backward: bool,
    arrow: Option<Arrow>,
}

/// Places nodes of these sizes (width, height).
pub fn layout(drawn: &[Drawn], sizes: &[Point]) -> Layout {
    let rows = rows(drawn);
    let lanes = lanes(drawn);
    let mut items: Vec<Item> =
        (0..drawn.len()).map(|n| Item { row: rows[n], lane: lanes[n], width: sizes[n][0], x: 0.0 }).collect();
    let links = links(drawn, &mut items);
    place(&mut items, &links);
    let heights = (0..drawn.len()).fold(vec![0.0f64; rows.iter().max().map_or(0, |last| last + 1)], |mut all, node| {
        all[rows[node]] = all[rows[node]].max(sizes[node][1]);
        all
    });
    let tops: Vec<f64> = (heights.iter())
        .scan(0.0, |top, height| {
            *top += height + GAP;
            Some(*top - height - GAP)
        })
        .collect();
    let middle = |row: usize| tops[row] + heights[row] / 2.0;
    let mut curves = joints(&items, &links, drawn.len())
        .into_iter()
        .zip(&links)
        .map(|([from, to], link)| {
            let end = |item: usize, x: f64, down: bool| {
                let half = if item < drawn.len() { sizes[item][1] } else { heights[items[item].row] } / 2.0;
                [x, middle(items[item].row) + if down { half } else { -half }]
            };
            let (from, to) = (end(link.upper, from, true), end(link.lower, to, false));
            let (upper, lower) = (items[link.upper].row, items[link.lower].row);
            Curve {
                from,
                to,
                bend: [tops[upper] + heights[upper], tops[lower]],
                backward: link.backward,
                arrow: link.arrow,
            }
        })
        .collect::<Vec<_>>();
    // Where a trunk passes a row, it is straight.
    curves.extend(items.iter().skip(drawn.len()).map(|item| {
        let bend = [tops[item.row], tops[item.row] + heights[item.row]];
        let [from, to] = bend.map(|y| [item.x, y]);
        Curve { from, to, bend, backward: item.lane == 1, arrow: None }
    }));
    let right = items.iter().map(|item| item.x + item.width / 2.0).fold(0.0, f64::max);
    Layout {
        centres: (0..drawn.len()).map(|node| [items[node].x, middle(rows[node])]).collect(),
        curves,
        size: [right, tops.last().zip(heights.last()).map_or(0.0, |(top, height)| top + height)],
    }
}

/// 0 for the forward pass, 1 for the backward pass and the inputs that it alone reads.
fn lanes(drawn: &[Drawn]) -> Vec<usize> {
    let mut lanes = vec![1; drawn.len()];
    for (node, drawn) in drawn.iter().enumerate().filter(|(_, drawn)| drawn.role == Role::Forward) {
        lanes[node] = 0;
        drawn.reads.iter().for_each(|&read| lanes[read] = 0);
    }
    lanes
}

/// Even numbers for the forward pass, odd ones for the backward pass; then those that are taken, from 0 on.
fn rows(drawn: &[Drawn]) -> Vec<usize> {
    let backward = |node: usize| drawn[node].role == Role::Backward;
    let mut depth = vec![0; drawn.len()];
    for (node, drawn) in drawn.iter().enumerate() {
        let same_pass = drawn.reads.iter().filter(|&&read| backward(read) == backward(node));
        depth[node] = same_pass.map(|&read| depth[read] + 1).max().unwrap_or(0);
    }
    let deepest = |pass: bool| (0..drawn.len()).filter(|&n| backward(n) == pass).map(|n| depth[n]).max().unwrap_or(0);
    let last = deepest(true).max(deepest(false));
    // Both passes have the loss at the bottom.
    let shift = last - deepest(false);
    let mut rows: Vec<usize> = (0..drawn.len())
        .map(|node| if backward(node) { 2 * (last - depth[node]) + 3 } else { 2 * (depth[node] + shift) + 2 })
        .collect();
    // An input stands above its first reader; if only the backward pass reads it, below.
    for (node, _) in drawn.iter().enumerate().filter(|(_, drawn)| drawn.role == Role::Input) {
        let readers =
            |pass: bool| (node..drawn.len()).filter(move |&n| backward(n) == pass && drawn[n].reads.contains(&node));
        let first = readers(false).map(|reader| rows[reader] - 2).min();
        if let Some(row) = first.or_else(|| readers(true).map(|reader| rows[reader] - 1).max()) {
            rows[node] = row;
        }
    }
    let mut taken = rows.clone();
    taken.sort_unstable();
    taken.dedup();
    rows.iter().map(|row| taken.binary_search(row).expect("it is one of them")).collect()
}

/// All trunks, cut at every row; adds the places where they pass one.
fn links(drawn: &[Drawn], items: &mut Vec<Item>) -> Vec<Link> {
    let mut trunks: BTreeMap<(usize, bool, bool), Vec<usize>> = BTreeMap::new();
    for (reader, node) in drawn.iter().enumerate() {
        for &read in &node.reads {
            let (down, backward) = (items[reader].row > items[read].row, node.role == Role::Backward);
            trunks.entry((read, down, backward)).or_default().push(reader);
        }
    }
    let mut links = vec![];
    for (trunk, ((source, down, backward), readers)) in trunks.into_iter().enumerate() {
        let distance = |items: &[Item], reader: usize| items[reader].row.abs_diff(items[source].row);
        let end = readers.iter().map(|&reader| distance(items, reader)).max().expect("a trunk has readers");
        let mut before = source;
        for step in 1..=end {
            let mut link = |to: usize, arrow: Option<Arrow>| {
                let (upper, lower) = if down { (before, to) } else { (to, before) };
                links.push(Link { upper, lower, trunk, backward, arrow });
            };
            let arrow = if down { Arrow::Down } else { Arrow::Up };
            for &reader in readers.iter().filter(|&&reader| distance(items, reader) == step) {
                link(reader, Some(arrow));
            }
            if step < end {
                let row = if down { items[source].row + step } else { items[source].row - step };
                link(items.len(), None);
                before = items.len();
                items.push(Item { row, lane: usize::from(backward), width: NARROW, x: 0.0 });
            }
        }
    }
    links
}

/// Gives every item its x: sorts the rows by the mean of their neighbours above, then below, again and again, and keeps
/// them apart. One without neighbours in its lane goes to the middle of its row.
fn place(items: &mut [Item], links: &[Link]) {
    let count = items.iter().map(|item| item.row + 1).max().unwrap_or(0);
    let mut rows: Vec<[Vec<usize>; 2]> = vec![Default::default(); count];
    items.iter().enumerate().for_each(|(number, item)| rows[item.row][item.lane].push(number));
    let nodes = items.iter().take_while(|item| item.width > NARROW).count();
    // Neighbours of the same lane, above and below, with weights.
    let mut neighbours: [Vec<Vec<(usize, f64)>>; 2] = [vec![vec![]; items.len()], vec![vec![]; items.len()]];
    for link in links.iter().filter(|link| items[link.upper].lane == items[link.lower].lane) {
        let weight = if link.upper.min(link.lower) >= nodes { STRAIGHT } else { 1.0 };
        neighbours[0][link.lower].push((link.upper, weight));
        neighbours[1][link.upper].push((link.lower, weight));
    }
    let alone = |item: usize| neighbours.iter().all(|side| side[item].is_empty());
    let mean = |items: &[Item], item: usize, sides: &[usize], centre: f64| {
        let all = || sides.iter().flat_map(|&side| &neighbours[side][item]);
        let weight: f64 = all().map(|(_, weight)| weight).sum();
        let sum: f64 = all().map(|&(other, weight)| weight * items[other].x).sum();
        if weight > 0.0 { (sum / weight, weight) } else { (if alone(item) { centre } else { items[item].x }, 0.1) }
    };
    for row in &rows {
        row.iter().for_each(|members| settle(items, members, &vec![(0.0, 1.0); members.len()]));
    }
    for sweep in 0..SWEEPS[0] + SWEEPS[1] {
        for i in 0..count {
            let row = if sweep % 2 == 0 { i } else { count - 1 - i };
            for members in &mut rows[row] {
                let others: Vec<f64> =
                    members.iter().filter(|&&item| !alone(item)).map(|&item| items[item].x).collect();
                let centre = if others.is_empty() { 0.0 } else { others.iter().sum::<f64>() / others.len() as f64 };
                let sorting = sweep < SWEEPS[0];
                let sides = if sorting { &[sweep % 2][..] } else { &[0, 1] };
                if sorting {
                    let keys: Vec<f64> = members.iter().map(|&item| mean(items, item, sides, centre).0).collect();
                    let mut order: Vec<usize> = (0..members.len()).collect();
                    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
                    *members = order.iter().map(|&i| members[i]).collect();
                }
                let wanted: Vec<_> = members.iter().map(|&item| mean(items, item, sides, centre)).collect();
                settle(items, members, &wanted);
            }
        }
    }
    beside(items, count);
}

/// Moves the backward lane to the right of the forward one: no further than each row needs beside itself and its
/// neighbours, since few rows are as wide as the widest. Everything begins at 0.
fn beside(items: &mut [Item], rows: usize) {
    // The forward lane's right end in each row, and the backward lane's left one.
    let (mut right, mut left) = (vec![f64::NEG_INFINITY; rows], vec![f64::INFINITY; rows]);
    for item in items.iter() {
        match item.lane {
            0 => right[item.row] = right[item.row].max(item.x + item.width / 2.0),
            _ => left[item.row] = left[item.row].min(item.x - item.width / 2.0),
        }
    }
    let near =
        |row: usize| right[row.saturating_sub(1)..rows.min(row + 2)].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shift = (0..rows).map(|row| near(row) - left[row] + BETWEEN).fold(f64::NEG_INFINITY, f64::max);
    if shift.is_finite() {
        items.iter_mut().filter(|item| item.lane == 1).for_each(|item| item.x += shift);
    }
    let first = items.iter().map(|item| item.x - item.width / 2.0).fold(f64::INFINITY, f64::min);
    items.iter_mut().for_each(|item| item.x -= first);
}

/// Sets a row's x as near to the wanted ones, each with a weight, as their order and widths allow: neighbours that want
/// the same place form a block, which goes to the weighted mean of what they want (isotonic regression).
fn settle(items: &mut [Item], members: &[usize], wanted: &[(f64, f64)]) {
    // Weighted sum of places, weight, and number of members of each block.
    let mut blocks: Vec<(f64, f64, usize)> = vec![];
    let mut offsets = vec![0.0];
    for pair in members.windows(2) {
        let apart = (items[pair[0]].width + items[pair[1]].width) / 2.0
            + APART.min(items[pair[0]].width + items[pair[1]].width);
        offsets.push(offsets.last().expect("it starts with one") + apart);
    }
    for (&(place, weight), offset) in wanted.iter().zip(&offsets) {
        blocks.push((weight * (place - offset), weight, 1));
        while let [.., (sum, weight, count), (last_sum, last_weight, last_count)] = blocks[..] {
            if sum / weight <= last_sum / last_weight {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push((sum + last_sum, weight + last_weight, count + last_count));
        }
    }
    let places = blocks.iter().flat_map(|&(sum, weight, count)| vec![sum / weight; count]);
    for ((&item, place), offset) in members.iter().zip(places).zip(offsets) {
        items[item].x = place + offset;
    }
}

/// Where edges meet a node: whither they lead, and the links that do.
struct Joint {
    towards: f64,
    links: Vec<usize>,
}

/// x of both ends of every link: a node's upper and lower side have a joint for each edge that arrives and for each
/// trunk that leaves.
fn joints(items: &[Item], links: &[Link], nodes: usize) -> Vec<Point> {
    let mut ends: Vec<Point> = links.iter().map(|link| [items[link.upper].x, items[link.lower].x]).collect();
    // By node and side: who wants a joint there. Links of a trunk that leave share one.
    let mut wanted: BTreeMap<(usize, usize), Vec<Joint>> = BTreeMap::new();
    let mut leaving: BTreeMap<(usize, usize, usize), usize> = BTreeMap::new();
    for (number, link) in links.iter().enumerate() {
        for (side, (item, other)) in [(link.upper, link.lower), (link.lower, link.upper)].into_iter().enumerate() {
            if item >= nodes {
                continue;
            }
            let joints = wanted.entry((item, side)).or_default();
            let arrives = link.arrow == Some([Arrow::Up, Arrow::Down][side]);
            match leaving.get(&(item, side, link.trunk)).filter(|_| !arrives) {
                Some(&joint) => joints[joint].links.push(number),
                None => {
                    if !arrives {
                        leaving.insert((item, side, link.trunk), joints.len());
                    }
                    joints.push(Joint { towards: items[other].x, links: vec![number] });
                }
            }
        }
    }
    for ((node, side), mut joints) in wanted {
        joints.sort_by(|a, b| a.towards.total_cmp(&b.towards));
        let (left, step) = (items[node].x - items[node].width / 2.0, items[node].width / (joints.len() + 1) as f64);
        for (i, joint) in joints.into_iter().enumerate() {
            joint.links.into_iter().for_each(|link| ends[link][side] = left + step * (i + 1) as f64);
        }
    }
    ends
}
