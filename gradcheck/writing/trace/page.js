(() => {
  const told = JSON.parse(document.getElementById("data").textContent);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const MATHML = "http://www.w3.org/1998/Math/MathML";

  /* Numbers are written as Python's %g writes them; whole ones in full. */
  function format(x, digits) {
    if (Number.isNaN(x)) return "nan";
    if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
    if (Math.floor(x) === x && Math.abs(x) < 1e15) return String(x);
    let [mantissa, exponent] = x.toExponential(digits - 1).split("e");
    /* Halfway between two, Python takes the even digit and JavaScript the larger one. */
    const [exact, place] = x.toExponential(100).split("e");
    const figures = exact.replace(/[-.]/g, "");
    if (/^50*$/.test(figures.slice(digits)) && figures[digits - 1] % 2 === 0) {
      [mantissa, exponent] = [exact.slice(0, exact.length - 101 + digits).replace(/\.$/, ""), place];
    }
    const power = Number(exponent);
    if (power < -4 || power >= digits) {
      const sign = power < 0 ? "-" : "+";
      return `${trimmed(mantissa)}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
    }
    return trimmed(Number(`${mantissa}e${power}`).toFixed(digits - 1 - power));
  }

  function trimmed(text) {
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  }

  /* In the picture a number has only so much room; it is rounded further where it needs more. */
  function fitted(x, room) {
    let digits = told.digits;
    while (digits > 1 && format(x, digits).length > room) digits -= 1;
    return format(x, digits);
  }

  function element(name, text) {
    const made = document.createElementNS(MATHML, name);
    made.textContent = text;
    return made;
  }

  function numeral(x) {
    const text = format(x, told.digits);
    if (!text.startsWith("-")) return [element("mn", text)];
    const sign = element("mo", "−");
    for (const [name, value] of [["form", "prefix"], ["lspace", "0"], ["rspace", "0"]]) sign.setAttribute(name, value);
    return [sign, element("mn", text.slice(1))];
  }

  function show(place, x) {
    if (place.dataset.room) {
      place.lastChild.data = fitted(x, Number(place.dataset.room));
    } else if (place.namespaceURI === MATHML) {
      place.replaceChildren(...numeral(x));
      if (place.parentNode.classList.contains("b")) {
        const negative = place.children.length > 1;
        place.previousElementSibling.textContent = negative ? "(" : "";
        place.nextElementSibling.textContent = negative ? ")" : "";
      }
    } else {
      place.value = String(x);
      place.textContent = format(x, told.digits);
    }
  }

  /* What belongs to one stage lights up together. */
  const marked = new Map();
  for (const one of all("[data-step]")) {
    const key = one.dataset.step;
    marked.set(key, [...(marked.get(key) ?? []), one]);
  }
  let lit = [];
  function light(key) {
    for (const one of lit) one.classList.remove("lit");
    lit = marked.get(key) ?? [];
    for (const one of lit) one.classList.add("lit");
  }
  const keyOf = (target) => target.closest?.("[data-step]")?.dataset.step;
  /* Not pointerover: when the page scrolls below a pointer at rest, the keyboard has the say. */
  let below = null;
  document.addEventListener("pointermove", (event) => {
    if (event.target !== below) light(keyOf(event.target));
    below = event.target;
  });
  document.addEventListener("focusin", (event) => light(keyOf(event.target)));
  document.documentElement.addEventListener("pointerleave", () => {
    below = null;
    light(keyOf(document.activeElement));
  });
  document.addEventListener("focusout", () => light());

  /* One stop of the Tab key for each list; up and down go on within it. */
  const drawing = document.querySelector("svg.circuit");
  for (const box of all("svg.circuit .box")) box.setAttribute("role", "img");
  drawing?.setAttribute("role", "group");
  for (const list of [".circuit .box", ".stages tbody tr[data-step]", ".card", ".line"]) {
    const stops = all(list);
    stops.forEach((stop, k) => {
      stop.setAttribute("tabindex", k ? -1 : 0);
      stop.addEventListener("keydown", (event) => {
        const to = { ArrowUp: k - 1, ArrowDown: k + 1, Home: 0, End: stops.length - 1 }[event.key];
        if (event.target !== stop || to === undefined) return;
        event.preventDefault();
        const next = stops[Math.min(Math.max(to, 0), stops.length - 1)];
        stop.setAttribute("tabindex", -1);
        next.setAttribute("tabindex", 0);
        next.focus();
      });
    });
  }

  /* The walk: forward through the stages, then back through the gradients. */
  const moment = document.getElementById("moment");
  const said = document.getElementById("said");
  const timed = all("[data-at]").map((one) => [one, Number(one.dataset.at)]);
  const last = told.moments.length - 1;
  let now = last;
  function walk(to) {
    now = Math.min(Math.max(to, 0), last);
    for (const [one, at] of timed) {
      one.classList.toggle("later", at > now);
      one.classList.toggle("now", at === now && now < last);
    }
    const { text, key } = told.moments[now];
    for (const one of all(".current")) one.classList.remove("current");
    for (const one of now < last ? marked.get(key) ?? [] : []) one.classList.add("current");
    if (!moment) return;
    moment.value = now;
    moment.setAttribute("aria-valuetext", text);
    said.textContent = text;
  }
  moment?.addEventListener("input", () => walk(Number(moment.value)));
  document.getElementById("back")?.addEventListener("click", () => walk(now - 1));
  document.getElementById("forth")?.addEventListener("click", () => walk(now + 1));
  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const busy = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
    if (!by || busy || event.target.matches("input, .wide")) return;
    event.preventDefault();
    walk(now + by);
  });

  /* The inputs: what moves them computes everything anew. */
  const values = [...told.inputs];
  const ranges = values.map((_, k) => document.getElementById(`range-${k}`));
  const fields = values.map((_, k) => document.getElementById(`number-${k}`));
  function recompute() {
    const numbers = compute(values);
    for (const place of all("[data-n]")) {
      const x = numbers[place.dataset.n];
      if (x !== undefined) show(place, x);
    }
    const moved = values.some((x, k) => x !== told.inputs[k]);
    document.body.classList.toggle("elsewhere", moved);
    document.getElementById("reset").disabled = !moved;
    for (const note of all(".moved")) note.hidden = !moved;
  }
  function move(k, x, from) {
    fields[k].toggleAttribute("aria-invalid", !Number.isFinite(x));
    if (!Number.isFinite(x)) return;
    values[k] = x;
    if (from !== ranges[k]) ranges[k].value = x;
    if (from !== fields[k]) fields[k].value = x;
    recompute();
  }
  for (const controls of compute ? [ranges, fields] : []) {
    controls.forEach((one, k) => one.addEventListener("input", () => move(k, one.valueAsNumber, one)));
  }
  document.getElementById("inputs")?.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("reset")?.addEventListener("click", () => {
    told.inputs.forEach((x, k) => move(k, x));
  });

  for (const one of all(".scripted:not(.moved)")) one.hidden = false;
  walk(last);
  if (said) said.textContent = "Everything is shown. Step back to see how it came about.";
})();
