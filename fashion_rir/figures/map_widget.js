// A map of dots on a canvas. Hovering asks Python for the product, dragging selects a region.
const SIDE = 560; // pixels of the canvas on screen
const MARGIN = 12;
const REACH = 8; // pixels: a dot within this distance of the pointer is meant

function numbers(view, Kind) {
  return new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function render({ model, el }) {
  const canvas = document.createElement("canvas");
  const tip = document.createElement("div");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", model.get("description"));
  canvas.style.cssText = `width:${SIDE}px;max-width:100%;cursor:crosshair;border:1px solid #8888`;
  tip.style.cssText =
    "position:absolute;display:none;pointer-events:none;background:#fff;color:#111;padding:4px;" +
    "border:1px solid #888;font:12px sans-serif;max-width:180px;z-index:9";
  el.style.position = "relative";
  el.append(canvas, tip);
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.height = SIDE * ratio;
  const brush = canvas.getContext("2d");
  let start = null; // where a drag began
  let end = null;

  const points = () => numbers(model.get("points"), Float32Array);
  const toScreen = (value) => MARGIN + value * (SIDE - 2 * MARGIN);

  function draw() {
    const xy = points();
    const classes = numbers(model.get("classes"), Uint8Array);
    const palette = model.get("palette");
    const size = xy.length > 20000 ? 1.6 : 4;
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.fillStyle = "#fff";
    brush.fillRect(0, 0, SIDE, SIDE);
    brush.globalAlpha = 0.7;
    for (let row = 0; row < classes.length; row++) {
      brush.fillStyle = palette[classes[row]];
      brush.fillRect(
        toScreen(xy[2 * row]) - size / 2, toScreen(xy[2 * row + 1]) - size / 2, size, size);
    }
    brush.globalAlpha = 1;
    for (const [x, y] of model.get("placed")) drawCross(toScreen(x), toScreen(y));
    if (start && end) {
      brush.strokeStyle = "#000";
      brush.strokeRect(start.x, start.y, end.x - start.x, end.y - start.y);
    }
  }

  function drawCross(x, y) {
    for (const [colour, width] of [["#fff", 6], ["#000", 2.5]]) {
      brush.strokeStyle = colour;
      brush.lineWidth = width;
      brush.beginPath();
      brush.moveTo(x - 9, y); brush.lineTo(x + 9, y);
      brush.moveTo(x, y - 9); brush.lineTo(x, y + 9);
      brush.stroke();
    }
    brush.lineWidth = 1;
  }

  function pointer(event) {
    const box = canvas.getBoundingClientRect();
    const scale = SIDE / box.width; // the canvas shrinks on a narrow screen
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  }

  function nearest(at) {
    const xy = points();
    let best = -1;
    let least = REACH * REACH;
    for (let row = 0; row < xy.length / 2; row++) {
      const dx = toScreen(xy[2 * row]) - at.x;
      const dy = toScreen(xy[2 * row + 1]) - at.y;
      const distance = dx * dx + dy * dy;
      if (distance < least) [best, least] = [row, distance];
    }
    return best;
  }

  function showTip() {
    const card = model.get("card");
    const isCurrent = card.row === model.get("hovered") && card.row >= 0;
    tip.style.display = isCurrent ? "block" : "none";
    if (!isCurrent) return;
    tip.replaceChildren();
    if (card.picture) {
      const picture = document.createElement("img");
      picture.src = card.picture;
      picture.alt = card.caption;
      tip.append(picture, document.createElement("br"));
    }
    tip.append(card.caption); // as text: a product's name is never read as HTML
  }

  function select() {
    const xy = points();
    const [left, right] = [start.x, end.x].sort((a, b) => a - b);
    const [top, bottom] = [start.y, end.y].sort((a, b) => a - b);
    const rows = [];
    for (let row = 0; row < xy.length / 2; row++) {
      const x = toScreen(xy[2 * row]);
      const y = toScreen(xy[2 * row + 1]);
      if (left <= x && x <= right && top <= y && y <= bottom) rows.push(row);
    }
    model.set("selected", rows);
    model.save_changes();
  }

  canvas.addEventListener("pointerdown", (event) => {
    start = pointer(event);
    end = null;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = pointer(event);
    if (start && event.buttons) {
      end = at;
      draw();
      return;
    }
    tip.style.left = `${event.offsetX + 14}px`;
    tip.style.top = `${event.offsetY + 14}px`;
    const row = nearest(at);
    if (row !== model.get("hovered")) {
      model.set("hovered", row);
      model.save_changes();
      showTip();
    }
  });
  canvas.addEventListener("pointerup", () => {
    if (end) select();
    else start = null;
    draw();
  });
  canvas.addEventListener("pointerleave", () => { tip.style.display = "none"; });
  model.on("change:card", showTip);
  for (const name of ["points", "classes", "palette", "placed"]) model.on(`change:${name}`, draw);
  draw();
}

export default { render };
