/* When the server cannot be reached: say so, mark the numbers as old, and ask again until it answers. */
(function () {
  var CALLBACK = /\/_dash-update-component$/;
  var EVERY = 2000; // ms between two tries
  var TIMEOUT = 8000; // ms without an answer before it is said that there is none
  var ask = window.fetch.bind(window);
  var coming = null; // a promise that is kept when the server answers again

  function say(lost) {
    var box = document.getElementById("connection");
    document.documentElement.classList.toggle("lost", lost);
    if (box) box.textContent = lost
      ? "The connection is lost. What you see is the last answer, not what you asked for now; trying again …" : "";
  }
  function later(ms) { return new Promise(function (done) { setTimeout(done, ms); }); }
  function answers() {
    return ask("/health", { cache: "no-store" }).then(function (found) { return found.ok; }, function () { return false; });
  }
  function back() {
    if (coming) return coming;
    say(true);
    coming = (function wait() {
      return later(EVERY).then(answers).then(function (well) { return well || wait(); });
    })().then(function () { coming = null; say(false); });
    return coming;
  }
  function gone(found) { return found.status === 502 || found.status === 504; }

  window.fetch = function (address, options) {
    if (!CALLBACK.test(String(address.url || address).split("?")[0])) return ask(address, options);
    var slow = setTimeout(function () { answers().then(function (well) { if (!well) back(); }); }, TIMEOUT);
    function again() { return back().then(function () { return window.fetch(address, options); }); }
    return ask(address, options).then(
      function (found) { clearTimeout(slow); return gone(found) ? again() : found; },
      function (error) { clearTimeout(slow); if (error.name === "AbortError") throw error; return again(); });
  };
  window.addEventListener("offline", back);
})();
