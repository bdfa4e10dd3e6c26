// What a page owes to those who read it otherwise: the checks of axe-core that apply to it, as a list of faults.
(() => {
  const faults = [];
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (rule, element) => faults.push(rule + ": " + (element ? element.outerHTML.slice(0, 160) : ""));
  const named = (e) => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim();

  if (!document.documentElement.lang) say("html-has-lang");
  if (!document.title.trim()) say("document-title");
  if (all("main").length !== 1) say("landmark-one-main");
  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) say("heading-order", heading);
    if (!heading.textContent.trim()) say("empty-heading", heading);
    level = own;
  }
  if (all("h1").length !== 1) say("one h1");
  const ids = all("[id]").map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) say("duplicate-id", document.getElementById(id));
  for (const link of all("a")) {
    if (!named(link)) say("link-name", link);
    if (link.hash && !document.getElementById(decodeURIComponent(link.hash.slice(1)))) say("skip-link", link);
  }
  for (const drawn of all("svg, img, [role=img]"))
    if (!(drawn.getAttribute("aria-label") || drawn.getAttribute("alt"))) say("image-alt", drawn);
  for (const table of all("table")) {
    if (!named(table)) say("table-name", table);
    if (!all("th[scope=col]", table).length) say("table headers", table);
    for (const row of all("tbody tr", table)) if (!row.cells.length) say("empty row", row);
  }
  for (const list of all("ul, ol")) for (const item of list.children) if (item.tagName !== "LI") say("list", list);
  for (const list of all("dl"))
    for (const item of list.children) if (!["DIV", "DT", "DD"].includes(item.tagName)) say("definition-list", list);
  for (const part of all("*")) {
    const style = getComputedStyle(part);
    const scrolls = /auto|scroll/.test(style.overflowX) && part.scrollWidth > part.clientWidth + 1;
    if (scrolls && part.tabIndex < 0) say("scrollable-region-focusable", part);
  }
  const regions = all("[role=region], nav").map((e) => e.getAttribute("aria-label"));
  for (const name of regions) if (!name) say("landmark without a name");

  // Colours: text against all that is painted behind it.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const painted = (colors) => {
    canvas.fillStyle = "#fff";
    canvas.fillRect(0, 0, 1, 1);
    for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || element.closest("style, title")) continue;
    const style = getComputedStyle(element);
    const behind = [];
    for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
    const ink = element.closest("svg") && style.fill !== "none" ? style.fill : style.color;
    const key = ink + behind.join();
    if (seen.has(key)) continue;
    seen.add(key);
    const [paper, text] = [painted(behind), painted([...behind, ink])].map(luminance);
    const contrast = (Math.max(paper, text) + 0.05) / (Math.min(paper, text) + 0.05);
    if (contrast < 4.5) say("color-contrast " + contrast.toFixed(2), element);
  }
  return faults;
})()
