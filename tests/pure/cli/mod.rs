//! What the command line says: help, and what is wrong with a command line.

use assert_cmd::Command;

/// The words of `redrill ARGS`, from the stream on which they belong, and the exit code.
fn said(args: &[&str]) -> String {
    let mut command = Command::cargo_bin("redrill").unwrap();
    // Nothing of this machine shows in them.
    command.env_clear().env("COLUMNS", "100").args(args);
    let output = command.output().unwrap();
    let (code, text, other) = match output.status.code() {
        Some(0) => (0, output.stdout, output.stderr),
        code => (code.unwrap(), output.stderr, output.stdout),
    };
    assert!(other.is_empty(), "{}", String::from_utf8_lossy(&other));
    format!("$ redrill {}   ({code})\n{}", args.join(" "), String::from_utf8(text).unwrap())
}

const COMMANDS: &[&str] = &[
    "run",
    "suite",
    "list",
    "matrix",
    "show",
    "check",
    "schema",
    "compose",
    "up",
    "status",
    "down",
    "doctor",
    "gc",
    "report",
    "analyze",
    "compare",
    "completions",
];

#[test]
fn help() {
    insta::assert_snapshot!(said(&["--help"]));
}

#[test]
fn help_of_each_command() {
    for command in COMMANDS {
        insta::assert_snapshot!(format!("help_{command}"), said(&[command, "--help"]));
    }
}

#[test]
fn no_command_is_left_out() {
    let help = said(&["--help"]);
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    let mut known: Vec<&str> = names.iter().copied().filter(|name| *name != "help").collect();
    let mut tested = COMMANDS.to_vec();
    known.sort_unstable();
    tested.sort_unstable();
    assert_eq!(known, tested);
}

#[test]
fn what_is_wrong_with_a_command_line() {
    let wrong: &[&[&str]] = &[
        &["drill"],
        &["run"],
        &["rum", "cluster-reshard"],
        &["run", "cluster-reshard", "--profil", "ci"],
        &["run", "cluster-reshard", "--format", "yaml"],
        &["run", "cluster-reshard", "--seed", "-1"],
        &["run", "cluster-reshard", "--repeat", "0"],
        &["run", "cluster-reshard", "--repeat", "3", "--keep"],
        &["run", "cluster-reshard", "--backend", "moon"],
        &["show"],
        &["check"],
        &["schema", "report.json"],
        &["up"],
        &["down", "mine", "--all"],
        &["status", "--format", "xml"],
        &["report"],
        &["compare", "runs/one"],
        &["completions", "tcsh"],
    ];
    let all: Vec<String> = wrong.iter().map(|args| said(args)).collect();
    assert!(all.iter().all(|text| text.lines().next().unwrap().ends_with("(64)")), "{all:#?}");
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn the_version() {
    assert!(said(&["--version"]).contains(concat!("redrill ", env!("CARGO_PKG_VERSION"))));
}

/// A completion script that names what there is to complete.
#[test]
fn completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&["completions", shell]);
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
        assert!(script.contains("engine-binary"), "{shell}");
    }
}

/// Where a name cannot be a file's, one that stands for nothing is a slip of the command
/// line, whichever command it is given to.
#[test]
fn a_name_that_nothing_has() {
    let state = tempfile::tempdir().unwrap();
    for name in ["nobody", "no/body"] {
        for command in ["show", "status", "down"] {
            let mut redrill = Command::cargo_bin("redrill").unwrap();
            redrill.env("REDRILL_STATE_DIR", state.path()).args([command, name]);
            let output = redrill.assert().code(64).get_output().clone();
            assert!(output.stdout.is_empty());
            assert!(String::from_utf8_lossy(&output.stderr).contains(name), "{command}");
        }
    }
}

#[test]
fn a_topology_for_a_scenario_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let drill = file("drill.yaml", "name: drill\ntopology: standalone\n");
    let shop = file("shop.yaml", "name: shop\ngroups: { a: { mode: standalone } }\n");
    let wrong: &[(&[&str], &str)] = &[
        (&["run", &shop], "`redrill up "),
        (&["suite", &shop], "`redrill up "),
        (&["run", "cluster-3x1"], "`redrill up cluster-3x1`"),
        (&["up", &drill], "`redrill run "),
        (&["up", "cluster-drain"], "`redrill run cluster-drain`"),
        (&["run", "cluster-drain", "--topology", &drill], "`redrill run "),
    ];
    for (args, advice) in wrong {
        let said = said(args);
        assert!(said.lines().next().unwrap().ends_with("(65)"), "{said}");
        assert!(said.contains("is wanted here") && said.contains(advice), "{said}");
        assert_eq!(said.matches("  x ").count(), 1, "{said}");
    }
}

/// What bash offers for the last word of `redrill WORDS`; nothing if there is no bash.
fn bash_offers(words: &[&str]) -> Option<String> {
    let script = said(&["completions", "bash"]);
    let script = script.split_once('\n').unwrap().1;
    let n = words.len();
    let before = if n > 1 { words[n - 2] } else { "redrill" };
    let ask = format!(
        "{script}\nCOMP_WORDS=(redrill {}); COMP_CWORD={n}; _redrill redrill '{}' '{before}'; \
         echo \"${{COMPREPLY[*]}}\"",
        words.join(" "),
        words[n - 1]
    );
    let said = match std::process::Command::new("bash").args(["-c", &ask]).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: completion in bash, as there is none");
            return None;
        }
        said => said.unwrap(),
    };
    Some(String::from_utf8(said.stdout).unwrap().trim_end().to_owned())
}

#[test]
fn names_are_completed() {
    let offers: &[(&[&str], &str)] = &[
        (&["run", "cluster-re"], "cluster-reshard cluster-rebalance"),
        // No name: bash looks for files then.
        (&["run", "my-drill"], ""),
        (&["run", "--topology", "repl"], "replication-1x2"),
        (&["suite", "steady-state", "cluster-d"], "cluster-drain"),
        (&["up", "cluster-3"], "cluster-3x0 cluster-3x1"),
        (&["show", "sta"], "standby-promotion standalone standby-2r"),
    ];
    for (words, expected) in offers {
        if let Some(offered) = bash_offers(words) {
            assert_eq!(offered, *expected, "{words:?}");
        }
    }
    let zsh = said(&["completions", "zsh"]);
    for names in ["cluster-reshard cluster-drain", "standalone replication-1x2"] {
        let both = zsh.lines().filter(|line| line.contains(&format!(":{{compadd -- {names}")));
        assert!(both.clone().count() >= 2 && both.clone().all(|line| line.contains("; _files}'")));
    }
    // A name that is none is still taken for a path.
    assert!(said(&["run", "my-drill.yaml"]).contains("my-drill.yaml cannot be read"));
}

/// A level for the log that is none is told, with what to write, and the command goes on.
#[test]
fn nonsense_in_rust_log() {
    let list = |rust_log: &str, args: &[&str]| {
        let mut redrill = Command::cargo_bin("redrill").unwrap();
        let output = redrill.arg("list").args(args).env("RUST_LOG", rust_log).unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("cluster-reshard"));
        String::from_utf8(output.stderr).unwrap()
    };
    for nonsense in ["loud", "redrill=9x", "info,redril"] {
        let told = list(nonsense, &[]);
        assert!(told.starts_with("warning: RUST_LOG is ignored: `"), "{told}");
        assert!(told.contains("write a level"), "{told}");
    }
    for heeded in ["", "debug", "redrill::net=info,warn"] {
        assert_eq!(list(heeded, &[]), "");
    }
    assert_eq!(list("loud", &["-v"]), "", "a flag goes before it");
}
