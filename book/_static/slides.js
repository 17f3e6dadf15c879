// arrow keys, space, Home and End move by one slide; without this script the page scrolls as any other
addEventListener("DOMContentLoaded", () => {
  const slides = [...document.querySelectorAll("main > section")];
  const steps = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };
  const current = () => slides.findLastIndex((slide) => slide.getBoundingClientRect().top < innerHeight / 2);
  addEventListener("keydown", (event) => {
    // a table that scrolls keeps its keys, and so does a link
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(".table-scroll, a")) return;
    const last = slides.length - 1;
    const step = event.key === " " && event.shiftKey ? -1 : steps[event.key];
    const to = { Home: 0, End: last }[event.key] ?? (step && Math.min(Math.max(current() + step, 0), last));
    if (to === undefined) return;
    event.preventDefault();
    slides[to].scrollIntoView();
  });
  document.querySelector("main").focus();
});
