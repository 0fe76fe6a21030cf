//! The process, its log and its build, under the names that Prometheus' client libraries use. The process is read from
//! `/proc`, so other systems than Linux have only the build.

use prometheus_client::{
    metrics::{counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::{Registry, Unit},
};

/// The unit of times in `/proc/self/stat`: a hundredth of a second on every platform that Rust runs on (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn register(registry: &mut Registry) {
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("latchkey_build", "The running version of Latchkey", build);
    let lost = ConstCounter::new(crate::log_queue::lost());
    registry.register("latchkey_log_entries_lost", "Log entries that could not be written, or not fast enough", lost);
    if let Some(process) = Process::read() {
        let cpu = ConstCounter::new(process.cpu_seconds);
        registry.register_with_unit("process_cpu", "CPU time of the process", Unit::Seconds, cpu);
        let memory = ConstGauge::new(process.resident_bytes);
        registry.register_with_unit("process_resident_memory", "Memory of the process", Unit::Bytes, memory);
        registry.register("process_threads", "Threads of the process", ConstGauge::new(process.threads));
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        let open = ConstGauge::new(i64::try_from(entries.count()).unwrap_or(i64::MAX));
        registry.register("process_open_fds", "Open file descriptors of the process", open);
    }
    if let Some(most) = max_descriptors() {
        registry.register("process_max_fds", "Maximum number of open file descriptors", ConstGauge::new(most));
    }
}

struct Process {
    cpu_seconds: f64,
    resident_bytes: i64,
    threads: i64,
}

impl Process {
    fn read() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<i64>().ok()
        };
        // The name of the process is in parentheses and may contain spaces.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
        Some(Self {
            cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
            resident_bytes: field("VmRSS:")?.saturating_mul(1_024),
            threads: field("Threads:")?,
        })
    }
}

/// Returns the limit on open files.
fn max_descriptors() -> Option<i64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
