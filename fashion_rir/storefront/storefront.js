// The storefront's page. It asks Python by messages, one at a time, and shows the answers.
// All texts are set as text, never as HTML: a product's name may hold anything.
const NAMES = {
  gender: "Gender", masterCategory: "Category", articleType: "Type", baseColour: "Colour",
  season: "Season", usage: "Usage",
};
const SLOW = 30000; // milliseconds without an answer, after which the page says so
const PAUSE = 200; // milliseconds that a slider must rest before it is acted on
const MAP_SIDE = 520;
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });
const whole = new Intl.NumberFormat("en");

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

function render({ model, el }) {
  const page = { close: null }; // what is on show; another catalogue puts another in its place
  open(page, { model, el }, null);
  return () => page.close();
}

// `moved`: the answer that led here from another catalogue, with the photo that goes along.
function open(page, { model, el }, moved) {
  const info = model.get("shop_info");
  const isPage = document.body.dataset.storefront === "page"; // set by our page's template
  const state = {
    query: null, // {product: id} or {name}; box: the crop, or null
    settings: { model: info.model, measure: info.measures[0], n_results: info.page_sizes[0],
      page: 0, threshold: null, wanted: {}, changed: {}, weights: {}, words: "", is_cut: true },
    curve: null,
    seed: 0,
  };
  const urls = new Set(); // of the photos on show, to be given back

  // ---------------------------------------------------------------- asking Python
  const view = Math.random().toString(36).slice(2); // JupyterLab may show the app twice
  let nRequests = 0;
  let waiting = null; // the request that is being answered
  const queue = []; // those behind it, at most one of a kind
  let slow = null;

  function ask(kind, content = {}, buffers = []) {
    const request = { kind, request: `${view}-${++nRequests}`, ...content };
    const same = queue.findIndex((one) => one.request.kind === kind);
    if (same >= 0) queue.splice(same, 1); // only the newest of a kind counts
    queue.push({ request, buffers });
    next();
  }

  function next() {
    if (waiting || !queue.length) return;
    const { request, buffers } = queue.shift();
    waiting = request;
    root.setAttribute("aria-busy", "true");
    say({ search: "Searching …", upload: "Reading the photo …", map: "Drawing the map …",
      csv: "Writing the table …", move: "Opening the other catalogue …" }[request.kind] ?? "Loading …");
    watch();
    model.send(request, undefined, buffers);
  }

  function watch() {
    clearTimeout(slow);
    slow = setTimeout(() => fail("The server does not answer. Reload the page."), SLOW);
  }

  function receive(message, buffers) {
    if (message.kind === "status" && waiting) { say(message.text); watch(); }
    if (!waiting || message.request !== waiting.request) return;
    const asked = waiting;
    clearTimeout(slow);
    waiting = null;
    root.removeAttribute("aria-busy");
    const isOutdated = queue.some((one) => one.request.kind === asked.kind);
    if (message.kind === "error") fail(message.text, asked.kind);
    else if (!isOutdated) {
      if ([asked.kind, ""].includes(failed) || asked.kind === "search") fault.hidden = true;
      say("");
      ({ picks: showPicks, upload: showUpload, results: showResults, csv: saveCsv,
        map: showMap, move: showMoved })[message.kind](message, buffers, asked);
    }
    next();
  }

  function say(text) { status.textContent = text; }

  let failed = ""; // the kind of the last request that failed; its message stays until it works
  function fail(text, kind = "") {
    failed = kind;
    say("");
    fault.replaceChildren(h("strong", {}, "That did not work. "), text);
    fault.hidden = false;
    fault.scrollIntoView({ block: "nearest" }); // it may be above what was just clicked
    if (kind === "search") results.replaceChildren();
  }

  function photo(buffer, alt, className = "") {
    const url = URL.createObjectURL(new Blob([buffer]));
    urls.add(url);
    return h("img", { src: url, alt, class: className, decoding: "async" });
  }

  function forget(part) { // give back the photos of a part that is about to be replaced
    for (const image of part.querySelectorAll("img")) {
      URL.revokeObjectURL(image.src);
      urls.delete(image.src);
    }
    part.replaceChildren();
  }

  function showMoved(message, buffers, asked) {
    page.close();
    root.remove();
    open(page, { model, el }, { message, buffers, isFromAddress: asked.isFromAddress });
  }

  // ---------------------------------------------------------------- the query
  function search({ page = 0, jump = false } = {}) {
    if (!state.query) return;
    state.settings.page = page;
    if (page === 0) closeMap();
    ask("search", { ...asked(), settings: { ...state.settings }, jump });
    showAddress();
  }

  function asked() {
    const { product, box, byWords } = state.query;
    return { ...(product == null ? {} : { product }), ...(box ? { box } : {}),
      ...(byWords ? { by_words: true } : {}) };
  }

  // What another tab gives is a picture's file, or only its address, which is never fetched.
  function useDropped(transfer) {
    const files = [...transfer.files];
    const picture = files.find((one) => one.type.startsWith("image/")) ?? files[0];
    if (picture) useFile(picture);
    else if (/^data:image\//.test(transfer.getData("text/uri-list"))) {
      fetch(transfer.getData("text/uri-list")).then((one) => one.blob())
        .then((blob) => useFile(new File([blob], "dropped picture", { type: blob.type })),
          () => fail("The dropped picture cannot be read. Save it, and drop the file."));
    } else if (transfer.types.length) {
      fail("What was dropped is a link or a text, and this page fetches nothing from elsewhere. " +
        "Save the picture first and drop its file, or copy the picture and paste it here.");
    }
  }

  function useProduct(id, jump = true) {
    state.query = { product: id, box: null };
    shownProduct = null;
    search({ jump });
  }

  function useFile(file) {
    if (!file) return;
    const given = ++nGiven; // of two photos given in haste, the second counts
    smaller(file).then((photo) => photo.arrayBuffer().then((data) => {
      if (given !== nGiven) return;
      if (photo.size > info.max_bytes) {
        fail(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB; the limit is ` +
          `${info.max_bytes / 1e6} MB. Scale it down first.`);
      } else ask("upload", { name: file.name }, [data]);
    })).catch(() => fail(`${file.name} cannot be read by the browser.`));
  }

  let nGiven = 0;
  // A photo of many megabytes, scaled down as the server would: upright, and in sRGB. As it is, if
  // it is small, or of a kind that this browser does not show (the server may read it).
  async function smaller(file) {
    if (file.size <= info.sent_whole_bytes) return file;
    let bitmap;
    try {
      bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    } catch {
      return file;
    }
    const scale = Math.min(1, info.kept_side / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "white"; // behind what is transparent
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const made = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
    return made && made.size < file.size ? made : file;
  }

  function showUpload(message, [preview]) {
    state.query = { name: message.name, box: null };
    showQuery(preview, `Your photo ${message.name}`, `${message.name}, ${message.width} × ` +
      `${message.height} pixels`);
    search({ jump: true });
  }

  // ---------------------------------------------------------------- preview and crop box
  function showQuery(buffer, alt, caption) {
    forget(queryPanel);
    const image = photo(buffer, alt, "query-photo");
    const box = h("div", { class: "crop-box", hidden: true });
    const stage = h("div", { class: "crop-stage" }, image, box);
    image.draggable = false;
    const sliders = {};
    const inputs = [["left", "Left edge", 0], ["top", "Top edge", 0], ["right", "Right edge", 100],
      ["bottom", "Bottom edge", 100]].map(([name, label, value]) => {
      sliders[name] = h("input", { type: "range", min: 0, max: 100, value, "aria-label":
        `${label} of the crop box, per cent`, oninput: () => cropTo(edges(name), true) });
      return h("label", {}, label, sliders[name]);
    });
    const clear = h("button", { type: "button", class: "quiet", onclick: () => cropTo(null) },
      "Use the whole photo");

    function edges(moved) { // two edges stay 5 % apart; the one that was moved gives way
      const at = (name) => Number(sliders[name].value) / 100;
      const [left, top] = [Math.min(at("left"), moved === "left" ? at("right") - 0.05 : 0.95),
        Math.min(at("top"), moved === "top" ? at("bottom") - 0.05 : 0.95)];
      return [Math.max(0, left), Math.max(0, top), Math.max(at("right"), left + 0.05),
        Math.max(at("bottom"), top + 0.05)];
    }

    let rest = null;
    function cropTo(edge, isSlider = false) {
      const isWhole = !edge || (edge[0] <= 0 && edge[1] <= 0 && edge[2] >= 1 && edge[3] >= 1);
      state.query.box = isWhole ? null : edge;
      showBox(isWhole ? [0, 0, 1, 1] : edge, isWhole);
      clearTimeout(rest);
      rest = setTimeout(() => search(), isSlider ? PAUSE : 0);
    }

    function showBox([left, top, right, bottom], isWhole) {
      box.hidden = isWhole;
      box.style.left = `${left * 100}%`;
      box.style.top = `${top * 100}%`;
      box.style.width = `${(right - left) * 100}%`;
      box.style.height = `${(bottom - top) * 100}%`;
      for (const [name, value] of Object.entries({ left, top, right, bottom }))
        sliders[name].value = Math.round(value * 100);
      clear.hidden = isWhole;
    }

    let start = null;
    const within = (event) => {
      const frame = image.getBoundingClientRect();
      const clamp = (value) => Math.min(1, Math.max(0, value));
      return [clamp((event.clientX - frame.left) / frame.width),
        clamp((event.clientY - frame.top) / frame.height)];
    };
    const between = (end) => [Math.min(start[0], end[0]), Math.min(start[1], end[1]),
      Math.max(start[0], end[0]), Math.max(start[1], end[1])];
    stage.addEventListener("pointerdown", (event) => {
      start = within(event);
      stage.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    stage.addEventListener("pointermove", (event) => {
      if (start) showBox(between(within(event)), false);
    });
    stage.addEventListener("pointerup", (event) => {
      if (!start) return;
      const drawn = between(within(event));
      start = null;
      const isBox = drawn[2] - drawn[0] > 0.05 && drawn[3] - drawn[1] > 0.05;
      cropTo(isBox ? drawn : null);
    });
    showBox(state.query.box ?? [0, 0, 1, 1], !state.query.box);
    if (info.is_drawn && state.query.product != null) { // no part of a drawing is searched with
      const plain = photo(buffer, alt, "query-photo");
      queryPanel.append(h("h2", {}, "Your query"), plain, h("p", { class: "caption" }, caption));
      queryPanel.hidden = false;
      return;
    }
    queryPanel.append(
      h("h2", {}, "Your query"), stage, h("p", { class: "caption" }, caption),
      h("p", { class: "hint" }, "Draw a box on the photo to search for that part only."), clear,
      h("details", {}, h("summary", {}, "Set the box by sliders"), ...inputs),
    );
    queryPanel.hidden = false;
  }

  function showCutOut(upload, buffer) { // what of an uploaded photo is searched, and the switch
    forget(cutPanel);
    const isOn = h("input", { type: "checkbox", checked: state.settings.is_cut, onchange: (event) => {
      state.settings.is_cut = event.target.checked;
      search();
    } });
    cutPanel.append(h("h3", {}, "What is searched"),
      photo(buffer, upload.is_cut ? "The garment, cut out of your photo" : "Your whole photo", "cut-out"),
      h("p", { class: "caption" }, `${upload.note} ${upload.said}`),
      h("label", {}, isOn, " Cut the garment out of my photo"));
    queryPanel.append(cutPanel);
  }

  // ---------------------------------------------------------------- results
  function showResults(message, buffers, request) {
    state.curve = message.curve;
    updateThreshold();
    const photos = buffers.slice(0, message.cards.length);
    const queried = message.query_card; // of a product; an upload has none
    if (state.query.byWords) { forget(queryPanel); queryPanel.hidden = true; }
    if (queried && String(shownProduct) !== String(queried.id))
      showQuery(buffers[buffers.length - 1], altOf(queried), `${queried.name} (no. ${queried.id})`);
    shownProduct = queried?.id ?? null;
    forget(results);
    const head = h("h2", { tabindex: -1 }, headline(message));
    results.append(head);
    if (message.upload) showCutOut(message.upload, buffers[buffers.length - 1]);
    if (message.why && message.cards.length) {
      results.append(h("p", { class: "no-match" }, `${message.why} The nearest products, which are ` +
        "not matches:"));
    } else if (!message.is_match && message.cards.length) {
      results.append(h("p", { class: "no-match" }, "Nothing in the shop is as alike as you asked " +
        `(${thresholdText()}). Loosen the threshold, or look at the nearest products, which are ` +
        "not matches:"));
    } else if (!message.cards.length) {
      results.append(h("p", { class: "no-match" },
        "No product has all of the chosen filters. Take one of them away."));
    }
    const parts = Object.entries(message.query).map(([name, value]) => `${name} ${value}`);
    if (parts.length && message.cards.length) {
      results.append(h("p", { class: "caption" }, queried
        ? `The query is: ${parts.join(", ")}.`
        : `Most of the ten nearest products agree on: ${parts.join(", ")}.`));
      showChanges();
    }
    const list = h("ul", { class: `grid${message.is_match ? "" : " apart"}` });
    message.cards.forEach((card, place) => list.append(cardOf(card, photos[place], message)));
    results.append(list, pager(message));
    if (message.cards.length) results.append(actions());
    pickPart.open = false; // it made its choice; a click opens it again
    const found = message.is_match ? `${message.cards.length} products shown` : headline(message);
    say(`${found}, after ${Math.round(message.seconds * 1000)} ms.`);
    if (request.jump) {
      head.focus({ preventScroll: true });
      head.scrollIntoView({ block: "start" });
    }
  }

  function headline(message) {
    if (!message.cards.length) return "No products";
    if (!message.is_match) return "No match";
    const first = message.page * state.settings.n_results + 1;
    const last = first + message.cards.length - 1;
    const kind = state.settings.threshold == null ? "products, the most alike first"
      : "matching products";
    return `${whole.format(first)} to ${whole.format(last)} of ` +
      `${whole.format(message.n_matches)} ${kind}`;
  }

  function altOf(card) {
    const { colour, type, gender } = card.attributes;
    const parts = [`${info.is_drawn ? "Drawing" : "Photo"}: ${card.name}`, colour, type, gender && `for ${gender}`];
    return parts.filter(Boolean).join(", ");
  }

  function cardOf(card, buffer, message) {
    const about = card.attributes;
    const isCosine = message.measure === "cosine";
    const shown = isCosine ? (1 - card.distance).toFixed(3) : card.distance.toPrecision(3);
    const label = isCosine ? "similarity" : "distance";
    const name = `why-${card.id}`;
    return h("li", { class: "card", "data-product": card.id },
      photo(buffer, altOf(card)),
      h("h3", {}, card.name),
      h("p", { class: "about" },
        [about.type, about.colour, about.gender].filter(Boolean).join(" · ")),
      h("p", { class: "score" }, h("span", {}, `${label} ${shown}`),
        h("span", { class: "bar", "aria-hidden": "true" },
          h("span", { style: `width:${Math.round(card.share * 100)}%` }))),
      h("details", { name }, h("summary", {}, "Why this one?"),
        h("p", {}, card.agree.length ? `Same: ${card.agree.join(", ")}.` : "Nothing else agrees."),
        card.differ.length ? h("p", {}, `Different: ${card.differ.join(", ")}.`) : null),
      h("button", { type: "button", "aria-label": `More like ${card.name}`,
        onclick: () => useProduct(card.id) }, "More like this"),
    );
  }

  function pager(message) {
    const { page } = message;
    const go = (to) => () => search({ page: to, jump: true });
    if (page === 0 && !message.has_more) return "";
    return h("nav", { class: "pager", "aria-label": "Pages of results" },
      h("button", { type: "button", disabled: page === 0, onclick: go(page - 1) }, "Previous"),
      h("span", {}, `Page ${page + 1}`),
      h("button", { type: "button", disabled: !message.has_more, onclick: go(page + 1) }, "Next"));
  }

  function actions() {
    const mapButton = h("button", { type: "button", onclick: () =>
      ask("map", { ...asked(), settings: state.settings }) }, "Show it on the map");
    const linkButton = state.query.product == null ? null
      : h("button", { type: "button", onclick: copyLink }, "Copy a link to this search");
    return h("p", { class: "actions" },
      h("button", { type: "button", onclick: () =>
        ask("csv", { ...asked(), settings: state.settings }) }, "Download as CSV"),
      linkButton, mapButton);
  }

  function saveCsv({ csv }) {
    const url = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    h("a", { href: url, download: "results.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    say("The table results.csv is downloaded.");
  }

  // ---------------------------------------------------------------- the map
  function closeMap() { mapPanel.replaceChildren(); mapPanel.hidden = true; }

  function showMap(message, [xy, classes]) {
    const canvas = h("canvas", { role: "img", "aria-label": message.text });
    const legend = message.legend.map(([name, colour]) => h("li", {},
      h("span", { class: "dot", style: `background:${colour}`, "aria-hidden": "true" }), name));
    mapPanel.replaceChildren(h("h2", { tabindex: -1 }, "On the t-SNE map"), canvas,
      h("ul", { class: "legend" }, ...legend), h("p", {}, message.text),
      h("p", { class: "hint" }, "Products that the network finds alike lie close together; the " +
        "axes have no meaning."));
    mapPanel.hidden = false;
    drawMap(canvas, message, xy, classes);
    mapPanel.querySelector("h2").focus();
  }

  function drawMap(canvas, { spot, legend, height }, xy, classes) {
    const ratio = window.devicePixelRatio || 1;
    const mapHeight = 24 + height * (MAP_SIDE - 24);
    canvas.width = MAP_SIDE * ratio;
    canvas.height = mapHeight * ratio;
    const brush = canvas.getContext("2d");
    brush.scale(ratio, ratio);
    const points = new Float32Array(xy.buffer.slice(xy.byteOffset, xy.byteOffset + xy.byteLength));
    const codes = new Uint8Array(classes.buffer, classes.byteOffset, classes.byteLength);
    const at = (value) => 12 + value * (MAP_SIDE - 24);
    const size = codes.length > 10000 ? 1.4 : 4;
    brush.fillStyle = "#fff";
    brush.fillRect(0, 0, MAP_SIDE, mapHeight);
    for (let row = 0; row < codes.length; row++) {
      brush.fillStyle = legend[codes[row]][1];
      const [x, y] = [at(points[2 * row]), at(points[2 * row + 1])];
      brush.fillRect(x - size / 2, y - size / 2, size, size);
    }
    const [x, y] = spot.map(at);
    for (const [colour, width] of [["#fff", 7], ["#000", 3]]) {
      brush.strokeStyle = colour;
      brush.lineWidth = width;
      brush.beginPath();
      brush.moveTo(x - 11, y); brush.lineTo(x + 11, y);
      brush.moveTo(x, y - 11); brush.lineTo(x, y + 11);
      brush.stroke();
    }
  }

  // ---------------------------------------------------------------- picking a product
  function showPicks(message, buffers) {
    forget(picks);
    if (!message.cards.length) picks.append(h("li", { class: "hint" }, "No product is called so."));
    message.cards.forEach((card, place) => picks.append(h("li", {},
      h("button", { type: "button", class: "pick", title: card.name,
        "aria-label": `Search with ${card.name}`, onclick: () => useProduct(card.id) },
      photo(buffers[place], "")))));
  }

  // ---------------------------------------------------------------- like this, but ...
  const isJoined = () => info.joined && state.settings.model === info.joined;

  function change(part, name, value, isNone) {
    const { [name]: _, ...rest } = state.settings[part];
    set({ [part]: isNone ? rest : { ...rest, [name]: value }, page: 0 });
  }

  function showChanges() { // the words and changes belong to the joined model alone
    wordsPart.hidden = !isJoined();
    changePart.hidden = !isJoined() || !state.query || state.query.byWords;
  }

  let weighing = null;
  function weightOf(name, label) {
    const input = h("input", { type: "range", min: -4, max: 4, step: 1,
      value: Math.round(2 * Math.log2(state.settings.weights[name] ?? 1)),
      "aria-label": `How much the ${label} counts`, oninput: () => {
        const weight = 2 ** (Number(input.value) / 2);
        say();
        clearTimeout(weighing);
        weighing = setTimeout(() => change("weights", name, weight, weight === 1), PAUSE);
      } });
    const say = () => input.setAttribute("aria-valuetext",
      Number(input.value) === 0 ? "as usual" : `${(2 ** (Number(input.value) / 2)).toFixed(2)} ` +
        "times as usual");
    say();
    return h("label", {}, label, input);
  }

  function searchByWords() {
    const words = wordsInput.value.trim();
    const hasPhoto = state.query && !state.query.byWords;
    if (!words && !hasPhoto) return say("Type what you look for.");
    if (!hasPhoto) state.query = { byWords: true, box: null };
    state.settings.words = words;
    search({ jump: true });
  }

  // ---------------------------------------------------------------- controls
  function select(label, options, value, change) {
    const menu = h("select", { onchange: () => change(menu.value) },
      ...options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
    return h("label", {}, label, menu);
  }

  function set(changes) {
    Object.assign(state.settings, changes);
    search();
  }

  function updateThreshold() {
    const { curve } = state;
    slider.max = curve.thresholds.length;
    slider.disabled = !curve.thresholds.length;
    const wanted = state.settings.threshold;
    // 0 is "off"; then from the loosest to the strictest.
    slider.value = wanted == null ? 0
      : curve.thresholds.length - nearestPoint(wanted);
    showThreshold();
  }

  function nearestPoint(distance) {
    const gaps = state.curve.thresholds.map((one) => Math.abs(one - distance));
    return gaps.indexOf(Math.min(...gaps));
  }

  function thresholdText() {
    const { threshold, measure } = state.settings;
    if (threshold == null) return "any";
    return measure === "cosine" ? `similarity at least ${(1 - threshold).toFixed(3)}`
      : `distance at most ${threshold.toPrecision(3)}`;
  }

  function showThreshold() {
    const { threshold } = state.settings;
    let text = "Off: the most alike products are shown, however alike they are.";
    if (threshold != null && state.curve) {
      const point = nearestPoint(threshold);
      const { precision, recall } = state.curve;
      text = `${thresholdText()}. Expected precision ${percent.format(precision[point])}: so many ` +
        `of the products this alike are of the query's type; ${percent.format(recall[point])} of ` +
        "all products of that type are this alike (measured on test products).";
    }
    thresholdNote.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  }

  let sliding = null;
  function slide() {
    const step = Number(slider.value);
    const { curve } = state;
    state.settings.threshold = step === 0 || !curve ? null
      : curve.thresholds[curve.thresholds.length - step];
    showThreshold();
    clearTimeout(sliding);
    sliding = setTimeout(() => search(), PAUSE);
  }

  // ---------------------------------------------------------------- the address
  function address() {
    const { model: name, measure, n_results: n, page, threshold, wanted } = state.settings;
    const { words: said, changed } = state.settings;
    const words = new URLSearchParams();
    if (info.catalogues.length > 1) words.set("catalogue", info.catalogue);
    if (state.query?.product != null) words.set("product", state.query.product);
    if (state.query?.product != null && state.query.box)
      words.set("box", state.query.box.map((edge) => edge.toFixed(3)).join(","));
    words.set("model", name ?? "");
    words.set("measure", measure);
    words.set("n", n);
    if (page) words.set("page", page + 1);
    if (threshold != null) words.set("threshold", threshold);
    for (const [key, value] of Object.entries(wanted)) words.set(key, value);
    if (said) words.set("words", said);
    for (const [key, value] of Object.entries(changed)) words.set(`but-${key}`, value);
    return `?${words}`;
  }

  function showAddress() { if (isPage) history.replaceState(null, "", address()); }

  function copyLink() {
    const link = isPage ? new URL(address(), location.href).href : address();
    const done = () => say("The link is copied.");
    const show = () => say(`The link: ${link}`);
    if (navigator.clipboard) navigator.clipboard.writeText(link).then(done, show);
    else show();
  }

  function readAddress() {
    const words = new URLSearchParams(isPage ? location.search : "");
    const { settings } = state;
    const number = (key) => (words.get(key) ? Number(words.get(key)) : null);
    if (info.models.includes(words.get("model"))) settings.model = words.get("model");
    if (info.measures.includes(words.get("measure"))) settings.measure = words.get("measure");
    if (info.page_sizes.includes(number("n"))) settings.n_results = number("n");
    if (Number.isFinite(number("threshold"))) settings.threshold = number("threshold");
    for (const [key, values] of Object.entries(info.filters))
      if (values.includes(words.get(key))) settings.wanted[key] = words.get(key);
    settings.words = (isJoined() && words.get("words")) || "";
    for (const [key, values] of Object.entries(isJoined() ? info.changeable : {}))
      if (values.includes(words.get(`but-${key}`))) settings.changed[key] = words.get(`but-${key}`);
    const page = Number.isInteger(number("page")) ? Math.max(0, number("page") - 1) : 0;
    if (words.has("product")) {
      const box = words.get("box")?.split(",").map(Number) ?? null;
      state.query = { product: words.get("product"), box };
      return () => search({ page });
    }
    if (settings.words) {
      state.query = { byWords: true, box: null };
      return () => search({ page });
    }
    return () => {};
  }

  // ---------------------------------------------------------------- the page's parts
  let shownProduct = null;
  const start = moved && !moved.isFromAddress ? () => {} : readAddress();
  const status = h("p", { role: "status", class: "status" }, "Loading …");
  const fault = h("p", { role: "alert", class: "fault", hidden: true });
  const chooser = h("input", { type: "file", accept: "image/*,.heic,.heif,.avif", class: "file-input",
    onchange: () => { useFile(chooser.files[0]); chooser.value = ""; } });
  const drop = h("label", { class: "drop" }, chooser,
    h("strong", {}, "Upload a photo"), h("span", {}, "click, drop it here, or paste it"),
    h("span", { class: "hint" }, "JPEG, PNG, WebP, HEIC and others; a large photo is scaled down first. It is not kept."));
  const finder = h("input", { type: "search", "aria-label": "Find a product by its name",
    placeholder: "e.g. blue shirt", maxlength: 200 });
  const picks = h("ul", { class: "picks" });
  const pickForm = h("form", { class: "finder", onsubmit: (event) => {
    event.preventDefault();
    ask("picks", { text: finder.value, seed: ++state.seed });
  } }, finder, h("button", { type: "submit" }, "Find"));
  const pickPart = h("details", { class: "part", open: true },
    h("summary", {}, "Or pick a product"), pickForm, picks);
  const cutPanel = h("div", { class: "cut" });
  const queryPanel = h("section", { class: "query", hidden: true, "aria-label": "The query" });
  const results = h("section", { class: "results", "aria-label": "Results" });
  const mapPanel = h("section", { class: "map", hidden: true, "aria-label": "Map" });
  const slider = h("input", { type: "range", min: 0, max: 200, value: 0, oninput: slide,
    "aria-label": "Threshold: from off, over loose, to strict" });
  const thresholdNote = h("p", { class: "hint" });
  const { settings } = state;
  const controls = h("details", { class: "part controls", open: window.innerWidth > 700 },
    h("summary", {}, "Settings and filters"),
    select("Model", info.models.map((name) => [name, info.labels[name].split(":")[0]]), settings.model,
      (value) => {
        const left = value === info.joined ? {} : { changed: {}, weights: {}, words: "" };
        if (state.query?.byWords && value !== info.joined) state.query = null;
        set({ model: value, threshold: null, ...left });
        showChanges();
      }),
    select("Similarity measure", info.measures.map((name) => [name, name]), settings.measure,
      (value) => { set({ measure: value, threshold: null }); }),
    select("Results a page", info.page_sizes.map((n) => [n, n]), settings.n_results,
      (value) => set({ n_results: Number(value) })),
    info.joined ? h("p", { class: "hint" }, `${info.labels[info.joined]}.`) : null,
    h("div", { class: "threshold" }, h("label", {}, "Threshold", slider), thresholdNote),
    h("div", { class: "filters" }, ...Object.entries(info.filters).map(([key, values]) => select(
      NAMES[key] ?? key, [["", "any"], ...values.map((value) => [value, value])],
      settings.wanted[key] ?? "", (value) => {
        const { [key]: _, ...rest } = state.settings.wanted;
        set({ wanted: value ? { ...rest, [key]: value } : rest });
      }))));
  const wordsInput = h("input", { type: "search", "aria-label": "What you look for, in words",
    placeholder: "e.g. blue kurta", maxlength: 200, value: settings.words });
  const wordsPart = h("form", { class: "part finder words", onsubmit: (event) => {
    event.preventDefault();
    searchByWords();
  } }, h("label", {}, "Say it in words, alone or with a photo", wordsInput),
    h("button", { type: "submit" }, "Search"));
  const changePart = h("details", { class: "part changes" },
    h("summary", {}, "Like this, but …"),
    ...Object.entries(info.changeable).map(([key, values]) => select(
      NAMES[key] ?? key, [["", "as it is"], ...values.map((value) => [value, value])],
      settings.changed[key] ?? "", (value) => change("changed", key, value, !value))),
    h("p", { class: "hint" }, "What counts more, or less:"),
    ...Object.keys(info.changeable).map((key) => weightOf(key, NAMES[key] ?? key)),
    weightOf("looks", "Looks as a whole"));
  const root = h("div", { class: "storefront" },
    h("header", {}, h("h1", {}, "Find it by photo"),
      info.catalogues.length > 1
        ? select("Search in", info.catalogues.map((name) => [name, name]), info.catalogue,
          (value) => ask("move", { catalogue: value }))
        : h("p", {}, `${whole.format(info.n_products)} products, ` +
          `${info.is_own ? "catalogue" : "profile"} ${info.catalogue}`),
      info.is_drawn ? h("p", { class: "hint" }, "The photos of these products do not travel with " +
        "the project: each product is shown as a drawing made from its type and colour. They " +
        "were searched by their real photos.") : null),
    status, fault,
    h("div", { class: "columns" },
      h("div", { class: "side" }, drop, wordsPart, pickPart, queryPanel, changePart, controls),
      h("div", { class: "main" }, results, mapPanel)));
  results.append(h("p", { class: "empty" },
    "Upload a photo or pick a product: the products that look most like it will be shown here."));

  root.addEventListener("dragover", (event) => {
    event.preventDefault();
    root.classList.add("over");
  });
  root.addEventListener("dragleave", () => root.classList.remove("over"));
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("over");
    useDropped(event.dataTransfer);
  });
  const paste = (event) => {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (file && root.isConnected) { event.preventDefault(); useFile(file); }
  };
  document.addEventListener("paste", paste);
  model.on("msg:custom", receive);
  el.append(root);
  showChanges();
  showThreshold();
  const wanted = isPage && !moved ? new URLSearchParams(location.search).get("catalogue") : null;
  if (info.fault) {
    fail(info.fault);
  } else if (wanted !== info.catalogue && info.catalogues.includes(wanted)) {
    ask("move", { catalogue: wanted, isFromAddress: true });
  } else {
    if (moved?.message.name) showUpload(moved.message, moved.buffers);
    else start();
    ask("picks", { text: "", seed: 0 });
  }

  page.close = () => {
    document.removeEventListener("paste", paste);
    model.off("msg:custom", receive);
    for (const url of urls) URL.revokeObjectURL(url);
  };
}

export default { render };
