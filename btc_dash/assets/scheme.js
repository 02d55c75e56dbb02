/* Puts the visitor's colour scheme on the document before anything is painted. */
(function () {
  var kept = null;
  try { kept = localStorage.getItem("scheme"); } catch (error) { /* storage is off: follow the system */ }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.scheme = kept;
})();
