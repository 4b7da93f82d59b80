// SPDX-License-Identifier: BSL-1.0

// What the measurements of the tests (coverage, mutation) have in common: which programs test the core, where its
// headers are, and the tables of docs/testing.md in which every gap that stays is explained.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export const jobs = Number(process.env.JOBS ?? availableParallelism());

// The folders of include/purews/ that are measured.
export const measured = ['wire', 'protocol', 'deflate'].filter((name) =>
  existsSync(join(root, 'include/purews', name)),
);

// The folders of tests/ whose programs test them, the cheapest first.
const folders = ['wire', 'protocol_oom', 'protocol', 'deflate', 'vectors', 'sim', 'exhaustive'];
export const programs = folders.filter((name) => existsSync(join(root, 'tests', name)));

// wire/frame.hpp and the like, sorted.
export const headers = measured.flatMap((folder) =>
  readdirSync(join(root, 'include/purews', folder)).filter((name) => name.endsWith('.hpp')).sort()
    .map((name) => `${folder}/${name}`),
);

// Runs a command in the project's root; when it fails, so do we.
export function must(command, args, more = {}) {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', maxBuffer: 1 << 30, ...more });
  if (done.status === 0) return done.stdout;
  console.error(`${command} ${args.join(' ')}: ${done.error ?? `exit status ${done.status ?? done.signal}`}`);
  process.exit(1);
}

// The rows of the tables under `## title` in docs/testing.md, as arrays of cells. `\|` is a pipe, and code is plain.
export function explained(title) {
  const page = join(root, 'docs/testing.md');
  if (!existsSync(page)) return [];
  const section = readFileSync(page, 'utf8').split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  return section.split('\n').filter((line) => line.startsWith('| `')).map((line) =>
    line.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.replaceAll('\\|', '|').trim().replace(/^`(.*)`$/, '$1')),
  );
}
