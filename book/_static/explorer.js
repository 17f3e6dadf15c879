// Looks up specifications that were estimated when the book was built; see report/explorer.py for the data.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".explorer").forEach((box, number) => {
    const data = JSON.parse(box.querySelector("script").textContent);
    data.codes = data.codes.map((code) => [...code].map((digit) => parseInt(digit, 36)));
    box.querySelector(".explorer-without").remove();
    const last = data.codes.length - 1;
    const rank = new Map(data.codes.map((code, place) => [code.join(" "), place]));
    const show = (value) => value.toFixed(data.digits);
    const add = (parent, name, attributes = {}, text = "") => {
      const made = document.createElement(name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      made.textContent = text;
      return parent.appendChild(made);
    };

    // one control for each choice: a box to tick for in and out, else a list
    const form = add(box, "div", { class: "explorer-choices" });
    const control = (label, values, id) => {
      const line = add(form, "div", { class: "explorer-choice" });
      const name = `explorer-${number}-${id}`;
      if (values.length === 2 && values.includes("in") && values.includes("out")) {
        const tick = add(line, "input", { type: "checkbox", id: name });
        add(line, "label", { for: name }, label);
        return {
          element: tick,
          get: () => values.indexOf(tick.checked ? "in" : "out"),
          set: (value) => { tick.checked = values[value] === "in"; },
        };
      }
      add(line, "label", { for: name }, label);
      const list = add(line, "select", { id: name });
      values.forEach((value, place) => add(list, "option", { value: place }, value));
      return {
        element: list,
        get: () => Number(list.value),
        set: (value) => { list.value = value; },
      };
    };
    const errors = control("standard errors", data.errors, "errors");
    const choices = data.choices.map((choice, id) => control(choice.label, choice.values, id));

    const line = add(box, "div", { class: "explorer-rank" });
    add(line, "label", { for: `explorer-${number}-rank` }, "along the curve, from the smallest estimate to the largest");
    const slider = add(line, "input", { type: "range", id: `explorer-${number}-rank`, min: 0, max: last, step: 1 });
    const answer = add(box, "p", { class: "explorer-answer", "aria-live": "polite" });

    // the curve: estimates in order, the band of the chosen error, the chosen and the published specifications
    const space = "http://www.w3.org/2000/svg";
    const width = 720, height = 220, left = 56, bottom = 24;
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("role", "img");
    box.appendChild(svg);
    const draw = (name, attributes, text) => {
      const made = document.createElementNS(space, name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      if (text) made.textContent = text;
      svg.appendChild(made);
    };
    const numbers = (lists) => lists.flat().filter((value) => value !== null);
    const least = numbers(data.low).reduce((a, b) => Math.min(a, b), 0);
    const most = numbers(data.high).reduce((a, b) => Math.max(a, b), 0);
    const x = (place) => left + ((width - left - 8) * place) / Math.max(last, 1);
    const y = (value) => 8 + ((height - bottom - 8) * (most - value)) / (most - least || 1);

    const paint = (chosen) => {
      const kind = errors.get();
      const [low, high] = [data.low[kind], data.high[kind]];
      svg.replaceChildren();
      const steps = [...data.codes.keys()].filter((place) => low[place] !== null);
      const edge = (list, order) => order.map((place) => `${x(place).toFixed(1)},${y(list[place]).toFixed(1)}`).join(" ");
      draw("polygon", { points: `${edge(high, steps)} ${edge(low, [...steps].reverse())}`, class: "band" });
      draw("line", { x1: left, x2: width - 8, y1: y(0), y2: y(0), class: "zero" });
      draw("polyline", { points: edge(data.estimate, [...data.codes.keys()]), class: "curve" });
      data.published.forEach((name, place) => {
        const corner = { x: x(place) - 4, y: y(data.estimate[place]) - 4 };
        if (name) draw("rect", { ...corner, width: 8, height: 8, class: "published" });
      });
      for (const value of [least, 0, most]) {
        draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, show(value));
      }
      draw("text", { x: left, y: height - 6 }, `${data.unit}; specifications in the order of their estimates`);
      if (low[chosen] !== null) {
        draw("line", { x1: x(chosen), x2: x(chosen), y1: y(low[chosen]), y2: y(high[chosen]), class: "chosen" });
      }
      draw("circle", { cx: x(chosen), cy: y(data.estimate[chosen]), r: 6, class: "chosen" });
      svg.setAttribute("aria-label", `${data.label}: ${answer.textContent}`);
    };

    const go = (chosen) => {
      const kind = errors.get();
      const [low, high, p] = [data.low[kind][chosen], data.high[kind][chosen], data.p[kind][chosen]];
      const interval = low === null ? "no interval with these errors" : `95% interval ${show(low)} to ${show(high)}`;
      const chance = p === null ? "" : p < 0.001 ? ", p < 0.001" : `, p = ${p.toFixed(3)}`;
      const own = data.published[chosen] ? `; in the paper ${data.published[chosen]}` : "";
      answer.textContent = `Estimate ${show(data.estimate[chosen])}, ${interval}${chance}; ` +
        `${data.n[chosen].toLocaleString("en")} rows; number ${(chosen + 1).toLocaleString("en")} of ` +
        `${(last + 1).toLocaleString("en")}${own}.`;
      slider.value = chosen;
      data.codes[chosen].forEach((value, id) => choices[id].set(value));
      paint(chosen);
    };
    // not every combination was estimated: the choice just made stays, of the others as many as possible
    const look = (changed) => {
      const wanted = choices.map((choice) => choice.get());
      let chosen = rank.get(wanted.join(" "));
      if (chosen === undefined) {
        const apart = (code) => code.filter((value, id) => value !== wanted[id]).length;
        const able = [...data.codes.keys()].filter((place) => data.codes[place][changed] === wanted[changed]);
        chosen = able.reduce((best, place) => (apart(data.codes[place]) < apart(data.codes[best]) ? place : best));
      }
      go(chosen);
    };
    errors.element.addEventListener("change", () => go(Number(slider.value)));
    choices.forEach((choice, id) => choice.element.addEventListener("change", () => look(id)));
    slider.addEventListener("input", () => go(Number(slider.value)));
    errors.set(data.start.errors);
    go(data.start.row);
  });
});
