// SPDX-License-Identifier: BSL-1.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rewrite } from './rewrite.mjs';

// The mutants of a function's body, and its new text with the numbers of the mutants.
function mutate(body, head = 'inline int f(int a, int b) noexcept') {
  const mutants = [];
  const out = rewrite(`${head} {\n  ${body}\n}\n`, (mutant) => mutants.push(mutant));
  return {
    names: mutants.map(({ text, kind }) => `${kind} ${text}`),
    text: out.replaceAll('::purews_mutant::on', '').slice(head.length + 5, -3),
    mutants,
  };
}

test('a condition is taken as false and as true', () => {
  const { names, text } = mutate('if (ready(a)) return;');
  assert.deepEqual(names, ['never ready(a)', 'always ready(a)']);
  assert.match(text, /^if \(\(!\(1\) && \(\(\(2\) \|\| \(ready\(a\)\)\)\)\)\) return;$/);
});

test('operands are left out, and comparisons are shifted at their edge', () => {
  assert.deepEqual(mutate('if (a < 3 && (b || !a)) return;').names, [
    'never a < 3 && (b || !a)', 'always a < 3 && (b || !a)',
    'drop a < 3', 'edge a < 3', 'drop (b || !a)', 'drop b', 'drop !a',
  ]);
  assert.match(mutate('return a < 3;').text, /\(3\) \? \(a <= 3\) : \(a < 3\)/);
  assert.deepEqual(mutate('if (a != 3) return;').names, ['never a != 3', 'always a != 3']);
});

test('values, ternaries, loops and preconditions have conditions too', () => {
  assert.deepEqual(mutate('bool const both = a && b;').names, ['never a && b', 'always a && b', 'drop a', 'drop b']);
  assert.deepEqual(mutate('return a ? b : g(b > 1);').names,
    ['never a', 'always a', 'never b > 1', 'always b > 1', 'edge b > 1']);
  assert.deepEqual(mutate('for (int i = 0; i < a; ++i) g(i);').names, ['never i < a', 'edge i < a']);
  assert.deepEqual(mutate('while (step(a)) {\n  }').names, ['never step(a)']);
  assert.deepEqual(mutate('PUREWS_ASSERT(a <= b);').names, ['unchecked a <= b', 'edge a <= b']);
  assert.deepEqual(mutate('if (int const c = g(a); c != 0) return;').names, ['never c != 0', 'always c != 0']);
  assert.deepEqual(mutate('g([&] { return a && b; });').names.length, 4);
});

test('what is decided at compile time stays as it is', () => {
  for (const body of ['if constexpr (a > b) g();', 'static_assert(a > b);', 'g<a, b>(c << 1, d >> 2);', '// a > b',
    'g("a > b", \'>\');', 'for (auto const& c : a) g(c);'])
    assert.deepEqual(mutate(body).names, [], body);
  assert.deepEqual(mutate('return a > b;', 'consteval bool f(int a, int b)').names, []);
  assert.deepEqual(mutate('if (std::is_constant_evaluated()) return;').names, []);
  assert.deepEqual(mutate('return !std::is_constant_evaluated() && a;').names,
    ['never !std::is_constant_evaluated() && a', 'always !std::is_constant_evaluated() && a', 'drop a']);
  const microsoft = '\n#if defined(_MSC_VER) && !defined(__clang__)\nreturn a > b;\n#else\nreturn a < b;\n#endif';
  assert.deepEqual(mutate(microsoft).names, ['never a < b', 'always a < b', 'edge a < b']);
});

test('a mutant knows its function and its line', () => {
  const found = [];
  rewrite('namespace n {\nclass c {\n  bool f() const {\n    return a && b;\n  }\n};\n}\n' +
    'bool c::g() { return h == 1; }\n', (mutant) => found.push(mutant));
  assert.deepEqual(found[0], { function: 'c::f', text: 'a && b', kind: 'never', line: 4 });
  assert.deepEqual(found.at(-1), { function: 'c::g', text: 'h == 1', kind: 'always', line: 8 });
});

test('what is not understood is an error', () => {
  assert.throws(() => mutate('if (auto* p = g()) return;'), /a declaration as a condition/);
  assert.throws(() => rewrite('void f() { (a; }', () => 0), /brackets do not match/);
});
