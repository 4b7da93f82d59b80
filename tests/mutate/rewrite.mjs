// SPDX-License-Identifier: BSL-1.0

// Rewrites a C++ header so that every condition in its functions can be turned off, on, or shifted by a number that the
// program reads when it starts: all mutants in one build ("mutant schemata").
//
// What is mutated, and how:
//   never, always  a condition (of if, while, for, ?:) or a comparison is taken as false, or as true
//   drop           one operand of && or || is left out
//   edge           < becomes <=, and so on
//   unchecked      a precondition (PUREWS_ASSERT) is not checked
// Left alone: what is decided at compile time, std::is_constant_evaluated() too, and what only MSVC compiles.
// It is no parser of C++: it relies on the layout of clang-format, where operators have spaces and templates have none.

const token = new RegExp(
  [
    /(?<skip>\/\/[^\n]*|\/\*[\s\S]*?\*\/|^[ \t]*#(?:[^\n\\]|\\\n)*)/, // comments, lines of the preprocessor
    /(?<atom>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'|[A-Za-z_]\w*|\d(?:'?[\w.])*)/,
    /(?<mark><=>|<<=|>>=|\.\.\.|[-+*\/%&|^<>=!]=|&&|\|\||::|->|\+\+|--|<<|>>|[-+*\/%&|^<>=!~?:;,.()[\]{}\\])/,
  ].map((part) => part.source).join('|'),
  'gm',
);

const closing = { '(': ')', '[': ']', '{': '}' };
const assignments = new Set(['=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>=']);
const edges = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' };
const comparisons = new Set([...Object.keys(edges), '==', '!=']);
const microsoft = /^#if defined\(_MSC_VER\)[^\n]*\n[\s\S]*?(?=^#)/gm;
const unevaluated = new Set(['static_assert', 'sizeof', 'alignas', 'decltype', 'noexcept', 'requires']);

// Nested lists of { text, start, end } and, for brackets, { open, nodes, start, end }.
function parse(source) {
  const stack = [{ nodes: [] }];
  const compiled = source.replace(microsoft, (text) => text.replace(/[^\n]/g, ' '));
  for (const found of compiled.matchAll(token)) {
    if (found.groups.skip) continue;
    const [text] = found;
    const start = found.index;
    const end = start + text.length;
    if (closing[text]) {
      const group = { open: text, nodes: [], start, end };
      stack.at(-1).nodes.push(group);
      stack.push(group);
    } else if (')]}'.includes(text)) {
      const group = stack.pop();
      if (closing[group.open] !== text) throw new Error(`brackets do not match at ${start}`);
      group.end = end;
    } else {
      stack.at(-1).nodes.push({ text, start, end });
    }
  }
  if (stack.length !== 1) throw new Error('brackets do not match');
  return stack[0].nodes;
}

function split(nodes, text) {
  const parts = [[]];
  for (const node of nodes) {
    if (node.text === text) parts.push([]);
    else parts.at(-1).push(node);
  }
  return parts;
}

// The rewritten text of `source`. `add({ function, text, kind, line })` registers a mutant and returns its number.
export function rewrite(source, add) {
  let where = '';
  const edits = []; // [position, text]: what is inserted into the source
  const from = (nodes) => nodes[0].start;
  const to = (nodes) => nodes.at(-1).end;
  const raw = (nodes) => source.slice(from(nodes), to(nodes));
  const spaced = ({ start, end }) => /\s/.test(source[start - 1]) && /\s/.test(source[end]);
  const is = (node, text) => node.text === text && spaced(node);
  const isOfCompileTime = (nodes) => /^!?std::is_constant_evaluated\(\)$/.test(raw(nodes));
  const insert = (at, text) => edits.push([at, text]);

  const on = (nodes, kind) => {
    const line = source.slice(0, from(nodes)).split('\n').length;
    return `::purews_mutant::on(${add({ function: where, text: raw(nodes).replace(/\s+/g, ' '), kind, line })})`;
  };
  const around = (nodes, before, after) => {
    insert(from(nodes), before);
    edits.push([to(nodes), after, 'after']);
  };

  // A value that is tested. `kinds` are the mutants of the whole of it.
  function condition(nodes, kinds) {
    if (isOfCompileTime(nodes)) return;
    const after = [];
    for (const kind of kinds) {
      if (kind === 'never') after.push(['(!', ' && (', on(nodes, kind)]);
      else after.push(['(', ' || (', on(nodes, kind)]);
    }
    for (const [open, middle, call] of after) around(nodes, open + call + middle, '))');
    for (const [operator, not, dropped] of [['||', '!', '&&'], ['&&', '', '||']]) {
      if (!nodes.some((node) => is(node, operator))) continue;
      for (const operand of split(nodes, operator)) {
        if (isOfCompileTime(operand)) continue;
        around(operand, `(${not}${on(operand, 'drop')} ${dropped} (`, '))');
        condition(operand, []);
      }
      return;
    }
    const at = nodes.findIndex((node) => comparisons.has(node.text) && spaced(node));
    if (at > 0) {
      const { text } = nodes[at];
      if (edges[text]) {
        const shifted = `${raw(nodes.slice(0, at))} ${edges[text]} ${raw(nodes.slice(at + 1))}`;
        around(nodes, `(${on(nodes, 'edge')} ? (${shifted}) : (`, '))');
      }
      statements(nodes.slice(0, at));
      statements(nodes.slice(at + 1));
    } else if (nodes.length === 1 && nodes[0].open === '(') {
      condition(nodes[0].nodes, []);
    } else {
      statements(nodes, 'inside an expression');
    }
  }

  // What is between two separators: an expression, perhaps after the beginning of a declaration.
  function expression(nodes) {
    if (nodes.length === 0) return;
    const equals = nodes.findIndex((node) => assignments.has(node.text) && spaced(node));
    if (equals >= 0) {
      statements(nodes.slice(0, equals), 'inside an expression');
      expression(nodes.slice(equals + 1));
      return;
    }
    const question = nodes.findIndex((node) => node.text === '?');
    if (question >= 0) {
      let colon = question + 1;
      for (let depth = 1; ; ++colon) {
        if (nodes[colon].text === '?') ++depth;
        if (nodes[colon].text === ':' && --depth === 0) break;
      }
      condition(nodes.slice(0, question), ['never', 'always']);
      expression(nodes.slice(question + 1, colon));
      expression(nodes.slice(colon + 1));
    } else if (nodes.some((node) => (comparisons.has(node.text) || /^(&&|\|\|)$/.test(node.text)) && spaced(node))) {
      condition(nodes, ['never', 'always']);
    } else {
      statements(nodes, 'inside an expression');
    }
  }

  function tested(group, kinds) {
    const parts = split(group.nodes, ';');
    parts.slice(0, -1).forEach(expression);
    const last = parts.at(-1);
    if (last.some((node) => is(node, '='))) throw new Error(`a declaration as a condition: ${raw(last)}`);
    condition(last, kinds);
  }

  // Any code: statements, or, inside an expression, its parts.
  function statements(nodes, inside) {
    let begun = [];
    const flush = () => {
      if (inside)
        for (const node of begun) if (node.open) statements(node.nodes);
      if (!inside) expression(begun);
      begun = [];
    };
    for (let i = 0; i < nodes.length; ++i) {
      const { text, open } = nodes[i];
      const next = nodes[i + 1];
      if ((text === 'if' && next.text === 'constexpr') || unevaluated.has(text)) {
        flush();
        while (nodes[i + 1] && nodes[i].open !== '(') ++i;
      } else if (text === 'PUREWS_ASSERT') {
        flush();
        condition(nodes[++i].nodes, ['unchecked']);
      } else if (text === 'if') {
        flush();
        tested(nodes[++i], ['never', 'always']);
      } else if (text === 'while') {
        flush();
        tested(nodes[++i], ['never']);
      } else if (text === 'for') {
        flush();
        const parts = split(nodes[++i].nodes, ';');
        if (parts.length === 3) {
          expression(parts[0]);
          if (parts[1].length > 0) condition(parts[1], ['never']);
          statements(parts[2]);
        }
      } else if (text === 'case' || text === 'default') {
        flush();
        while (nodes[i].text !== ':') ++i;
      } else if (/^(;|,|return|else|do|switch)$/.test(text)) {
        flush();
      } else if (open === '{' && begun.length === 0) {
        statements(nodes[i].nodes);
      } else {
        begun.push(nodes[i]);
      }
    }
    flush();
  }

  // Namespaces and classes: finds the bodies of functions.
  function declarations(nodes, scope) {
    let head = [];
    for (const node of nodes) {
      if (node.open !== '{') {
        head = node.text === ';' ? [] : [...head, node];
        continue;
      }
      head = head.filter((part, i) => part.text !== '__attribute__' && head[i - 1]?.text !== '__attribute__');
      const texts = head.map((part) => part.text);
      const parenthesis = head.findIndex((part) => part.open === '(');
      const equals = head.findIndex((part, i) => part.text === '=' && texts[i - 1] !== 'operator');
      if (parenthesis >= 0 && (equals < 0 || parenthesis < equals)) {
        if (texts[parenthesis - 1] === 'requires' && head.at(-1) === head[parenthesis]) continue; // of a template
        let name = texts[parenthesis - 1];
        for (let i = parenthesis - 1; texts[i - 1] === '::'; i -= 2) name = `${texts[i - 2]}::${name}`;
        const operator = texts.indexOf('operator');
        if (operator >= 0) name = raw(head.slice(operator, parenthesis));
        where = scope && !name.includes('::') ? `${scope}::${name}` : name;
        if (!texts.includes('consteval')) statements(node.nodes);
        head = [];
      } else if (texts.includes('namespace')) {
        declarations(node.nodes, scope);
        head = [];
      } else if (equals < 0 && texts.some((text) => text === 'class' || text === 'struct')) {
        const at = texts.findLastIndex((text) => text === 'class' || text === 'struct');
        declarations(node.nodes, texts[at + 1]);
      } else {
        head.push(node); // values
      }
    }
  }

  declarations(parse(source), '');
  // Stable: what was opened first at a place stays outermost, and is closed last.
  const before = new Map();
  const after = new Map();
  for (const [at, text, kind] of edits)
    if (kind === 'after') after.set(at, text + (after.get(at) ?? ''));
    else before.set(at, (before.get(at) ?? '') + text);
  let out = '';
  let done = 0;
  for (const at of [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => a - b)) {
    out += source.slice(done, at) + (after.get(at) ?? '') + (before.get(at) ?? '');
    done = at;
  }
  return out + source.slice(done);
}
