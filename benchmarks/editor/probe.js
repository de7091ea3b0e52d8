// How long a frame takes from the pointer's event to the start of the next frame, and a step to the next image.
(() => {
  const probe = { frames: [], next: [] };
  window.probe = probe;
  let since = null;
  addEventListener("pointermove", (event) => event.buttons === 1 && (since ??= performance.now()), { capture: true });
  let open = null;
  const beat = () => {
    if (since !== null) {
      const from = since;
      since = null;
      // The page paints in this frame; the next one begins when that is done.
      requestAnimationFrame(() => probe.frames.push(performance.now() - from));
    }
    if (open !== null && location.hash !== open.hash && isShown()) {
      const { from } = open;
      open = null;
      requestAnimationFrame(() => probe.next.push(performance.now() - from));
    }
    requestAnimationFrame(beat);
  };
  // Picture, drawing and map of the image in hand are there.
  const isShown = () =>
    document.querySelector('.editor-stage[aria-busy="false"]') !== null &&
    document.querySelector(".stage-skeleton") === null &&
    document.querySelector('.block-title .link[aria-pressed="true"]:not(:disabled)') !== null;
  addEventListener(
    "keydown",
    (event) => {
      if (event.key === "d") open = { from: performance.now(), hash: location.hash };
    },
    { capture: true },
  );
  requestAnimationFrame(beat);
})();
