// Makes the answers visible. Everything that comes from a document goes in as text,
// never as markup.
import { words } from './words.js';

let language = 'en';
export function setLanguage(l) { language = l; }

export function t(key, names = {}) {
  return words[language][key].replace(/\{(\w+)\}/g, (_, name) => names[name] ?? '');
}

export function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (value === true) e.setAttribute(name, '');
    else if (value !== false && value != null) e.setAttribute(name, value);
  }
  e.append(...children.filter((c) => c != null && c !== ''));
  return e;
}

const locale = () => (language === 'id' ? 'id-ID' : 'en-GB');

export function time(text) {
  if (!text) return '';
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'long', timeStyle: 'long' }).format(new Date(text));
}

export const day = (text) => new Intl.DateTimeFormat(locale(), { dateStyle: 'long' }).format(new Date(text));
const number = (n) => new Intl.NumberFormat(locale()).format(n);

function money(value, currency) {
  if (!/^[A-Z]{3}$/.test(currency)) return number(value);
  return new Intl.NumberFormat(locale(), { style: 'currency', currency, maximumFractionDigits: 0 }).format(value);
}

// grouped writes a serial number as people read it: epoch and issuer, four groups, check.
export function grouped(serial) {
  return serial.replace(/^(.{3})(.{4})(.{4})(.{4})(.{4})(.{3})$/, '$1-$2-$3-$4-$5-$6');
}

const marks = { good: '✓', warn: '!', bad: '✕', info: 'i' };

function verdict(status, title, text, why) {
  return el('div', { class: 'card verdict ' + status },
    el('span', { class: 'mark', 'aria-hidden': 'true' }, marks[status]),
    el('h2', {}, title), el('p', {}, [text, why].filter(Boolean).join(' ')));
}

function facts(list) {
  const dl = el('dl');
  for (const [key, value, kind] of list) {
    if (value) dl.append(el('dt', {}, t(key)), el('dd', kind ? { class: kind } : {}, value));
  }
  return dl;
}

function reasons(list, open) {
  if (!list || list.length === 0) return null;
  return el('details', { open }, el('summary', {}, t('technical')), el('ul', {}, ...list.map((r) => el('li', {}, r))));
}

const why = (sub) => words[language].subs[sub] || '';

const good = (s) => s.indication === 'TOTAL-PASSED' && s.stamp && s.stamp.genuine && s.stamp.document_bound;

// judge says in one line what a report means for the holder of the document.
function judge(report, locked) {
  const stamps = report.signatures.filter(good);
  switch (report.indication) {
    case 'TOTAL-PASSED':
      if (stamps.some((s) => !s.stamp.specimen)) {
        return ['good', t('goodstamp'), t(report.modification === 'none' ? 'goodstamptext' : 'allowedtext')];
      }
      return stamps.length ? ['warn', t('specimen'), t('specimentext')] : ['info', t('nostamp'), t('nostamptext')];
    case 'TOTAL-FAILED':
      if (report.signatures.some((s) => s.stamp && s.stamp.status === 'void')) return ['bad', t('voidseal'), t('voidsealtext')];
      return ['bad', t('failed'), t('failedtext'), why(report.sub_indication)];
    case 'INDETERMINATE':
      if (stamps.some((s) => !s.stamp.specimen)) return ['warn', t('stampother'), t('stampothertext'), why(report.sub_indication)];
      return ['warn', t('unsure'), t('unsuretext'), why(report.sub_indication)];
    case 'NO-SIGNATURE': return ['info', t('nosignature'), t('nosignaturetext')];
  }
  return locked ? ['info', t('locked'), t('lockedtext')] : ['bad', t('unreadable'), t('unreadabletext')];
}

const chips = { 'TOTAL-PASSED': ['good', 'passed'], 'TOTAL-FAILED': ['bad', 'failedchip'] };

function signature(s) {
  let [status, word] = chips[s.indication] || ['warn', 'unsurechip'];
  if (good(s) && s.stamp.specimen) [status, word] = ['warn', 'specimenchip'];
  const name = s.stamp ? 'stamp' : s.level === 'timestamp' ? 'timestamp' : 'signature';
  const list = s.stamp ? [
    ['serial', grouped(s.stamp.serial), 'code serial'],
    ['value', s.stamp.value ? money(s.stamp.value, s.stamp.currency) : ''],
    ['issued', time(s.stamp.issued)],
    ['kind', t(s.stamp.specimen ? 'kindspecimen' : 'kindstamp')],
    ['genuine', t(s.stamp.genuine ? 'genuineyes' : 'genuineno')],
    ['bound', t(s.stamp.document_bound ? 'boundyes' : 'boundno')],
  ] : [];
  list.push(['signer', s.signer], ['claimed', s.stamp ? '' : time(s.signing_time)], ['proved', time(s.timestamp)],
    ['covers', t(s.coverage || 'unclear')], ['later', t(s.modification || 'none')],
    ['level', [s.level, s.algorithm].filter(Boolean).join(', ')]);
  return el('article', { class: 'card signature' },
    el('div', { class: 'head' }, el('h3', {}, t(name)), el('span', { class: 'chip ' + status }, t(word))),
    s.indication === 'TOTAL-PASSED' ? null : el('p', {}, why(s.sub_indication)),
    facts(list), reasons(s.reasons, s.indication !== 'TOTAL-PASSED'));
}

// compared says whether a printed seal belongs to the document at hand.
function compared(seal) {
  if (!seal.genuine) return verdict('bad', t('sealfailed'), t('sealfailedtext'), why(seal.sub_indication));
  return seal.document_bound ? verdict('info', t('belongs'), t('belongstext')) : verdict('bad', t('foreign'), t('foreigntext'));
}

export function documentAnswer(answer, name, ask) {
  const { document: report, locked, seal } = answer;
  const parts = [];
  if (seal) parts.push(compared(seal));
  parts.push(verdict(...judge(report, locked)));
  parts.push(el('p', { class: 'small' }, name));
  if (locked) parts.push(passwordForm(ask));
  else if (report.reasons) parts.push(el('div', { class: 'card' }, reasons(report.reasons, true)));
  parts.push(...report.signatures.map(signature));
  return parts;
}

function passwordForm(ask) {
  const input = el('input', { type: 'password', id: 'password', autocomplete: 'off', maxlength: '500' });
  const submit = (event) => { event.preventDefault(); ask(input.value); };
  return el('form', { class: 'card', id: 'unlock', onsubmit: submit },
    el('label', { for: 'password' }, t('password')), input, el('button', { type: 'submit', class: 'button primary' }, t('open')));
}

export function sealAnswer(seal) {
  const names = { serial: grouped(seal.serial), length: number(seal.document_length) };
  const parts = [];
  if (seal.genuine && seal.specimen) parts.push(verdict('warn', t('specimenseal'), t('specimensealtext', names)));
  else if (seal.genuine) parts.push(verdict('info', t('genuineseal'), t('genuinesealtext', names)));
  else if (seal.status === 'void') parts.push(verdict('bad', t('voidseal'), t('voidsealtext')));
  else if (seal.indication === 'TOTAL-FAILED') parts.push(verdict('bad', t('sealfailed'), t('sealfailedtext')));
  else parts.push(verdict('warn', t('sealunsure'), t('sealunsuretext')));
  if (!seal.serial) return [...parts, el('div', { class: 'card' }, reasons(seal.reasons, true))];
  parts.push(el('article', { class: 'card' }, el('div', { class: 'head' }, el('h3', {}, t('stamp'))), facts([
    ['serial', grouped(seal.serial), 'code serial'], ['value', money(seal.value, seal.currency)], ['issued', time(seal.issued)],
    ['kind', t(seal.specimen ? 'kindspecimen' : 'kindstamp')], ['genuine', t(seal.genuine ? 'genuineyes' : 'genuineno')],
    ['length', t('bytes', { n: number(seal.document_length) })], ['digest', seal.document_digest, 'code'],
  ]), reasons(seal.reasons, !seal.genuine)));
  if (seal.genuine) parts.push(limits(), el('div', { class: 'card' }, el('h3', {}, t('compare')), el('p', {}, t('comparetext')),
    el('button', { type: 'button', class: 'button primary', onclick: () => document.getElementById('file').click() }, t('comparego'))));
  return parts;
}

// limits says plainly what a printed seal can and cannot prove.
function limits() {
  const list = (title, kind, ...keys) => el('div', {}, el('h3', {}, t(title)), el('ul', { class: kind }, ...keys.map((k) => el('li', {}, t(k)))));
  return el('div', { class: 'card two' }, list('proves', 'proves', 'proves1', 'proves2'), list('lacks', 'lacks', 'lacks1', 'lacks2'));
}

export function message(status, title, text) { return [verdict(status, title, text)]; }
