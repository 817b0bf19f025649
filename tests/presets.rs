//! Every preset trains a step, validates, translates and evaluates from the command line, with small sizes in the place
//! of its own, and is drawn.

#[allow(dead_code, reason = "other tests use the rest")]
mod cli;
mod gpu;
mod small;

use cli::Sandbox;
use small::{ENGLISH, GERMAN};
use wgrad::train::config::PRESETS;
use wgrad::train::metrics::{Record, read_records};

impl Sandbox {
    fn with_four_pairs() -> Self {
        let sandbox = Self::new();
        std::fs::create_dir(sandbox.path("data")).expect("a new folder");
        for split in ["train", "val"] {
            sandbox.write(&format!("data/{split}.de"), GERMAN);
            sandbox.write(&format!("data/{split}.en"), ENGLISH);
        }
        sandbox
    }

    /// One epoch of one step.
    fn train(&self, preset: &str, device: &str) {
        let assignments = small::assignments(preset).into_iter().chain(["train.epochs=1"]);
        let assignments: String = assignments.map(|assignment| format!(" --set {assignment}")).collect();
        self.succeed(&format!("train --preset {preset} --data data --out {preset} --device {device}{assignments}"));
        let records = read_records(&self.path(preset).join("metrics.jsonl")).expect("metrics");
        let [Record::Step(step), Record::Epoch(epoch)] = &records[..] else { panic!("{preset}: {records:?}") };
        // Before it has learnt anything, a model of at most 60 tokens has a perplexity of about as many.
        assert!(step.loss > 0.0 && step.grad_norm > 0.0, "{preset}: {step:?}");
        assert!((1.0..200.0).contains(&epoch.validation_perplexity), "{preset}: {epoch:?}");
    }
}

#[test]
fn every_preset_serves_on_the_cpu() {
    let sandbox = Sandbox::with_four_pairs();
    for (preset, _) in PRESETS {
        sandbox.train(preset, "cpu");
        for beam in [1, 3] {
            let command = format!("translate {preset} --beam {beam} --device cpu");
            let output = sandbox.wgrad(&command, Some("data/val.de")).output().expect("wgrad runs");
            assert!(output.status.success(), "{preset}: {}", cli::stderr(&output));
            assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 4, "{preset}: a line for each line");
        }
        sandbox.succeed(&format!("evaluate {preset} --src data/val.de --ref data/val.en --device cpu"));
    }
}

/// Training ends with validation and translations.
#[test]
fn every_preset_serves_through_the_shaders() {
    let sandbox = Sandbox::with_four_pairs();
    let gpu = gpu::open();
    // One word of it, since a sandbox's arguments are separated by spaces.
    let name = gpu.properties().info.name.split_whitespace().next().expect("an adapter has a name");
    for (preset, _) in PRESETS {
        sandbox.train(preset, name);
    }
}

/// Numbers of a piece of SVG, in order.
fn numbers(text: &str) -> Vec<f64> {
    let parts = text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
    parts.filter_map(|part| part.parse().ok()).collect()
}

/// Boxes (left, top, width, height) and edges of a drawing, which are M x y V y C x y x y x y V y.
fn geometry(svg: &str) -> (Vec<[f64; 4]>, Vec<[f64; 10]>) {
    let attribute = |tag: &str, name: &str| {
        numbers(tag.split(&format!(" {name}=\"")).nth(1).expect(name).split('"').next().expect(name))
    };
    let boxes = svg.lines().filter(|line| line.starts_with("<g class=")).map(|line| {
        let tag = line.split("<rect").nth(1).expect("a node has a box");
        ["x", "y", "width", "height"].map(|name| attribute(tag, name)[0])
    });
    let edges = svg.lines().filter(|line| line.starts_with("<path") && !line.contains("arrow"));
    let edges = edges.map(|line| attribute(line, "d").try_into().expect("ten numbers"));
    (boxes.collect(), edges.collect())
}

/// The points of an edge, four pixels apart or less where it bends little.
fn points(edge: &[f64; 10]) -> Vec<[f64; 2]> {
    let [x1, y1, start, _, m1, x2, m2, _, end, y2] = *edge;
    let curve = (0..=50).map(|i| {
        let t = f64::from(i) / 50.0;
        let [a, b, c, d] = [(1.0 - t).powi(3), 3.0 * t * (1.0 - t).powi(2), 3.0 * t * t * (1.0 - t), t.powi(3)];
        [(a + b) * x1 + (c + d) * x2, a * start + b * m1 + c * m2 + d * end]
    });
    let straight = |x: f64, from: f64, to: f64| (0..=20).map(move |i| [x, from + (to - from) * f64::from(i) / 20.0]);
    straight(x1, y1, start).chain(curve).chain(straight(x2, end, y2)).collect()
}

#[test]
fn every_preset_is_drawn_with_edges_beside_the_boxes() {
    let sandbox = Sandbox::new();
    for (preset, _) in PRESETS {
        let draw = |format: &str| sandbox.succeed(&format!("graph --preset {preset} --format {format}"));
        let (text, dot, svg) = (draw("text"), draw("dot"), draw("svg"));
        let (boxes, edges) = geometry(&svg);
        assert!(boxes.len() > 30 && boxes.len() == text.lines().count(), "{preset}: {} boxes", boxes.len());
        assert_eq!(dot.matches("label=").count(), boxes.len(), "{preset}");
        // Every box shows a shape.
        assert!(svg.matches("class=\"shape\"").count() >= boxes.len(), "{preset}");
        for (number, [left, top, width, height]) in boxes.iter().enumerate() {
            for [x, y, w, h] in &boxes[..number] {
                let apart = left + width <= *x || x + w <= *left || top + height <= *y || y + h <= *top;
                assert!(apart, "{preset}: two boxes at {left} {top}");
            }
        }
        let band = |y: f64| (y / 32.0) as usize;
        let mut bands: Vec<Vec<&[f64; 4]>> = vec![];
        for b in &boxes {
            bands.resize(bands.len().max(band(b[1] + b[3]) + 1), vec![]);
            (band(b[1])..=band(b[1] + b[3])).for_each(|i| bands[i].push(b));
        }
        for edge in &edges {
            for [x, y] in points(edge) {
                // Rounded to a tenth of a pixel.
                let inside =
                    |b: &&&[f64; 4]| x > b[0] + 0.2 && x < b[0] + b[2] - 0.2 && y > b[1] + 0.2 && y < b[1] + b[3] - 0.2;
                assert_eq!(
                    bands.get(band(y)).and_then(|band| band.iter().find(inside)),
                    None,
                    "{preset}: the edge {edge:?} runs through a box"
                );
            }
        }
    }
}
