// The worker holds the verifier (WebAssembly), so that the page never freezes.
// One message in, {id, op, ...}, one out, {id, answer}; while a document is read
// also {id, progress}.
importScripts('wasm_exec.js');

const maxSide = 4096; // of a picture, as in wasm/limits.go
const ready = start();

// bytes fetches the program. It is kept packed, so that it is small on any host;
// a host that unpacks it on the way does no harm.
async function bytes(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(name + ': ' + response.status);
  const body = await response.arrayBuffer();
  const head = new Uint8Array(body, 0, Math.min(2, body.byteLength));
  if (head[0] !== 0x1f || head[1] !== 0x8b) return body;
  return new Response(new Blob([body]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}

async function start() {
  const go = new Go();
  const { instance } = await WebAssembly.instantiate(await bytes('verifier.bin'), go.importObject);
  go.run(instance); // returns when the program has put its functions in place
  return trust();
}

// file fetches a trust file: its bytes, and whether it is the kept one.
async function file(name, needed) {
  const response = await fetch('trust/' + name, { cache: 'no-cache' });
  if (response.status === 404 && !needed) return { bytes: new Uint8Array(), kept: false };
  if (!response.ok) throw new Error('trust/' + name + ': ' + response.status);
  return { bytes: new Uint8Array(await response.arrayBuffer()), kept: response.headers.has('x-kept') };
}

async function trust() {
  const files = await Promise.all([file('roots.pem', true), file('crls.pem', false), file('seal-trust.json', false), file('status.bin', false)]);
  const answer = JSON.parse(meterai.trust(...files.map((f) => f.bytes)));
  if (answer.error) throw new Error(answer.error);
  answer.trust.kept = files.some((f) => f.kept);
  return answer;
}

const reader = new FileReaderSync();

function document(id, file, password, seal) {
  let furthest = 0;
  const read = (offset, length) => {
    if (offset + length > furthest) {
      furthest = offset + length;
      postMessage({ id, progress: furthest / file.size });
    }
    try {
      return new Uint8Array(reader.readAsArrayBuffer(file.slice(offset, offset + length)));
    } catch {
      return null;
    }
  };
  return JSON.parse(meterai.document(read, file.size, password || '', seal || ''));
}

// pixels draws a bitmap no larger than side and gives what the verifier scans.
function pixels(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const w = Math.max(1, Math.round(bitmap.width * scale));
  const h = Math.max(1, Math.round(bitmap.height * scale));
  const context = new OffscreenCanvas(w, h).getContext('2d', { willReadFrequently: true });
  context.fillStyle = '#fff';
  context.fillRect(0, 0, w, h);
  context.drawImage(bitmap, 0, 0, w, h);
  return { data: new Uint8Array(context.getImageData(0, 0, w, h).data.buffer), w, h };
}

// scan looks for a seal in a bitmap: its answer and text, or whether there was
// any symbol at all.
function scan(bitmap, sides) {
  let other = false;
  for (const side of sides) {
    const p = pixels(bitmap, side);
    for (const text of JSON.parse(meterai.scan(p.data, p.w, p.h)).texts || []) {
      const answer = JSON.parse(meterai.seal(text));
      if (answer.seal && answer.seal.serial) return { ...answer, text };
      other = true;
    }
    if (side >= Math.max(bitmap.width, bitmap.height)) break;
  }
  return { other };
}

async function image(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return { unreadable: true };
  }
  const answer = scan(bitmap, [1600, maxSide]);
  bitmap.close();
  return answer;
}

async function work(m) {
  const trusted = await ready;
  switch (m.op) {
    case 'ready': return trusted;
    case 'document': return document(m.id, m.file, m.password, m.seal);
    case 'seal': return JSON.parse(meterai.seal(m.text));
    case 'image': return image(m.file);
    case 'frame': {
      const answer = scan(m.bitmap, [1280]);
      m.bitmap.close();
      return answer;
    }
  }
  return { error: 'unknown request' };
}

onmessage = async (event) => {
  const m = event.data;
  let answer;
  try {
    answer = await work(m);
  } catch (e) {
    answer = { error: String(e.message || e) };
  }
  postMessage({ id: m.id, answer });
};
