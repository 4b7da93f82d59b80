// SPDX-License-Identifier: BSL-1.0

// Which lines and branches of the core the unit tests reach, by clang's source-based coverage of the preset `coverage`.
//
// Every operand of a condition counts as a branch with two sides, and functions that nobody calls count. The counters
// live in a file that is mapped into memory, so that the children in which preconditions are broken count as well.
// Fails where a line, or more than 2 % of the branches, was not reached, and where a gap is not explained in
// docs/testing.md, or is explained although it is none.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { explained, headers, jobs, must, programs, root } from '../support/core_tests.mjs';

const build = join(root, 'build/coverage');
const branchesWanted = 0.98;

const llvm = (tool) => (spawnSync(tool, ['--version']).error ? ['xcrun', tool] : [tool]); // Apple hides them

function run(program) {
  const base = join(build, 'profiles', program);
  rmSync(`${base}-.profraw`, { force: true });
  must(join(build, 'bin', `test_${program}`), [], {
    env: { ...process.env, LLVM_PROFILE_FILE: `${base}-%c.profraw` },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [profdata, ...before] = llvm('llvm-profdata');
  must(profdata, [...before, 'merge', '-sparse', '-o', `${base}.profdata`, `${base}-.profraw`]);
  const [cov, ...first] = llvm('llvm-cov');
  const args = ['export', join(build, 'bin', `test_${program}`), `-instr-profile=${base}.profdata`];
  const out = must(cov, [...first, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(out).data[0].functions;
}

// The parts of a function as llvm-cov exports them.
const kinds = { code: 0, expansion: 1, skipped: 2, gap: 3 };
const region = ([line, column, lastLine, lastColumn, count, file, expanded, kind]) =>
  ({ line, column, lastLine, lastColumn, count, file, expanded, kind });

// The innermost region around a place; regions come sorted, those inside behind those around them.
const around = (regions, line, column) =>
  regions.findLast((r) => (r.line < line || (r.line === line && r.column <= column)) &&
                          (line < r.lastLine || (line === r.lastLine && column < r.lastColumn)));

// How often each line of a function ran, by the rule of llvm-cov: the most that a region did that begins there, or else
// the region that goes on over it. Yields [line, count]; no count where the preprocessor took the line away.
function* lineCounts(regions) {
  for (let line = regions[0].line; line <= regions[0].lastLine; ++line) {
    const over = around(regions, line, 0);
    const begun = regions.filter((r) => r.line === line && r.kind === kinds.code);
    if (over?.kind === kinds.skipped) yield [line, undefined];
    else if (over || begun.length > 0) yield [line, Math.max(over?.count ?? 0, ...begun.map((r) => r.count))];
  }
}

class HeaderCoverage {
  constructor(name) {
    this.name = name;
    this.text = readFileSync(join(root, 'include/purews', name), 'utf8').split('\n');
    this.lines = new Map(); // line -> whether it ran
    this.branches = new Map(); // place -> {line, text, sides: [was true, was false]}
  }

  add({ regions: all, branches }) {
    const regions = all.map(region);
    const own = regions.filter((r) => r.file === 0);
    if (this.text[own[0].line - 1].includes('consteval ')) return; // never runs
    for (const [line, count] of lineCounts(own.filter((r) => r.kind !== kinds.expansion))) {
      const code = count !== undefined && !/^\s*(\/\/.*|#.*)?$/.test(this.text[line - 1]);
      this.lines.set(line, code ? this.lines.get(line) || count > 0 : true);
    }
    branches.forEach((branch, i) => {
      const [line, column, , , whenTrue, whenFalse, file] = branch;
      if (file !== 0) { // of a macro: what matters is where it is used
        const use = own.find((r) => r.kind === kinds.expansion && r.expanded === file);
        if (use) this.addBranch(`${use.line}:${use.column}:${i}`, use.line, this.text[use.line - 1].trim(), branch);
      } else if (whenTrue + whenFalse > 0 || !around(own, line, column).count) { // else the compiler knows the answer
        this.addBranch(`${line}:${column}`, line, this.slice(branch), branch);
      }
    });
  }

  addBranch(place, line, text, [, , , , whenTrue, whenFalse]) {
    if (this.text[line - 1].endsWith('= default;')) return; // what the compiler writes is not ours to test
    const branch = this.branches.get(place) ?? { line, text, sides: [false, false] };
    branch.sides[0] ||= whenTrue > 0;
    branch.sides[1] ||= whenFalse > 0;
    this.branches.set(place, branch);
  }

  slice([line, column, lastLine, lastColumn]) {
    const lines = this.text.slice(line - 1, lastLine);
    lines[lines.length - 1] = lines.at(-1).slice(0, lastColumn - 1);
    lines[0] = lines[0].slice(column - 1);
    return lines.map((part) => part.trim()).join(' ');
  }

  // [file, text, what is missing, line]
  gaps() {
    const found = [];
    for (const [line, ran] of this.lines) if (!ran) found.push([this.name, this.text[line - 1].trim(), 'line', line]);
    for (const { line, text, sides } of this.branches.values()) {
      if (!sides[0]) found.push([this.name, text, 'true', line]);
      if (!sides[1]) found.push([this.name, text, 'false', line]);
    }
    return found.sort((a, b) => a[3] - b[3]);
  }

  figures() {
    const sides = [...this.branches.values()].flatMap((b) => b.sides);
    const lines = [...this.lines.values()];
    return [lines.filter(Boolean).length, lines.length, sides.filter(Boolean).length, sides.length];
  }
}

const percent = (part, whole) => (whole === 0 ? '' : `${((100 * part) / whole).toFixed(2)} %`);

function table(rows) {
  const line = (name, [l, lines, b, branches]) =>
    console.log(name.padEnd(32) + `${l}/${lines}`.padStart(11) + percent(l, lines).padStart(10) +
                `${b}/${branches}`.padStart(11) + percent(b, branches).padStart(10));
  console.log(`${'header'.padEnd(32)}${'lines'.padStart(11)}${''.padStart(10)}${'branches'.padStart(11)}`);
  for (const [name, figures] of rows) line(name, figures);
  const total = rows.reduce((sum, [, f]) => sum.map((n, i) => n + f[i]), [0, 0, 0, 0]);
  line('all', total);
  return total;
}

must('cmake', ['--build', build, '--parallel', String(jobs), '--target', ...programs.map((name) => `test_${name}`)]);
mkdirSync(join(build, 'profiles'), { recursive: true });
const coverage = new Map(headers.map((name) => [name, new HeaderCoverage(name)]));
for (const program of programs)
  for (const part of run(program)) coverage.get(part.filenames[0].split('/').slice(-2).join('/'))?.add(part);

const [lines, linesAll, branches, branchesAll] =
  table([...coverage.values()].filter((h) => h.lines.size > 0).map((h) => [h.name, h.figures()]));

const same = (a, b) => a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
const gaps = [...coverage.values()].flatMap((h) => h.gaps());
const excuses = explained('Coverage');
const open = gaps.filter((gap) => !excuses.some((excuse) => same(gap, excuse)));
const stale = excuses.filter((excuse) => !gaps.some((gap) => same(gap, excuse)));
for (const [name, text, what, line] of open)
  console.log(`include/purews/${name}:${line}: ${what === 'line' ? 'did not run' : `was never ${what}`}: ${text}`);
for (const [name, text, what] of stale) console.log(`docs/testing.md: this is no gap: ${name}, ${text}, ${what}`);
console.log(`${linesAll - lines} lines and ${branchesAll - branches} sides of branches were not reached; ` +
            `${open.length} of these gaps are not explained in docs/testing.md`);
if (branches < branchesWanted * branchesAll) console.log(`fewer than ${100 * branchesWanted} % of the branches`);
process.exit(open.length + stale.length > 0 || branches < branchesWanted * branchesAll ? 1 : 0);
