// What two observations have in common: everything, or where they first differ.

/** Null if two JSON values are equal, else the first place where they are not. */
export function difference(found, wanted, place = "") {
  if (isTree(found) && isTree(wanted) && Array.isArray(found) === Array.isArray(wanted)) {
    for (const key of new Set([...Object.keys(found), ...Object.keys(wanted)])) {
      const inside = difference(found[key], wanted[key], place ? `${place}.${key}` : key);
      if (inside) return inside;
    }
    return null;
  }
  if (Object.is(found, wanted)) return null;
  return `${place || "all of it"} is ${brief(found)}, not ${brief(wanted)}`;
}

/**
 * Problems of one behaviour seen directly and through the gateway, both compared with what the standard says and
 * with each other. `byDesign` replaces parts of what the standard says for the gateway, which then must differ.
 */
export function judge({ direct, gateway }, standard, byDesign) {
  const problems = [];
  const add = (who, text) => text && problems.push(`${who}: ${text}`);
  add("direct, against the standard", difference(direct, standard));
  if (byDesign) {
    const { why, ...parts } = byDesign;
    add(`gateway, where ${why}`, difference(gateway, { ...standard, ...parts }));
    if (!difference(gateway, direct)) problems.push(`no longer a difference, although ${why}`);
  } else {
    add("gateway, against the standard", difference(gateway, standard));
    add("gateway, against direct", difference(gateway, direct));
  }
  return problems;
}

const isTree = (value) => typeof value === "object" && value !== null;

function brief(value) {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
