// the theme's buttons that unfold a part of the contents have no name; screen readers need one
document.addEventListener("DOMContentLoaded", () => {
  for (const summary of document.querySelectorAll("nav summary, .toctree-wrapper summary")) {
    if (!summary.textContent.trim()) summary.setAttribute("aria-label", "Show or hide the pages below");
  }
});
