// What the browser has painted, compared with what the X server says is on its screen.
import { until } from "./process.mjs";

/** Waits until a canvas and the X server's screen are equal in every pixel; that picture. */
export async function untilPainted(tab, selector, desktop) {
  let found;
  return until(
    () => `the canvas equals the screen (${found})`,
    async () => {
      const screen = await desktop.pixels();
      const canvas = await canvasPixels(tab, selector);
      found = difference(canvas, screen);
      return found === null && canvas;
    },
  );
}

/** Null if two pictures are equal, else where and how much they differ. */
export function difference(found, wanted) {
  const size = ({ width, height }) => `${width}x${height}`;
  if (size(found) !== size(wanted)) return `${size(found)} instead of ${size(wanted)}`;
  const pixel = ({ rgb }, index) => `#${rgb.toString("hex", index * 3, index * 3 + 3)}`;
  const total = found.width * found.height;
  let [count, first] = [0, null];
  for (let index = 0; index < total; index += 1) {
    if (found.rgb.compare(wanted.rgb, index * 3, index * 3 + 3, index * 3, index * 3 + 3) === 0) continue;
    count += 1;
    const place = `${index % found.width},${Math.floor(index / found.width)}`;
    first ??= `at ${place} ${pixel(found, index)} instead of ${pixel(wanted, index)}`;
  }
  return count ? `${count} of ${total} pixels differ, first ${first}` : null;
}

export function coloursOf({ rgb }) {
  const colours = new Set();
  for (let at = 0; at < rgb.length; at += 3) colours.add(rgb.readUIntBE(at, 3));
  return colours.size;
}

async function canvasPixels(tab, selector) {
  const { width, height, data } = await tab.evaluate(async (selector) => {
    const canvas = document.querySelector(selector);
    if (!canvas) throw new Error("noVNC has removed its canvas");
    const { data: rgba } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const rgb = new Uint8Array((rgba.length / 4) * 3);
    for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3)
      rgb.set(rgba.subarray(from, from + 3), to);
    const reader = new FileReader();
    await new Promise((done) => {
      reader.onload = done;
      reader.readAsDataURL(new Blob([rgb]));
    });
    return { width: canvas.width, height: canvas.height, data: reader.result.split(",")[1] };
  }, selector);
  return { width, height, rgb: Buffer.from(data, "base64") };
}
