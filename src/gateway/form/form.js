"use strict";
(() => {
  // A slider shows its number; without scripts its ends are all that is shown.
  for (const slider of document.querySelectorAll("input[type=range]")) {
    const shown = document.getElementById(`${slider.id}-now`);
    const show = () => {
      shown.textContent = slider.value;
    };
    shown.hidden = false;
    slider.addEventListener("input", show);
    show();
  }
  document.getElementById("problems")?.focus();
})();
