export type Route =
  | { readonly screen: "triage" }
  | { readonly screen: "editor"; readonly key: number }
  | { readonly screen: "compare"; readonly key: number }
  | { readonly screen: "rate" };

/** `#/image/KEY` is the editor, `#/compare/KEY` two runs on one image, `#/rate` blind rating; all else is triage. */
export function routeOf(hash: string): Route {
  if (hash === "#/rate") return { screen: "rate" };
  const found = /^#\/(image|compare)\/(\d{1,9})$/.exec(hash);
  if (found === null) return { screen: "triage" };
  return { screen: found[1] === "image" ? "editor" : "compare", key: Number(found[2]) };
}

export function goToImage(key: number, replace = false): void {
  go(`#/image/${key}`, replace);
}

export function goToComparison(key: number, replace = false): void {
  go(`#/compare/${key}`, replace);
}

export function goToRating(): void {
  go("#/rate", false);
}

export function goToTriage(): void {
  go("#/", false);
}

function go(hash: string, replace: boolean): void {
  if (replace) location.replace(hash);
  else location.hash = hash;
}
