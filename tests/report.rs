//! Reports from run folders.

#[path = "report/fixture.rs"]
mod fixture;

use redrill::report;

#[test]
fn show() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    for plan in [
        fixture::reshard(),
        fixture::failed(),
        fixture::killed(),
        fixture::steady(),
        fixture::ten_shards(),
    ] {
        let folder = fixture::write(&plan, &dir);
        let t = std::time::Instant::now();
        let report = report::build(&folder).unwrap();
        println!("{}\n{:?}", report::text::summary(&report, 80, true), t.elapsed());
        report::write(&report).unwrap();
    }
}
