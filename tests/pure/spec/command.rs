//! `redrill check`, `list`, `show` and `schema` as commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use redrill::spec::library;

fn redrill(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("redrill").unwrap();
    command.args(args);
    command
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Checks a file of this text; it must be refused with exit code 65. Gives what
/// is said.
fn refused(text: impl AsRef<[u8]>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "file.yaml", text);
    let output = redrill(&["check", path.to_str().unwrap()]).assert().code(65).get_output().clone();
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn bad_input_is_refused_at_its_line_with_exit_code_65() {
    let topology = |group: &str| format!("name: bad\ngroups:\n  cache: {{ {group} }}\n");
    let cases = [
        ("name: cut\ngroups:\n  cache: { mode: clus".to_owned(), "file.yaml:3:"),
        ("name: tab\ngroups:\n\tcache: {}\n".to_owned(), "file.yaml:3:"),
        (
            "name: twice\nname: again\ngroups: { a: { mode: standalone } }\n".to_owned(),
            "file.yaml:2:1",
        ),
        ("name: alias\ngroups: &g\n  cache: *g\n".to_owned(), "file.yaml:3:10"),
        (topology("mode: cluster, shards: 0"), "file.yaml:3:35"),
        (topology("mode: cluster, shards: 2"), "file.yaml:3:35"),
        (topology("mode: cluster, shards: 3, replicas: 300"), "file.yaml:3:48"),
    ];
    for (text, place) in cases {
        let said = refused(&text);
        assert!(said.contains(place), "{text}\n{said}");
        assert!(said.contains("1 file with errors, of 1"), "{said}");
    }
}

#[test]
fn a_file_of_10_mb_is_refused_by_its_size() {
    // No more than 1 MB is read, and that may end within a character.
    for line in ["a: b\n", "é", "a: é\n"] {
        let said = refused(line.repeat(10_000_000 / line.len()));
        assert!(said.contains("larger than 1 MB"), "{said}");
    }
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let said = refused(b"name: x\ngroups: \xff\xfe\n");
    assert!(said.contains("line 2 is not UTF-8"), "{said}");
}

#[test]
fn what_could_control_a_terminal_is_refused_and_not_shown() {
    let harmless = |said: &str| !said.contains('\u{1b}') && !said.contains('\u{9b}');
    let said = refused("name: good\n# \u{1b}]0;title\u{7}\n");
    assert!(said.contains("line 2 has the control character U+001B") && harmless(&said), "{said}");
    let said = refused("name: good\nsummary: \"a\\u009bb\"\ngroups: {}\n");
    assert!(said.contains("control character U+009B") && said.contains("yaml:2:10"), "{said}");
    assert!(harmless(&said), "{said}");
    let sets = ["groups.cache.\u{1b}[2J=1", "\u{1b}[2J", "name=\"\\x1b\""];
    for set in sets {
        let ran = redrill(&["run", "steady-state", "--set", set]).assert().code(65);
        let said = String::from_utf8(ran.get_output().stderr.clone()).unwrap();
        assert!(said.contains("control character U+001B") && harmless(&said), "{said}");
    }
    let wrong = redrill(&["rum\u{1b}[2J"]).assert().code(64).get_output().clone();
    assert!(harmless(&String::from_utf8(wrong.stderr).unwrap()));
}

/// Whoever wrote the scenario shall not learn, from an error that somebody publishes, what
/// stands in a file of that machine.
#[test]
fn a_file_that_a_scenario_names_is_quoted_only_if_it_is_a_topology() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = "name: s\ntopology: ./other\nloads: { app: { rate: 1/s } }\n";
    let scenario = write(folder.path(), "scenario.yaml", scenario);
    let secrets = [
        "root:$6$secret:19000:0:99999:7:::\ndaemon:*:19000::::::\n",
        "password: secret\nuser: me\n",
        "groups: [admin]\nusers: [{ name: me, passwd: secret }]\n",
        "key: 'secret\n",
        "- secret\n- secret: { a: b }\n",
        "",
    ];
    for text in secrets {
        write(folder.path(), "other", text);
        let check = redrill(&["check", scenario.to_str().unwrap()]).assert().code(65);
        let said = String::from_utf8(check.get_output().stderr.clone()).unwrap();
        assert!(!said.contains("secret"), "{said}");
        assert!(said.contains("`./other` is not a topology"), "{said}");
        assert!(said.contains("scenario.yaml:2:") && said.contains("redrill check "), "{said}");
    }
    write(folder.path(), "other", "name: t\ngroups: { a: { mode: stand } }\n");
    let check = redrill(&["check", scenario.to_str().unwrap()]).assert().code(65);
    let said = String::from_utf8(check.get_output().stderr.clone()).unwrap();
    assert!(said.contains("other:2:") && said.contains("stand"), "{said}");
}

#[test]
fn a_file_of_the_kernel_does_not_hang_it() {
    // Reading it waits for the kernel's next message.
    let said = refused_in_time("name: s\ntopology: /proc/kmsg\nloads: { app: { rate: 1/s } }\n");
    assert!(said.contains("`/proc/kmsg`"), "{said}");
}

/// Each value would be checked for itself.
#[test]
fn so_many_values_that_they_cannot_be_set_side_by_side_are_refused_unread() {
    let values = (1..=4000).map(|n| format!("{n}/s")).collect::<Vec<_>>().join(", ");
    let text = format!(
        "name: s\ntopology: cluster-3x1\nloads: {{ app: {{ rate: 1/s }} }}\n\
         over: {{ loads.app.rate: [{values}] }}\n"
    );
    let said = refused_in_time(&text);
    assert!(said.contains("4000 values cannot be set side by side"), "{said}");
}

/// Far more than it takes, and less than it took.
fn refused_in_time(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "file.yaml", text);
    let mut check = redrill(&["check", path.to_str().unwrap()]);
    let output = check.timeout(Duration::from_secs(20)).assert().code(65).get_output().clone();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_file_is_checked_and_all_faults_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.yaml", library::topologies()[0].text);
    let bad = write(folder.path(), "bad.yaml", "name: X\ngroups: { a: { mode: stand } }\n");
    let gone = folder.path().join("gone.yaml");
    let paths = [&bad, &gone, &good].map(|path| path.to_str().unwrap());
    let output = redrill(&["check"]).args(paths).assert().code(65).get_output().clone();
    let (said, good) =
        (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap());
    for part in
        ["bad.yaml:1:7", "bad.yaml:2:22", "gone.yaml cannot be read", "2 files with errors, of 3"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(good.ends_with("good.yaml: a topology, 1 group with 1 node\n"), "{good}");
}

#[test]
fn a_folder_stands_for_the_yaml_files_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let empty = redrill(&["check", path]).assert().code(65).get_output().clone();
    let said = String::from_utf8(empty.stderr).unwrap();
    assert!(said.starts_with(&format!("  x {path} has no .yaml files in it")), "{said}");
    assert!(!said.contains("errors"), "{said}");
    write(folder.path(), "b.yaml", library::topologies()[0].text);
    write(folder.path(), "a.yml", library::topologies()[1].text);
    write(folder.path(), "notes.txt", "not YAML: {");
    let output = redrill(&["check", path]).assert().success().get_output().clone();
    let said = String::from_utf8(output.stdout).unwrap();
    let files: Vec<&str> =
        said.lines().filter_map(|line| line.split_once(": ")).map(|(f, _)| f).collect();
    assert_eq!(files, [format!("{path}/a.yml"), format!("{path}/b.yaml")]);
}

#[test]
fn a_scenario_finds_its_topology_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let topology = "name: mine\ngroups: { mine: { mode: cluster, shards: 4 } }\n";
    write(folder.path(), "mine.yaml", topology);
    let text = "name: s\ntopology: mine.yaml\ntimeline: [{ at: 1s, do: drain, shard: 3 }]\n";
    let path = write(folder.path(), "scenario.yaml", text);
    let output =
        redrill(&["check", path.to_str().unwrap()]).assert().success().get_output().clone();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("on the topology mine (1 group with 4 nodes)"), "{said}");
}

#[test]
fn faults_of_a_topology_are_told_in_its_own_file() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "mine.yaml",
        "name: mine\ngroups: { mine: { mode: cluster, shards: 1 } }\n",
    );
    let path = write(folder.path(), "scenario.yaml", "name: s\ntopology: mine.yaml\nsettle: 5\n");
    let output = redrill(&["check", path.to_str().unwrap()]).assert().code(65).get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("mine.yaml:2:") && said.contains("scenario.yaml:3:9"), "{said}");
}

/// What is wrong with a topology is said once, whoever names it, and not again in words
/// about the scenario.
#[test]
fn a_faulty_topology_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let topology = "name: mine\ngroups: { mine: { mode: cluster, shards: 1 } }\n";
    let topology = write(folder.path(), "mine.yaml", topology);
    let text = "name: s\ntopology: ./mine.yaml\nloads: { app: { rate: 9/s, group: yours } }\n\
                timeline: [{ at: 1s, do: drain, shard: 3 }]\n";
    let scenario = write(folder.path(), "scenario.yaml", text);
    for (first, second) in [(&topology, &scenario), (&scenario, &topology)] {
        let output = redrill(&["check"]).args([first, second]).assert().code(65);
        let said = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert_eq!(said.matches("  x ").count(), 1, "{said}");
        let again =
            format!("{}: has errors, see above\n2 files with errors, of 2", second.display());
        assert!(said.contains(&again), "{said}");
    }
}

#[test]
fn a_topology_that_is_not_there_is_marked_where_it_is_named() {
    let said = refused("name: s\ntopology: cluster-3x2\n");
    assert!(
        said.contains("file.yaml:2:11") && said.contains("did you mean `cluster-3x1`"),
        "{said}"
    );
}

#[test]
fn list_names_all_that_show_prints() {
    let output = redrill(&["list"]).assert().success().get_output().clone();
    let list = String::from_utf8(output.stdout).unwrap();
    for ready in library::scenarios().iter().chain(library::topologies()) {
        assert!(list.contains(&format!("  {} ", ready.name)), "{}", ready.name);
        assert!(list.contains(&ready.summary()), "{}", ready.name);
        redrill(&["show", ready.name]).assert().success().stdout(ready.text);
    }
    insta::assert_snapshot!(list);
}

#[test]
fn list_measures_names_every_one() {
    let output = redrill(&["list", "measures"]).assert().success().get_output().clone();
    let list = String::from_utf8(output.stdout).unwrap();
    for known in redrill::model::catalogue::CATALOGUE {
        assert!(list.contains(&format!("  {} ", known.name)), "{}", known.name);
        assert!(list.contains(known.about), "{}", known.name);
    }
}

#[test]
fn check_says_what_chaos_a_scenario_has() {
    let folder = tempfile::tempdir().unwrap();
    let step = "do: kill, group: cache, target: primary of shard 0";
    for (timeline, told) in [
        ("{ at: 2s, do: chaos, for: 60s }", " chaos of 60 s, "),
        (
            &*format!("{{ at: 70s, {step} }}, {{ at: 2s, do: chaos, for: 60s }}"),
            " 1 step, chaos of",
        ),
        ("", " 0 steps, "),
    ] {
        let text = format!("name: it\ntopology: cluster-3x1\ntimeline: [{timeline}]\n");
        let path = write(folder.path(), "it.yaml", text);
        let output = redrill(&["check", path.to_str().unwrap()]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(told), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_suite_says_which_scenarios_lack_its_profile() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = |name: &str, rest: &str| {
        let text = format!("name: {name}\ntopology: cluster-3x1\n{rest}\n");
        write(folder.path(), &format!("{name}.yaml"), text)
    };
    let suite = |profile: &str| {
        let mut suite = redrill(&["suite", folder.path().to_str().unwrap()]);
        suite.args(["--profile", profile, "--out"]).arg(folder.path().join("runs"));
        let output = suite.assert().code(65).get_output().clone();
        assert!(!folder.path().join("runs").exists(), "nothing is played");
        String::from_utf8(output.stderr).unwrap()
    };
    scenario("has", "profiles: { night: { settle: 9s } }");
    let lacks = scenario("lacks", "profiles: { day: { settle: 9s } }");
    // Keeps all from being played, so that nothing starts here.
    scenario("faulty", "settle: soon\nprofiles: { night: { settle: 9s } }");
    let said = suite("night");
    let line = format!("no profile `night`, so played as they are: {}\n", lacks.display());
    assert!(said.contains(&line), "{said}");
    assert!(said.contains("faulty.yaml:3"), "{said}");
    let said = suite("nihgt");
    assert!(said.contains("none of these scenarios has a profile `nihgt`: "), "{said}");
    assert!(said.contains("has.yaml, ") && said.contains("lacks.yaml"), "{said}");
}

#[test]
fn show_says_what_was_meant() {
    let output = redrill(&["show", "cluster-reshrad"]).assert().code(64).get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("did you mean `cluster-reshard`"), "{said}");
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut check = redrill(&["check", pipe.to_str().unwrap()]);
    let output = check.timeout(std::time::Duration::from_secs(20)).assert().code(65);
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(said.contains("it is not a regular file"), "{said}");
}

#[test]
fn a_topology_is_named_and_not_written_out() {
    let said = refused("name: bad\ntopology: { groups: { a: { mode: standalone } } }\n");
    assert!(said.contains("give a ready topology's name or a path"), "{said}");
}
