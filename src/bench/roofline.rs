//! The roofline (Williams, Waterman and Patterson 2009) as SVG: operations a second over operations a byte, every
//! kernel a dot below the roof.

use std::fmt::Write;

use crate::graph::Work;
use crate::markup::escape;

use super::report::Report;

const WIDTH: f64 = 1100.0;
const HEIGHT: f64 = 640.0;
/// What the longest name of a kernel takes.
const ROOM: f64 = 220.0;
/// Around the plot: left, top, right, bottom.
const MARGIN: [f64; 4] = [70.0, 60.0, 40.0, 60.0];

/// Both axes in powers of ten.
struct Axes {
    x: [f64; 2],
    y: [f64; 2],
}

impl Axes {
    fn x(&self, intensity: f64) -> f64 {
        let share = (intensity.log10() - self.x[0]) / (self.x[1] - self.x[0]);
        MARGIN[0] + share * (WIDTH - MARGIN[0] - MARGIN[2])
    }

    fn y(&self, rate: f64) -> f64 {
        let share = (rate.log10() - self.y[0]) / (self.y[1] - self.y[0]);
        HEIGHT - MARGIN[3] - share * (HEIGHT - MARGIN[1] - MARGIN[3])
    }
}

/// A kernel's place: operations a byte, operations a second.
struct Dot {
    name: String,
    intensity: f64,
    rate: f64,
}

/// Draws the kernels of a run. Those without arithmetic (copies) have no place in it and are left out.
pub fn svg(report: &Report) -> String {
    // A clock too coarse for a kernel gives it no time, and then it has no rate.
    let dots: Vec<Dot> = (report.kernels.iter().filter(|k| k.flops > 0.0 && k.seconds.median > 0.0))
        .map(|k| Dot {
            name: format!("{}: {}", k.op, k.name),
            intensity: k.flops / k.bytes,
            rate: k.flops / k.seconds.median,
        })
        .collect();
    let ceilings = &report.ceilings;
    let ridge = ceilings.flops / ceilings.bandwidth;
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let [low, high] = values.fold([f64::MAX, f64::MIN], |[low, high], v| [low.min(v), high.max(v)]);
        [low.log10().floor(), high.log10().floor() + 1.0]
    };
    let axes = Axes {
        x: range(&mut dots.iter().map(|d| d.intensity).chain([ridge / 10.0, ridge * 10.0])),
        y: range(&mut dots.iter().map(|d| d.rate).chain([ceilings.flops])),
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{}\" y=\"30\" font-size=\"16\">{}: {:.2} GFLOP/s, {:.2} GB/s</text>\n",
        MARGIN[0],
        escape(&report.device),
        ceilings.flops * 1e-9,
        ceilings.bandwidth * 1e-9
    );
    grid(&mut out, &axes);
    let roof = |intensity: f64| {
        let rate = ceilings.roofline(Work { flops: intensity, bytes: 1.0 });
        format!("{:.1},{:.1}", axes.x(intensity), axes.y(rate))
    };
    // The roof begins where it reaches the bottom of the plot, if that lies inside.
    let start = 10f64.powf(axes.x[0]).max(10f64.powf(axes.y[0]) / ceilings.bandwidth);
    let points = [roof(start), roof(ridge), roof(10f64.powf(axes.x[1]))].join(" ");
    let _ = writeln!(out, "<polyline points=\"{points}\" fill=\"none\" stroke=\"#b02020\" stroke-width=\"2\"/>");
    for dot in &dots {
        let (x, y) = (axes.x(dot.intensity), axes.y(dot.rate));
        let share = 100.0 * dot.rate / ceilings.roofline(Work { flops: dot.intensity, bytes: 1.0 });
        let name = escape(&dot.name);
        // Near the right edge the name stands before the dot.
        let (label_x, anchor) = if x > WIDTH - ROOM { (x - 6.0, "end") } else { (x + 6.0, "start") };
        let _ = writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#2050a0\" fill-opacity=\"0.7\"><title>{name}: {:.3} \
             GFLOP/s, {share:.0} % of the roof</title></circle>\n\
             <text x=\"{label_x:.1}\" y=\"{:.1}\" font-size=\"7\" text-anchor=\"{anchor}\" fill=\"#333\">{}</text>",
            dot.rate * 1e-9,
            y + 2.5,
            escape(dot.name.split(',').next().unwrap_or_default())
        );
    }
    out + "</svg>\n"
}

/// Lines and labels at powers of ten.
fn grid(out: &mut String, axes: &Axes) {
    let (left, right) = (MARGIN[0], WIDTH - MARGIN[2]);
    let (top, bottom) = (MARGIN[1], HEIGHT - MARGIN[3]);
    for power in axes.x[0] as i32..=axes.x[1] as i32 {
        let x = axes.x(10f64.powi(power));
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            10f64.powi(power)
        );
    }
    for power in axes.y[0] as i32..=axes.y[1] as i32 {
        let y = axes.y(10f64.powi(power));
        let _ = writeln!(
            out,
            "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 8.0,
            y + 4.0,
            10f64.powi(power - 9)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">operations a byte</text>\
         <text x=\"{left}\" y=\"{}\" text-anchor=\"middle\">GFLOP/s</text>",
        (left + right) / 2.0,
        bottom + 42.0,
        top - 12.0
    );
}
