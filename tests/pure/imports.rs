//! No two files import each other.
//!
//! A file imports another if its code names something that the other defines. A re-export is
//! followed to the file that has the thing, so a `mod.rs` that only hands on what its children
//! have is imported by nobody who uses it, and hands on without importing. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// As it is written: `report::html`.
type Module = Vec<String>;

fn child(module: &[String], name: &str) -> Module {
    [module, &[name.to_owned()]].concat()
}

#[derive(Debug, Default)]
struct File {
    uses: Vec<Use>,
    /// What its code names otherwise, as paths of at least two names.
    paths: Vec<Vec<String>>,
    defines: BTreeSet<String>,
    /// Children that are only tests.
    tests: Vec<String>,
}

#[derive(Debug)]
struct Use {
    path: Vec<String>,
    name: String,
    is_public: bool,
}

/// Names, `::`, and every other sign by itself. Comments, texts and lifetimes are left out.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let end = |at: Option<usize>, more: usize| at.map_or(rest.len(), |at| at + more);
        let length = match first {
            _ if rest.starts_with("//") => end(rest.find('\n'), 0),
            _ if rest.starts_with("::") => 2,
            'r' if rest.starts_with("r#\"") => end(rest[3..].find("\"#"), 5),
            '"' => quoted(rest),
            '\'' if rest[1..].starts_with('\\') => end(rest[3..].find('\''), 4),
            '\'' if rest[1..].chars().nth(1) == Some('\'') => {
                2 + rest[1..].chars().next().map_or(0, char::len_utf8)
            }
            _ if is_name(first) => end(rest.find(|c| !is_name(c)), 0),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let is_code =
            !(token.starts_with("//") || first == '"' || token.len() > 1 && first == '\'');
        if is_code && !first.is_whitespace() {
            tokens.push(token);
        }
        rest = after;
    }
    tokens
}

fn quoted(text: &str) -> usize {
    let mut escaped = true;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The number of tokens until the brace at the start of `tokens` is closed.
fn braced(tokens: &[&str]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

impl File {
    fn read(text: &str) -> File {
        const KINDS: &[&str] =
            &["struct", "enum", "fn", "trait", "const", "static", "type", "macro_rules", "union"];
        const TEST: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]"];
        let (mut file, tokens) = (File::default(), tokens(text));
        let mut at = 0;
        while at < tokens.len() {
            let rest = &tokens[at..];
            at += match rest {
                _ if rest.starts_with(TEST) => {
                    let module = rest.iter().take(14).position(|token| *token == "mod");
                    match module.map(|module| &rest[module + 1..]) {
                        Some([name, ";", ..]) => file.tests.push((*name).to_owned()),
                        Some([_, inside @ ..]) => {
                            at += rest.len() - inside.len() + braced(inside);
                            continue;
                        }
                        _ => {}
                    }
                    TEST.len()
                }
                ["use", ..] => {
                    let end = rest.iter().position(|token| *token == ";").unwrap_or(rest.len());
                    let before = at.checked_sub(1).map(|before| tokens[before]);
                    let is_public = matches!(before, Some("pub" | ")"));
                    file.add_uses(&rest[1..end], &[], is_public);
                    end
                }
                [kind, name, ..] if KINDS.contains(kind) => {
                    file.defines.insert((*name).to_owned());
                    2
                }
                [_, "::", ..] if at == 0 || !matches!(tokens[at - 1], "::" | ".") => {
                    let length = 1 + 2 * rest[1..].chunks(2).take_while(|two| {
                        matches!(two, ["::", name] if name.starts_with(char::is_alphabetic))
                    }).count();
                    let path = rest[..length].iter().step_by(2).map(|name| (*name).to_owned());
                    file.paths.push(path.collect());
                    length
                }
                _ => 1,
            };
        }
        file
    }

    /// Of `a::{b, c::d as e}`: a use of each.
    fn add_uses(&mut self, tree: &[&str], before: &[String], is_public: bool) {
        let brace = tree.iter().position(|token| *token == "{");
        let own = &tree[..brace.unwrap_or(tree.len())];
        let (own, alias) = match own {
            [own @ .., "as", alias] => (own, Some(*alias)),
            own => (own, None),
        };
        let names = own.iter().filter(|token| **token != "::").map(|name| (*name).to_owned());
        let mut path = [before, &names.collect::<Vec<_>>()].concat();
        let Some(brace) = brace else {
            if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                path.pop();
            }
            let Some(last) = path.last() else { return };
            let name = alias.unwrap_or(last).to_owned();
            return self.uses.push(Use { path, name, is_public });
        };
        let inside = &tree[brace + 1..tree.len() - 1];
        let (mut depth, mut start) = (0, 0);
        for (at, token) in inside.iter().chain([&","]).enumerate() {
            match *token {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 0 => {
                    if at > start {
                        self.add_uses(&inside[start..at], &path, is_public);
                    }
                    start = at + 1;
                }
                _ => {}
            }
        }
    }
}

struct Tree(BTreeMap<Module, File>);

impl Tree {
    fn read(src: &Path) -> Tree {
        let mut paths = Vec::new();
        super::layers::rust_files(src, &mut paths);
        let module = |path: &PathBuf| -> Module {
            let inside = path.strip_prefix(src).unwrap().with_extension("");
            let names = inside.iter().map(|name| name.to_string_lossy().into_owned());
            names.filter(|name| !["mod", "lib", "main"].contains(&&**name)).collect()
        };
        let file = |path: &PathBuf| File::read(&fs::read_to_string(path).unwrap());
        let mut files: BTreeMap<Module, File> =
            paths.iter().map(|path| (module(path), file(path))).collect();
        let tests: Vec<Module> = files
            .iter()
            .flat_map(|(module, file)| file.tests.iter().map(|test| child(module, test)))
            .collect();
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Tree(files)
    }

    /// The module that `path` in `module` begins with, and the names after it.
    fn resolve<'p>(&self, module: &Module, path: &'p [String]) -> Option<(Module, &'p [String])> {
        let (mut here, mut rest) = (module.clone(), path);
        match &*path[0] {
            "crate" => (here, rest) = (Module::new(), &path[1..]),
            "self" | "super" => {
                while let [first, after @ ..] = rest
                    && (first == "self" || first == "super")
                {
                    if first == "super" {
                        here.pop();
                    }
                    rest = after;
                }
            }
            first => {
                let inside = child(&here, first);
                if !self.0.contains_key(&inside) {
                    let module = |used: &&Use| used.name == first && used.path[0] != first;
                    let used = self.0.get(&here)?.uses.iter().find(module)?;
                    let (target, names) = self.resolve(&here, &used.path)?;
                    return names.is_empty().then_some((target, &path[1..]));
                }
            }
        }
        while let [first, after @ ..] = rest {
            let inside = child(&here, first);
            if !self.0.contains_key(&inside) {
                break;
            }
            (here, rest) = (inside, after);
        }
        Some((here, rest))
    }

    /// The file that has what `name` stands for in `module`.
    fn definer(&self, module: Module, names: &[String], depth: usize) -> Module {
        let (Some(name), Some(file)) = (names.first(), self.0.get(&module)) else { return module };
        if file.defines.contains(name) || depth == 0 {
            return module;
        }
        for used in file.uses.iter().filter(|used| used.name == *name || used.name == "*") {
            let Some((target, rest)) = self.resolve(&module, &used.path) else { continue };
            let found = match used.name == "*" {
                true => self.definer(target, names, depth - 1),
                false if rest.is_empty() => self.definer(target, &names[1..], depth - 1),
                false => return self.definer(target, rest, depth - 1),
            };
            if used.name != "*" || self.0.get(&found).is_some_and(|f| f.defines.contains(name)) {
                return found;
            }
        }
        module
    }

    /// Pairs of files that import each other.
    fn pairs(&self) -> BTreeSet<(String, String)> {
        let mut imports = BTreeSet::new();
        for (module, file) in &self.0 {
            let uses = file.uses.iter().filter(|used| !used.is_public).map(|used| &used.path);
            for path in uses.chain(&file.paths) {
                if let Some((target, names)) = self.resolve(module, path) {
                    let to = self.definer(target, names, 8);
                    if to != *module && !to.is_empty() && !module.is_empty() {
                        imports.insert((module.join("/"), to.join("/")));
                    }
                }
            }
        }
        let both = |(a, b): &&(String, String)| a < b && imports.contains(&(b.clone(), a.clone()));
        imports.iter().filter(both).cloned().collect()
    }
}

#[test]
fn no_two_files_import_each_other() {
    let pairs = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).pairs();
    let pairs: Vec<String> = pairs.iter().map(|(a, b)| format!("{a} and {b}")).collect();
    assert!(pairs.is_empty(), "these import each other:\n{}", pairs.join("\n"));
}

#[test]
fn a_pair_would_be_found() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    file(
        "a/mod.rs",
        "mod one; mod two; mod three;\npub use one::One;\npub use two::Two;\nstruct Own;",
    );
    // Through what the parent hands on; in a path; the parent itself; in a comment and a test.
    file("a/one.rs", "use super::{Two, three as third};\npub struct One(third::Three);");
    file("a/two.rs", "pub struct Two;\nfn make() { super::one::One::new() }");
    file(
        "a/three.rs",
        "// super::One\npub struct Three(super::Own);\n#[cfg(test)]\nmod tests { use super::super::One; }",
    );
    file("b.rs", "use crate::a::One;");
    let found: Vec<_> = Tree::read(dir.path()).pairs().into_iter().collect();
    assert_eq!(found, [("a/one".to_owned(), "a/two".to_owned())]);
}
