import { describe, expect, it } from "vitest";
import { isUnsaved, startSaving, step, waitAfter, type Saving, type SavingEvent } from "../../src/journal/saving";

const network = { type: "failed", kind: "network", detail: "gone", theirs: null } as const;
const conflict = { type: "failed", kind: "conflict", detail: "newer", theirs: { revision: 7, author: "Bo" } } as const;

/** The state after all events, and the effects of the last one. */
function run(...events: SavingEvent[]): [Saving, string[]] {
  let saving = startSaving(3);
  let said: string[] = [];
  for (const event of events) {
    const [next, effects] = step(saving, event);
    saving = next;
    said = effects.map((effect) =>
      effect.type === "send" ? `send ${effect.stroke} on ${effect.basedOn}`
      : effect.type === "wake" ? `${effect.event} in ${effect.after}`
      : effect.type === "sleep" ? "sleep" : `aside ${effect.stroke}`,
    );
  }
  return [saving, said];
}
const drawn = (stroke: string) => ({ type: "drawn", stroke }) as const;
const settled = { type: "settled" } as const;
const retry = { type: "retry" } as const;
const stored = (revision: number) => ({ type: "stored", revision }) as const;

describe("saving", () => {
  it("waits until nothing was drawn for a while, then sends on the known revision", () => {
    expect(run(drawn("a"))[1]).toEqual(["settled in 800"]);
    expect(run(drawn("a"), drawn("b"))[1]).toEqual(["settled in 800"]);
    expect(run(drawn("a"), drawn("b"), settled)[1]).toEqual(["send b on 3"]);
  });

  it("does not send while the pen is down", () => {
    expect(run({ type: "pen", down: true }, drawn("a"))[1]).toEqual(["sleep"]);
    expect(run({ type: "pen", down: true }, drawn("a"), settled)[1]).toEqual([]);
    expect(run({ type: "pen", down: true }, drawn("a"), { type: "pen", down: false })[1]).toEqual(["settled in 800"]);
  });

  it("builds the next save on the revision of the last", () => {
    const [saving, said] = run(drawn("a"), settled, drawn("b"), stored(4), settled);
    expect(said).toEqual(["send b on 4"]);
    expect(saving.phase).toBe("sending");
    expect(run(drawn("a"), settled, stored(4))[0]).toEqual(startSaving(4));
  });

  it("sends what was perhaps stored again, as it was, before anything newer", () => {
    const [saving, said] = run(drawn("a"), settled, network, drawn("b"), retry);
    expect(said).toEqual(["send a on 3"]);
    expect(saving).toMatchObject({ sending: "a", drawn: "b" });
    expect(run(drawn("a"), settled, network, drawn("b"), retry, stored(4), settled)[1]).toEqual(["send b on 4"]);
  });

  it("waits longer after each failure, and forgets the failures when it works", () => {
    expect([1, 2, 3, 6, 60].map(waitAfter)).toEqual([1000, 2000, 4000, 30000, 30000]);
    expect(run(drawn("a"), settled, network)[1]).toEqual(["retry in 1000"]);
    expect(run(drawn("a"), settled, network, retry, network)[1]).toEqual(["retry in 2000"]);
    expect(run(drawn("a"), settled, network, retry, stored(4))[0].attempts).toBe(0);
  });

  it("keeps everything when the session has ended, and goes on by itself", () => {
    const [saving, said] = run(drawn("a"), settled, { ...network, kind: "session" }, drawn("b"));
    expect(saving).toMatchObject({ phase: "signed-out", sending: "a", drawn: "b" });
    expect(said).toEqual([]);
    expect(run(drawn("a"), settled, { ...network, kind: "session" })[1]).toEqual(["retry in 5000"]);
  });

  it("holds still at a conflict, however much is drawn", () => {
    const [saving, said] = run(drawn("a"), settled, conflict, drawn("b"), retry);
    expect(saving).toMatchObject({ phase: "conflict", theirs: { revision: 7, author: "Bo" }, drawn: "b" });
    expect(said).toEqual([]);
  });

  it("keeps mine as the next revision after theirs, and what was drawn last", () => {
    expect(run(drawn("a"), settled, conflict, { type: "keep mine" })[1]).toEqual(["send a on 7"]);
    const [saving, said] = run(drawn("a"), settled, conflict, drawn("b"), { type: "keep mine" });
    expect(said).toEqual(["send b on 7"]);
    expect(saving.drawn).toBeNull();
  });

  it("takes theirs and sets mine aside", () => {
    const [saving, said] = run(drawn("a"), settled, conflict, drawn("b"), { type: "take theirs" });
    expect(said).toEqual(["aside b"]);
    expect(saving).toEqual(startSaving(7));
  });

  it("keeps what the server refuses, and sends it when asked or when something is drawn", () => {
    const refused = { ...network, kind: "refused" } as const;
    expect(run(drawn("a"), settled, refused)[0]).toMatchObject({ phase: "refused", drawn: "a", sending: null });
    expect(run(drawn("a"), settled, refused, retry)[1]).toEqual(["send a on 3"]);
    expect(run(drawn("a"), settled, refused, drawn("b"))[1]).toEqual(["settled in 800"]);
  });

  it("follows a newer revision that is shown, never an older one, and none while something is unsaved", () => {
    const rebased = (revision: number) => ({ type: "rebased", revision }) as const;
    expect(run(rebased(5))[0].base).toBe(5);
    expect(run(rebased(5), rebased(4))[0].base).toBe(5);
    expect(run(drawn("a"), rebased(5))[0].base).toBe(3);
  });

  it("never loses the newest stroke, whatever happens in whatever order", () => {
    let state = 7;
    const next = (n: number) => (state = (state * 1103515245 + 12345) & 0x7fffffff) % n;
    for (let round = 0; round < 300; round++) {
      let saving = startSaving(0);
      let newest: string | null = null;
      let sent: string | null = null;
      for (let i = 0; i < 60; i++) {
        const events: SavingEvent[] = [
          drawn(`${i}`), settled, retry, network, conflict, { ...network, kind: "session" },
          { ...network, kind: "refused" }, { type: "keep mine" }, stored(i), { type: "pen", down: next(2) === 0 }, { type: "flush" },
        ];
        const event = events[next(events.length)]!;
        if (event.type === "drawn") newest = event.stroke;
        const wasSending = saving.phase === "sending";
        const [after, effects] = step(saving, event);
        for (const effect of effects) if (effect.type === "send") sent = effect.stroke;
        if (event.type === "stored" && wasSending && sent === newest) newest = null;
        saving = after;
        expect(saving.drawn ?? saving.sending).toBe(newest);
        expect(isUnsaved(saving)).toBe(newest !== null);
      }
    }
  });
});
