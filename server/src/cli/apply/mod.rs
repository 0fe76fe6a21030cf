//! The command `apply`: brings the database to the state that a file describes.

mod document;
mod token_file;

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;
use service::{
    Services,
    apply::{Action, Plan, Problem, Step},
};

use self::document::Document;
use super::{
    input::{Format, path_text},
    list::{List, Row},
    outcome::{Answer, Failure},
    output,
};

/// The maximum size of the file, in bytes.
const MAX_FILE: u64 = 16 * 1_024 * 1_024;
/// The most problems that are printed.
const MAX_PROBLEMS: usize = 50;

#[derive(Args, Debug)]
pub(super) struct Apply {
    /// File that describes the state, in TOML; - is standard input
    file: PathBuf,
    /// Print the steps without doing anything
    #[arg(long)]
    pub(super) dry_run: bool,
    #[arg(
        long,
        help = "Also remove what the file doesn't state: scopes, and in tenants that it names, service accounts, their \
          keys, and key policies; each kind only if the file states some of it"
    )]
    prune: bool,
    #[command(flatten)]
    format: Format,
}

/// Reads the file, makes a plan, and executes it unless the command only prints it.
pub(super) async fn run(services: &Services, options: Apply) -> Answer {
    let name = path_text(&options.file);
    let Document { stated, problems } = read(&options.file, &name)?;
    if !problems.is_empty() {
        return Err(refusal(&name, &problems));
    }
    let admin = services.admin();
    let plan = admin.plan_apply(&stated, options.prune).await?.map_err(|problems| refusal(&name, &problems))?;
    let mut list = List::new(options.format);
    if options.dry_run {
        list.write(plan.steps().iter().map(StepRow))?;
        output::message(summary(&plan, ["to create", "to change", "to remove"]));
        return Ok(());
    }
    // What was done is more important than that it can be printed.
    let mut printed = Ok(());
    for (done, step) in plan.steps().iter().enumerate() {
        admin.apply_step(step).await.map_err(|error| stopped(&plan, done, step, error))?;
        if printed.is_ok() {
            printed = list.write([StepRow(step)]);
        }
    }
    output::message(summary(&plan, ["created", "changed", "removed"]));
    printed
}

fn read(path: &Path, name: &str) -> Answer<Document> {
    let mut text = String::new();
    let (read, folder) = if path.as_os_str() == "-" {
        (std::io::stdin().lock().take(MAX_FILE + 1).read_to_string(&mut text), Path::new(""))
    } else {
        let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
        (read, path.parent().unwrap_or(Path::new("")))
    };
    match read {
        Ok(_) if text.len() as u64 > MAX_FILE => Err(Failure::Other(format!("{name} is longer than 16 MiB."))),
        Ok(_) => Ok(document::read(&text, folder)),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(Failure::Other(format!("{name} isn't UTF-8."))),
        Err(error) => Err(Failure::Other(format!("{name} can't be read: {error}."))),
    }
}

fn refusal(name: &str, problems: &[Problem]) -> Failure {
    let mut lines: Vec<String> =
        problems.iter().take(MAX_PROBLEMS).map(|problem| format!("{name}, {problem}")).collect();
    if problems.len() > MAX_PROBLEMS {
        lines.push(format!("There are {} more problems.", problems.len() - MAX_PROBLEMS));
    }
    lines.push("Nothing was changed.".to_owned());
    Failure::Other(lines.join("\n"))
}

fn stopped(plan: &Plan, done: usize, step: &Step, error: service::Error) -> Failure {
    let failure = Failure::from(error);
    let total = plan.steps().len();
    Failure::Other(format!(
        "Stopped after {done} of {total} steps, because this one failed: {step}\n{failure}\nTo continue, repeat the \
         command."
    ))
}

fn summary(plan: &Plan, words: [&str; 3]) -> String {
    let counts = Action::ALL.into_iter().zip(words).map(|(action, word)| format!("{} {word}", plan.count(action)));
    format!("{}, {} unchanged", counts.collect::<Vec<_>>().join(", "), plan.unchanged())
}

/// A step as the command line shows it.
struct StepRow<'a>(&'a Step);

#[derive(Serialize)]
struct StepColumns<'a> {
    action: &'static str,
    kind: &'static str,
    tenant: Option<&'a str>,
    owner: Option<&'a str>,
    name: &'a str,
    change: &'a str,
}

impl Serialize for StepRow<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(step) = self;
        let columns = StepColumns {
            action: step.action.as_str(),
            kind: step.subject.kind.as_str(),
            tenant: step.subject.tenant.as_deref(),
            owner: step.subject.owner.as_deref(),
            name: &step.subject.name,
            change: &step.change,
        };
        columns.serialize(serializer)
    }
}

impl Row for StepRow<'_> {
    fn columns(&self) -> Vec<String> {
        vec![self.0.to_string()]
    }
}
