// dashboard.mjs DASHBOARD FOLDER: does Grafana's own description of a dashboard (@grafana/schema) fit ours?
//
// TypeScript is asked, with the dashboard as a constant: so a key that Grafana does not know is an error, and so is one
// that it must have, or a value that is not among those it takes. What a panel of each kind may have is a type of its own.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const [file, folder] = process.argv.slice(2);
const schema = join(dirname(createRequire(import.meta.url).resolve('@grafana/schema/package.json')), 'dist', 'esm');
const KINDS = { timeseries: 'TimeSeries' };

const dashboard = JSON.parse(readFileSync(file, 'utf8'));
const source = [
  `import type { Dashboard } from ${JSON.stringify(join(schema, 'index'))};`,
  // The types have enumerations where the file has what they stand for.
  'type AsWritten<T> = T extends string ? `${T}` : T extends (infer U)[] ? AsWritten<U>[]',
  '  : T extends object ? { [K in keyof T]: AsWritten<T[K]> } : T;',
  ...Object.entries(KINDS).map(([kind, name]) => {
    const types = join(schema, 'raw', 'composable', kind, 'panelcfg', 'x', `${name}PanelCfg_types.gen`);
    return `import type * as ${kind} from ${JSON.stringify(types)};`;
  }),
  `export const dashboard: AsWritten<Dashboard> = ${JSON.stringify(dashboard)};`,
];
for (const { id, type, options, fieldConfig } of dashboard.panels) {
  if (!(type in KINDS)) throw new Error(`panel ${id}: what a ${type} may have is not known here; add it to KINDS`);
  source.push(
    `export const options${id}: AsWritten<${type}.Options> = ${JSON.stringify(options)};`,
    `export const fields${id}: AsWritten<Partial<${type}.FieldConfig>> = ${JSON.stringify(fieldConfig.defaults.custom)};`,
  );
}

const checked = join(folder, 'dashboard.ts');
writeFileSync(checked, source.join('\n'));
const { ESNext } = ts.ModuleKind;
const settings = {
  strict: true, noEmit: true, skipLibCheck: true, types: [],
  target: ts.ScriptTarget.ES2022, module: ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
};
const faults = ts.getPreEmitDiagnostics(ts.createProgram([checked], settings));
for (const { messageText, file, start } of faults) {
  const where = file ? `${file.text.split('\n')[file.getLineAndCharacterOfPosition(start).line].slice(0, 40)}…: ` : '';
  console.log(where + ts.flattenDiagnosticMessageText(messageText, ' '));
}
process.exitCode = faults.length > 0 ? 1 : 0;
