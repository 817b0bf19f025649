"use strict";
// Opens a page of `wgrad report` in headless Chromium, uses it as a person would, and prints what it saw as JSON.
//   node browser.js PAGE.html [FOLDER FOR PICTURES]
const { execFileSync } = require("node:child_process");
const { pathToFileURL } = require("node:url");
const libraries = "/usr/local/lib/wgrad/browser";
const { chromium } = require(`${libraries}/playwright-core-1.60.0`);
const axe = `${libraries}/axe-core-4.14.1/axe.min.js`;
const [page, pictures] = process.argv.slice(2);

const browser = () => {
  for (const name of ["chromium-headless-shell", "chromium", "google-chrome"]) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`]).toString().trim();
    } catch {}
  }
  throw new Error("no Chromium");
};

// What stands on the page, as text.
const read = () => {
  const table = (table) => [...table.querySelectorAll("tr")].map((row) => [...row.children].map((c) => c.textContent));
  const captioned = [...document.querySelectorAll("table:has(caption)")];
  return {
    title: document.title,
    sections: [...document.querySelectorAll("section")].map((section) => section.id),
    tables: Object.fromEntries(captioned.map((t) => [t.caption.textContent, table(t)])),
    text: document.body.innerText,
    charts: [...document.querySelectorAll("[data-chart]")].map((place) => place.querySelectorAll("canvas").length),
    maps: document.querySelectorAll("#attention svg").length,
    trials: document.querySelectorAll("svg.parallel polyline").length,
    pictures: [...document.images].map((image) => image.complete && image.naturalWidth > 0),
    data: JSON.parse(document.getElementById("data").textContent),
  };
};

(async () => {
  const chrome = await chromium.launch({ executablePath: browser(), args: ["--no-sandbox"] });
  const seen = { requests: [], errors: [], dialogs: 0, axe: [], overflow: [] };
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1400, 390]) {
      const context = await chrome.newContext({ colorScheme, viewport: { width, height: 900 } });
      const tab = await context.newPage();
      tab.on("request", (request) => {
        if (!/^(file|data|blob):/.test(request.url())) seen.requests.push(request.url());
      });
      tab.on("pageerror", (error) => seen.errors.push(String(error)));
      tab.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
      tab.on("dialog", (dialog) => (seen.dialogs++, dialog.dismiss()));
      await tab.goto(pathToFileURL(page).href);
      const view = `${colorScheme} ${width}`;
      if (pictures) await tab.screenshot({ path: `${pictures}/${colorScheme}-${width}.png`, fullPage: true });
      const wide = await tab.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return scrollWidth - clientWidth;
      });
      if (wide > 0) seen.overflow.push(`${view}: ${wide} px`);
      seen.page ??= await tab.evaluate(read);
      // Folded parts too.
      await tab.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
      await tab.addScriptTag({ path: axe });
      const { violations } = await tab.evaluate(() => globalThis.axe.run());
      for (const { id, impact, nodes } of violations) seen.axe.push(`${view}: ${impact} ${id} ${nodes[0].html}`);
      if (colorScheme === "light" && width === 1400) {
        seen.use = await use(tab);
        const pdf = await tab.pdf({ format: "A4", path: pictures && `${pictures}/page.pdf` });
        seen.pdf = pdf.length;
        await tab.emulateMedia({ media: "print" });
        await tab.setViewportSize({ width: 718, height: 1000 });
        // What would be cut off at the paper's edge.
        seen.cut = await tab.evaluate(() =>
          [...document.querySelectorAll(".wide, .chart, pre")]
            .filter((e) => e.scrollWidth > e.clientWidth + 1)
            .map((e) => `${e.getAttribute("aria-label") ?? e.className}: ${e.scrollWidth} of ${e.clientWidth}`));
      }
      await context.close();
    }
  }
  await chrome.close();
  console.log(JSON.stringify(seen));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});

// Walks by keyboard, hovers, enlarges, hides a curve.
async function use(tab) {
  // Every stop of the tabulator is a link, a fold or a part that scrolls.
  const stops = [];
  for (let i = 0; i < 200; i++) {
    await tab.keyboard.press("Tab");
    const stop = await tab.evaluate(() => {
      const { tagName, className } = document.activeElement;
      return `${tagName} ${className}`;
    });
    if (stop.startsWith("BODY")) break;
    stops.push(stop.trim());
  }
  const chart = tab.locator("[data-chart=loss]");
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.locator(".u-over").boundingBox();
  const legend = () => chart.locator(".u-legend .u-value").allTextContents();
  const before = await legend();
  await tab.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
  const hovered = await legend();
  const ticks = () => chart.locator("canvas").evaluate((canvas) => canvas.toDataURL());
  const whole = await ticks();
  await tab.mouse.move(box.x + box.width * 0.3, box.y + 30);
  await tab.mouse.down();
  await tab.mouse.move(box.x + box.width * 0.6, box.y + 30, { steps: 5 });
  await tab.mouse.up();
  const enlarged = (await ticks()) !== whole;
  await tab.mouse.dblclick(box.x + box.width * 0.5, box.y + 60);
  const name = chart.locator(".u-legend .u-series .u-marker").nth(1);
  await name.click();
  const hidden = (await chart.locator(".u-legend .u-series.u-off").count()) === 1;
  await name.click();
  return { before, hovered, enlarged, hidden, stops };
}
