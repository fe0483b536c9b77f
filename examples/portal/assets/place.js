// The preview of a document, and the stamp that is dragged to its place. The
// place is kept in the form's fields, in points from the bottom left of the page
// as people see it: pdf.js draws the page turned and cropped as people see it,
// so a distance on the screen divided by the scale is one in points.
import * as pdfjs from "/assets/pdfjs/pdf.min.mjs";

pdfjs.GlobalWorkerOptions.workerSrc = "/assets/pdfjs/pdf.worker.min.mjs";

const preview = document.getElementById("preview");
const canvas = document.getElementById("canvas");
const loading = document.getElementById("loading");
const stamp = document.getElementById("stamp");
const form = document.getElementById("place");
const fields = form ? form.elements : null;
const size = stamp ? { width: Number(stamp.dataset.width), height: Number(stamp.dataset.height) } : null;

let file = null; // the document
let number = Number(preview.dataset.page); // of the page that is shown
let page = { width: 0, height: 0, scale: 1 }; // in points, and screen pixels a point
let task = null; // the drawing under way

const movable = () => stamp && !stamp.disabled;
const round = (n) => Math.round(n * 10) / 10;
const clamp = (n, most) => Math.min(Math.max(n, 0), Math.max(most, 0));

// moveTo writes a place into the form, inside of the page.
function moveTo(x, y) {
  fields.x.value = round(clamp(x, page.width - size.width));
  fields.y.value = round(clamp(y, page.height - size.height));
  putStamp();
}

// putStamp shows the stamp where the form says.
function putStamp() {
  if (!stamp || page.width === 0) return;
  const x = Number(fields.x.value), y = Number(fields.y.value);
  stamp.style.left = `${x * page.scale}px`;
  stamp.style.top = `${(page.height - y - size.height) * page.scale}px`;
  stamp.style.width = `${size.width * page.scale}px`;
  stamp.style.height = `${size.height * page.scale}px`;
  stamp.hidden = number !== Number(fields.page.value);
}

// draw shows a page as wide as there is room.
async function draw() {
  const wanted = number;
  const sheet = await file.getPage(wanted);
  if (wanted !== number) return;
  if (task) task.cancel();
  const plain = sheet.getViewport({ scale: 1 });
  page = { width: plain.width, height: plain.height, scale: preview.clientWidth / plain.width };
  const sharp = Math.min(window.devicePixelRatio || 1, 2);
  const viewport = sheet.getViewport({ scale: page.scale * sharp });
  canvas.width = Math.floor(viewport.width);
  canvas.height = Math.floor(viewport.height);
  canvas.style.width = "100%";
  preview.style.aspectRatio = `${plain.width} / ${plain.height}`;
  const mine = sheet.render({ canvas, viewport });
  task = mine;
  try {
    await mine.promise;
  } catch (error) {
    if (error.name !== "RenderingCancelledException") throw error;
    return;
  }
  loading.hidden = true;
  const shown = document.getElementById("shown");
  if (shown) shown.textContent = `${number} / ${file.numPages}`;
  putStamp();
  preview.dataset.ready = String(number);
}

// turnTo shows another page and takes the stamp along.
function turnTo(to) {
  to = Math.min(Math.max(to, 1), file.numPages);
  if (to === number) return;
  number = to;
  if (movable()) fields.page.value = to;
  if (stamp) stamp.hidden = true;
  draw().then(() => { if (movable()) moveTo(Number(fields.x.value), Number(fields.y.value)); }).catch(failed);
}

function failed() {
  loading.hidden = false;
  loading.textContent = preview.dataset.failed;
}

function listen() {
  document.getElementById("previous")?.addEventListener("click", () => turnTo(number - 1));
  document.getElementById("next")?.addEventListener("click", () => turnTo(number + 1));
  let width = preview.clientWidth;
  new ResizeObserver(() => {
    if (preview.clientWidth === width) return;
    width = preview.clientWidth;
    draw().catch(failed);
  }).observe(preview);
  if (!movable()) return;
  fields.page.addEventListener("change", () => turnTo(Number(fields.page.value)));
  for (const name of ["x", "y"]) fields[name].addEventListener("input", putStamp);
  for (const name of ["x", "y"]) fields[name].addEventListener("change", () => moveTo(Number(fields.x.value), Number(fields.y.value)));
  listenToPointer();
  stamp.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 1;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (!by) return;
    event.preventDefault();
    moveTo(Number(fields.x.value) + by[0], Number(fields.y.value) + by[1]);
  });
}

// listenToPointer drags with the mouse, a finger or a pen; a tap on the page
// brings the stamp there.
function listenToPointer() {
  let from = null;
  stamp.addEventListener("pointerdown", (event) => {
    stamp.setPointerCapture(event.pointerId);
    from = { left: event.clientX, top: event.clientY, x: Number(fields.x.value), y: Number(fields.y.value) };
  });
  stamp.addEventListener("pointermove", (event) => {
    if (!from) return;
    moveTo(from.x + (event.clientX - from.left) / page.scale, from.y - (event.clientY - from.top) / page.scale);
  });
  for (const end of ["pointerup", "pointercancel"]) stamp.addEventListener(end, () => { from = null; });
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / page.scale, y = page.height - (event.clientY - box.top) / page.scale;
    moveTo(x - size.width / 2, y - size.height / 2);
    stamp.focus({ preventScroll: true });
  });
}

loading.hidden = false;
try {
  file = await pdfjs.getDocument({
    url: preview.dataset.source,
    isEvalSupported: false, // the page's policy forbids it
    disableAutoFetch: true, // what is not shown is not loaded
    wasmUrl: "/assets/pdfjs/", // decoders of scanned images
    verbosity: 0,
  }).promise;
  number = Math.min(Math.max(number, 1), file.numPages);
  await draw();
  if (movable()) moveTo(Number(fields.x.value), Number(fields.y.value));
  listen();
} catch {
  failed();
}
