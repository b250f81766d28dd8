//! What README.md and docs/ say is there, is there: links, commands, options,
//! exit codes, ready files, and every YAML file of the guide.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use redrill::model::Verdict;
use redrill::spec::library;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What is in a folder of the repository.
fn entries(folder: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path())
}

/// The folders of docs/findings/: each holds one finding.
fn findings() -> impl Iterator<Item = PathBuf> {
    entries("docs/findings").filter(|path| path.is_dir())
}

/// README.md, CONTRIBUTING.md and everything in docs/.
fn pages() -> Vec<PathBuf> {
    let docs = entries("docs").filter(|path| path.extension().is_some_and(|end| end == "md"));
    let findings = findings().map(|folder| folder.join("README.md"));
    let others = ["README.md", "CONTRIBUTING.md", "docs/findings/README.md"];
    others.map(|page| root().join(page)).into_iter().chain(docs).chain(findings).collect()
}

/// The text of a page by line, and the language of the code block that the line is in.
fn lines(text: &str) -> Vec<(Option<&str>, &str)> {
    let mut block = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language),
            (Some(_), Some(_)) => block = None,
            (None, _) => lines.push((block, line)),
        }
    }
    lines
}

/// The anchors that a page's headings give.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings =
        lines(text).into_iter().filter(|(block, line)| block.is_none() && line.starts_with('#'));
    headings
        .map(|(_, line)| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

fn links(text: &str) -> Vec<String> {
    let prose = lines(text).into_iter().filter(|(block, _)| block.is_none());
    prose
        .flat_map(|(_, line)| line.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .filter(|target| !target.contains("://"))
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut seen = 0;
    for page in pages() {
        let text = read(&page);
        for link in links(&text) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: nothing is at `{link}`", page.display());
            let found = anchor.is_empty() || anchors(&read(&target)).contains(anchor);
            assert!(found, "{}: no heading for `{link}`", page.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} links were found");
}

#[test]
fn files_of_the_source_that_pages_name_exist() {
    let mut seen = 0;
    for page in pages() {
        for word in read(&page).split('`').skip(1).step_by(2) {
            let of_source = ["src/", "tests/", "schemas/"].iter().any(|dir| word.starts_with(dir));
            if of_source && word.chars().all(|c| c.is_ascii_alphanumeric() || "/_.-".contains(c)) {
                assert!(root().join(word).exists(), "{}: there is no `{word}`", page.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "only {seen} were found");
}

fn help(args: &[&str]) -> String {
    let redrill = Command::new(env!("CARGO_BIN_EXE_redrill")).args(args).arg("--help").output();
    String::from_utf8(redrill.unwrap().stdout).unwrap()
}

/// What stands under `Commands:`.
fn subcommands() -> BTreeSet<String> {
    let help = help(&[]);
    let listed = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    let names = listed.unwrap().lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then(|| name.to_owned())
    });
    names.collect()
}

fn recipes() -> BTreeSet<String> {
    let justfile = read("Justfile");
    let heads = justfile.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let heads = heads.filter(|line| !line.contains(":="));
    heads.filter_map(|line| line.split([' ', ':']).next()).map(str::to_owned).collect()
}

#[test]
fn every_subcommand_is_told_of() {
    let told = read("README.md") + &read("docs/guide.md");
    let commands = subcommands();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        assert!(
            told.contains(&format!("`redrill {command}"))
                || told.contains(&format!("\nredrill {command}")),
            "neither README.md nor docs/guide.md speaks of `redrill {command}`"
        );
    }
}

/// The commands in the bash blocks of all pages, and those of redrill in blocks without a language,
/// with the page.
fn commands() -> Vec<(PathBuf, String)> {
    let mut commands = Vec::new();
    for page in pages() {
        for (block, line) in lines(&read(&page)) {
            let parts = line.split(['|', ';']).flat_map(|part| part.split("&&"));
            let is_ours = line.starts_with("redrill ") || line.starts_with("just ");
            let is_bash = block == Some("bash") && !line.trim_start().starts_with('#');
            if is_bash || block == Some("") && is_ours {
                commands.extend(parts.map(|part| (page.clone(), part.trim().to_owned())));
            }
        }
    }
    commands
}

#[test]
fn commands_on_the_pages_exist() {
    let (subcommands, recipes) = (subcommands(), recipes());
    let helps: BTreeMap<&str, String> =
        subcommands.iter().map(|name| (name.as_str(), help(&[name]))).collect();
    let mut seen = 0;
    for (page, command) in commands() {
        let page = page.display();
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["redrill", "--help" | "--version"] => {}
            ["redrill", name, ..] => {
                let help = helps.get(name);
                let help = help.unwrap_or_else(|| panic!("{page}: no such command: {command}"));
                for option in words.iter().filter(|word| word.starts_with("--")) {
                    let option = option.split('=').next().unwrap();
                    let there =
                        help.split_whitespace().any(|word| word.trim_end_matches(',') == option);
                    assert!(there, "{page}: no such option as {option}: {command}");
                }
                seen += 1;
            }
            ["just", name, ..] => {
                assert!(recipes.contains(name), "{page}: no such recipe: {command}");
                seen += 1;
            }
            _ => {}
        }
    }
    assert!(seen > 20, "only {seen} commands were found");
}

/// The first column of the README's table whose heading is `heading`.
fn table(heading: &str) -> BTreeSet<String> {
    let readme = read("README.md");
    let rows = readme.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |")));
    let rows = rows.skip(2).take_while(|line| line.starts_with("| "));
    rows.map(|row| row.split('|').nth(1).unwrap().trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn the_tables_name_what_comes_with_redrill_and_nothing_else() {
    for (heading, ready) in
        [("scenario", library::scenarios()), ("topology", library::topologies())]
    {
        let ready: BTreeSet<String> = ready.iter().map(|ready| ready.name.to_owned()).collect();
        assert_eq!(table(heading), ready, "README.md's table of each {heading}");
    }
}

#[test]
fn the_exit_codes_are_those_of_the_code() {
    let source = read("src/cli/exit.rs");
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const "));
    let codes = constants.filter_map(|line| line.split(" = ").nth(1)?.strip_suffix(';'));
    let verdicts = [Verdict::Pass, Verdict::Fail, Verdict::Unknown];
    let verdicts = verdicts.map(|verdict| verdict.exit_code().to_string());
    let codes: BTreeSet<String> = codes.map(str::to_owned).chain(verdicts).collect();
    assert!(codes.len() > 5, "{codes:?}");
    assert_eq!(table("exit code"), codes, "README.md's table of exit codes");
}

/// The files that a page shows: YAML blocks that begin with the file's name.
fn files(page: &str) -> Vec<(String, String)> {
    let text = read(page);
    let blocks = text.split("```yaml\n# ").skip(1).filter_map(|rest| rest.split_once("\n```"));
    blocks
        .map(|(block, _)| block.split_once('\n').unwrap_or((block, "")))
        .filter(|(name, _)| name.ends_with(".yaml"))
        .map(|(name, body)| (name.to_owned(), body.to_owned()))
        .collect()
}

#[test]
fn the_files_that_the_pages_show_are_right() {
    for page in ["README.md", "docs/guide.md", "docs/replicators.md"] {
        let folder = tempfile::tempdir().unwrap();
        let files = files(page);
        assert!(files.len() >= 2, "{page} shows no files");
        for (name, body) in files {
            fs::write(folder.path().join(name), body).unwrap();
        }
        let mut check = Command::new(env!("CARGO_BIN_EXE_redrill"));
        let said = check.arg("check").arg(folder.path()).output().unwrap();
        assert!(said.status.success(), "{page}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn every_finding_has_its_row_and_a_scenario_that_is_right() {
    let table = read("docs/findings/README.md");
    let mut seen = 0;
    for folder in findings() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(table.contains(&format!("| [{name}]({name}/README.md) |")), "{name} has no row");
        assert!(folder.join("scenario.yaml").exists(), "{name} has no scenario");
        let mut check = Command::new(env!("CARGO_BIN_EXE_redrill"));
        let said = check.arg("check").arg(&folder).output().unwrap();
        assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
        seen += 1;
    }
    assert!(seen >= 7, "only {seen} were found");
}

#[test]
fn every_dependency_has_its_line() {
    let (cargo, architecture) = (read("Cargo.toml"), read("docs/architecture.md"));
    let listed = cargo.lines().skip_while(|line| *line != "[dependencies]");
    let listed = listed.take_while(|line| *line != "[[bench]]");
    let names: Vec<&str> = listed.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let row = |line: &str| line.starts_with("| `") && line.contains(&format!("`{name}`"));
        assert!(architecture.lines().any(row), "docs/architecture.md lacks `{name}`");
    }
}

/// One installation is for all programs on redis-py: tests have no other.
#[test]
fn the_programs_on_redis_py_need_the_same_library() {
    let needs = |of: &str| read(format!("{of}/redis-py/requirements.txt"));
    assert_eq!(needs("adapters"), needs("replicators"));
}

/// What checkers may find is listed where a scenario can have it reported.
#[test]
fn the_page_of_scenarios_lists_all_that_can_be_reported() {
    let page = include_str!("../../docs/scenarios.md");
    let row = page.lines().find(|line| line.starts_with("| `reported` |")).unwrap();
    let missing: Vec<&str> = redrill::model::catalogue::judged()
        .filter(|name| !row.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
