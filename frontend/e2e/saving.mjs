// Nothing drawn is lost: the page in a real browser against a running editor of a study that may be changed.
//
//   npm run e2e -- "http://127.0.0.1:PORT/?token=..."        CHROMIUM names the browser, /usr/bin/chromium by default
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const link = process.argv[2];
if (!link) throw new Error("give the link that visteer edit printed");
const home = link.replace(/\?.*/, "");
const profile = mkdtempSync(join(tmpdir(), "visteer-e2e-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  viewport: { width: 1280, height: 800 },
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
let failures = 0;

/** Wait until `test` is true, at most ten seconds. */
async function check(name, test) {
  const end = Date.now() + 10_000;
  let last = false;
  while (!(last = await Promise.resolve(test()).catch(() => false)) && Date.now() < end) await pause(50);
  console.log(`${last ? "ok  " : "FAIL"} ${name}`);
  if (!last) failures++;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const statusOf = (page) => page.locator(".save-status").innerText();
const isSaved = async (page) => (await statusOf(page)).trim() === "Saved";
const revisionsOf = (page, key) =>
  page.evaluate(async (k) => (await (await fetch(`/api/images/${k}/history`)).json()).length, key);

/** The unsent entries of the journal. */
const journalOf = (page) =>
  page.evaluate(
    () =>
      new Promise((done) => {
        const request = indexedDB.open("visteer");
        request.onsuccess = () => {
          const all = request.result.transaction("unsent").objectStore("unsent").getAll();
          all.onsuccess = () => {
            request.result.close();
            done(all.result.map((entry) => (entry.drawn ?? entry.sending).bytes.length));
          };
        };
      }),
  );

async function draw(page, x, { lift = true } = {}) {
  const box = await page.locator(".stage").boundingBox();
  const at = (share, y) => [box.x + box.width * share, box.y + box.height * y];
  await page.mouse.move(...at(x, 0.3));
  await page.mouse.down();
  await page.mouse.move(...at(x + 0.03, 0.6), { steps: 12 });
  if (lift) await page.mouse.up();
}

async function openImage(key) {
  const page = await context.newPage();
  page.on("pageerror", (error) => {
    console.log("FAIL error in the page:", error.message);
    failures++;
  });
  page.on("console", (message) => {
    if (!/Content Security Policy/i.test(message.text())) return;
    console.log("FAIL", message.text());
    failures++;
  });
  await page.goto(`${home}#/image/${key}`);
  await page.waitForFunction(() => document.querySelector('.editor-stage[aria-busy="false"]') !== null);
  await page.keyboard.press("b");
  return page;
}

const first = await context.newPage();
await first.goto(link);
await first.waitForSelector(".card:not(.is-empty)");
await first.keyboard.press("Enter");
await first.waitForFunction(() => location.hash.startsWith("#/image/"));
const key = Number(first.url().split("/").at(-1));
await first.close();

let page = await openImage(key);
const start = await revisionsOf(page, key);
await draw(page, 0.4);
await check("a stroke is journalled at once", async () => (await journalOf(page)).length === 1);
await check("it is saved by itself", async () => (await isSaved(page)) && (await revisionsOf(page, key)) === start + 1);
await check("the journal is empty then", async () => (await journalOf(page)).length === 0);

await draw(page, 0.45, { lift: false });
await draw(page, 0.5, { lift: false });
await check("a stroke in progress is journalled", async () => (await journalOf(page)).length === 1);
const session = await context.newCDPSession(page);
await Promise.race([session.send("Page.crash").catch(() => undefined), pause(1500)]);
await page.close();
page = await openImage(key);
await check("a tab killed in mid-stroke is replayed", async () => (await isSaved(page)) && (await revisionsOf(page, key)) === start + 2);

await page.evaluate(async (k) => {
  const now = await fetch(`/api/images/${k}/edit`);
  const headers = { "X-Visteer": "1", "If-Match": now.headers.get("ETag"), "Content-Type": "application/octet-stream" };
  await fetch(`/api/images/${k}/edit`, { method: "PUT", headers, body: await now.arrayBuffer() });
}, key);
await draw(page, 0.55);
await check("a conflict is shown", () => page.locator(".conflict").isVisible());
await page.getByText("Keep mine as the new revision").click();
await check("mine is the new revision, theirs is kept", async () => (await isSaved(page)) && (await revisionsOf(page, key)) === start + 4);

await context.setOffline(true);
await draw(page, 0.6);
await check("without a network it is kept", async () => (await statusOf(page)).includes("Kept in this browser, will retry"));
await context.setOffline(false);
await check("and sent when it is back", () => isSaved(page));

const cookies = await context.cookies();
await context.clearCookies();
await draw(page, 0.65);
await check("without a session it is kept, and says what to do", async () => (await statusOf(page)).includes("open the link"));
await context.addCookies(cookies);
await check("and sent with a new session", () => isSaved(page));

const other = await openImage(key);
await check("tabs know of each other", () => page.locator(".tag.is-warning").isVisible());
const before = await revisionsOf(page, key);
await draw(other, 0.35);
await check("what is saved in one is shown in the other", async () => (await revisionsOf(page, key)) === before + 1 && (await page.locator(".toast").isVisible()));
await page.bringToFront();
await draw(page, 0.38);
await check("and drawing goes on from it without a conflict", async () => (await isSaved(page)) && (await revisionsOf(page, key)) === before + 2);

await context.close();
rmSync(profile, { recursive: true, force: true });
process.exit(failures === 0 ? 0 : 1);
