import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Drawing, Journal, newStroke } from "../src/journal/journal";
import { type Outcome, Saver, type Saving } from "../src/journal/saver";

let number = 0;
let journal: Journal;

beforeEach(async () => {
  journal = await Journal.open(`study ${number++}`);
});
afterEach(() => journal.close());

function drawing(key: number, stroke: string, base = 0): Drawing {
  return { key, stroke, base, bytes: Uint8Array.of(1, 2, 3) };
}

function saver(send: (drawing: Drawing) => Promise<Outcome>) {
  const seen: Saving[] = [];
  const stored: [number, number][] = [];
  const made = new Saver(journal, send, (key, revision) => stored.push([key, revision]), (s) => seen.push(s));
  return { made, seen, stored };
}

describe("the journal", () => {
  it("keeps the latest state of each image, also for who opens it next", async () => {
    await journal.keep(drawing(1, "a"));
    await journal.keep(drawing(1, "b"));
    await journal.keep(drawing(2, "c"));
    expect((await journal.all()).map((kept) => kept.stroke)).toEqual(["b", "c"]);
    const again = await Journal.open(`study ${number - 1}`);
    expect((await again.of(1))?.bytes).toEqual(Uint8Array.of(1, 2, 3));
    again.close();
  });

  it("does not forget what was drawn after the state that was sent", async () => {
    await journal.keep(drawing(1, "new"));
    await journal.forget(1, "old");
    expect((await journal.of(1))?.stroke).toBe("new");
    await journal.rebase(1, 7);
    expect((await journal.of(1))?.base).toBe(7);
  });
});

describe("saving", () => {
  it("sends after a quiet while and forgets what is stored", async () => {
    const { made, seen, stored } = saver(async () => ({ kind: "stored", revision: 1 }));
    await made.drawn(drawing(1, "a"));
    expect(await journal.all()).toHaveLength(1);
    await made.flush();
    expect(await journal.all()).toHaveLength(0);
    expect(stored).toEqual([[1, 1]]);
    expect(seen.at(-1)).toEqual({ state: "saved", unsent: 0 });
    made.stop();
  });

  it("never sends while the pointer is down", async () => {
    const send = vi.fn(async (): Promise<Outcome> => ({ kind: "stored", revision: 1 }));
    const { made } = saver(send);
    made.hold(true);
    await made.drawn(drawing(1, "a"));
    await made.flush();
    expect(send).not.toHaveBeenCalled();
    made.hold(false);
    await made.flush();
    expect(send).toHaveBeenCalledTimes(1);
    made.stop();
  });

  it("keeps all and tries again while the server is gone or the session over", async () => {
    const answers: Outcome[] = [{ kind: "unreachable" }, { kind: "signed-out" }, { kind: "stored", revision: 3 }];
    const { made, seen } = saver(async () => answers.shift()!);
    await made.drawn(drawing(1, "a"));
    await made.flush();
    expect(seen.at(-1)).toMatchObject({ state: "unreachable", unsent: 1 });
    await made.flush();
    expect(seen.at(-1)).toMatchObject({ state: "signed-out", unsent: 1 });
    expect(await journal.all()).toHaveLength(1);
    await made.flush();
    expect(await journal.all()).toHaveLength(0);
    made.stop();
  });

  it("tries again by itself", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const answers: Outcome[] = [{ kind: "unreachable" }, { kind: "stored", revision: 1 }];
    const { made, stored } = saver(async () => answers.shift()!);
    await made.drawn(drawing(1, "a"));
    await made.flush();
    vi.advanceTimersByTime(1000);
    vi.useRealTimers();
    await vi.waitFor(() => expect(stored).toHaveLength(1));
    made.stop();
  });

  it("lets a stroke drawn while saving stand on the new revision", async () => {
    const sent: Drawing[] = [];
    const { made } = saver(async (sending) => {
      sent.push(sending);
      if (sent.length === 1) await journal.keep(drawing(1, "b"));
      return { kind: "stored", revision: sent.length };
    });
    await made.drawn(drawing(1, "a"));
    await made.flush();
    expect(sent.map(({ stroke, base }) => [stroke, base])).toEqual([
      ["a", 0],
      ["b", 1],
    ]);
    made.stop();
  });

  it("sends a state again whose answer was lost before what was drawn after it", async () => {
    const sent: Drawing[] = [];
    const answers: Outcome[] = [{ kind: "unreachable" }, { kind: "stored", revision: 1 }, { kind: "stored", revision: 2 }];
    const { made } = saver(async (sending) => {
      sent.push(sending);
      return answers.shift()!;
    });
    await made.drawn(drawing(1, "lost"));
    await made.flush();
    await made.drawn(drawing(1, "after"));
    await made.flush();
    expect(sent.map(({ stroke, base }) => [stroke, base])).toEqual([
      ["lost", 0],
      ["lost", 0],
      ["after", 1],
    ]);
    expect(await journal.all()).toEqual([]);
    made.stop();
  });

  it("names states as the server wants them", () => {
    expect(newStroke()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("keeps a drawing that met another revision, and goes on with the others", async () => {
    const { made, seen } = saver(async (sending) =>
      sending.key === 1 ? { kind: "conflict", latest: 4 } : { kind: "stored", revision: 1 },
    );
    await journal.keep(drawing(1, "mine", 2));
    await journal.keep(drawing(2, "other"));
    await made.flush();
    expect(await journal.all()).toMatchObject([{ key: 1, stroke: "mine", conflict: 4 }]);
    expect(seen.at(-1)).toMatchObject({ state: "conflict", unsent: 1 });
    made.stop();
  });
});
