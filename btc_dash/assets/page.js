/* What only the browser can do: the colour scheme, the title, pictures and links. */
window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.page = {
  here: function (pathname) {
    var names = { "/": "Forecast", "/volatility": "Volatility", "/track-record": "Track record", "/models": "Models", "/about": "About" };
    document.title = (names[pathname] || "Not found") + " · BTC Forecast";
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

  picture: function () {
    var graph = document.querySelector("#fan .js-plotly-plot");
    var layout = Object.assign({}, graph.layout, {
      paper_bgcolor: "#fff", plot_bgcolor: "#fff", showlegend: false, margin: { l: 24, r: 24, t: 72, b: 40 },
      title: { text: graph.layout.meta.title, x: 0.02, font: { size: 20 } },
      font: Object.assign({}, graph.layout.font, { family: "Arial, sans-serif" }),
    });
    Plotly.downloadImage({ data: graph.data, layout: layout }, {
      format: "png", width: 1200, height: 640, scale: 2, filename: "btc-forecast",
    });
    return window.dash_clientside.no_update;
  },

  /* The price where the line of the question was dropped, to the step of its field. */
  dragged: function (moved) {
    var meta = document.querySelector("#fan .js-plotly-plot").layout.meta;
    var ends = ["y0", "y1"].map(function (end) { return (moved || {})["shapes[1]." + end]; });
    ends = ends.filter(function (y) { return y > 0 && Math.abs(y - meta.price) > meta.step / 2; });
    return ends.length ? String(Math.round(ends[0] / meta.step) * meta.step) : window.dash_clientside.no_update;
  },

  share: function () {
    var said = function () { return "Link copied."; };
    var failed = function () { return "Copy the address from the address bar."; };
    if (!navigator.clipboard) return failed();
    return navigator.clipboard.writeText(window.location.href).then(said, failed);
  },
};
