//! Builds the library that redrill puts into servers, see `src/backend/preload/preload.c`.

use std::env;
use std::fs;
use std::path::PathBuf;

const SOURCE: &str = "src/backend/preload/preload.c";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    let of = |name: &str| env::var(name).unwrap_or_default();
    let library = PathBuf::from(of("OUT_DIR")).join("preload.so");
    let processor = of("CARGO_CFG_TARGET_ARCH");
    if of("CARGO_CFG_TARGET_OS") != "linux" || !["x86_64", "aarch64"].contains(&&*processor) {
        // What needs it is refused by a redrill that has none.
        fs::write(&library, "").expect("OUT_DIR can be written");
        return;
    }
    let mut command = cc::Build::new().opt_level(2).get_compiler().to_command();
    // It needs no library, and binds all that it needs when it is loaded.
    command.args(["-std=gnu11", "-shared", "-fPIC", "-nostdlib", "-ffreestanding"]);
    command.args(["-fvisibility=hidden", "-fno-stack-protector"]);
    command.args(["-Wl,-z,now", "-Wl,--hash-style=both", "-Wl,--build-id=none", "-s"]);
    command.args(["-Wall", "-Wextra", "-Wno-nonnull-compare"]);
    let built = command.arg("-o").arg(&library).arg(SOURCE).status();
    assert!(built.is_ok_and(|status| status.success()), "{command:?} has not built {SOURCE}");
}
