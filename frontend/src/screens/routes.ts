export type Route = { readonly screen: "triage" } | { readonly screen: "editor"; readonly key: number };

/** `#/image/KEY` is the editor; everything else is triage. */
export function routeOf(hash: string): Route {
  const found = /^#\/image\/(\d{1,9})$/.exec(hash);
  return found === null ? { screen: "triage" } : { screen: "editor", key: Number(found[1]) };
}

export function goToImage(key: number, replace = false): void {
  if (replace) location.replace(`#/image/${key}`);
  else location.hash = `#/image/${key}`;
}

export function goToTriage(): void {
  location.hash = "#/";
}
