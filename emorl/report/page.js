"use strict";
// Nothing here writes HTML: elements are shown, hidden and moved, and text is set as text.
(() => {
  const TEN = 10;
  const form = document.querySelector(".controls");
  const list = document.querySelector(".talks");

  const choose = () => {
    const { kind, emotion, phase } = form.elements;
    const fits = (talk) =>
      talk.dataset.phase === phase.value &&
      (!emotion.value || talk.dataset.emotion === emotion.value) &&
      (talk.dataset.status === "failed") === (kind.value === "failed");
    const found = talks.filter(fits);
    const total = Number(emotion.selectedOptions[0].getAttribute(`data-${phase.value}`));
    // Best and worst never show the same dialogue: below twenty, each has its half.
    let shown = found;
    if (kind.value === "best") shown = found.slice(0, Math.min(TEN, Math.ceil(total / 2)));
    if (kind.value === "worst") shown = found.slice(found.length - Math.min(TEN, Math.floor(total / 2))).reverse();
    talks.forEach((talk) => (talk.hidden = true));
    shown.forEach((talk) => (talk.hidden = false));
    list.append(...shown);
    const feeling = emotion.value ? `, ${emotion.selectedOptions[0].textContent}` : "";
    const what = kind.value === "failed" ? `${shown.length} failed` : `${shown.length} ${kind.value} of ${total}`;
    document.querySelector(".status").textContent = shown.length ? what + feeling : `none${feeling}`;
  };

  let talks = [];
  if (form) {
    talks = [...list.children];
    form.hidden = false;
    form.addEventListener("change", (event) => {
      const box = form.elements.reasons;
      if (event.target !== box) return choose();
      document.querySelectorAll(".chip").forEach((chip) => (chip.open = box.checked));
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    choose();
  }

  for (const chart of document.querySelectorAll(".chart")) {
    const readout = chart.querySelector(".readout");
    const say = (event) => {
      const column = event.target.closest(".column");
      if (column) readout.textContent = column.getAttribute("data-say");
    };
    chart.addEventListener("pointerover", say);
    chart.addEventListener("pointerdown", say);
    chart.addEventListener("pointerleave", () => (readout.textContent = ""));
  }
})();
