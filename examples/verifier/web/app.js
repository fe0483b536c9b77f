// The page: takes a file, a picture, the camera or a seal's address, asks the
// worker and shows the answer.
import { words } from './words.js';
import { day, documentAnswer, el, message, sealAnswer, setLanguage, t } from './render.js';

const $ = (id) => document.getElementById(id);
const state = { language: 'en', trust: null, show: null, seal: '', stream: null, offline: false };

// ---- the worker ----

let worker, sequence = 0;
const waiting = new Map(); // what is under way, by id

function startWorker() {
  worker = new Worker('worker.js');
  worker.onmessage = ({ data }) => {
    const call = waiting.get(data.id);
    if (!call) return;
    if ('progress' in data) { call.progress?.(data.progress); return; }
    waiting.delete(data.id);
    call.done(data.answer);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    restartWorker({ error: event.message || 'the verifier stopped' });
  };
}

function restartWorker(answer) {
  worker.terminate();
  const calls = [...waiting.values()];
  waiting.clear();
  startWorker();
  for (const call of calls) call.done(answer);
}

function ask(request, transfer = [], progress = null) {
  return new Promise((done) => {
    const id = ++sequence;
    waiting.set(id, { done, progress });
    worker.postMessage({ id, ...request }, transfer);
  });
}

// ---- what is shown ----

function panel(name) {
  for (const id of ['looking', 'work', 'answer']) $(id).hidden = id !== name;
  for (const id of ['input', 'lede']) $(id).hidden = name !== ''; // files may still be dropped anywhere
}

// show draws an answer, and draws it again when the language changes.
function show(draw, report) {
  state.show = () => {
    const again = el('button', { type: 'button', class: 'button', id: 'again', onclick: reset }, t('again'));
    const save = report && el('button', { type: 'button', class: 'button', onclick: () => saveReport(report) }, t('save'));
    $('answer').replaceChildren(...draw(), el('div', { class: 'buttons' }, again, save));
  };
  state.show();
  panel('answer');
  $('answer').focus({ preventScroll: true });
  $('answer').scrollIntoView({ block: 'start' });
}

function reset() {
  state.show = null;
  state.seal = '';
  $('sealtext').value = '';
  panel('');
  history.replaceState(null, '', new URL('.', location.href));
  scrollTo(0, 0);
  $('file').focus();
}

function saveReport(report) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(report, null, 2)], { type: 'application/json' }));
  el('a', { href: url, download: 'report.json' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// run shows that something is under way, and gives its answer, or null when a
// newer one has taken its place.
async function run(request) {
  const bar = $('progress');
  bar.removeAttribute('value');
  panel('work');
  const mine = ++run.last;
  const answer = await ask(request, [], (part) => { bar.value = part; });
  if (mine !== run.last) return null;
  if (answer.error) {
    show(() => message('bad', t('error'), answer.error));
    return null;
  }
  return answer;
}
run.last = 0;

// ---- what is checked ----

async function checkFile(file) {
  stopCamera();
  const head = new TextDecoder('latin1').decode(await file.slice(0, 1024).arrayBuffer());
  if (!head.includes('%PDF') && file.type.startsWith('image/')) return checkImage(file);
  return checkDocument(file, '');
}

async function checkDocument(file, password) {
  const seal = state.seal;
  const answer = await run({ op: 'document', file, password, seal });
  if (!answer) return;
  const report = { ...answer.document, file: file.name };
  show(() => documentAnswer(answer, file.name, (word) => checkDocument(file, word)), answer.seal ? { document: report, seal: answer.seal } : report);
}

async function checkImage(file) {
  const answer = await run({ op: 'image', file });
  if (!answer) return;
  if (answer.seal) showSeal(answer.seal, answer.text);
  else if (answer.unreadable) show(() => message('bad', t('badpicture'), ''));
  else if (answer.other) show(() => message('warn', t('notseal'), t('notsealtext')));
  else show(() => message('warn', t('nocode'), t('nocodetext')));
}

async function checkText(text) {
  stopCamera();
  const answer = await run({ op: 'seal', text });
  if (answer) showSeal(answer.seal, text);
}

function showSeal(seal, text) {
  state.seal = seal.genuine ? text : '';
  show(() => sealAnswer(seal), seal);
}

// ---- the camera ----

async function startCamera() {
  panel('looking');
  $('lookingword').textContent = t('looking');
  const mine = ++run.last; // whatever was under way is of no interest any more
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: false, video: { facingMode: 'environment', width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
    if (mine !== run.last) { stream.getTracks().forEach((track) => track.stop()); return; }
    state.stream = stream;
    $('video').srcObject = stream;
    await $('video').play();
    await look(mine);
  } catch (e) {
    if (mine !== run.last) return;
    stopCamera();
    show(() => message('warn', t('error'), t('cameradenied', { why: e.message || e.name || '' })));
  }
}

async function look(mine) {
  const video = $('video');
  while (mine === run.last) {
    if (video.readyState < 2) { await pause(50); continue; }
    const bitmap = await createImageBitmap(video);
    const answer = await ask({ op: 'frame', bitmap }, [bitmap]);
    if (mine !== run.last) return;
    if (answer.error) throw new Error(answer.error);
    if (answer.seal) { stopCamera(); showSeal(answer.seal, answer.text); return; }
    const word = t(answer.other ? 'lookingother' : 'looking');
    if ($('lookingword').textContent !== word) $('lookingword').textContent = word;
    await pause(60);
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function stopCamera() {
  run.last++;
  state.stream?.getTracks().forEach((track) => track.stop());
  state.stream = null;
  $('video').srcObject = null;
}

// ---- the language ----

function applyLanguage(language) {
  state.language = language;
  setLanguage(language);
  document.documentElement.lang = language;
  document.title = t('title');
  for (const e of document.querySelectorAll('[data-t]')) e.textContent = t(e.dataset.t);
  for (const b of document.querySelectorAll('[data-language]')) b.setAttribute('aria-pressed', String(b.dataset.language === language));
  $('progress').setAttribute('aria-label', t('progress'));
  showTrust();
  state.show?.();
}

function savedLanguage() {
  try {
    const saved = localStorage.getItem('language');
    if (saved in words) return saved;
  } catch { /* storage may be forbidden */ }
  return navigator.languages.some((l) => /^(id|in)\b/i.test(l)) ? 'id' : 'en';
}

function showTrust() {
  const answer = state.trust;
  if (!answer) return;
  if (answer.error) { $('trust').textContent = t('trustbad', { why: answer.error }); return; }
  const { roots, keys, specimen, next_update: next, kept } = answer.trust;
  const fresh = !next ? t('listsnone') : t(new Date(next) < new Date() ? 'listsold' : 'listsuntil', { time: day(next) });
  $('trust').textContent = [t('trusts', { roots: roots.join(', '), keys, fresh }), specimen && keys ? t('trustspecimen') : '', kept ? t('listskept') : ''].filter(Boolean).join(' ');
}

// ---- begin ----

// arrived gives the seal that the page's address names: the last element of the
// path, or the fragment.
function arrived() {
  const digits = /^[0-9]{20,4000}$/;
  return [location.hash.slice(1), location.pathname.split('/').pop()].find((text) => digits.test(text)) || '';
}

function listen() {
  $('file').addEventListener('change', ({ target }) => {
    const file = target.files[0];
    target.value = ''; // so that the same file may be chosen again
    if (file) checkFile(file);
  });
  $('camera').addEventListener('click', startCamera);
  $('stop').addEventListener('click', () => { stopCamera(); panel(''); $('camera').focus(); });
  $('cancel').addEventListener('click', () => { run.last++; restartWorker({}); panel(''); $('file').focus(); });
  $('text').addEventListener('submit', (event) => { event.preventDefault(); if ($('sealtext').value.trim()) checkText($('sealtext').value); });
  for (const b of document.querySelectorAll('[data-language]')) {
    b.addEventListener('click', () => {
      try { localStorage.setItem('language', b.dataset.language); } catch { /* storage may be forbidden */ }
      applyLanguage(b.dataset.language);
    });
  }
  const over = (on) => (event) => { event.preventDefault(); $('input').classList.toggle('over', on); };
  addEventListener('dragover', over(true));
  addEventListener('dragleave', over(false));
  addEventListener('drop', (event) => { over(false)(event); if (event.dataTransfer.files[0]) checkFile(event.dataTransfer.files[0]); });
  addEventListener('paste', (event) => { if (event.clipboardData.files[0]) checkFile(event.clipboardData.files[0]); });
  addEventListener('hashchange', () => { if (arrived()) checkText(arrived()); });
}

async function keepOffline() {
  if (!('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register('sw.js');
    await navigator.serviceWorker.ready;
    $('offline').hidden = false;
  } catch { /* the page works all the same, with a network */ }
}

async function begin() {
  startWorker();
  applyLanguage(savedLanguage());
  listen();
  if (arrived()) checkText(arrived());
  state.trust = await ask({ op: 'ready' });
  showTrust();
  document.documentElement.dataset.ready = state.trust.error ? 'failed' : 'yes';
  await keepOffline();
}

begin();
