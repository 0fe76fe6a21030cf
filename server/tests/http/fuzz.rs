//! Fuzzing of everything that strangers send. The targets, which `cargo fuzz` runs too, are in `server/fuzz`, and so are
//! their corpora. Here, inputs are made from a corpus by a generator with a fixed seed, so that a failure can be repeated.
//!
//! `make test` replays the corpora and tries a few hundred inputs. `LATCHKEY_FUZZ_SECONDS` sets a time for each target
//! instead, and `LATCHKEY_FUZZ_SEED` another seed. `make soak` does that where cargo-fuzz isn't installed.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use self::targets::Target;

#[path = "../../fuzz/src/targets.rs"]
mod targets;

/// How many inputs a target is tried with when there is no time limit.
const CASES: u64 = 300;
/// The longest input, in bytes.
const MAX_BYTES: usize = 4_096;

/// Pieces that mean something to a parser.
const PIECES: [&str; 40] = [
    "",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    ";",
    ":",
    "=",
    "&",
    "%",
    "%00",
    "%ff",
    "%2520",
    "+",
    " ",
    "\t",
    "\r\n",
    "\u{0}",
    "\u{202e}",
    "\u{feff}",
    "\u{1f980}",
    "null",
    "-1",
    "0",
    "9999999999",
    "1e999",
    "::1",
    "127.0.0.1",
    "Bearer ",
    "lku_",
    "lks_00000000000000000000000000000000000000",
    "2027-01-01T00:00:60Z",
    "...",
    "$x",
    "@skip(if: true)",
];

/// A generator of pseudorandom numbers (xorshift64*). It is seeded, so it needs no source of randomness.
struct Generator(u64);

impl Generator {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit.max(1)
    }

    /// Returns a changed copy of an input, or of the beginning of one with the end of another.
    fn change(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(input.len() + 1);
            let end = at + self.below(input.len() - at + 1).min(16);
            match self.below(7) {
                0 => drop(input.drain(at..end)),
                1 => drop(input.splice(at..end, PIECES[self.below(PIECES.len())].bytes())),
                2 => input.insert(at, u8::try_from(self.below(256)).unwrap()),
                3 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << self.below(8)),
                4 => drop(input.splice(at..at, input[at..end].to_vec().repeat(1 + self.below(40)))),
                5 => input.truncate(at),
                _ => {
                    let other = &corpus[self.below(corpus.len())];
                    input.truncate(at);
                    input.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
            }
        }
        input.truncate(MAX_BYTES);
        input
    }
}

/// Prints the input of a failed run.
struct Shown<'i>(Target, u64, &'i [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?} failed (seed {}) with the input b\"{}\"", self.0, self.1, self.2.escape_ascii());
        }
    }
}

/// Runs a target with its corpus, and then with changed inputs.
fn fuzz(target: Target) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(try_inputs(target));
}

async fn try_inputs(target: Target) {
    let site = target.site().await;
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fuzz", "corpus", target.corpus()].iter().collect();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seconds, seed) = (number("LATCHKEY_FUZZ_SECONDS"), number("LATCHKEY_FUZZ_SEED").unwrap_or(1));
    let mut generator = Generator(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let began = Instant::now();
    let mut count = 0_u64;
    for input in &corpus {
        let _shown = Shown(target, seed, input);
        target.run(&site, input).await;
        count += 1;
    }
    let is_over = |count| seconds.map_or(count >= CASES, |seconds| began.elapsed() > Duration::from_secs(seconds));
    while !is_over(count) {
        let input = generator.change(&corpus);
        let _shown = Shown(target, seed, &input);
        target.run(&site, &input).await;
        count += 1;
    }
    println!("fuzz {target:?}: {count} inputs, 0 faults, seed {seed}");
}

#[test]
fn fuzz_token() {
    fuzz(Target::Token);
}

#[test]
fn fuzz_graphql_guard() {
    fuzz(Target::GraphqlGuard);
}

#[test]
fn fuzz_graphql_request() {
    fuzz(Target::GraphqlRequest);
}

#[test]
fn fuzz_cursor() {
    fuzz(Target::Cursor);
}

#[test]
fn fuzz_authorization_header() {
    fuzz(Target::Authorization);
}

#[test]
fn fuzz_forwarded_headers() {
    fuzz(Target::Forwarded);
}

#[test]
fn fuzz_expiry() {
    fuzz(Target::Expiry);
}

#[test]
fn fuzz_form() {
    fuzz(Target::Form);
}

#[test]
fn fuzz_query_string() {
    fuzz(Target::QueryString);
}

#[test]
fn fuzz_leak_report() {
    fuzz(Target::Leaks);
}
