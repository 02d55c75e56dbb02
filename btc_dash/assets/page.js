/* What only the browser can do: the colour scheme, the title, pictures and links. */
window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.page = {
  here: function (pathname) {
    var names = { "/": "Forecast", "/volatility": "Volatility", "/track-record": "Track record", "/leaderboard": "Leaderboard", "/models": "Models", "/about": "About" };
    document.title = (names[pathname] || "Not found") + " · " + document.querySelector(".brand").textContent;
    document.querySelectorAll("#tabs a").forEach(function (link) {
      if (link.getAttribute("href") === pathname) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    return pathname;
  },

  scheme: function () {
    var root = document.documentElement;
    var dark = root.dataset.scheme
      ? root.dataset.scheme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.scheme = dark ? "light" : "dark";
    try { localStorage.setItem("scheme", root.dataset.scheme); } catch (error) { /* storage is off: this page only */ }
    return window.dash_clientside.no_update;
  },

  /* The chart with what the page says around it, so that it can stand alone. */
  picture: function () {
    var graph = document.querySelector("#fan .js-plotly-plot"), meta = graph.layout.meta;
    var data = graph.data.map(function (trace) {
      var name = / %$/.test(trace.name) && /^band/.test(trace.uid) ? trace.name + " range" : trace.name;
      return Object.assign({}, trace, { name: name, showlegend: !/(low|over)$/.test(trace.uid) });
    });
    var simulated = document.querySelector(".notice.simulated") ? "Simulated prices. " : "";
    var source = simulated + location.host + location.pathname + document.getElementById("link").value + "<br>" +
      document.getElementById("provenance").textContent + " Not financial advice.";
    var layout = Object.assign({}, graph.layout, {
      paper_bgcolor: "#fff", plot_bgcolor: "#fff", margin: { l: 24, r: 24, t: 72, b: 150 },
      title: { text: meta.title, x: 0.02, font: { size: 20 } },
      showlegend: true, legend: { orientation: "h", x: 0, y: -0.1 },
      font: Object.assign({}, graph.layout.font, { family: "Arial, sans-serif" }),
      annotations: graph.layout.annotations.concat({
        text: source, xref: "paper", yref: "paper", x: 0, y: -0.2, yanchor: "top", xanchor: "left",
        align: "left", showarrow: false, font: { size: 12 },
      }),
    });
    Plotly.downloadImage({ data: data, layout: layout }, {
      format: "png", width: 1200, height: 675, scale: 2, filename: meta.file,
    });
    return window.dash_clientside.no_update;
  },

  /* The fields of the lines that were dragged, in steps of the field; the first shape is the line at "now". */
  dragged: function (moved) {
    var meta = document.querySelector("#fan .js-plotly-plot").layout.meta;
    return ["price", "low", "high", "fall"].map(function (part) {
      var at = meta.lines.findIndex(function (line) { return line.part === part; }), line = meta.lines[at];
      var ends = ["y0", "y1"].map(function (end) { return (moved || {})["shapes[" + (at + 1) + "]." + end]; });
      ends = ends.filter(function (y) { return line && y > 0 && Math.abs(y - line.price) > line.step / 2; });
      if (!ends.length) return window.dash_clientside.no_update;
      if (part === "fall") return String(Math.min(99, Math.max(1, Math.round(100 * (1 - ends[0] / meta.start)))));
      return (Math.round(ends[0] / line.step) * line.step).toFixed(line.digits);
    });
  },

  /* A link that shows the same forecast tomorrow: with its day, which today's address leaves out. */
  share: function (_clicks, search) {
    var said = function () { return "Link copied."; };
    var failed = function () { return "Copy the address from the address bar."; };
    if (!navigator.clipboard) return failed();
    return navigator.clipboard.writeText(location.origin + location.pathname + search).then(said, failed);
  },
};
