//! The command `import`: takes over keys whose tokens another system has made.

mod line;

use std::{
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use domain::ApiError;
use serde::Serialize;
use service::{Import as Importing, Imported, MAX_DESCRIBED, Rejected, RejectedLine, Services};

use super::{
    outcome::{Answer, Failure},
    output::{self, counted},
};

/// The longest line, in bytes.
const MAX_LINE: u64 = 64 * 1_024;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Import {
    /// File with one JSON object per line; - for standard input
    file: PathBuf,
    /// Slug of the tenant of all lines that don't name another
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// Only check the lines
    #[arg(long)]
    dry_run: bool,
    /// Leave out the lines that can't be imported. Otherwise, nothing is imported if there is one
    #[arg(long)]
    skip_invalid: bool,
    /// Print the counts and the first invalid lines as a JSON object
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    imported: usize,
    skipped: usize,
    invalid: usize,
    /// The first of them.
    invalid_lines: Vec<InvalidLine<'a>>,
}

#[derive(Serialize)]
struct InvalidLine<'a> {
    line: usize,
    /// `null` for an error of the whole line.
    member: Option<&'a str>,
    message: &'a str,
}

pub(super) async fn run(services: &Services, options: Import) -> Answer {
    let mut import = services.admin().begin_import().await?;
    let file = options.file.as_path();
    read(&mut import, file, options.tenant.as_deref()).await?;
    let is_refused = import.preview().rejected.count > 0 && !options.skip_invalid;
    let done = if options.dry_run || is_refused { import.preview() } else { import.run(options.skip_invalid).await? };
    // What a refused import would do isn't what it did.
    let done = if is_refused && !options.dry_run { Imported { imported: 0, ..done } } else { done };
    describe(&done.rejected);
    output::message(summary(&done, options.dry_run));
    if options.json {
        let report = serde_json::to_string(&Report::new(&done, options.dry_run));
        output::line(report.map_err(|error| Failure::Other(error.to_string()))?)?;
    }
    if is_refused {
        let advice = "Correct the lines above, or leave them out with --skip-invalid.";
        return Err(Failure::Other(format!("Nothing was imported. {advice}")));
    }
    if done.is_incomplete {
        let advice = "Something has changed meanwhile. Repeat the command: it skips what is imported.";
        return Err(Failure::Other(format!("The import isn't complete. {advice}")));
    }
    Ok(())
}

/// Adds all lines of a file to an import.
async fn read(import: &mut Importing<'_>, path: &Path, tenant: Option<&str>) -> Answer {
    let failed = |error: io::Error| Failure::Other(format!("{} can't be read: {error}.", path.display()));
    let is_stdin = path == Path::new("-");
    let file: Box<dyn Read> =
        if is_stdin { Box::new(io::stdin()) } else { Box::new(service::open_regular(path).map_err(failed)?) };
    let mut lines = BufReader::new(file);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let read = lines.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut bytes).map_err(failed)?;
        if read == 0 {
            break;
        }
        if read as u64 > MAX_LINE {
            return Err(Failure::Other(format!("Line {number} is longer than {MAX_LINE} bytes.")));
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 1).unwrap_or(&bytes).trim_ascii();
        if text.is_empty() {
            continue;
        }
        match line::read(number, text, tenant) {
            Ok(line) => import.add(line).await?,
            Err(error) => import.reject(number, error),
        }
    }
    Ok(())
}

/// Returns the wrong members of a line, with what is wrong with each.
fn wrong_members(error: &ApiError) -> Vec<(Option<&str>, &str)> {
    if error.fields.is_empty() {
        return vec![(None, &error.message)];
    }
    error.fields.iter().map(|field| (Some(field.field.as_str()), field.message.as_str())).collect()
}

/// Prints why lines can't be imported.
fn describe(rejected: &Rejected) {
    for RejectedLine { number, error } in &rejected.first {
        for (member, message) in wrong_members(error) {
            let member = member.map(|member| format!("{member}: ")).unwrap_or_default();
            output::message(format!("line {number}: {member}{message}"));
        }
    }
    if rejected.count > MAX_DESCRIBED {
        output::message(format!(
            "Left out here: {}.",
            counted((rejected.count - MAX_DESCRIBED) as u64, "more invalid line")
        ));
    }
}

fn summary(done: &Imported, dry_run: bool) -> String {
    let verb = if dry_run { "Would import" } else { "Imported" };
    format!(
        "{verb} {}; skipped {}; left out {}.",
        counted(done.imported as u64, "key"),
        counted(done.skipped as u64, "key")
            + if done.skipped == 1 { " that was imported before" } else { " that were imported before" },
        counted(done.rejected.count as u64, "invalid line")
    )
}

impl<'a> Report<'a> {
    fn new(done: &'a Imported, dry_run: bool) -> Self {
        let of_line = |RejectedLine { number, error }: &'a RejectedLine| {
            wrong_members(error).into_iter().map(|(member, message)| InvalidLine { line: *number, member, message })
        };
        Self {
            dry_run,
            imported: done.imported,
            skipped: done.skipped,
            invalid: done.rejected.count,
            invalid_lines: done.rejected.first.iter().flat_map(of_line).collect(),
        }
    }
}
