// the map of the roll-out: a slider over the batches, and a button that moves it on
document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure.rollout")) {
    const [button, slider] = figure.querySelectorAll("button, input");
    const steps = [...figure.querySelectorAll("li")].map((step) => step.textContent);
    const dots = [...figure.querySelectorAll("circle")];
    let timer = null;

    const show = () => {
      const now = Number(slider.value);
      for (const dot of dots) {
        const batch = Number(dot.dataset.batch);
        const state = batch === 0 || batch > now ? "none" : batch === now ? "new" : "earlier";
        dot.setAttribute("class", state);
      }
      slider.setAttribute("aria-valuetext", steps[now]);
      figure.querySelector(".rollout-now").textContent = steps[now];
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
    };
    const next = () => {
      slider.value = Number(slider.value) + 1;
      show();
      if (slider.value === slider.max) stop();
    };

    button.addEventListener("click", () => {
      if (timer) return stop();
      if (slider.value === slider.max) slider.value = 0;
      show();
      button.textContent = "Pause";
      timer = setInterval(next, 1500);
    });
    slider.addEventListener("input", () => {
      stop();
      show();
    });
    // paper shows all batches, whatever the slider says
    window.addEventListener("beforeprint", () => {
      stop();
      slider.value = slider.max;
      show();
    });
    figure.querySelector(".rollout-controls").hidden = false;
    show();
  }
});
