// The views of the page: rows in space, the latent plane, t-SNE. All that they show also stands on
// the page as pictures and tables, for print and for browsers without scripts or WebGL.
"use strict";
(() => {
  let data = JSON.parse(document.getElementById("data").textContent);
  const redraws = [];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const ROUND = 60; // points of an outline
  const SHAPES = { circle: "circle", triangle: "triangle-up", square: "square", diamond: "diamond" };
  // Each has an open form there, which a triangle has not.
  const SHAPES_IN_SPACE = { ...SHAPES, triangle: "diamond" };
  const SETS = {
    real: { words: "real rows", color: "--real" },
    generated: { words: "generated rows", color: "--generated" },
    latent: { words: "posterior means", color: "--accent" },
  };

  // plotly.js reads tags and %{…} in its texts: names from the data are text and nothing else.
  const plain = (text, most = 60) => {
    const letters = [...text];
    const cut = letters.length > most ? letters.slice(0, most - 1).join("") + "…" : text;
    return cut.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("%{", "% {");
  };

  const tone = (look) => (dark.matches ? look.dark : look.color);

  // The least and the largest of values.
  const ends = (values) => values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );

  const scaled = (values) => {
    const [low, high] = ends(values);
    return values.map((value) => (high > low ? (value - low) / (high - low) : 0));
  };

  // The first `count` points of a set: beside fewer real rows all generated ones would hide them.
  const first = (points, count) => ({
    ...points,
    rows: points.rows.slice(0, count),
    columns: points.columns.map((values) => values.slice(0, count)),
  });

  // One trace for each class of each set. `at` gives a set's coordinates, two or three.
  function traces(sets, at, names, options, inSpace) {
    const chosen = new Set(options.getAll("class").map(Number));
    const all = chosen.size === data.classes.length;
    const shown = sets.flatMap((points) => {
      const members = new Map();
      points.rows.forEach((_, index) => {
        const key = points.classes ? points.classes[index] : -1;
        if (!all && !chosen.has(key)) return;
        if (!members.has(key)) members.set(key, []);
        members.get(key).push(index);
      });
      const coordinates = at(points);
      return [...members].sort(([a], [b]) => a - b).map(([key, indices]) => {
        const look = data.classes[key];
        const byClass = look && options.get("colour") !== "set";
        const open = points.set === "generated" && byClass && options.get("sets") !== "generated";
        const shape = (inSpace ? SHAPES_IN_SPACE : SHAPES)[byClass ? look.marker : "circle"];
        // Real rows are the ground that generated ones stand out from.
        const isGround = points.set === "real" && !byClass && sets.length > 1;
        const color = byClass ? tone(look) : css(SETS[points.set].color);
        const own = coordinates.map((values) => indices.map((index) => values[index]));
        const axes = { x: own[0], y: own[1], ...(inSpace && { z: own[2] }) };
        const place = names.map((name, i) => `${plain(name)}: %{${"xyz"[i]}}`).join("<br>");
        const of = look ? `<br>mode ${plain(look.name)}` : "";
        return {
          type: inSpace ? "scatter3d" : "scatter",
          mode: "markers",
          name: points.set,
          ...axes,
          customdata: indices.map((index) => points.rows[index]),
          hovertemplate: `${points.set} row %{customdata}${of}<br>${place}<extra></extra>`,
          marker: {
            size: (inSpace ? 3.2 : 6) * (isGround ? 0.75 : 1),
            opacity: inSpace ? (isGround ? 0.45 : 0.8) : 0.7,
            color,
            symbol: open ? `${shape}-open` : shape,
            // In the plane an edge keeps points apart; in space many edges would hide the colour.
            line: open ? { width: 1, color } : { width: inSpace ? 0 : 0.5, color: css("--picture") },
          },
        };
      });
    });
    // A scene without traces would give way to empty axes in the plane.
    return shown.length || !inSpace ? shown : [{ type: "scatter3d", x: [], y: [], z: [] }];
  }

  const axis = (name) => ({
    title: { text: plain(name, 32), font: { size: 12 } },
    color: css("--ink"),
    gridcolor: css("--grid"),
    zerolinecolor: css("--grid"),
    showspikes: false,
  });

  const layout = (more) => ({
    paper_bgcolor: css("--picture"),
    plot_bgcolor: css("--picture"),
    font: { color: css("--ink"), family: "system-ui, sans-serif", size: 12 },
    showlegend: false,
    hovermode: "closest",
    hoverlabel: { align: "left" },
    margin: { l: 55, r: 15, t: 15, b: 50 },
    ...more,
  });

  // From farther away where the view is narrow, so that the whole box is seen.
  const camera = ({ clientWidth: width, clientHeight: height }) => {
    const away = Math.max(1, (1.05 * height) / Math.max(width, 1));
    return { eye: { x: 1.3 * away, y: -1.7 * away, z: 0.8 * away }, center: { x: 0, y: 0, z: -0.12 } };
  };

  const inPlane = (x, y, more) => layout({
    xaxis: { ...axis(x), zeroline: false, ...more },
    yaxis: { ...axis(y), zeroline: false, ...more },
    dragmode: "pan",
  });

  // Real and generated rows, in space where there are three columns to show.
  function rows(options, chart) {
    const inSpace = data.columns.length > 2;
    const dimensions = inSpace ? 3 : 2;
    const shown = ["x", "y", "z"].slice(0, dimensions).map((name, i) => Number(options.get(name) ?? i));
    const names = shown.map((column) => data.columns[column]);
    const wanted = options.get("sets");
    const fair = first(data.generated, data.real.rows.length);
    const sets = { both: [data.real, fair], real: [data.real], generated: [data.generated] }[wanted];
    const raw = options.get("values") === "raw";
    const at = (points) => shown.map((column) => (raw ? points.columns[column] : scaled(points.columns[column])));
    const placed = sets.map(at);
    const spans = shown.map((_, i) => {
      const [low, high] = ends(placed.flatMap((columns) => columns[i]));
      return high - low;
    });
    const longest = Math.max(...spans);
    // Columns that spread alike share a unit, and so a scale.
    const alike = longest <= 5 * Math.min(...spans);
    if (!inSpace) {
      const equal = raw && alike ? { scaleanchor: "x" } : {};
      const plane = inPlane(...names);
      return [traces(sets, at, names, options, false), { ...plane, yaxis: { ...plane.yaxis, ...equal } }];
    }
    const wall = { showbackground: true, backgroundcolor: css("--wall") };
    const [xaxis, yaxis, zaxis] = names.map((name) => ({ ...axis(name), ...wall }));
    const [x, y, z] = spans.map((length) => (raw && alike ? length / longest : 1));
    const aspectratio = { x, y, z };
    const scene = { xaxis, yaxis, zaxis, aspectratio, camera: camera(chart) };
    const margin = { l: 0, r: 0, t: 0, b: 0 };
    return [traces(sets, at, names, options, true), layout({ scene, margin })];
  }

  // The outline of a Gaussian at `radius` standard deviations in units i and j: m + r L (cos t, sin t).
  function ring({ mean, covariance }, [i, j], radius) {
    const a = Math.sqrt(Math.max(covariance[i][i], 0));
    const b = a > 0 ? covariance[i][j] / a : 0;
    const d = Math.sqrt(Math.max(covariance[j][j] - b * b, 0));
    const turns = Array.from({ length: ROUND + 1 }, (_, step) => (2 * Math.PI * step) / ROUND);
    return {
      x: turns.map((t) => mean[i] + radius * a * Math.cos(t)),
      y: turns.map((t) => mean[j] + radius * (b * Math.cos(t) + d * Math.sin(t))),
    };
  }

  // Viridis, as in the pictures: from dark to light.
  const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const viridis = (share) => {
    const place = share * (VIRIDIS.length - 1);
    const low = Math.min(Math.floor(place), VIRIDIS.length - 2);
    return VIRIDIS[low].map((from, i) => from + (place - low) * (VIRIDIS[low + 1][i] - from));
  };

  // Of ratios, as in the pictures: vermilion below 0, nearly white there, blue above.
  const RATIOS = [-2, 2];
  const diverging = (share) => {
    const middle = [245, 245, 243];
    const end = share < 0.5 ? [213, 94, 0] : [0, 114, 178];
    return middle.map((from, i) => from + Math.abs(2 * share - 1) * (end[i] - from));
  };

  // What the colours of a decoded column mean that has values between these ends.
  const key = (name, reach) => {
    const [low, high] = reach.map((value) => String(Number(value.toPrecision(3))).replace("-", "−"));
    return ` Colour: ${name}, ${low} (dark) to ${high} (light), as real rows reach.`;
  };

  // Values over a square grid as an image behind a chart; nothing is drawn where there is none.
  function behind([xs, ys], values, [low, high], colour) {
    const side = xs.length;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(side, side);
    values.forEach((value, index) => {
      // The grid starts at the bottom, an image at the top.
      const pixel = (side - 1 - Math.floor(index / side)) * side + (index % side);
      const share = high > low ? Math.min(Math.max((value - low) / (high - low), 0), 1) : 0.5;
      const color = value === null ? [0, 0, 0, 0] : [...colour(share), 255];
      pixels.data.set(color, 4 * pixel);
    });
    context.putImageData(pixels, 0, 0);
    const [across, up] = [xs, ys].map((places) => places[1] - places[0]);
    return {
      source: canvas.toDataURL(),
      xref: "x",
      yref: "y",
      x: xs[0] - across / 2,
      y: ys[side - 1] + up / 2,
      sizex: side * across,
      sizey: side * up,
      sizing: "stretch",
      layer: "below",
    };
  }

  // Posterior means over the prior, with a map of the plane behind them.
  function latent(options) {
    const { means, prior, map } = data.latent;
    const shown = ["x", "y"].map((name, i) => Number(options.get(name) ?? i));
    const names = shown.map((unit) => `z${unit + 1}`);
    const wanted = options.get("map");
    const isRatio = wanted === "ratio";
    const values = map && wanted ? (isRatio ? map.ratio : map.decoded[Number(wanted)]) : null;
    // A column is coloured as far as its real rows reach: what is decoded may hardly vary.
    const reach = !values || isRatio ? RATIOS : ends(data.real.columns[Number(wanted)]);
    const images = values ? [behind(map.axes, values, reach, isRatio ? diverging : viridis)] : [];
    const meta = !values ? null : isRatio
      ? " Colour: log₁₀ of posterior over prior density, −2 (vermilion; a hole below −1) to 2 (blue); blank where neither has mass."
      : key(data.columns[Number(wanted)], reach);
    const heaviest = prior.reduce((most, { weight }) => Math.max(most, weight), 0);
    const radii = prior.length === 1 ? [1, 2, 3] : [2];
    // White is seen on the map, and the dark below it on the page.
    const below = { color: css("--outline"), width: images.length ? 3.5 : 1.5 };
    const lines = images.length ? [below, { color: "#ffffff", width: 1.5 }] : [below];
    const outlines = prior.filter(({ weight }) => weight > 0).flatMap((gaussian) =>
      radii.flatMap((radius) => lines.map((line) => ({
        type: "scatter",
        mode: "lines",
        name: "prior",
        ...ring(gaussian, shown, radius),
        opacity: 0.3 + 0.7 * (gaussian.weight / heaviest),
        line,
        hoverinfo: "skip",
      }))));
    const points = traces([means], (set) => shown.map((unit) => set.columns[unit]), names, options, false);
    const plane = inPlane(...names);
    return [[...outlines, ...points], { ...plane, images, meta, yaxis: { ...plane.yaxis, scaleanchor: "x" } }];
  }

  function tsne(options) {
    const ofKind = data.embeddings.filter(({ sets }) =>
      sets.some(({ set }) => set === "latent") === (options.get("kind") === "latent"));
    const wanted = Number(options.get("perplexity"));
    const found = ofKind.find(({ perplexity }) => perplexity === wanted);
    const sets = found ? found.sets : [];
    const names = ["t-SNE 1", "t-SNE 2"];
    const plane = inPlane(...names, { showticklabels: false, showgrid: false });
    return [traces(sets, (points) => points.columns, names, options, false),
      { ...plane, yaxis: { ...plane.yaxis, scaleanchor: "x" } }];
  }

  const hasWebGL = () => {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl2") ?? canvas.getContext("webgl"));
  };

  // Where the keys take a view: turned and neared in space, moved and zoomed in the plane.
  function moved(chart, key) {
    const [right, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key] ?? [0, 0];
    const zoom = { "+": 0.87, "=": 0.87, "-": 1.15 }[key] ?? 1;
    if (!right && !up && zoom === 1) return null;
    if (chart.layout.scene) {
      const { x, y, z } = chart.layout.scene.camera.eye;
      const distance = Math.hypot(x, y, z) * zoom;
      const yaw = Math.atan2(y, x) + 0.15 * right;
      const pitch = Math.min(1.5, Math.max(-1.5, Math.asin(z / Math.hypot(x, y, z)) + 0.15 * up));
      const flat = distance * Math.cos(pitch);
      const eye = { x: flat * Math.cos(yaw), y: flat * Math.sin(yaw), z: distance * Math.sin(pitch) };
      return { "scene.camera.eye": eye };
    }
    const range = ([low, high], step) => {
      const middle = (low + high) / 2 + step * 0.1 * (high - low);
      return [middle - (zoom * (high - low)) / 2, middle + (zoom * (high - low)) / 2];
    };
    const { xaxis, yaxis } = chart.layout;
    return { "xaxis.range": range(xaxis.range, right), "yaxis.range": range(yaxis.range, up) };
  }

  // Looks at what comes from where one looked before. Where other things are chosen, a plane is fitted
  // to them anew; plotly.js itself remembers what a mouse did, but not what keys do.
  function stay(before, after) {
    if (after.scene) {
      after.scene.camera = before.scene.camera;
    } else if (after.uirevision === before.uirevision) {
      for (const name of ["xaxis", "yaxis"]) {
        const { autorange, range } = before[name];
        if (autorange === false) Object.assign(after[name], { autorange, range });
      }
    }
  }

  // How many points of each set are shown, each set with its look where that tells it apart.
  function legend(points) {
    const counts = new Map();
    for (const trace of points) {
      const known = counts.get(trace.name) ?? { count: 0, colors: new Set(), hollow: false };
      known.count += trace.x.length;
      known.colors.add(trace.marker.color);
      known.hollow ||= trace.marker.symbol.endsWith("-open");
      counts.set(trace.name, known);
    }
    if (!counts.size) return ["No points are shown."];
    return ["Shown:", ...[...counts].flatMap(([name, { count, colors, hollow }], index) => {
      const swatch = document.createElement("span");
      swatch.className = `swatch circle${hollow ? " hollow" : ""}`;
      swatch.style.setProperty("--color", colors.size === 1 ? [...colors][0] : "var(--soft)");
      return [index ? ", " : " ", swatch, `${count} ${SETS[name].words}`];
    }), "."];
  }

  function show(view, draw) {
    const [form, chart, hint] = [".controls", ".chart", ".hint"].map((name) => view.querySelector(name));
    const parts = () => {
      const options = new FormData(form);
      const [drawn, arrangement] = draw(options, chart);
      arrangement.uirevision = String(new URLSearchParams(options));
      return [drawn, arrangement];
    };
    const config = { displayModeBar: false, scrollZoom: true, responsive: true };
    const redraw = () => {
      const [drawn, arrangement] = parts();
      if (chart.layout) stay(chart.layout, arrangement);
      const points = drawn.filter(({ mode }) => mode === "markers");
      const words = document.createElement("output");
      words.append(...legend(points), arrangement.meta ?? "");
      const known = hint.querySelector("output");
      // What is replaced is read aloud.
      if (known.innerHTML !== words.innerHTML) known.replaceChildren(...words.childNodes);
      return Plotly.react(chart, drawn, arrangement, config);
    };
    for (const part of [form, chart, hint]) part.hidden = false;
    view.classList.add("drawn");
    redraw();
    view.classList.toggle("in-space", "scene" in chart.layout);
    // A swipe scrolls the page until a tap turns to the chart, and again after one elsewhere.
    chart.addEventListener("click", () => chart.classList.add("turned-to"));
    addEventListener("pointerdown", ({ target }) => {
      if (!chart.contains(target)) chart.classList.remove("turned-to");
    });
    for (const touch of ["touchstart", "touchmove"]) {
      chart.addEventListener(touch, (event) => {
        // plotly.js would keep the page where it is.
        if (!chart.classList.contains("turned-to")) event.stopPropagation();
      }, { capture: true, passive: true });
    }
    // Under a hand that turns it a chart stays as it is.
    let isHeld = false;
    let isLate = false;
    chart.addEventListener("pointerdown", () => { isHeld = true; });
    for (const end of ["pointerup", "pointercancel"]) {
      addEventListener(end, () => {
        if (isHeld && isLate) setTimeout(redraw, 100); // plotly.js looks where it was left first
        isHeld = isLate = false;
      });
    }
    redraws.push(() => (isHeld ? (isLate = true) : redraw()));
    form.addEventListener("input", redraw);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("click", ({ target }) => {
      if (target.dataset.all) {
        for (const box of form.querySelectorAll("[name=class]")) box.checked = target.dataset.all === "true";
        redraw();
      } else if ("reset" in target.dataset) {
        Plotly.newPlot(chart, ...parts(), config);
      }
    });
    chart.addEventListener("keydown", (event) => {
      const change = event.ctrlKey || event.metaKey || event.altKey ? null : moved(chart, event.key);
      if (!change) return;
      event.preventDefault();
      Plotly.relayout(chart, change);
    });
  }

  const views = { rows, latent, tsne };
  function begin() {
    for (const view of document.querySelectorAll(".view")) {
      const name = view.dataset.view;
      if (name === "rows" && data.columns.length > 2 && !hasWebGL()) {
        view.querySelector(".problem").hidden = false;
      } else {
        show(view, views[name]);
      }
    }
  }

  const redrawAll = () => redraws.forEach((redraw) => redraw());
  dark.addEventListener("change", redrawAll);
  // The page of a run that goes on is given its rows as they come.
  document.addEventListener("charts", ({ detail }) => {
    const isFirst = data === null;
    data = detail;
    if (isFirst) begin(); else redrawAll();
  });
  if (data !== null) begin();
})();
