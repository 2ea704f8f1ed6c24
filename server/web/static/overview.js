// The page is whole without this file. It draws the chart from the table beside it, and every few seconds
// fetches the page again and puts the new numbers in place.
"use strict";

function readTable(table) {
  const rows = [...table.tBodies[0].rows].map((row) => ({
    label: row.cells[0].textContent.trim(),
    byTrade: [...row.querySelectorAll("[data-n]")].map((cell) => Number(cell.dataset.n)),
    sum: Number(row.querySelector("[data-sum]").dataset.sum),
    complete: Number(row.querySelector("[data-of]").dataset.complete),
    of: Number(row.querySelector("[data-of]").dataset.of),
    whole: !row.classList.contains("unknown"),
  }));
  const trades = [...table.tHead.rows[0].cells].slice(1, -2).map((cell) => cell.textContent.trim());
  return { rows, trades };
}

// A tile of stripes: what is hatched is not known.
function hatching() {
  const size = 12;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#f4eee7";
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = "#d3c7b9";
  pen.lineWidth = size / 2.8;
  pen.lineCap = "square";
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, 0);
    pen.lineTo(shift + size, size);
  }
  pen.stroke();
  return { image: canvas, repeat: "repeat" };
}

// How high the hatched part stands: it grows with the share of stations that are missing, and never stands
// for a number of visits.
function unknownHeights(rows) {
  const highest = Math.max(8, ...rows.map((row) => row.sum));
  return rows.map((row) => (row.whole ? 0 : highest * (0.04 + 0.2 * (1 - row.complete / Math.max(1, row.of)))));
}

function drawing(figure, table) {
  const { rows, trades } = readTable(table);
  const colours = [...figure.querySelectorAll(".swatch")].map((each) => getComputedStyle(each).backgroundColor);
  const labels = rows.map((row) => row.label);
  const pad = Number(figure.dataset.pad);
  for (let next = rows.length; next < pad; next += 1) {
    labels.push(rows[0].label.replace(/\d+/, String(next).padStart(/^0\d/.test(rows[0].label) ? 2 : 1, "0")));
  }
  const ink = { color: "#6b5e53", fontFamily: getComputedStyle(figure).fontFamily, fontSize: 13 };
  const tip = ([first]) => {
    const row = rows[first.dataIndex];
    if (!row) return "";
    const total = (row.whole ? figure.dataset.tip : figure.dataset.tipPartial)
      .replace("{sum}", row.sum.toLocaleString())
      .replace("{complete}", `${row.complete} / ${row.of}`);
    const parts = trades.map((trade, index) => [trade, row.byTrade[index]]).filter(([, n]) => n > 0);
    return [`${row.label}  ${total}`, ...parts.map(([trade, n]) => `${trade}  ${n.toLocaleString()}`)].join("\n");
  };
  const bar = { type: "bar", stack: "visits", barCategoryGap: "14%", barMaxWidth: 64, animation: false };
  return {
    aria: { enabled: false },
    grid: { left: 4, right: 4, top: 12, bottom: 0, containLabel: true },
    // Drawn on the canvas: the default tooltip writes style attributes, which the page's policy forbids.
    tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" }, formatter: tip, confine: true, textStyle: { ...ink, color: "#2a211b" } },
    xAxis: { type: "category", data: labels, axisTick: { show: false }, axisLine: { lineStyle: { color: "#cdbfb0" } }, axisLabel: { ...ink, hideOverlap: true } },
    yAxis: { type: "value", minInterval: 1, splitNumber: 4, axisLabel: ink, splitLine: { lineStyle: { color: "#f1e8df" } } },
    series: [
      ...trades.map((name, index) => ({ ...bar, name, data: rows.map((row) => row.byTrade[index]), itemStyle: { color: colours[index] } })),
      { ...bar, name: "unknown", data: unknownHeights(rows), itemStyle: { color: hatching() } },
    ],
  };
}

function charts() {
  if (typeof echarts === "undefined") return () => {};
  const drawn = [...document.querySelectorAll("figure[data-chart]")].map((figure) => {
    figure.hidden = false;
    figure.parentElement.querySelector("details").open = false;
    return { figure, chart: echarts.init(figure.querySelector(".canvas")) };
  });
  const draw = () => {
    for (const { figure, chart } of drawn) {
      const table = document.getElementById(figure.dataset.chart);
      if (table.tBodies[0].rows.length) chart.setOption(drawing(figure, table), { notMerge: true });
    }
  };
  addEventListener("resize", () => drawn.forEach(({ chart }) => chart.resize()));
  draw();
  return draw;
}

function keepFresh(draw) {
  let tag = "";
  const refresh = async () => {
    if (document.hidden || document.activeElement?.closest(".ranges")) return;
    let answer;
    try {
      answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    } catch {
      document.getElementById("stale").hidden = false;
      return;
    }
    if (answer.redirected) return location.reload(); // the session has ended
    if (!answer.ok && answer.status !== 304) {
      document.getElementById("stale").hidden = false;
      return;
    }
    document.getElementById("stale").hidden = true;
    if (answer.status === 304) return;
    tag = answer.headers.get("ETag") ?? "";
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const fresh of page.querySelectorAll("[data-live]")) {
      const old = document.getElementById(fresh.id);
      if (old && old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
    }
    draw();
  };
  setInterval(refresh, 1000 * Number(document.getElementById("top").dataset.every));
  document.addEventListener("visibilitychange", refresh);
}

keepFresh(charts());
