//! The site under test, for the targets of cargo-fuzz. The tests of the server run the same targets with inputs from a
//! seeded generator: see `server/tests/http/fuzz.rs`.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

#[path = "../../tests/http/support.rs"]
pub mod support;
pub mod targets;

/// Runs a target with an input. Panics on a fault. A process runs one target only.
pub fn run(target: targets::Target, input: &[u8]) {
    static SITE: OnceLock<(Runtime, targets::Site)> = OnceLock::new();
    let (runtime, site) = SITE.get_or_init(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let site = runtime.block_on(target.site());
        (runtime, site)
    });
    runtime.block_on(target.run(site, input));
}
