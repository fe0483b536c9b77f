// Keeps the page for use without a network. VERSION is made of the content of all
// files, so a new site is a new cache. The trust files are fetched anew whenever
// there is a network, and their last copy serves when there is none.
const VERSION = '{{VERSION}}';
const FILES = {{FILES}};
const TRUST = {{TRUST}};
const prefix = 'meterai-verifier ' + registration.scope + ' ';
const program = prefix + VERSION;
const trusted = prefix + 'trust';

const fresh = (name) => new Request(new URL(name, registration.scope), { cache: 'no-cache' });

async function fetchTrust(request) {
  const response = await fetch(request);
  if (response.ok) {
    const copy = response.clone();
    const headers = new Headers(copy.headers);
    headers.set('x-kept', new Date().toUTCString());
    const store = await caches.open(trusted);
    await store.put(request.url, new Response(await copy.blob(), { headers }));
  }
  return response;
}

addEventListener('install', (event) => {
  event.waitUntil((async () => {
    const store = await caches.open(program);
    await store.addAll(FILES.map(fresh));
    await Promise.all(TRUST.map((name) => fetchTrust(fresh(name))));
    await skipWaiting();
  })());
});

addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(prefix) && name !== program && name !== trusted) await caches.delete(name);
    }
    await clients.claim();
  })());
});

async function kept(name, request) {
  const store = await caches.open(program);
  return (await store.match(new URL(name, registration.scope))) || fetch(request);
}

async function networkFirst(request) {
  try {
    return await fetchTrust(request);
  } catch {
    const store = await caches.open(trusted);
    const copy = await store.match(request.url);
    if (copy) return copy;
    return new Response(null, { status: 504 });
  }
}

addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(registration.scope)) return;
  const name = new URL(request.url).pathname.slice(new URL(registration.scope).pathname.length);
  if (request.mode === 'navigate') {
    // The page itself, also under the address of a seal: digits are the last element of the path.
    if (name === '' || name === 'index.html' || /^[0-9]+$/.test(name)) event.respondWith(kept('./', request));
    return;
  }
  if (TRUST.includes(name)) event.respondWith(networkFirst(request));
  else if (FILES.includes(name)) event.respondWith(kept(name, request));
});
