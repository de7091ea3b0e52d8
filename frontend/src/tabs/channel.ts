/** What tabs of one study tell each other. */
export type TabMessage =
  | { readonly type: "opened"; readonly study: string; readonly key: number; readonly tab: string }
  | { readonly type: "here"; readonly study: string; readonly key: number; readonly tab: string }
  | { readonly type: "left"; readonly study: string; readonly key: number; readonly tab: string }
  | { readonly type: "saved"; readonly study: string; readonly key: number; readonly tab: string; readonly revision: number };

export class TabChannel {
  private readonly channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("visteer");
  private readonly listeners = new Set<(message: TabMessage) => void>();

  constructor(
    private readonly study: string,
    private readonly tab: string,
  ) {
    if (this.channel !== null)
      this.channel.onmessage = (event: MessageEvent<TabMessage>) => {
        if (event.data.study !== this.study || event.data.tab === this.tab) return;
        for (const listener of [...this.listeners]) listener(event.data);
      };
  }

  tell(message: { type: "opened" | "here" | "left"; key: number } | { type: "saved"; key: number; revision: number }): void {
    this.channel?.postMessage({ ...message, study: this.study, tab: this.tab });
  }

  listen(listener: (message: TabMessage) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
