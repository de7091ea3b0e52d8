import { describe, expect, it } from "vitest";
import { firstRuns } from "../../src/screens/compare/CompareScreen";
import { routeOf } from "../../src/screens/routes";

describe("addresses", () => {
  it.each([
    ["", { screen: "triage" }],
    ["#/", { screen: "triage" }],
    ["#/image/12", { screen: "editor", key: 12 }],
    ["#/compare/0", { screen: "compare", key: 0 }],
    ["#/rate", { screen: "rate" }],
    ["#/image/-1", { screen: "triage" }],
    ["#/compare/1x", { screen: "triage" }],
    ["#/rate/1", { screen: "triage" }],
  ])("%s", (hash, route) => expect(routeOf(hash)).toEqual(route));
});

describe("the runs that are compared first", () => {
  const runs = (...ids: string[]) => ({ runs: ids.map((id) => ({ id, kind: id.split("-")[0]! })) });
  it.each([
    [runs(), null],
    [runs("plain-1"), ["plain-1", "plain-1"]],
    [runs("plain-1", "steered-2", "plain-3", "steered-4"), ["plain-1", "steered-4"]],
    [runs("steered-1", "steered-2"), ["steered-1", "steered-2"]],
    [runs("plain-1", "plain-2"), ["plain-1", "plain-2"]],
  ])("are the first plain and the latest steered one", (study, chosen) => expect(firstRuns(study)).toEqual(chosen));
});
