// Keeps the whole page in the browser, so that it opens without a network. The build fills in the files and the version.
const CACHE = "pose2mesh VERSION";
const FILES = [/* files */];

self.addEventListener("install", (event) => event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting())));

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  const old = (await caches.keys()).filter((name) => name.startsWith("pose2mesh ") && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
})()));

self.addEventListener("fetch", (event) => event.respondWith((async () => (await (await caches.open(CACHE)).match(event.request)) || fetch(event.request))()));
