//! From S3 to S3, for `haul cp` and `haul mv`.

use std::path::PathBuf;
use std::sync::Arc;

use super::download::{location, tell_plan};
use super::error::CommandError;
use super::journal::{self, Meaning, exact};
use super::manifest;
use super::options::{
    Archives, Attributes, Copies, LiteralKeys, OneVersion, Transfer, name_version,
};
use super::session::{KeyIs, Manner, Session};
use super::upload::check_part_size;
use crate::domain::job::Fate;
use crate::domain::location::{Location, ObjectName, S3Uri};
use crate::jobs::copies::{self, Common, Senseless};
use crate::jobs::downloads::{Keys, Source, hint_for_missing};
use crate::jobs::guard::NameRule;
use crate::jobs::manifested::{self, Bases, Direction};
use crate::jobs::planner::{CustomerKeys, Planner, Sides};
use crate::jobs::uploads::Target;
use crate::storage::s3::Payload;
use crate::transfer::context::{Context, FileTimes, Scope};
use crate::transfer::outcome::Summary;

/// Objects to objects.
pub(super) struct Copying<'a> {
    pub(super) paths: &'a [PathBuf],
    pub(super) transfer: &'a Transfer,
    pub(super) literal: LiteralKeys,
    pub(super) version: &'a OneVersion,
    pub(super) archives: Archives,
    pub(super) attributes: &'a Attributes,
    pub(super) copies: &'a Copies,
    pub(super) payload: Payload,
    pub(super) fate: Fate,
}

/// Whether the objects that are read may be those that are written.
pub(super) fn sides(context: &Context) -> Sides {
    if context.is_one_store() { Sides::OneStore } else { Sides::TwoStores }
}

/// Whether what is written is encrypted as what is read is, as far as customers' keys go.
pub(super) fn keys(context: &Context) -> CustomerKeys {
    let is_same = context.source.key_digest() == context.store.key_digest();
    if is_same { CustomerKeys::Same } else { CustomerKeys::Different }
}

impl Copying<'_> {
    pub(super) async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        let (sources, destination) = self.places()?;
        let is_one = sources.iter().all(|source| *source.bucket() == destination.bucket);
        let scope = if is_one { Scope::OneBucket } else { Scope::ManyBuckets };
        let context = self.context(session, scope).await?;
        let only = match sources.as_slice() {
            [Source::Object(object)] if object.version.is_none() => Some(object.clone()),
            _ => None,
        };
        let common = self.common((sources, &destination), sides(&context), keys(&context))?;
        journal::open(&context, &self.transfer.jobs, self.meaning(&common, &destination)).await?;
        let (gauge, memory) = (Arc::clone(&session.gauge), context.plan_memory() / 4);
        let (planner, jobs) = Planner::new(gauge, memory);
        let planner = planner.with_fate(self.fate).between(common.sides);
        let planning = tokio::spawn(copies::plan(Arc::clone(&context), planner, common));
        let purpose = self.transfer.jobs.purpose();
        let mut summary = session.run(Arc::clone(&context), jobs, purpose).await;
        if let Some(plan) = session.planned(planning, &mut summary).await {
            tell_plan(session, plan).await;
        }
        self.hint(session, &context, only.as_ref(), &summary).await;
        Ok(summary)
    }

    /// What shows of copies from what was typed alone.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        let (sources, destination) = self.places()?;
        let is_one = !self.copies.names_a_source();
        let sides = if is_one { Sides::OneStore } else { Sides::TwoStores };
        let has_key = self.transfer.connection.has_customer_key();
        let keys = if has_key { CustomerKeys::Different } else { CustomerKeys::Same };
        self.common((sources, &destination), sides, keys).map(drop)
    }

    fn common(
        &self,
        (sources, destination): (Vec<Source>, &S3Uri),
        sides: Sides,
        keys: CustomerKeys,
    ) -> Result<Common, CommandError> {
        let is_many = sources.len() > 1 || sources.iter().any(Source::is_many);
        let target = Target::new(destination.clone()).map_err(CommandError::usage)?;
        if is_many && let Target::Object(object) = &target {
            let text = format!("many objects can't become the one object {object}");
            let hint = format!("end it with a slash to mean a prefix: {object}/");
            return Err(CommandError::misuse(text).hint(hint));
        }
        let common = Common {
            sources,
            target,
            selection: self.transfer.selection.resolve()?,
            attributes: Arc::new(self.attributes.resolve()?),
            fate: self.fate,
            sides,
            keys,
        };
        common.check().map_err(senseless)?;
        Ok(common)
    }

    /// The rows of a manifest, its keys below one prefix, their copies below another.
    pub(super) async fn run_manifest(
        &self,
        session: &Session,
        name: &str,
    ) -> Result<Summary, CommandError> {
        let [base, target] = self.paths else {
            return Err(CommandError::misuse("rows have two bases at most, the source's first"));
        };
        let base_of = |path| Ok::<_, CommandError>(manifest::bases(std::slice::from_ref(path))?.0);
        let (remote, target) = (base_of(base)?, base_of(target)?);
        let context = self.context(session, Scope::ManyBuckets).await?;
        let selection = self.transfer.selection.resolve()?;
        let common = manifested::Common {
            direction: Direction::Between,
            bases: Bases {
                remote,
                target,
                local: PathBuf::new(),
                sources: manifest::sources(&self.transfer.jobs, name),
            },
            sieve: selection.sieve,
            naming: selection.naming,
            attributes: Arc::new(self.attributes.resolve()?),
            names: NameRule::of_system(),
            fate: self.fate,
            sides: sides(&context),
            keys: keys(&context),
        };
        manifest::run(session, context, (self.transfer, name), common).await
    }

    async fn context(&self, session: &Session, scope: Scope) -> Result<Arc<Context>, CommandError> {
        let manner = Manner {
            transfer: self.transfer,
            payload: self.payload,
            file_times: FileTimes::Now,
            scope,
            copies: Some((self.copies, KeyIs::OfWritten)),
        };
        let mut context = session.context(&manner).await?;
        context.skips_archived = self.archives.skip_archived;
        check_part_size(context.limits.part_size)?;
        Ok(Arc::new(context))
    }

    /// What was typed, as sources and a destination.
    fn places(&self) -> Result<(Vec<Source>, S3Uri), CommandError> {
        let mut places = Vec::new();
        for path in self.paths {
            match location(path)? {
                Location::S3(uri) => places.push(uri),
                other => {
                    let text = format!("`{other}` is no S3 URI, and all others are");
                    return Err(CommandError::misuse(text));
                }
            }
        }
        let destination = places.pop().ok_or_else(|| CommandError::misuse("nothing is named"))?;
        let sources = places.into_iter().map(|uri| Source::new(uri, self.literal.keys()));
        let mut sources = sources.collect::<Result<Vec<_>, _>>().map_err(CommandError::usage)?;
        name_version(self.version.id(), sources.iter_mut().map(Source::object_mut))?;
        Ok((sources, destination))
    }

    /// What was typed, for a journal.
    fn meaning(&self, common: &Common, destination: &S3Uri) -> Meaning {
        let sources = common.sources.iter().map(|source| match source {
            Source::Object(object) => object.uri(),
            Source::Prefix(uri) | Source::Matching { uri, .. } => exact(uri),
        });
        let mut options = self.transfer.selection.described();
        if self.literal.keys() == Keys::Raw {
            options.push("--raw".to_owned());
        }
        options.extend(self.version.described());
        let verb = if self.fate == Fate::Removed { "mv" } else { "cp" };
        let (sources, destination) = (sources.collect(), exact(destination));
        Meaning { verb, sources, destination, options, ..Meaning::default() }
    }

    /// What a person may have meant where the only source is not there.
    async fn hint(
        &self,
        session: &Session,
        context: &Context,
        only: Option<&ObjectName>,
        summary: &Summary,
    ) {
        let Some(object) = only.filter(|_| summary.missing > 0) else { return };
        if !context.cancel.is_draining()
            && let Some(hint) = hint_for_missing(context, object).await
        {
            session.notice(hint).await;
        }
    }
}

fn senseless(error: Senseless) -> CommandError {
    let hint = match &error {
        Senseless::OntoItself(_) => {
            "give what is to change, such as --storage-class or --metadata, or another destination"
        }
        Senseless::IntoItself { .. } => {
            "leave the destination out with --exclude, or choose another one"
        }
    };
    CommandError::usage(error).hint(hint)
}
