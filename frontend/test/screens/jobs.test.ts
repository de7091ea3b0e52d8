import { describe, expect, it } from "vitest";
import type { Job } from "../../src/api/messages";
import { jobsText } from "../../src/screens/triage/JobsLine";

const job = (more: Partial<Job>): Job => ({ run: "plain-1", split: "train", state: "running", done: 0, total: 0, detail: "", ...more });

describe("jobsText", () => {
  it("says nothing where nothing is made", () => {
    expect(jobsText([])).toBeNull();
    expect(jobsText([job({ state: "done" })])).toBeNull();
  });
  it("says how far the running one is, also beside a failed one", () => {
    expect(jobsText([job({ state: "failed", split: "val" }), job({ done: 32, total: 310 })])).toContain("train images (32 of 310)");
    expect(jobsText([job({})])).toMatch(/train images$/);
  });
  it("says what failed and why", () => {
    expect(jobsText([job({ state: "failed", detail: "no weights" })])).toMatch(/cannot be made: no weights$/);
  });
});
