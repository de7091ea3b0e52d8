// What is cut off, lies outside the window, or is covered: one line each.
() => {
  const faults = [];
  const name = (e) => `${e.tagName.toLowerCase()}.${e.className} "${(e.getAttribute("aria-label") ?? e.textContent).trim().slice(0, 40)}"`;
  const scrollerOf = (e) => {
    for (let up = e.parentElement; up !== null; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (/(auto|scroll)/.test(style.overflowX + style.overflowY)) return up;
    }
    return null;
  };
  for (const element of document.querySelectorAll("button, select, input, textarea, a[href]")) {
    if (!element.checkVisibility() || element.closest(".grid, .filmstrip") !== null) continue;
    const box = element.getBoundingClientRect();
    const scroller = scrollerOf(element);
    const inside = scroller === null ? { left: 0, right: innerWidth, top: 0, bottom: innerHeight } : scroller.getBoundingClientRect();
    if (box.left < inside.left - 1 || box.right > inside.right + 1) faults.push(`cut off at the side: ${name(element)}`);
    const sees = box.top >= inside.top - 1 && box.bottom <= inside.bottom + 1;
    if (!sees) {
      if (scroller === null) faults.push(`out of sight: ${name(element)}`);
      continue;
    }
    const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (hit !== null && !element.contains(hit) && !hit.contains(element)) faults.push(`${name(hit)} lies over ${name(element)}`);
  }
  for (const element of document.querySelectorAll(".bar, .panel, .panel-scroll, .judge, .rail, main"))
    if (element.scrollWidth > element.clientWidth + 1) faults.push(`too wide inside: ${name(element)}`);
  if (document.documentElement.scrollWidth > innerWidth) faults.push("the page scrolls sideways");
  return faults;
}
