//! The files that `scan` searches.

use std::{
    io,
    path::{Path, PathBuf},
};

use ignore::{DirEntry, WalkBuilder};

/// Returns the files in a folder and the folders in it, sorted by name, or the path itself if it isn't a folder. Leaves
/// out what `.gitignore` excludes, and follows no links except the path itself.
///
/// # Errors
/// A message, for everything that can't be read.
pub(super) fn below(path: &Path, no_ignore: bool) -> impl Iterator<Item = Result<PathBuf, String>> {
    let mut walk = WalkBuilder::new(path);
    // The rules of the repository, and not those of the person who searches it, nor of other programs.
    walk.hidden(false).ignore(false).git_global(false).require_git(false).follow_links(false);
    if no_ignore {
        walk.git_ignore(false).git_exclude(false).parents(false);
    }
    walk.filter_entry(|entry| !is_object_store(entry)).sort_by_file_name(Ord::cmp);
    walk.build().filter_map(|entry| match entry {
        Ok(entry) => is_searched(&entry).then(|| Ok(entry.into_path())),
        Err(error) => Some(Err(escaped(&error.to_string()))),
    })
}

/// Whether an entry is the folder with git's objects, which are compressed.
fn is_object_store(entry: &DirEntry) -> bool {
    let parent = entry.path().parent().and_then(Path::file_name);
    entry.file_name() == "objects" && parent.is_some_and(|parent| parent == ".git")
}

/// Whether an entry is a file. The path that was given may also be a link or a pipe.
fn is_searched(entry: &DirEntry) -> bool {
    if entry.depth() == 0 { !entry.path().is_dir() } else { entry.file_type().is_some_and(|kind| kind.is_file()) }
}

/// Returns a path as it is printed. Names of files may contain anything, such as codes that a terminal obeys.
pub(super) fn printable(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

/// Adds the path to an error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> String {
    let path = printable(path);
    move |error| format!("{path}: {error}")
}

fn escaped(text: &str) -> String {
    let escape = |char: char| if char.is_control() { char.escape_default().to_string() } else { char.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(printable(Path::new("a\u{1b}[2J\nb/é.txt")), "a\\u{1b}[2J\\nb/é.txt");
    }
}
