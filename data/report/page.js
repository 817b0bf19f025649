"use strict";
// Draws the curves of <script id="data"> with uPlot. Everything else on the page is there without a script.
(() => {
  const { runs } = JSON.parse(document.getElementById("data").textContent);
  // Told apart by people who see few colours (Okabe and Ito), and in both themes.
  const colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#999999"];
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // What each chart shows of a run: [what the legend adds, x, y, dashed].
  const curves = {
    loss: (run) => [
      [" training", run.steps.step, run.steps.loss, true],
      [" validation", run.epochs.step, run.epochs.loss, false],
    ],
    perplexity: (run) => [["", run.epochs.epoch, run.epochs.perplexity, false]],
    bleu: (run) => [["", run.epochs.epoch, run.epochs.bleu, false]],
    rate: (run) => [["", run.steps.step, run.steps.rate, false]],
    norm: (run) => [["", run.steps.step, run.steps.norm, false]],
  };

  const number = (value) => {
    if (value == null) return "–";
    const size = Math.abs(value);
    return size !== 0 && (size < 0.01 || size >= 1e5) ? value.toExponential(2) : String(+value.toPrecision(4));
  };

  const charts = [];
  for (const place of document.querySelectorAll("[data-chart]")) {
    const epochs = ["perplexity", "bleu"].includes(place.dataset.chart);
    const series = [{ label: epochs ? "epoch" : "step" }];
    const tables = [];
    runs.forEach((run, index) => {
      for (const [suffix, x, y, dashed] of curves[place.dataset.chart](run)) {
        if (!x.length || y.every((value) => value == null)) continue;
        const color = colors[index % colors.length];
        series.push({
          label: run.name + suffix, stroke: color, width: dashed ? 1 : 2, dash: dashed ? [4, 3] : undefined,
          spanGaps: true, points: { show: x.length < 40, size: 5, fill: color }, value: (_, v) => number(v),
        });
        tables.push([x, y]);
      }
    });
    if (!tables.length) {
      place.textContent = "No values.";
      continue;
    }
    const axis = () => ({
      stroke: () => ink("--soft"), grid: { stroke: () => ink("--line"), width: 1 }, ticks: { show: false },
      values: (_, ticks) => ticks.map(number), font: "11px system-ui, sans-serif",
    });
    // A run of one point has no range of its own.
    const range = (_, low, high) => (low === high ? [low - 1, high + 1] : [low, high]);
    const options = {
      width: place.clientWidth, height: 260, series, scales: { x: { time: false, range } },
      axes: [axis(), { ...axis(), size: 58 }], cursor: { focus: { prox: 20 } },
    };
    charts.push([place, new uPlot(options, uPlot.join(tables), place)]);
  }
  const fit = () => {
    for (const [place, chart] of charts) chart.setSize({ width: place.clientWidth, height: 260 });
  };
  addEventListener("resize", fit);
  addEventListener("beforeprint", () => {
    for (const [, chart] of charts) chart.setSize({ width: 340, height: 220 });
  });
  addEventListener("afterprint", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const [, chart] of charts) chart.redraw();
  });
})();
