// SPDX-License-Identifier: BSL-1.0

// Would the tests notice if a condition of the core were wrong? Makes a copy of the project whose conditions can be
// turned off and on one by one (rewrite.mjs), builds the tests against it once, and runs, for each mutant, the test
// cases that reach it until one fails. One that crashes, or computes for much longer than it should, is noticed too.
// Fails where a mutant survives that docs/testing.md does not explain, or where it explains one that does not.
//
//   node tests/mutate/mutate.mjs [wire/frame.hpp ...]     all measured headers, or these
//   MUTATE_KIND=always,edge                                mutants of these kinds, instead of: never,unchecked
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { explained, headers, jobs, must, programs, root } from '../support/core_tests.mjs';
import { rewrite } from './rewrite.mjs';

const build = join(root, 'build/mutate');
const copy = join(build, 'source');
const wanted = process.argv.slice(2);
const kinds = (process.env.MUTATE_KIND || 'never,unchecked').split(',');
for (const kind of kinds) {
  if (['never', 'always', 'drop', 'edge', 'unchecked'].includes(kind)) continue;
  console.error(`MUTATE_KIND: there is no kind '${kind}'`);
  process.exit(2);
}
const concerns = (file, kind) => (wanted.length === 0 || wanted.includes(file)) && kinds.includes(kind);
const binary = (program) => join(build, 'bin', `test_${program}`);

// ---- The copy ----------------------------------------------------------------------------------------------------

const mutants = [null]; // by number, from 1: { file, function, text, kind, line }

function mutated(name, source) {
  const seen = new Map();
  const add = (mutant) => {
    const key = `${mutant.function}\n${mutant.text}\n${mutant.kind}`;
    const nth = (seen.get(key) ?? 0) + 1;
    seen.set(key, nth);
    if (nth > 1) mutant.text += ` #${nth}`; // of the same text in the same function
    return mutants.push({ file: name, ...mutant }) - 1;
  };
  const declared = `namespace purews_mutant {
extern int const active;
extern unsigned char* reached;
__attribute__((always_inline)) constexpr bool on(int mutant) noexcept {
  if (__builtin_is_constant_evaluated()) return false;
  reached[mutant] = 1;
  return mutant == active;
}
}
`;
  const guarded = `#ifndef PUREWS_MUTANT\n#define PUREWS_MUTANT\n${declared}#endif\n`;
  return rewrite(source, add).replace('#pragma once\n', `#pragma once\n${guarded}`);
}

// Files that did not change keep their time, so that only what changed is built again.
function write(path, content) {
  if (existsSync(path) && readFileSync(path).equals(Buffer.from(content))) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function copyTree(path) {
  if (/\/(compile_fail|package|service|tidy|node_modules|mutate|coverage|portability|fuzz)$/.test(path)) return;
  const from = join(root, path);
  if (statSync(from).isDirectory()) {
    for (const name of readdirSync(from)) copyTree(`${path}/${name}`);
    return;
  }
  let content = readFileSync(from);
  if (headers.includes(path.replace('include/purews/', ''))) content = mutated(path.slice(15), content.toString());
  if (path === 'tests/support/main.cpp') content += readFileSync(join(root, 'tests/mutate/mutants.cpp'));
  write(join(copy, path), content);
}

for (const path of ['CMakeLists.txt', 'include', 'tests']) copyTree(path);
if (mutants.length > 1 << 16) throw new Error('more mutants than mutants.cpp has room for');
const settings = { CMAKE_BUILD_TYPE: 'Release', CMAKE_CXX_FLAGS_RELEASE: '-O1 -w', PUREWS_INSTALL: 'OFF',
  PUREWS_BUILD_TESTS: 'ON', PUREWS_BUILD_EXAMPLES: 'OFF', PUREWS_BUILD_BENCH: 'OFF' };
must('cmake', ['-S', copy, '-B', build, ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`)],
  { stdio: ['ignore', 'ignore', 2] });
must('cmake', ['--build', build, '--parallel', String(jobs), '--target', ...programs.map((name) => `test_${name}`)]);

// ---- Running test cases --------------------------------------------------------------------------------------------

const escaped = (name) => name.replace(/[\\,[\]"*~]/g, '\\$&');

// Runs test cases until one fails, and yields how that ended: 'passed', 'failed' or the name of a signal.
function run(program, names, env, ms) {
  return new Promise((resolve) => {
    // The limit of the shell is for children: they do not inherit the timer.
    const limits = `ulimit -c 0; ulimit -v 4000000; ulimit -t ${Math.ceil(ms / 1000) + 1}; exec nice "$@"`;
    const child = spawn('sh', ['-c', limits, 'sh', binary(program), names.map(escaped).join(','), '--abort'], {
      cwd: root, stdio: 'ignore', env: { ...process.env, ...env, PUREWS_MUTANT_MS: String(ms) },
    });
    const patience = setTimeout(() => child.kill('SIGKILL'), 60_000 + 20 * ms);
    child.on('exit', (status, signal) => {
      clearTimeout(patience);
      resolve(signal ?? (status === 0 ? 'passed' : status > 128 ? `status ${status}` : 'failed'));
    });
  });
}

async function inParallel(items, work) {
  const queue = [...items];
  const worker = async () => {
    while (queue.length > 0) await work(queue.shift());
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

function list(program, ...spec) {
  // Catch2 version 2, and 3.
  for (const how of [['--list-test-names-only'], ['--list-tests', '--verbosity', 'quiet']]) {
    const { stdout } = spawnSync(binary(program), [...spec, ...how], { encoding: 'utf8' });
    const names = stdout.split('\n').map((line) => line.trim()).filter(Boolean);
    if (names.length > 0 && !/unrecogni[sz]ed/i.test(stdout)) return names;
  }
  return [];
}

// Which mutants each test case reaches, and how long it takes without any.
const cases = programs.flatMap((program) => {
  const names = list(program);
  const back = list(program, names.map(escaped).join(','));
  if (names.length === 0 || names.length !== back.length) throw new Error(`test_${program}: cases are misread`);
  return names.map((name) => ({ program, name }));
});
console.log(`${mutants.length - 1} mutants, ${cases.length} test cases`);
mkdirSync(join(build, 'reached'), { recursive: true });
await inParallel(cases.map((test, i) => ({ test, i })), async ({ test, i }) => {
  const file = join(build, 'reached', String(i));
  const began = process.hrtime.bigint();
  const how = await run(test.program, [test.name], { PUREWS_MUTANTS_REACHED: file }, 500_000);
  test.ms = Number(process.hrtime.bigint() - began) / 1e6;
  if (how !== 'passed') {
    console.error(`test_${test.program}: '${test.name}' ${how} without any mutant`);
    process.exit(1);
  }
  test.reached = readFileSync(file);
  rmSync(file);
});

// ---- The mutants ---------------------------------------------------------------------------------------------------

const tiers = [100, 1000, Infinity]; // ms of one test case: the quick ones first

// Yields how the mutant was noticed, or 'survived'.
async function judge(id, tiersMax) {
  const reaching = cases.filter((test) => test.reached[id] === 1);
  if (reaching.length === 0) return 'is not reached';
  const own = mutants[id].file.split('/')[0];
  const order = [...programs].sort((a, b) => (b === own) - (a === own));
  let least = 0;
  for (const most of tiers.slice(0, tiersMax)) {
    for (const program of order) {
      const chosen = reaching.filter((test) => test.program === program && test.ms >= least && test.ms < most);
      if (chosen.length === 0) continue;
      const ms = 1000 + 3 * Math.ceil(chosen.reduce((sum, test) => sum + test.ms, 0));
      const how = await run(program, chosen.map((test) => test.name), { PUREWS_MUTANT: String(id) }, ms);
      if (how !== 'passed') return how;
    }
    least = most;
  }
  return 'survived';
}

// A row explains one condition of a function or several; a part of one, if it ends with an ellipsis.
const excuses = explained('Mutation').filter((row) => row.length === 5).flatMap(([file, where, texts, kind]) =>
  texts.split('`, `').map((text) => ({ file, where, text, kind })));
const explains = (row, mutant) =>
  row.file === mutant.file && row.where === mutant.function && row.kind === mutant.kind &&
  (row.text.endsWith('…') ? mutant.text.startsWith(row.text.slice(0, -1)) : row.text === mutant.text);
const excuseOf = (mutant) => excuses.find((row) => explains(row, mutant));
const chosen = [...mutants.keys()].slice(1).filter((id) => concerns(mutants[id].file, mutants[id].kind));
const outcomes = new Map();
const survived = (id) => /survived|not reached/.test(outcomes.get(id));
await inParallel(chosen, async (id) => {
  // An explained survivor is not worth the slow cases; that it still survives the quick ones is.
  const excuse = excuseOf(mutants[id]);
  outcomes.set(id, await judge(id, excuse ? 1 : tiers.length));
  const { file, line, function: where, text, kind } = mutants[id];
  if (survived(id) && !excuse)
    console.log(`include/purews/${file}:${line}: ${outcomes.get(id)}: ${where}: ${text}: ${kind}`);
  if (outcomes.size % 200 === 0) console.log(`${outcomes.size} of ${chosen.length}`);
});

const survivors = chosen.filter(survived);
const open = survivors.filter((id) => !excuseOf(mutants[id]));
const isStale = (row) => {
  const meant = chosen.filter((id) => explains(row, mutants[id]));
  return concerns(row.file, row.kind) && !(meant.length > 0 && meant.every(survived));
};
const stale = excuses.filter(isStale);
const counts = {};
for (const how of outcomes.values()) counts[how] = (counts[how] ?? 0) + 1;
for (const row of stale) console.log(`docs/testing.md: does not survive: ${Object.values(row).join(' | ')}`);
console.log(Object.entries(counts).map(([how, n]) => `${n} ${how}`).join(', '));
console.log(`${chosen.length} mutants, ${survivors.length} survivors, ${open.length} of them not explained; ` +
            `${Math.round(process.uptime())} s`);
process.exit(open.length + stale.length > 0 ? 1 : 0);
