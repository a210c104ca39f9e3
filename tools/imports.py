"""Imports run one way: no circle between the files of a crate, and none but the allowed crates under each crate.

    python3 tools/imports.py                    all crates of the workspace
    python3 tools/imports.py shared/access cli  no circles in these; what crates depend on is checked for all

An import leads to the file that defines the item, however many `pub use` it passes on the way, so a parent that only declares and
re-exports its children is in no circle. Code under `#[cfg(test)]` does not count.
"""

import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What a crate may depend on, tests aside. A crate that no line names may depend on all.
MAY_DEPEND_ON = {
    "shared/access": (),
    "shared/derive": (),
    "shared/core": ("shared/derive",),
    "shared/controls": ("shared/access", "shared/core", "shared/derive", "shared/runtime"),
    "shared/runtime": ("shared/access", "shared/core", "shared/derive"),
    "functions/*": (
        "shared/access",
        "shared/controls",
        "shared/core",
        "shared/derive",
        "shared/runtime",
        "shared/testkit",  # behind the feature `violations`, which no Lambda has
    ),
    "shared/testkit": ("shared/core", "shared/derive"),
}

TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*)
    | (?P<comment>/\*)
    | (?P<raw>[bc]?r(?P<hashes>\#*)")
    | (?P<text>[bc]?"(?:\\.|[^"\\])*")
    | (?P<char>b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^\\'])')
    | (?P<lifetime>'\w+)
    | (?P<word>(?:r\#)?[^\W\d]\w*|\d[\w.]*)
    | (?P<mark>::|.)
    """,
    re.VERBOSE | re.DOTALL,
)
DEFINES = {"fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"}
ITEM = DEFINES | {"use", "mod", "impl", "pub", "async", "unsafe", "extern", "let"}
CLOSING = {"(": ")", "[": "]", "{": "}"}
PATH = re.compile(r"(?:crate|super|self)(?:::\w+)+")


@dataclass
class Token:
    text: str
    line: int
    kind: str


def tokens(source):
    """The code without comments. Of texts only the content is kept, since attributes name functions in them."""
    found, at, line = [], 0, 1
    while at < len(source):
        match = TOKEN.match(source, at)
        kind, text, end = match.lastgroup, match.group(), match.end()
        if kind == "hashes" or match["raw"]:
            kind, closing = "text", '"' + match["hashes"]
            end = source.index(closing, end) + len(closing)
        elif kind == "comment":
            depth = 1
            while depth:
                mark = re.compile(r"/\*|\*/").search(source, end)
                depth, end = depth + (1 if mark.group() == "/*" else -1), mark.end()
        if kind in ("text", "word", "mark"):
            found.append(Token(text.strip('"').removeprefix("r#"), line, kind))
        line += source.count("\n", at, end)
        at = end
    return found


@dataclass
class Use:
    """One name that a `use` brings in; `name` is `*` for all of a module."""

    path: tuple
    name: str
    line: int
    public: bool
    local: bool


@dataclass
class Module:
    file: Path
    folder: Path
    parent: "Module | None"
    children: dict = field(default_factory=dict)
    defined: set = field(default_factory=set)
    uses: list = field(default_factory=list)
    paths: list = field(default_factory=list)
    words: dict = field(default_factory=dict)

    def all(self):
        yield self
        for child in self.children.values():
            yield from child.all()


class Reader:
    """Reads one file, and the files of the modules that it declares."""

    def __init__(self, module):
        self.module = module
        self.tokens = tokens(module.file.read_text(encoding="utf-8"))
        self.at = 0

    def peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at].text if at < len(self.tokens) else ""

    def group_end(self, at):
        """Behind the bracket that closes the one at `at`."""
        depth = 0
        while at < len(self.tokens):
            text, kind = self.tokens[at].text, self.tokens[at].kind
            if kind == "mark":
                depth += (text in CLOSING) - (text in CLOSING.values())
            at += 1
            if depth == 0:
                break
        return at

    def read(self, module, depth=0):
        """Up to the bracket that closes the module, or the end of the file."""
        public = False
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            text = token.text
            if token.kind == "text":
                self.at += 1
            elif text == "#" and self.peek(1) in ("[", "!"):
                self.attribute(module)
            elif text == "pub":
                public = True
                self.at += 1
                if self.peek() == "(":
                    self.at = self.group_end(self.at)
                continue
            elif text == "use" and token.kind == "word":
                self.at += 1
                self.use((), token.line, public, depth > 0, module)
            elif text == "mod" and self.peek(2) == ";":
                self.declared(module, self.peek(1))
            elif text == "mod" and self.peek(2) == "{":
                child = Module(module.file, module.folder / self.peek(1), module)
                module.children[self.peek(1)] = child
                self.at += 3
                self.read(child)
            elif text in CLOSING:
                depth += 1
                self.at += 1
            elif text in CLOSING.values():
                self.at += 1
                if depth == 0:
                    return
                depth -= 1
            elif token.kind == "word":
                self.word(module, depth)
            else:
                self.at += 1
            public = False

    def attribute(self, module):
        start = self.at
        inner = self.peek(1) == "!"
        self.at = self.group_end(start + 1 + inner)
        inside = self.tokens[start + 2 + inner : self.at - 1]
        words = "".join(token.text for token in inside)
        if re.fullmatch(r"test|cfg\((test|all\((.*,)?test(,.*)?\))\)|\w+::test(\(.*\))?", words):
            self.at = len(self.tokens) if inner else self.item_end(self.at)
            return
        if words.startswith("path="):
            sys.exit(f"{module.file}: #[path] is not understood")
        for token in inside:
            if token.kind == "text" and PATH.fullmatch(token.text):
                module.paths.append((tuple(token.text.split("::")), token.line))

    def item_end(self, at):
        """Behind the item, statement, field or arm that begins at `at`."""
        while at < len(self.tokens) and self.tokens[at].text == "#":
            at = self.group_end(at + 1)
        is_item = at < len(self.tokens) and self.tokens[at].text in ITEM
        while at < len(self.tokens):
            text = self.tokens[at].text if self.tokens[at].kind != "text" else ""
            if text == ";" or (text == "," and not is_item):
                return at + 1
            if text in CLOSING.values():
                return at
            at = self.group_end(at) if text in CLOSING else at + 1
            if text == "{":
                return at
        return at

    def use(self, prefix, line, public, local, module):
        """One tree of a `use`, up to the `,`, `}` or `;` behind it."""
        path = list(prefix)
        while True:
            text = self.peek()
            self.at += 1
            if text == "{":
                while self.peek() != "}":
                    self.use(tuple(path), self.tokens[self.at].line, public, local, module)
                    if self.peek() == ",":
                        self.at += 1
                self.at += 1
                return
            if text == "as":
                module.uses.append(Use(tuple(path), self.peek(), line, public, local))
                self.at += 1
                return
            if text not in ("::", ";", ""):
                # `self` at the end of a list is the module before it.
                if text != "self" or not path:
                    path.append(text)
                if self.peek() not in ("::", "as"):
                    if path[-1] == "*":
                        module.uses.append(Use(tuple(path[:-1]), "*", line, public, local))
                    elif path:
                        module.uses.append(Use(tuple(path), path[-1], line, public, local))
                    return

    def declared(self, module, name):
        self.at += 3
        files = (module.folder / f"{name}.rs", module.folder / name / "mod.rs")
        file = next((file for file in files if file.exists()), None)
        if file is None:
            sys.exit(f"{module.file}: no file for the module {name}")
        child = Module(file, module.folder / name, module)
        module.children[name] = child
        Reader(child).read(child)

    def word(self, module, depth):
        token, before = self.tokens[self.at], self.tokens[self.at - 1].text if self.at else ""
        path = [token.text]
        self.at += 1
        if token.text in DEFINES and depth == 0:
            name = self.peek(1) if self.peek() in ("!", "mut") else self.peek()
            module.defined.add(name)
        while self.peek() == "::" and self.tokens[self.at + 1 : self.at + 2] and self.tokens[self.at + 1].kind == "word":
            path.append(self.peek(1))
            self.at += 2
        if before in (".", "::"):
            return
        if len(path) > 1:
            module.paths.append((tuple(path), token.line))
        # A binding or a field may have the name of a function, which says nothing of it.
        elif before not in ("fn", "let", "mut", "mod") and not (self.peek() == ":" and path[0][0].islower()):
            module.words.setdefault(path[0], token.line)


def lookup(module, name, as_module, seen=frozenset()):
    """What a name means in a module: the module, or the file that defines the item. None if it is not of this crate."""
    if (id(module), name, as_module) in seen:
        return None
    seen = seen | {(id(module), name, as_module)}
    if as_module and name in module.children:
        return module.children[name]
    if name in module.defined:
        return module.file
    for use in sorted(module.uses, key=lambda use: use.local):
        if use.name == name:
            found = resolve(module, use.path, as_module, seen)
            if found is not None:
                return found
    if name in module.children:
        return module.children[name]
    for use in module.uses:
        if use.name == "*":
            target = resolve(module, use.path, True, seen)
            found = lookup(target, name, as_module, seen) if isinstance(target, Module) else None
            if found is not None:
                return found
    return None


def resolve(module, path, as_module=False, seen=frozenset()):
    """What a path means, seen from a module."""
    root = module
    while root.parent:
        root = root.parent
    first, rest = path[0], path[1:]
    if first == "crate":
        here = root
    elif first == "self":
        here = module
    elif first == "super":
        here = module.parent
    else:
        here = lookup(module, first, as_module or bool(rest), seen)
    for index, name in enumerate(rest):
        if not isinstance(here, Module):
            return here
        if name == "super":
            here = here.parent
            continue
        found = lookup(here, name, as_module or index + 1 < len(rest), seen)
        # What a macro defines is not seen here; it is in the module's file.
        here = here.file if found is None else found
    return here


def imports(root):
    """For each file of the module tree those that it needs, with a name and a line for it."""
    edges = defaultdict(dict)
    for module in root.all():
        starts = {path[0] for path, _ in module.paths}

        def add(target, path, line, module=module):
            file = target.file if isinstance(target, Module) else target
            if file is not None and file != module.file:
                # A type, and not the variant or the function of it.
                name = next((name for name in path if name[0].isupper()), path[-1])
                edges[module.file].setdefault(file, {}).setdefault(name, line)

        for path, line in module.paths:
            add(resolve(module, path), path, line)
        for use in module.uses:
            target = resolve(module, use.path, use.name == "*")
            if use.name == "*":
                if isinstance(target, Module):
                    for word, line in module.words.items():
                        add(lookup(target, word, False), (word,), line)
                    for path, line in module.paths:
                        if lookup(module, path[0], True) is None:
                            add(lookup(target, path[0], True), path, line)
                continue
            named = use.name in module.words or use.name in starts
            if isinstance(target, Module) and use.name in starts:
                # What is used of the module was followed above.
                continue
            if named or not use.public:
                add(target, use.path, use.line)
    return edges


def circles(edges):
    """The sets of files that import each other, directly or through others (Tarjan)."""
    order, low, stack, found = {}, {}, [], []

    def visit(file):
        order[file] = low[file] = len(order)
        stack.append(file)
        for other in edges.get(file, ()):
            if other not in order:
                visit(other)
                low[file] = min(low[file], low[other])
            elif other in stack:
                low[file] = min(low[file], order[other])
        if low[file] == order[file]:
            at = stack.index(file)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for file in list(edges):
        if file not in order:
            visit(file)
    return found


def circles_of(crate):
    """The circles of a crate, each as lines of text: its files, and for each what it imports of the others."""
    source = crate / "src"
    roots = [source / "lib.rs", source / "main.rs", *source.glob("bin/*.rs"), *source.glob("bin/*/main.rs")]
    told = []
    for file in filter(Path.exists, roots):
        root = Module(file, file.parent, None)
        Reader(root).read(root)
        edges = imports(root)
        for circle in circles(edges):
            lines = [f"{len(circle)} files import each other"]
            for one in circle:
                for other in sorted(set(edges[one]) & set(circle)):
                    names = ", ".join(f"{name} (line {line})" for name, line in sorted(edges[one][other].items()))
                    lines.append(f"  {one.relative_to(source)} → {other.relative_to(source)}: {names}")
            told.append(lines)
    return told


def dependencies(crate, names):
    """The crates of ours that a crate depends on, those of its tests aside."""
    manifest = (crate / "Cargo.toml").read_text(encoding="utf-8")
    section = re.search(r"^\[dependencies\]\n(.*?)(?=^\[|\Z)", manifest, re.MULTILINE | re.DOTALL)
    keys = re.findall(r"^([\w-]+)", section[1], re.MULTILINE) if section else []
    return [names[key] for key in keys if key in names]


def crates(root):
    """The folders of the workspace's crates by the crates' names."""
    found = {}
    for manifest in sorted([*root.glob("*/Cargo.toml"), *root.glob("*/*/Cargo.toml")]):
        name = re.search(r'^name = "([\w-]+)"', manifest.read_text(encoding="utf-8"), re.MULTILINE)
        if name and (manifest.parent / "src").is_dir():
            found[name[1]] = manifest.parent.relative_to(root).as_posix()
    return found


def check(root, chosen):
    """All that is wrong, as lines."""
    names, wrong = crates(root), []
    for crate in names.values():
        allowed = next((may for of, may in MAY_DEPEND_ON.items() if fnmatch(crate, of)), ("*",))
        for other in dependencies(root / crate, names):
            if not any(fnmatch(other, may) for may in allowed):
                wrong.append(f"{crate} must not depend on {other}")
    for crate in chosen or names.values():
        for lines in circles_of(root / crate):
            wrong += [f"{crate}: {lines[0]}", *lines[1:]]
    return wrong


if __name__ == "__main__":
    unknown = [crate for crate in sys.argv[1:] if not (ROOT / crate / "src").is_dir()]
    if unknown:
        sys.exit(f"no crate {', '.join(unknown)}")
    found = check(ROOT, [crate.rstrip("/") for crate in sys.argv[1:]])
    print("\n".join(found), end="\n" if found else "")
    sys.exit(bool(found))
