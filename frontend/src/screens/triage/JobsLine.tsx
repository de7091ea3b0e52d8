import { useEffect, useRef, useState } from "preact/hooks";
import type { Job } from "../../api/messages";
import { fetchJobs } from "../../api/server";
import { useChanges, useWorkplace } from "../workplace";
import { unpredicted } from "./FilterPanel";

const RUNNING_MS = 1000;
const RESTING_MS = 10_000;

/** What is made in the background for the run in hand, and what could not be. The list changes only when it is asked to. */
export function JobsLine() {
  const workplace = useWorkplace();
  const { run } = workplace;
  useChanges(workplace.list);
  const [jobs, setJobs] = useState<Job[]>([]);
  const shown = useRef(0);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let left = false;
    shown.current = 0;
    const look = async () => {
      const found = await fetchJobs().catch(() => null); // the list says that the server is gone
      if (left) return;
      if (found !== null) {
        setJobs(found.filter((job) => job.run === run));
      }
      timer = setTimeout(() => void look(), found?.some(isUnderWay) ? RUNNING_MS : RESTING_MS);
    };
    void look();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [run]);
  const text = jobsText(jobs);
  const done = jobs.filter((job) => job.state === "done").length;
  const isNew = done > shown.current && unpredicted(workplace.list.first, workplace.filters) > 0;
  if (text === null && !isNew) return null;
  const [total, made] = [sum(jobs.filter(isUnderWay), "total"), sum(jobs.filter(isUnderWay), "done")];
  return (
    <div class="jobs-line" role="status">
      {text !== null && <span>{text}</span>}
      {total > 0 && <progress max={total} value={made} aria-label="Maps made" />}
      {isNew && (
        <button
          class="link"
          onClick={() => {
            shown.current = done;
            workplace.filter({});
          }}
        >
          Show the new predictions
        </button>
      )}
    </div>
  );
}

/** One line on the jobs of a run; null where there is nothing to say. */
export function jobsText(jobs: readonly Job[]): string | null {
  const failed = jobs.find((job) => job.state === "failed");
  const running = jobs.find((job) => job.state === "running");
  if (running !== undefined) {
    const of = running.total > 0 ? ` (${running.done} of ${running.total})` : "";
    return `Making maps and predictions of the ${running.split} images${of}`;
  }
  if (failed !== undefined) return `The maps of the ${failed.split} images cannot be made: ${failed.detail}`;
  return jobs.some((job) => job.state === "waiting") ? "Making maps and predictions" : null;
}

function isUnderWay(job: Job): boolean {
  return job.state === "running" || job.state === "waiting";
}

function sum(jobs: readonly Job[], name: "done" | "total"): number {
  return jobs.reduce((all, job) => all + job[name], 0);
}
