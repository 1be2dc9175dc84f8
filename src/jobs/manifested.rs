//! Rows of a manifest become jobs. Keys and paths in it are literal; whether a row is a download or
//! an upload is the command's, or for `cp` each row's own.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::downloads::full_marker;
use super::guard::NameRule;
use super::manifest::{Problem, Row, Rows};
use super::planner::{Closed, CustomerKeys, Plan, Planner, Sides};
use super::row_names::{copied_to, remote_destination, remote_source};
use super::uploads::below;
use crate::domain::attributes::Attributes;
use crate::domain::comparison::{Compare, Place, Presence, Unproven};
use crate::domain::escape::Escaped;
use crate::domain::job::{
    Download, Expected, Fate, LocalSource, LocalTarget, ObjectCopy, Refused, Task, Upload,
};
use crate::domain::location::{Location, S3Uri, without_signature};
use crate::domain::naming::Naming;
use crate::domain::object::ETag;
use crate::domain::relative_path::RelativePath;
use crate::domain::sieve::Sieve;
use crate::transfer::journal::{Journal, JournalError};

/// Which way the rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Down,
    Up,
    /// Each row says it: one of its two sides is an S3 URI.
    ByRow,
    /// From object to object.
    Between,
    /// As `ByRow`, to compare alone: then both sides may be S3 URIs.
    Compared(Unproven),
}

/// What relative entries are joined to.
#[derive(Debug, Clone)]
pub struct Bases {
    /// `s3://bucket/prefix`, of keys.
    pub remote: Option<S3Uri>,
    /// The same, of the destinations of copies.
    pub target: Option<S3Uri>,
    /// Of local sources. Local destinations are below the run's destination folder anyway. Only
    /// where it is `/` may a row name an absolute path.
    pub local: PathBuf,
    pub sources: SourcePaths,
}

impl Bases {
    fn is_root(&self) -> bool {
        self.local == Path::new("/")
    }
}

/// Where the files may be that rows name as their sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourcePaths {
    /// A list may come from somebody else: no row of it takes a file from outside the base.
    BelowBase,
    /// A journal names files absolutely, as they were uploaded before.
    Anywhere,
}

/// What all rows have in common.
#[derive(Debug, Clone)]
pub struct Common {
    pub direction: Direction,
    pub bases: Bases,
    /// Sizes are what rows say; of times they say nothing.
    pub sieve: Sieve,
    /// Of files that are called after keys, and the other way round.
    pub naming: Naming,
    pub attributes: Arc<Attributes>,
    /// How the destination folder tells names apart.
    pub names: NameRule,
    pub fate: Fate,
    pub sides: Sides,
    pub keys: CustomerKeys,
}

/// Plans a job for each row, on a thread that may block. A bad row is refused by its line, and the
/// others go on.
pub fn plan(mut planner: Planner, rows: Rows, common: &Common) -> Plan {
    for row in rows {
        let handed_over = match row {
            Ok(row) => plan_row(&mut planner, &row, common),
            Err(problem) => planner.refuse_blocking(problem_row(&problem)),
        };
        if handed_over == Err(Closed) {
            break;
        }
    }
    planner.finish()
}

/// Whether a row may write to what another one reads.
pub fn may_chain(common: &Common) -> bool {
    let is_copied = matches!(common.direction, Direction::Between | Direction::ByRow);
    is_copied && common.sides == Sides::OneStore
}

/// The first row that reads what one before it writes to.
pub fn first_chained(rows: Rows, common: &Common, memory: u64) -> Option<Refused> {
    let (planner, _jobs) = Planner::with_names(Arc::default(), memory, common.names);
    // Two that move one object are no such rows: the second finds it gone, and nothing is lost.
    let mut planner = planner.with_fate(Fate::Kept).between(common.sides);
    rows.flatten().find_map(|row| {
        let task = task_of(&row, common).ok().flatten()?;
        let refused = planner.admit(Some(row.line), task.clone())?.err()?;
        (!planner.may_read(Some(row.line), &task)).then_some(refused)
    })
}

/// The first row that would be refused, and how many would be.
pub fn first_refusal(rows: Rows, common: &Common, memory: u64) -> Option<(Refused, u64)> {
    let (planner, _jobs) = Planner::with_names(Arc::default(), memory, common.names);
    let mut planner = planner.with_fate(common.fate).between(common.sides);
    let mut first = None;
    let mut count = 0;
    for row in rows {
        let refused = match row {
            Ok(row) => match task_of(&row, common) {
                Ok(Some(task)) => planner.admit(Some(row.line), task).and_then(Result::err),
                Ok(None) => None,
                Err(refused) => Some(refused),
            },
            Err(problem) => Some(problem_row(&problem)),
        };
        if let Some(refused) = refused {
            count += 1;
            first.get_or_insert(refused);
        }
    }
    first.map(|first| (first, count))
}

/// Holds a manifest's rows against a journal: whether it is of them, and not of others.
pub fn check(rows: Rows, common: &Common, journal: &Journal) -> Result<(), JournalError> {
    let mut check = journal.check_rows();
    for row in rows {
        match row {
            Ok(row) => {
                if let Ok(Some(task)) = task_of(&row, common) {
                    check.row(row.line, &task)?;
                }
            }
            Err(Problem::Row(_)) => {}
            // The run itself will say so; what lies behind it nobody knows.
            Err(Problem::Fatal(_)) => return Ok(()),
        }
    }
    check.finish()
}

fn plan_row(planner: &mut Planner, row: &Row, common: &Common) -> Result<(), Closed> {
    match task_of(row, common) {
        Ok(Some(task)) => planner.submit_blocking(Some(row.line), task),
        Ok(None) => Ok(()),
        Err(refused) => planner.refuse_blocking(refused),
    }
}

/// What a row that is no job is called.
fn name_of(row: &Row) -> String {
    let name = row.source.as_ref().or(row.key.as_ref()).or(row.path.as_ref());
    without_signature(name.map(String::as_str).unwrap_or_default()).to_owned()
}

/// What can't be read as a row.
fn problem_row(problem: &Problem) -> Refused {
    match problem {
        Problem::Row(error) => bad_row(error.line, String::new(), &error.reason),
        Problem::Fatal(error) => {
            let reason = crate::transfer::error::chain(error);
            let cause = "the manifest cannot be read to its end";
            Refused::new("the manifest", cause, reason)
        }
    }
}

/// Whoever tells of it adds the line.
fn bad_row(line: u64, name: String, reason: &str) -> Refused {
    let reason = format!("bad row: {reason}");
    Refused { line: Some(line), ..Refused::new(name, "bad row", reason) }
}

/// What a row asks for; `None` when the filters leave it out.
fn task_of(row: &Row, common: &Common) -> Result<Option<Task>, Refused> {
    let task = asked_for(row, common);
    let task = task.map_err(|reason| bad_row(row.line, name_of(row), &reason))?;
    if let Some(Task::MakeFolder { marker, expected: Some(expected), .. }) = &task
        && let Some(size) = expected.size.filter(|size| *size > 0)
    {
        return Err(Refused { line: Some(row.line), ..full_marker(marker, size) });
    }
    Ok(task)
}

fn asked_for(row: &Row, common: &Common) -> Result<Option<Task>, String> {
    match direction(row, common.direction)? {
        Direction::Up => upload_of(row, common),
        Direction::Between => copy_of(row, common),
        Direction::Compared(unproven) => comparison_of(row, common, unproven),
        Direction::Down | Direction::ByRow => download_of(row, common),
    }
}

/// What the filters say of a row, whose name they see.
fn admits(common: &Common, name: &str, row: &Row) -> Result<bool, String> {
    let Sieve { names, bounds } = &common.sieve;
    if !names.admits(name) {
        return Ok(false);
    }
    if bounds.ask_for_size() && row.size.is_none() {
        return Err("it says no size, which --min-size and --max-size go by".to_owned());
    }
    Ok(bounds.admit(row.size, None))
}

fn copy_of(row: &Row, common: &Common) -> Result<Option<Task>, String> {
    let (mut source, relative) = remote_source(row, common.bases.remote.as_ref())?;
    source.version = row.version_id.as_deref().map(Into::into);
    if !admits(common, &relative, row)? {
        return Ok(None);
    }
    let object = copied_to(row, (&source, &relative), common.bases.target.as_ref())?;
    let attributes = attributes(row, &common.attributes);
    let expected = expected(row)?;
    let (size, etag, last_modified) = (expected.size, None, None);
    let copy = ObjectCopy { source, size, etag, last_modified, object, attributes, expected };
    let changes_nothing = common.fate == Fate::Removed
        || copy.source.version.is_none()
            && *copy.attributes == Attributes::default()
            && common.keys == CustomerKeys::Same;
    if copy.is_in_place() && changes_nothing && common.sides == Sides::OneStore {
        return Err(format!("{} is where it is to go already", copy.object));
    }
    Ok(Some(Task::Copy(Box::new(copy))))
}

/// Of two objects. Where one side is local, the row is taken for the transfer that it would be.
fn comparison_of(row: &Row, common: &Common, unproven: Unproven) -> Result<Option<Task>, String> {
    let (mut source, relative) = remote_source(row, common.bases.remote.as_ref())?;
    source.version = row.version_id.as_deref().map(Into::into);
    if !admits(common, &relative, row)? {
        return Ok(None);
    }
    let uri = S3Uri::parse(row.destination.as_deref().unwrap_or_default());
    let uri = uri.map_err(|error| error.to_string())?;
    let name = if uri.is_prefix() { source.key.file_name() } else { "" };
    let destination = below(&uri.bucket, &uri.rest, name).map_err(|error| error.to_string())?;
    let expected = expected(row)?;
    if expected.checksum.is_some() {
        return Err("a checksum can be compared with a file only".to_owned());
    }
    Ok(Some(Task::Compare(Box::new(Compare {
        source: Place::Object(source),
        destination: Place::Object(destination),
        size: row.size,
        presence: Presence::Open,
        expected,
        unproven,
    }))))
}

fn direction(row: &Row, direction: Direction) -> Result<Direction, String> {
    if matches!(direction, Direction::Down | Direction::Up | Direction::Between) {
        return Ok(direction);
    }
    let is_compared = matches!(direction, Direction::Compared(_));
    let is_remote =
        |text: &Option<String>| text.as_deref().map(|text| text.starts_with(S3Uri::SCHEME));
    match (is_remote(&row.source), is_remote(&row.destination)) {
        (Some(true), Some(true)) if is_compared => Ok(direction),
        (Some(true), Some(true)) => Ok(Direction::Between),
        (Some(true), _) => Ok(Direction::Down),
        (_, Some(true)) => Ok(Direction::Up),
        (Some(false), Some(false)) => Err("neither side is an S3 URI".to_owned()),
        _ if is_compared => {
            Err("it does not say which side is S3; give both bases, the source's first".to_owned())
        }
        _ => {
            Err("it does not say which side is S3; use `haul download` or `haul upload`".to_owned())
        }
    }
}

fn download_of(row: &Row, common: &Common) -> Result<Option<Task>, String> {
    let (mut object, relative) = remote_source(row, common.bases.remote.as_ref())?;
    object.version = row.version_id.as_deref().map(Into::into);
    let given = row.destination.as_deref().or(row.path.as_deref());
    let path = match given {
        None => called(common.naming, &relative)?,
        Some(text) if text.starts_with(S3Uri::SCHEME) => {
            return Err("the destination of a download is a path".to_owned());
        }
        Some(text) if text.ends_with('/') => {
            format!("{text}{}", called(common.naming, object.key.file_name())?)
        }
        Some(text) => text.to_owned(),
    };
    if !admits(common, &relative, row)? {
        return Ok(None);
    }
    let expected = expected(row)?;
    let path = match path.strip_prefix('/') {
        Some(path) if common.bases.is_root() => path,
        Some(_) if given.is_some() => {
            return Err(format!(
                "`{}` is absolute; absolute paths need the destination /",
                Escaped(&path)
            ));
        }
        _ => path.as_str(),
    };
    if object.key.is_folder_marker() && path.ends_with('/') {
        let base = common.bases.remote.as_ref();
        let is_full = expected.size.is_some_and(|size| size > 0);
        if given.is_none() && !is_full && base.is_some_and(|base| base.is_of(&object)) {
            // The folder that all the others are below.
            return Ok(None);
        }
        let folder = RelativePath::new(path).map_err(|error| error.to_string())?;
        return Ok(Some(Task::MakeFolder { marker: object, folder, expected: Some(expected) }));
    }
    let target = LocalTarget::Below(RelativePath::new(path).map_err(|error| error.to_string())?);
    Ok(Some(Task::Download(Download {
        object,
        size: expected.size,
        etag: None,
        last_modified: None,
        target,
        expected,
    })))
}

/// The path of a key's file. A folder's marker keeps its slash.
fn called(naming: Naming, key: &str) -> Result<String, String> {
    if naming == Naming::Verbatim || key.is_empty() {
        return Ok(key.to_owned());
    }
    let path = naming.folder(key).map_err(|error| error.to_string())?;
    let slash = if key.ends_with('/') { "/" } else { "" };
    Ok(format!("{}{slash}", path.as_str()))
}

fn upload_of(row: &Row, common: &Common) -> Result<Option<Task>, String> {
    let text = row.source.as_deref().or(row.path.as_deref());
    // In a list of names alone, a lone key is the path.
    let text =
        text.or(row.key.as_deref().filter(|_| row.bucket.is_none() && row.destination.is_none()));
    let text = text.ok_or("it has no source")?;
    let Ok(Location::Local(path)) = Location::parse(text) else {
        return Err(format!("`{}` is no local file", Escaped(without_signature(text))));
    };
    if !admits(common, text, row)? {
        return Ok(None);
    }
    check_source(&path, &common.bases)?;
    if row.etag.is_some() && !is_of_the_object(common) {
        return Err("an etag is the object's, and this row makes one: it can't hold".to_owned());
    }
    let object = remote_destination(row, text, (common.bases.remote.as_ref(), common.naming))?;
    let path = common.bases.local.join(path);
    Ok(Some(Task::Upload(Upload {
        source: LocalSource::File { path, size: row.size, below: None },
        object,
        attributes: attributes(row, &common.attributes),
        expected: expected(row)?,
    })))
}

/// Whether the object that an upload's row names is there already: it is compared, or a journal says
/// what an earlier run made.
fn is_of_the_object(common: &Common) -> bool {
    matches!(common.direction, Direction::Compared(_))
        || common.bases.sources == SourcePaths::Anywhere
}

/// A row takes no file from outside the base.
fn check_source(path: &Path, bases: &Bases) -> Result<(), String> {
    if bases.sources == SourcePaths::Anywhere || bases.is_root() {
        return Ok(());
    }
    let shown = path.to_string_lossy();
    for component in path.components() {
        match component {
            Component::Normal(_) | Component::CurDir => {}
            Component::ParentDir => {
                return Err(format!(
                    "`{}` has a `..` in it: it could leave the base",
                    Escaped(&shown)
                ));
            }
            Component::RootDir | Component::Prefix(_) => {
                return Err(format!(
                    "`{}` is absolute; absolute paths need the base /",
                    Escaped(&shown)
                ));
            }
        }
    }
    Ok(())
}

fn expected(row: &Row) -> Result<Expected, String> {
    let checksum = row.checksum.as_deref().map(str::parse).transpose();
    Ok(Expected {
        size: row.size,
        etag: row.etag.as_deref().map(ETag::new),
        checksum: checksum
            .map_err(|error: crate::domain::checksum::ChecksumError| error.to_string())?,
    })
}

/// The command's attributes, with those of the row on top.
fn attributes(row: &Row, common: &Arc<Attributes>) -> Arc<Attributes> {
    if row.content_type.is_none() && row.storage_class.is_none() && row.metadata.is_empty() {
        return Arc::clone(common);
    }
    let mut attributes = Attributes::clone(common);
    attributes.content_type = row.content_type.clone().or(attributes.content_type);
    attributes.storage_class = row.storage_class.clone().or(attributes.storage_class);
    attributes.metadata.retain(|(name, _)| {
        !row.metadata.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    });
    attributes.metadata.extend(row.metadata.iter().cloned());
    Arc::new(attributes)
}
