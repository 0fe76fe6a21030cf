//! A disk that fails and a clock that jumps, for one server process. Needs a C compiler.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
    process::Command,
};

/// Errors of a disk, from `errno.h`.
pub const FAILING: i64 = 5;
pub const FULL: i64 = 28;
pub const READ_ONLY: i64 = 30;

/// What `faults.c` does to the servers that load it.
pub struct Devices {
    folder: tempfile::TempDir,
    library: PathBuf,
    file: File,
}

impl Devices {
    /// Compiles the library; `None` if there is no C compiler.
    pub fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("faults.c"), folder.path().join("faults.so"));
        fs::write(&source, include_str!("faults.c")).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
        if !compiler.status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: there is no C compiler");
            return None;
        }
        let file = File::options().write(true).create_new(true).open(folder.path().join("faults")).unwrap();
        file.write_all_at(&[0; 16], 0).unwrap();
        Some(Self { folder, library, file })
    }

    /// Lets a server use these devices.
    pub fn attach<'c>(&self, server: &'c mut Command) -> &'c mut Command {
        server.env("LD_PRELOAD", &self.library).env("FAULTS", self.folder.path().join("faults"))
    }

    /// Lets every write to a database fail with an error, or none if it is 0.
    pub fn break_disk(&self, error: i64) {
        self.file.write_all_at(&error.to_ne_bytes(), 0).unwrap();
    }

    /// Sets how far the system clock is from the right time, in seconds.
    pub fn move_clock(&self, seconds: i64) {
        self.file.write_all_at(&seconds.to_ne_bytes(), 8).unwrap();
    }
}
