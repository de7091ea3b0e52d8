import { decodeValues, type AttentionMap } from "../heat/attention_map";
import type { Mask } from "../raster/mask";
import { decodeLabels, type Labels } from "../raster/labels";
import { decodeMask } from "../raster/vse1";
import { Failure, NO_SERVER, NO_SESSION } from "./errors";
import type {
  Agreement, Comparison, ConsensusMethod, HistoryEntry, ImageFacts, ImagePage, Item, Job, Place, RatingResult, RatingStanding, Select, Study, Trial, Verdict,
} from "./messages";

/** An edit as the server has it; revision 0 and no mask where there is none. */
export interface StoredEdit {
  readonly revision: number;
  readonly mask: Mask | null;
  readonly author: string;
  readonly time: string;
  readonly source: string;
}

/** A save: gzip of `VSE1`, and what it is based on. `stroke` makes a repeated save harmless. */
export interface Save {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly basedOn: number;
  readonly stroke: string;
  readonly comment: string;
}

export type Parameters = Readonly<Record<string, string | number | readonly string[] | null | undefined>>;

export function fetchStudy(): Promise<Study> {
  return getJson("/api/study");
}

export function fetchJobs(): Promise<Job[]> {
  return getJson("/api/jobs");
}

export function fetchImages(parameters: Parameters, signal?: AbortSignal): Promise<ImagePage> {
  return getJson(`/api/images${query(parameters)}`, signal);
}

export function fetchImage(key: number, run: string | null, signal?: AbortSignal): Promise<ImageFacts> {
  return getJson(`/api/images/${key}${query({ run })}`, signal);
}

/** Where an image stands in the list under filters. */
export function fetchPlace(key: number, parameters: Parameters): Promise<Place> {
  return getJson(`/api/images/${key}/place${query(parameters)}`);
}

export async function fetchSuperpixels(key: number, count: number, signal: AbortSignal): Promise<Labels> {
  return labelsOf(await ask(`/api/images/${key}/superpixels${query({ count })}`, { signal }));
}

/** The cells of an object: 1, else 0. */
export async function selectObject(key: number, wanted: Select, signal: AbortSignal): Promise<Labels> {
  const headers = { ...WRITE, "Content-Type": "application/json" };
  return labelsOf(await ask(`/api/images/${key}/select`, { method: "POST", headers, body: JSON.stringify(wanted), signal }));
}

export function pictureAddress(key: number, size?: "thumb"): string {
  return `/api/images/${key}/picture${query({ size })}`;
}

export async function fetchMap(
  key: number,
  parameters: { run: string | null; class_?: string | null; method?: string | null },
  signal?: AbortSignal,
): Promise<AttentionMap> {
  return readMap(`/api/images/${key}/map${query(parameters)}`, signal);
}

async function readMap(address: string, signal?: AbortSignal): Promise<AttentionMap> {
  const found = await getJson<{ height: number; width: number; values: string; dead: boolean }>(address, signal);
  return { width: found.width, height: found.height, dead: found.dead, values: decodeValues(found.values) };
}

export async function fetchEdit(key: number, revision?: number, signal?: AbortSignal): Promise<StoredEdit> {
  const answer = await ask(`/api/images/${key}/edit${query({ revision })}`, { signal: signal ?? null });
  const header = (name: string) => decodeURIComponent(answer.headers.get(name) ?? "");
  return {
    revision: revisionOf(answer),
    mask: answer.status === 204 ? null : decodeMask(new Uint8Array(await answer.arrayBuffer())),
    author: header("X-Visteer-Author"),
    time: answer.headers.get("X-Visteer-Time") ?? "",
    source: header("X-Visteer-Source"),
  };
}

export async function putEdit(key: number, save: Save): Promise<number> {
  const answer = await ask(`/api/images/${key}/edit`, {
    method: "PUT",
    headers: {
      ...WRITE,
      "Content-Type": "application/octet-stream",
      "Content-Encoding": "gzip",
      "If-Match": `"${save.basedOn}"`,
      "X-Visteer-Stroke": save.stroke,
      ...(save.comment === "" ? {} : { "X-Visteer-Comment": encodeURIComponent(save.comment) }),
    },
    body: save.bytes,
  });
  return ((await answer.json()) as { revision: number }).revision;
}

export function fetchHistory(key: number): Promise<HistoryEntry[]> {
  return getJson(`/api/images/${key}/history`);
}

export async function restoreRevision(key: number, revision: number, basedOn: number): Promise<number> {
  const answer = await postJson<{ revision: number }>(`/api/images/${key}/restore`, { revision, based_on: basedOn });
  return answer.revision;
}

export function fetchAgreement(key: number): Promise<Agreement> {
  return getJson(`/api/images/${key}/agreement`);
}

export async function makeConsensus(key: number, method: ConsensusMethod, basedOn: number): Promise<number> {
  const answer = await postJson<{ revision: number }>(`/api/images/${key}/consensus`, { method, based_on: basedOn });
  return answer.revision;
}

export function postVerdict(key: number, verdict: Verdict, run: string | null, comment: string): Promise<Item> {
  return postJson(`/api/images/${key}/verdict`, { verdict, run, comment });
}

/** What is rated blind: maps of these runs on this split. */
export interface RatingQuestion {
  readonly runs: readonly string[];
  readonly split: string;
}

export function fetchRatingStanding(question: RatingQuestion): Promise<RatingStanding> {
  return getJson(`/api/ratings${about(question)}`);
}

export function fetchTrial(number: number, question: RatingQuestion): Promise<Trial> {
  return getJson(`/api/ratings/trials/${number}${about(question)}`);
}

export function fetchTrialMap(number: number, question: RatingQuestion): Promise<AttentionMap> {
  return readMap(`/api/ratings/trials/${number}/map${about(question)}`);
}

export async function postRating(number: number, value: number, question: RatingQuestion): Promise<void> {
  await postJson(`/api/ratings/trials/${number}${about(question)}`, { value });
}

export function fetchRatingResults(question: RatingQuestion): Promise<RatingResult[]> {
  return getJson(`/api/ratings/results${about(question)}`);
}

function about(question: RatingQuestion): string {
  return query({ run: question.runs, split: question.split });
}

export function fetchComparison(key: number, before: string, after: string): Promise<Comparison> {
  return getJson(`/api/images/${key}/comparison${query({ before, after })}`);
}

const WRITE = { "X-Visteer": "1" };

async function getJson<T>(address: string, signal?: AbortSignal): Promise<T> {
  return (await ask(address, { signal: signal ?? null })).json() as Promise<T>;
}

async function postJson<T>(address: string, body: unknown): Promise<T> {
  const headers = { ...WRITE, "Content-Type": "application/json" };
  return (await ask(address, { method: "POST", headers, body: JSON.stringify(body) })).json() as Promise<T>;
}

async function ask(address: string, request: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(address, { credentials: "same-origin", ...request });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Failure("network", NO_SERVER);
  }
  if (answer.ok) return answer;
  throw await failureOf(answer);
}

/** What an answer other than 2xx means. */
export async function failureOf(answer: Response): Promise<Failure> {
  let said: { detail?: unknown; latest?: unknown; author?: unknown } = {};
  try {
    said = (await answer.json()) as typeof said;
  } catch {
    // No JSON: the status alone must do.
  }
  const detail = typeof said.detail === "string" ? said.detail : `The server answered ${answer.status}.`;
  if (answer.status === 401) return new Failure("session", NO_SESSION);
  if (answer.status === 412 && typeof said.latest === "number")
    return new Failure("conflict", detail, {
      revision: said.latest,
      author: typeof said.author === "string" ? said.author : null,
    });
  const passing = answer.status >= 500 || answer.status === 408 || answer.status === 429;
  return new Failure(passing ? "network" : "refused", detail);
}

async function labelsOf(answer: Response): Promise<Labels> {
  return decodeLabels(new Uint8Array(await answer.arrayBuffer()));
}

function revisionOf(answer: Response): number {
  return Number(/\d+/.exec(answer.headers.get("ETag") ?? "")?.[0] ?? 0);
}

function query(parameters: Parameters): string {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== null && one !== undefined && one !== "")
      .map((one) => [name, String(one)]),
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}
