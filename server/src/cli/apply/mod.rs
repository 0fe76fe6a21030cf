//! The command `apply`: brings the database to the state that a file describes.

mod document;
mod token_file;

use std::{
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;
use service::{
    Admin, Services,
    apply::{Action, Plan, Problem, StatedConfiguration, Step},
};

use self::document::Document;
use super::{
    input::{Format, path_text},
    list::{List, Row},
    outcome::{Answer, Failure},
    output::{self, counted},
};

/// The maximum size of the file, in bytes.
const MAX_FILE: u64 = 16 * 1_024 * 1_024;
/// How often a plan is made if others change the same things at the same time, besides once for each step.
const MAX_PLANS: usize = 20;
/// What a summary says of each action.
const TO_DO: [&str; 3] = ["to create", "to change", "to remove"];
const DONE: [&str; 3] = ["created", "changed", "removed"];
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
    let Document { stated, mut problems } = read(&options.file, &name)?;
    let admin = services.admin();
    let plan = match admin.plan_apply(&stated, options.prune).await? {
        Ok(plan) if problems.is_empty() => plan,
        outcome => {
            problems.extend(outcome.err().unwrap_or_default());
            problems.sort_by_key(|problem| problem.line);
            return Err(refusal(&name, &problems));
        }
    };
    let mut list = List::new(options.format);
    if options.dry_run {
        list.write(plan.steps().iter().map(StepRow))?;
        output::message(summary(Action::ALL.map(|action| plan.count(action)), plan.unchanged(), TO_DO));
        return Ok(());
    }
    // What was done is more important than that it can be printed.
    let mut printed = Ok(());
    let done = execute(&admin, plan, &stated, options.prune, |step| {
        if printed.is_ok() {
            printed = list.write([StepRow(step)]);
        }
    });
    let done = done.await?;
    output::message(summary(done.counts, done.unchanged, DONE));
    printed
}

/// What was done, of each action, and how many entries of the file were as they are stated.
struct Done {
    counts: [usize; 3],
    unchanged: usize,
}

/// Executes a plan, and plans again if somebody else has done a step meanwhile. Calls `report` after each step.
async fn execute(
    admin: &Admin<'_>,
    mut plan: Plan,
    stated: &StatedConfiguration,
    prunes: bool,
    mut report: impl FnMut(&Step),
) -> Answer<Done> {
    let (mut counts, mut plans) = ([0; 3], 1);
    // Each of these steps may have been done by somebody else.
    let most = MAX_PLANS + plan.steps().len();
    loop {
        // Of the entries that are as stated, this command has changed these.
        let changed = counts[0] + counts[1];
        let unchanged = plan.unchanged().saturating_sub(changed);
        let mut failed = None;
        for (number, step) in plan.steps().iter().enumerate() {
            if let Err(error) = admin.apply_step(step).await {
                failed = Some((number, step, error));
                break;
            }
            counts[Action::ALL.iter().position(|action| *action == step.action).unwrap_or_default()] += 1;
            report(step);
        }
        let Some((number, step, error)) = failed else { return Ok(Done { counts, unchanged }) };
        let is_last = plans == most;
        let next = if is_last { None } else { admin.plan_without(step, stated, prunes).await.ok().flatten() };
        let Some(next) = next else {
            let done: usize = counts.iter().sum();
            return Err(stopped(done, done + plan.steps().len() - number, step, error));
        };
        (plan, plans) = (next, plans + 1);
    }
}

fn read(path: &Path, name: &str) -> Answer<Document> {
    let mut text = String::new();
    let (read, folder) = if path.as_os_str() == "-" {
        (std::io::stdin().lock().take(MAX_FILE + 1).read_to_string(&mut text), Path::new(""))
    } else {
        let read = service::open_regular(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
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
        lines.push(format!("Left out here: {}.", counted((problems.len() - MAX_PROBLEMS) as u64, "more problem")));
    }
    lines.push("Nothing was changed.".to_owned());
    Failure::Other(lines.join("\n"))
}

fn stopped(done: usize, total: usize, step: &Step, error: service::Error) -> Failure {
    let failure = Failure::from(error);
    Failure::Other(format!(
        "Stopped after {done} of {}, because this one failed: {step}\n{failure}\nTo continue, repeat the \
         command.",
        counted(total as u64, "step")
    ))
}

fn summary(counts: [usize; 3], unchanged: usize, words: [&str; 3]) -> String {
    let counts = counts.into_iter().zip(words).map(|(count, word)| format!("{count} {word}"));
    format!("{}, {unchanged} unchanged", counts.collect::<Vec<_>>().join(", "))
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
