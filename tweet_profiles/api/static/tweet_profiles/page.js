// Draws the charts of the page with uPlot from the numbers that the server wrote into it, and copies briefs.
"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = (more) => ({ stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, ...more });
  const drawn = [];

  const mood = (data) => ({
    options: {
      scales: { x: { time: true }, y: { range: (_, low, high) => [Math.max(0, low - 0.05), Math.min(1, high + 0.05)] } },
      axes: [axis({ values: [[86400, "{D} {MMM}"]], space: 70 }), axis({ size: 48, values: (_, ticks) => ticks.map((t) => t.toFixed(2)) })],
      series: [{ label: "day", value: "{YYYY}-{MM}-{DD}" }, ...data.series.map((line, i) => ({
        label: line.label, stroke: colour(i ? "--second" : "--accent"), width: 2, spanGaps: true,
        dash: i ? [6, 4] : undefined, points: { show: data.days.length < 40 }, value: (_, v) => (v == null ? "–" : v.toFixed(2)),
      }))],
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "UTC"),
    },
    values: [data.days.map((day) => Date.parse(day + "T00:00:00Z") / 1000), ...data.series.map((line) => line.values)],
  });

  const elbow = (data) => ({
    options: {
      scales: { x: { time: false, range: (_, low, high) => [low - 0.5, high + 0.5] }, y: { range: (_, low, high) => [low * 0.9, high * 1.05] }, s: { range: (_, low, high) => [0, (high || 1) * 1.2] } },
      axes: [axis({ incrs: [1, 2, 5], values: (_, ticks) => ticks.map((t) => (Number.isInteger(t) ? t : "")) }),
        axis({ size: 56, values: (_, ticks) => ticks.map((t) => Intl.NumberFormat("en", { notation: "compact" }).format(t)) }),
        axis({ side: 1, scale: "s", size: 48, grid: { show: false }, values: (_, ticks) => ticks.map((t) => t.toFixed(2)) })],
      series: [{ label: "segments" },
        { label: "inertia", stroke: colour("--accent"), width: 2, points: { show: true, size: 7 }, value: (_, v) => (v == null ? "–" : Math.round(v).toLocaleString("en")) },
        { label: "silhouette", scale: "s", stroke: colour("--second"), dash: [6, 4], width: 2, points: { show: true, size: 5 }, value: (_, v) => (v == null ? "–" : v.toFixed(2)) }],
      hooks: { draw: [(u) => {
        const x = Math.round(u.valToPos(data.chosen, "x", true));
        u.ctx.save(); u.ctx.strokeStyle = colour("--soft"); u.ctx.setLineDash([3, 3]); u.ctx.beginPath();
        u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + u.bbox.height); u.ctx.stroke(); u.ctx.restore();
      }] },
    },
    values: [data.k, data.inertia, data.silhouette],
  });

  const kinds = { mood, elbow };
  const draw = () => {
    drawn.splice(0).forEach((plot) => plot.destroy());
    document.querySelectorAll("[data-chart]").forEach((place) => {
      const data = JSON.parse(document.getElementById(place.dataset.source).textContent);
      const { options, values } = kinds[place.dataset.chart](data);
      if (!values[0].length) { place.textContent = "Too few authors on each day to show a line."; return; }
      drawn.push(new uPlot({ ...options, width: place.clientWidth, height: 240, cursor: { drag: { x: false, y: false } } }, values, place));
    });
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let waiting;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(draw, 150); });

  document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
    const paragraphs = [...document.getElementById(button.dataset.copy).querySelectorAll("p")];
    const told = document.getElementById("copied");
    try {
      await navigator.clipboard.writeText(paragraphs.map((p) => p.textContent).join("\n"));
      told.textContent = "Copied.";
    } catch { told.textContent = "The browser does not allow copying here: use Download."; }
  }));
})();
