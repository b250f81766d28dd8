//! The password of servers in containers.

use crate::docker::engine::Engine;
use crate::drill::password::{holds, servers_ask_for_it_and_nobody_else_sees_it};

#[test]
fn containers_ask_for_it_and_nobody_else_sees_it() {
    let Some(engine) = Engine::here() else { return };
    servers_ask_for_it_and_nobody_else_sees_it("docker", |pid, secret| {
        let owned = engine.owned_by(pid);
        assert_eq!(owned[0].containers.len(), 11);
        for id in &owned[0].containers {
            let seen = engine.wait(engine.docker().inspect_container(id, None)).unwrap();
            let seen = serde_json::to_vec(&seen).unwrap();
            assert!(!holds(&seen, secret), "{}", String::from_utf8_lossy(&seen));
        }
    });
}
