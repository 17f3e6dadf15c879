// what assistive technology needs and the theme leaves out
document.addEventListener("DOMContentLoaded", () => {
  // the buttons that unfold a part of the contents have no name
  for (const summary of document.querySelectorAll("nav summary, .toctree-wrapper summary")) {
    if (!summary.textContent.trim()) summary.setAttribute("aria-label", "Show or hide the pages below");
  }
  // the book's name stands in the sidebar outside of every landmark
  for (const logo of document.querySelectorAll(".bd-sidebar-primary .sidebar-primary-items__start")) {
    logo.setAttribute("role", "navigation");
    logo.setAttribute("aria-label", "Book");
  }
  // the theme takes the focus away from a button that is pressed: the keyboard would start again at the top
  for (const button of document.querySelectorAll(".theme-switch-button, .search-button, .sidebar-toggle")) {
    button.blur = () => {};
  }
  // a source is stored, not shown in a new tab
  for (const link of document.querySelectorAll(".dropdown-download-buttons a")) link.setAttribute("download", "");
  // the role of the entries is deprecated, and none that a list may have
  for (const entry of document.querySelectorAll(".citation-list > .citation")) entry.setAttribute("role", "listitem");
});
