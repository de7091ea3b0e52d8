import type { Drawing } from "../journal/journal";
import type { Outcome } from "../journal/saver";
import type { HeatMap } from "../raster/heat";
import type { Mask } from "../raster/mask";
import { decodeEdit } from "./editBytes";
import type { components } from "./schema";

export type Study = components["schemas"]["StudyMessage"];
export type Item = components["schemas"]["Item"];
export type ImageDetail = components["schemas"]["ImageMessage"];
export type ImageList = components["schemas"]["ListMessage"];
export type Revision = components["schemas"]["HistoryEntry"];
export type VerdictKind = "reasonable" | "unreasonable" | "nothing" | "skip";

/** Something that the server refused, in its own words. */
export class ServerError extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }

  /** The session is over: the link that `visteer edit` printed must be opened again. */
  get signedOut(): boolean {
    return this.status === 401;
  }
}

const WRITES = { "X-Visteer": "1" };

async function ask(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(path, { ...init, credentials: "same-origin" });
  if (!response.ok) throw new ServerError(response.status, await detailOf(response));
  return response;
}

async function detailOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => null);
  const detail = body && typeof body === "object" && "detail" in body ? body.detail : null;
  return typeof detail === "string" ? detail : `the server answered ${response.status}`;
}

function query(words: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(words).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

export async function getStudy(): Promise<Study> {
  return (await ask("/api/study")).json();
}

export async function getImages(words: Record<string, string | number | null | undefined>): Promise<ImageList> {
  return (await ask(`/api/images?${query(words)}`)).json();
}

export async function getImage(key: number, run: string | null): Promise<ImageDetail> {
  return (await ask(`/api/images/${key}?${query({ run })}`)).json();
}

export function pictureAddress(key: number, thumb = false): string {
  return `/api/images/${key}/picture${thumb ? "?size=thumb" : ""}`;
}

export async function getMap(key: number, run: string, class_?: string, method?: string): Promise<HeatMap & { dead: boolean }> {
  const found = await (await ask(`/api/images/${key}/map?${query({ run, class_, method })}`)).json();
  const bytes = Uint8Array.from(atob(found.values), (letter) => letter.charCodeAt(0));
  return { width: found.width, height: found.height, values: new Float32Array(bytes.buffer), dead: found.dead };
}

/** The edit of an image and its revision; null and 0 without one. */
export async function getEdit(key: number, revision?: number): Promise<{ mask: Mask | null; revision: number }> {
  const response = await ask(`/api/images/${key}/edit?${query({ revision })}`);
  const found = Number(response.headers.get("ETag")?.replaceAll('"', "") ?? 0);
  if (response.status === 204) return { mask: null, revision: 0 };
  return { mask: decodeEdit(new Uint8Array(await response.arrayBuffer())), revision: found };
}

export async function getHistory(key: number): Promise<Revision[]> {
  return (await ask(`/api/images/${key}/history`)).json();
}

export async function restore(key: number, revision: number, basedOn: number): Promise<number> {
  const body = JSON.stringify({ revision, based_on: basedOn });
  const headers = { ...WRITES, "Content-Type": "application/json" };
  return (await (await ask(`/api/images/${key}/restore`, { method: "POST", headers, body })).json()).revision;
}

export async function giveVerdict(key: number, verdict: VerdictKind, run: string | null, comment: string): Promise<void> {
  const body = JSON.stringify({ verdict, run, comment });
  const headers = { ...WRITES, "Content-Type": "application/json" };
  await ask(`/api/images/${key}/verdict`, { method: "POST", headers, body });
}

/** Send a drawing and say what became of it; never throws. */
export async function sendDrawing(drawing: Drawing): Promise<Outcome> {
  const headers = {
    ...WRITES,
    "If-Match": `"${drawing.base}"`,
    "X-Visteer-Stroke": drawing.stroke,
    "Content-Type": "application/octet-stream",
    "Content-Encoding": "gzip",
  };
  try {
    const response = await fetch(`/api/images/${drawing.key}/edit`, {
      method: "PUT",
      headers,
      body: await gzip(drawing.bytes),
      credentials: "same-origin",
    });
    if (response.ok) return { kind: "stored", revision: (await response.json()).revision };
    if (response.status === 401) return { kind: "signed-out" };
    if (response.status === 412) return { kind: "conflict", latest: (await response.json()).latest };
    if (response.status >= 500) return { kind: "unreachable" };
    return { kind: "refused", detail: await detailOf(response) };
  } catch {
    return { kind: "unreachable" };
  }
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Blob> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(packed).blob();
}
