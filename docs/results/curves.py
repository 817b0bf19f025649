"""Draws the perplexities of runs:
python3 docs/results/curves.py runs/course-lstm-attention runs/course-transformer > docs/results/curves.svg"""
import json, math, pathlib, sys

COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#e377c2", "#7f7f7f", "#000000"]
WIDTH, HEIGHT, LEFT, TOP = 720, 400, 60, 20
PLOT = (440, 330)
LOW, HIGH = 2.0, 200.0


def point(epoch, last, perplexity):
    x = LEFT + PLOT[0] * (epoch - 1) / max(last - 1, 1)
    y = TOP + PLOT[1] * (1 - math.log(min(max(perplexity, LOW), HIGH) / LOW) / math.log(HIGH / LOW))
    return f"{x:.1f},{y:.1f}"


runs = []
for path in map(pathlib.Path, sys.argv[1:]):
    records = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    runs.append((path.name, [r for r in records if r["kind"] == "epoch"]))
last = max(len(epochs) for _, epochs in runs)
svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
       'font-size="12">',
       f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
for p in (2, 5, 10, 20, 50, 100, 200):
    x, y = point(1, last, p).split(",")
    svg.append(f'<path d="M{x} {y}h{PLOT[0]}" stroke="#ddd"/>'
               f'<text x="{LEFT - 8}" y="{float(y) + 4}" text-anchor="end">{p}</text>')
for e in range(1, last + 1):
    if e == 1 or e % 5 == 0:
        svg.append(f'<text x="{point(e, last, LOW).split(",")[0]}" y="{TOP + PLOT[1] + 18}" '
                   f'text-anchor="middle">{e}</text>')
svg.append(f'<text x="{LEFT + PLOT[0] / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
           'epoch; perplexity of training (dashed) and validation</text>')
for i, (name, epochs) in enumerate(runs):
    colour = COLOURS[i % len(COLOURS)]
    for key, dash in (("training_batch_perplexity", ' stroke-dasharray="5 4"'), ("validation_batch_perplexity", "")):
        points = " ".join(point(r["epoch"], last, r[key]) for r in epochs)
        svg.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
    svg.append(f'<path d="M{LEFT + PLOT[0] + 20} {TOP + 14 + 22 * i}h24" stroke="{colour}" stroke-width="2"/>'
               f'<text x="{LEFT + PLOT[0] + 50}" y="{TOP + 18 + 22 * i}">{name}</text>')
print("\n".join(svg + ["</svg>"]))
