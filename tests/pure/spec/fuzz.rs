//! No input makes reading panic, or take long.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use redrill::spec::{Options, Source, library};

use super::faults;

/// Reads `bytes` as check does; it must end soon, and faults must render.
fn read(bytes: Vec<u8>) {
    let start = Instant::now();
    let faults = match Source::from_bytes("fuzz.yaml", bytes) {
        Ok(source) => faults(&source, &Options::default()),
        Err(faults) => Some(faults),
    };
    if let Some(faults) = faults {
        assert!(faults.iter().len() > 0);
        let _ = faults.render(false, 80);
        let _ = faults.to_string();
    }
    // Generous: this is an unoptimised build on a machine that others use too.
    assert!(start.elapsed() < Duration::from_secs(20), "took {:?}", start.elapsed());
}

/// Pieces that YAML and these files give a meaning to.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "\n",
            "\n  ",
            "\n    ",
            "\t",
            ": ",
            "- ",
            "{ ",
            " }",
            "[",
            "]",
            ", ",
            "&a ",
            "*a",
            "!t ",
            "|\n",
            ">\n",
            "'",
            "\"",
            "\\",
            "#",
            "? ",
            "---\n",
            "...\n",
            "%YAML 1.2\n",
            "<<: ",
            "~",
            "é",
            "\u{feff}",
            "\u{2028}",
            "\0",
            "name",
            "groups",
            "mode",
            "cluster",
            "shards",
            "topology",
            "loads",
            "rate",
            "timeline",
            "at",
            "do",
            "reshard",
            "expect",
            "downtime.write.max <= 5ms",
            "profiles",
            "0",
            "99999999999999999999",
            "-1",
            "1e9",
            "5s",
            "4000/s",
            "100%",
            "100B..1KB",
            "zipf(1)",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ]
}

/// A ready file with some of it taken out, doubled, or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let ready: Vec<&str> =
        library::scenarios().iter().chain(library::topologies()).map(|r| r.text).collect();
    let edit = (any::<prop::sample::Index>(), 0usize..20, piece());
    (prop::sample::select(ready), vec(edit, 1..6)).prop_map(|(text, edits)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, length, new) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + length).min(chars.len());
            chars.splice(at..end, new.chars());
        }
        chars.into_iter().collect()
    })
}

proptest! {
    // PROPTEST_CASES may ask for more.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(400)))]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..2000)) {
        read(bytes);
    }

    #[test]
    fn anything_like_yaml(pieces in vec(piece(), 0..80)) {
        read(pieces.concat().into_bytes());
    }

    #[test]
    fn files_that_were_right_once(text in mutated()) {
        read(text.into_bytes());
    }

    #[test]
    fn any_setting(path in "[a-z.0-9=]{0,30}", pieces in vec(piece(), 0..5)) {
        let source = library::scenarios()[0].source();
        let set = vec![format!("{path}={}", pieces.concat()), format!("loads.app.{path}")];
        let _ = faults(&source, &Options { set, ..Options::default() });
    }
}

#[test]
fn the_largest_files_of_the_worst_shapes() {
    let fill = |piece: &str| piece.repeat(Source::MAX_BYTES / piece.len()).into_bytes();
    for piece in [
        "[", "{", "- ", "a: ", "? ", "a", "\n", "&a ", "'", "\"", "# \n", "- a\n", "[a,", "é",
        "{a: ", "|\n", "!!", "  \n", "- - a\n", "*a ", "a:\n",
    ] {
        let start = Instant::now();
        read(fill(piece));
        println!("{piece:?}: {:?}", start.elapsed());
    }
    let keys: String = (0..90_000).map(|n| format!("key{n}: x\n")).collect();
    read(keys.into_bytes());
    let anchors: String = (0..50_000).map(|n| format!("- &a{n} x\n- *a{n}\n")).collect();
    read(anchors.into_bytes());
    let mut nested = String::from("a0: &a0 [x]\n");
    for n in 1..20_000 {
        nested += &format!("a{n}: &a{n} [*a{}]\n", n - 1);
    }
    read(nested.into_bytes());
    let faulty: String = (0..19_000).map(|n| format!("k{n}: 1\n")).collect();
    read(format!("name: x\ngroups:\n  a: {{ mode: no }}\n{faulty}").into_bytes());
}
