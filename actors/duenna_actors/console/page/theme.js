// Runs before the first paint, so that a chosen theme never flashes.
"use strict";
try {
  const chosen = localStorage.getItem("duenna-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* no storage: the system's theme it is */ }
