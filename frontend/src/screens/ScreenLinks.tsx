/** The ways between the screens, at the left of each top bar. */
export function ScreenLinks({ screen }: { screen: "triage" | "rate" | "compare" }) {
  return (
    <nav class="screen-links" aria-label="Screens">
      <a href="#/" aria-current={screen === "triage" ? "page" : undefined}>
        Images
      </a>
      <a href="#/rate" aria-current={screen === "rate" ? "page" : undefined} title="Judge maps without knowing whose they are (R)">
        Rate
      </a>
    </nav>
  );
}
