//! Faulty files, and every word that is said about them.

use redrill::backend::Wanted;
use redrill::backend::process;
use redrill::spec::topology::Engine;
use redrill::spec::{Capabilities, Lack, Options, Purpose, Source};

use super::faults;

macro_rules! faulty {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let file = concat!(stringify!($name), ".yaml");
            let source = Source::new(file, include_str!(concat!("faulty/", stringify!($name), ".yaml")));
            let faults = faults(&source, &Options::default()).expect("the file is faulty");
            insta::assert_snapshot!(faults.render(false, 100));
        }
    )*};
}

faulty! {
    topology_keys_and_words
    topology_numbers
    topology_regions
    topology_config
    topology_sentinels
    topology_sync
    topology_sync_without_links
    topology_active_active
    topology_active_alone
    topology_active_clusters
    topology_external
    topology_external_alone
    scenario_caches
    scenario_emptied
    scenario_loads
    scenario_workloads
    scenario_newcomers
    scenario_locks
    scenario_library_locks
    scenario_timeline
    scenario_slots_run_out
    scenario_nodes
    scenario_down
    scenario_sentinels
    scenario_actors
    scenario_hardships
    scenario_links
    scenario_cuts
    scenario_drawn_and_rolling
    scenario_scaling
    scenario_shares
    scenario_deadlocks
    scenario_holders
    scenario_groups
    scenario_over
    scenario_over_values
    scenario_expectations
    scenario_expectations_of_loads
    scenario_without_replicas
    scenario_sync
    scenario_active_active
    scenario_active_clusters
    scenario_standby_clusters
    scenario_profiles
    scenario_far_probes
    scenario_far_guides
    scenario_of_nothing
    yaml_shapes
    yaml_deep
    yaml_keys
    yaml_tab
    yaml_cut_off
    yaml_duplicate_keys
    yaml_recursive_alias
    yaml_alias_bomb
    yaml_tags_and_merge_keys
    yaml_two_documents
    yaml_empty
    neither
}

#[test]
fn what_compose_cannot_do_is_refused_at_its_line() {
    let options = Options { purpose: Purpose::Compose, ..Options::default() };
    let regions = Source::new("regions.yaml", include_str!("regions_and_sentinels.yaml"));
    insta::assert_snapshot!(faults(&regions, &options).expect("it cannot").render(false, 100));
}

#[test]
fn containers_have_links_too() {
    let options = Options { purpose: Purpose::Run, ..Options::default() };
    let links = Source::new("links.yaml", include_str!("links.yaml"));
    assert_eq!(faults(&links, &options), None);
}

#[test]
fn what_the_kernel_cannot_cut_is_refused_at_its_line() {
    let direct = include_str!("cuts.yaml").replace("via: relay", "via: kernel");
    let wanted = Wanted { kernel_cuts: true, preload: false };
    let processes = process::capabilities(None, &Engine::default(), wanted);
    let kernel_cuts = Err(Lack {
        why: "containers off here: there is no `nft` here".to_owned(),
        advice: "leave `via` out: redrill's relay makes the cut",
        of_machine: true,
    });
    let told = [processes, Capabilities { kernel_cuts, ..Capabilities::default() }];
    let told = told.map(|capabilities| {
        let options = Options { purpose: Purpose::Run, capabilities, ..Options::default() };
        let source = Source::new("cuts.yaml", direct.clone());
        faults(&source, &options).expect("it cannot").render(false, 100)
    });
    let relayed = Source::new("relayed.yaml", include_str!("cuts.yaml"));
    let relayed = faults(&relayed, &Options::default()).expect("both at once").render(false, 100);
    let options = Options { purpose: Purpose::Run, ..Options::default() };
    assert_eq!(faults(&Source::new("cuts.yaml", direct), &options), None);
    insta::assert_snapshot!([&told[..], &[relayed]].concat().join("\n"));
}

#[test]
fn what_the_command_line_sets_is_marked_where_it_stands() {
    let set = [
        "loads.app.rate=4000",
        "loads.app.cleints=3",
        "timeline.1.slots=5",
        "name.first=x",
        "groups.cache.shards=2",
        "group.cache.shards=4",
        "settle",
        "=3",
        "settle=",
        "timeline.0.pace={ p99: 5 }",
    ];
    let options = Options { set: set.map(str::to_owned).to_vec(), ..Options::default() };
    let source = redrill::spec::library::scenarios()[0].source();
    insta::assert_snapshot!(
        faults(&source, &options).expect("all of it is faulty").render(false, 100)
    );
}

#[test]
fn a_line_too_long_to_show_is_named_by_its_place() {
    let text = format!("name: x\ngroups: {{ a: {{ mode: {} }} }}\n", "y".repeat(5000));
    let faults = faults(&Source::new("long.yaml", text), &Options::default()).unwrap();
    let text = faults.render(false, 100);
    assert!(text.contains("long.yaml:2:22"), "{text}");
    assert!(text.len() < 20_000);
}

#[test]
fn a_terminal_gets_lines_and_colours() {
    let source = Source::new("two.yaml", "name: two\ngroups:\n  a: { mode: cluster, shards: 2 }\n");
    let text = faults(&source, &Options::default()).unwrap().render(true, 100);
    assert!(text.contains("\u{1b}[") && text.contains('╭'), "{text}");
}

#[test]
fn keys_of_another_group_cannot_be_shared() {
    let two = "name: two\ngroups:\n  a: { mode: standalone }\n  b: { mode: standalone }\n";
    let resolve = |_: &str| Ok(Source::new("two.yaml", two));
    let text = "name: x\ntopology: two\nloads:\n  app: { rate: 1/s, group: a }\n  \
                far: { rate: 1/s, group: b, shares: app }\n";
    let source = Source::new("x.yaml", text);
    let refused = redrill::spec::parse_scenario(&source, &resolve, &Options::default());
    let told = refused.unwrap_err().render(false, 100);
    assert!(told.contains("the keys of `app` are in the group `a`"), "{told}");
    assert!(told.contains("x.yaml:5:"), "{told}");
    assert!(told.contains("write `group: a`"), "{told}");
}
