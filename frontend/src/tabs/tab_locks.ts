const PREFIX = "visteer-tab-";

/** Hold a name for as long as this tab lives, so that others can tell whether it does. */
export async function holdTab(tab: string): Promise<void> {
  if (!("locks" in navigator)) return;
  await new Promise<void>((held) => {
    void navigator.locks.request(PREFIX + tab, () => {
      held();
      return new Promise(() => undefined);
    });
  });
}

/** Of `tabs` those that live. Where the browser cannot tell, none does: a save that is sent twice is stored once. */
export async function livingTabs(): Promise<Set<string>> {
  if (!("locks" in navigator)) return new Set();
  const { held = [] } = await navigator.locks.query();
  return new Set(held.map((lock) => lock.name ?? "").filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length)));
}
