import { describe, expect, it } from "vitest";
import { Failure } from "../../src/api/errors";
import { RatingRound, type RatingWorld } from "../../src/screens/rate/rating";

const QUESTION = { runs: ["plain-1", "steered-2"], split: "test" };
const MAP = { width: 1, height: 1, values: new Float32Array([1]), dead: false };

function world(total: number, given = new Map<number, number>()) {
  const asked: string[] = [];
  const made = {
    asked,
    given,
    broken: false,
    standing: async () => {
      const next = Array.from({ length: total }, (_, i) => i).find((i) => !given.has(i)) ?? null;
      return { total, rated: given.size, next };
    },
    trial: async (number: number) => {
      asked.push(`trial ${number}`);
      return { number, key: number >> 1, class: "cat", value: given.get(number) ?? null };
    },
    map: async () => MAP,
    picture: async () => ({}) as HTMLImageElement,
    post: async (number: number, value: number) => {
      if (made.broken) throw new Failure("network", "The server is gone.");
      given.set(number, value);
    },
  };
  return made satisfies RatingWorld & Record<string, unknown>;
}

describe("a round of rating", () => {
  it("starts at the first map without a rating and has the next one ready", async () => {
    const outside = world(4, new Map([[0, 3]]));
    const round = new RatingRound(QUESTION, outside);
    await round.start();
    expect([round.number, round.rated, round.total]).toEqual([1, 1, 4]);
    expect(round.shown?.trial.number).toBe(1);
    expect(outside.asked).toEqual(["trial 1", "trial 2"]);
  });

  it("goes on when the server has the rating, and ends after the last", async () => {
    const outside = world(2);
    const round = new RatingRound(QUESTION, outside);
    await round.start();
    await round.rate(4);
    expect([round.number, round.rated, round.done]).toEqual([1, 1, false]);
    await round.rate(1);
    expect([round.done, round.rated]).toEqual([true, 2]);
    expect([...outside.given]).toEqual([[0, 4], [1, 1]]);
  });

  it("stays at a map whose rating was not kept, and says why", async () => {
    const outside = world(2);
    const round = new RatingRound(QUESTION, outside);
    await round.start();
    outside.broken = true;
    await round.rate(5);
    expect([round.number, round.rated, round.error, round.sending]).toEqual([0, 0, "The server is gone.", null]);
    outside.broken = false;
    await round.rate(5);
    expect([round.number, round.rated, round.error]).toEqual([1, 1, null]);
  });

  it("shows one's own rating on the way back, and counts a second one once", async () => {
    const round = new RatingRound(QUESTION, world(3));
    await round.start();
    await round.rate(2);
    await round.goTo(0);
    expect(round.value).toBe(2);
    await round.rate(3);
    expect([round.rated, round.number]).toEqual([1, 1]);
  });

  it("takes one rating at a time", async () => {
    const outside = world(3);
    const round = new RatingRound(QUESTION, outside);
    await round.start();
    await Promise.all([round.rate(1), round.rate(5)]);
    expect([...outside.given]).toEqual([[0, 1]]);
  });

  it("comes back to what was left for later", async () => {
    const round = new RatingRound(QUESTION, world(2));
    await round.start();
    await round.goTo(1);
    await round.rate(1);
    expect([round.done, round.rated]).toEqual([true, 1]);
    await round.start();
    expect([round.done, round.number]).toEqual([false, 0]);
  });
});
