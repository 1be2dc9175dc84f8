//! Plans a sync: joins the two sides, hands over what is to be moved, and remembers what only the
//! destination has.
//!
//! Invariant 3 (nothing is removed on incomplete knowledge) begins here: a plan is `Whole` only if
//! both sides were read to their end, in order, and every name found its place. A side that turns
//! out not to be in order is read once more, and sorted here; what was handed over by then is known
//! to the planner, and not done twice.

use std::collections::HashSet;
use std::sync::Arc;

use super::entry::{Entry, EntryKind};
use super::extras::{Extra, Extras};
use super::in_the_way::{Below, Held, InTheWay};
use super::join::{Join, Step, Which};
use super::later::Later;
use super::pairing::{Pairing, Wanted, is_folder};
use super::rule::{Decision, decide};
use super::sides::{Ending, Item, Order, Other, Reading, Side, no_room};
use super::task;
use crate::domain::escape::Escaped;
use crate::domain::job::Refused;
use crate::domain::naming::Naming;
use crate::jobs::comparisons::Tree;
use crate::jobs::guard::{Admission, Destination, Guard, NameRule};
use crate::jobs::listed::nothing_found;
use crate::jobs::planner::{Closed, Planner};
use crate::jobs::uploads::LeftOut;
use crate::transfer::context::Context;

/// What a plan came to.
#[derive(Debug)]
pub struct Plan {
    /// Names that both sides have, and that need nothing.
    pub equal: u64,
    /// Names at the destination that are meant by the command.
    pub there: u64,
    pub extras: Extras,
    /// What comes when they have gone, and not before: they are in its way.
    pub later: Later,
    pub knowledge: Knowledge,
    pub left_out: Vec<LeftOut>,
    /// What is worth saying.
    pub notices: Vec<String>,
}

/// How far both sides are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    Whole,
    /// Something of a side could not be read: nothing may be called extra.
    Cut,
}

/// What is remembered as left out; more is only more of it.
const MOST_LEFT_OUT: usize = 20;
/// So many refusals are not told again when a side is read once more.
const MOST_REFUSED: usize = 10_000;
/// Directory buckets list in no order; their names end in this.
const DIRECTORY_BUCKET: &str = "--x-s3";

/// Plans all jobs.
pub async fn plan(context: Arc<Context>, mut planner: Planner, pairing: Pairing) -> Plan {
    let sorted = Order::Sorted { room: room(&context) };
    let first = |tree: &Tree| match tree {
        Tree::Objects { uri, .. } if uri.bucket.as_str().ends_with(DIRECTORY_BUCKET) => sorted,
        // Read as keys, names that are written otherwise come out of order.
        Tree::Files { naming: Naming::Encoded, .. } => sorted,
        Tree::Objects { .. } | Tree::Files { .. } => Order::AsListed,
    };
    let (mut source, mut destination) = (first(&pairing.source), first(&pairing.destination));
    let (mut refused, mut notices) = (HashSet::new(), Vec::new());
    let mut later = Later::default();
    let mut plan = loop {
        let mut pass = Pass::new(&context, &pairing, (source, destination), refused);
        pass.plan.later = later;
        match pass.run(&mut planner).await {
            Ok(Ended::Met) => break pass.finish(),
            Err(Closed) => {
                pass.plan.knowledge = Knowledge::Cut;
                break pass.plan;
            }
            Ok(Ended::Disorder(which)) => {
                let (order, tree) = match which {
                    Which::Source => (&mut source, &pairing.source),
                    Which::Destination => (&mut destination, &pairing.destination),
                };
                *order = sorted;
                notices.push(not_in_order(tree));
                refused = pass.refused;
                // The planner takes it for handed over.
                later = pass.plan.later;
            }
        }
    };
    plan.notices.extend(notices.into_iter().chain(planner.finish().altered.told()));
    plan
}

/// Memory for names that are sorted here, of each side.
fn room(context: &Context) -> usize {
    usize::try_from(context.plan_memory() / 16).unwrap_or(usize::MAX)
}

fn not_in_order(tree: &Tree) -> String {
    let name = match tree {
        Tree::Objects { uri, .. } => uri.to_string(),
        Tree::Files { root, .. } => Escaped(&root.to_string_lossy()).to_string(),
    };
    format!("names in {name} do not come in order, and were sorted here")
}

/// One time through both sides.
struct Pass<'a> {
    pairing: &'a Pairing,
    source: Side,
    destination: Side,
    plan: Plan,
    /// Names of what was refused, in this pass or one before.
    refused: HashSet<String>,
    /// Folders of the source that are on the way to the name that is met now: none of them goes
    /// though it may become empty.
    markers: Vec<String>,
    /// What the source's own side calls its last name, where that is another.
    last_own: Option<String>,
    /// Where the file system takes different names for one: all names of the source.
    known: Option<Guard>,
    /// Where something may have to go before something else comes.
    way: Option<InTheWay>,
}

enum Next {
    Entry(Entry),
    End,
    Torn,
    Disorder,
}

enum Ended {
    Met,
    Disorder(Which),
}

impl<'a> Pass<'a> {
    fn new(
        context: &Arc<Context>,
        pairing: &'a Pairing,
        (source, destination): (Order, Order),
        refused: HashSet<String>,
    ) -> Self {
        let other = |tree: &Tree| match tree {
            Tree::Objects { .. } => Other::Objects,
            Tree::Files { naming, .. } => Other::Files(*naming),
        };
        let side = |which, order| {
            let (tree, other) = match which {
                Which::Source => (&pairing.source, other(&pairing.destination)),
                Which::Destination => (&pairing.destination, other(&pairing.source)),
            };
            let (tree, filter) = (tree.clone(), pairing.filter.clone());
            Side::open(context, Reading { tree, which, other, order, filter })
        };
        let may_go =
            pairing.extras == Wanted::Yes && matches!(pairing.destination, Tree::Files { .. });
        let is_known = may_go && pairing.names != NameRule::Exact;
        // One name may be another's folder by a spelling that is not met here.
        let clears_way = may_go && !is_known && pairing.clears_way == Wanted::Yes;
        Self {
            pairing,
            source: side(Which::Source, source),
            destination: side(Which::Destination, destination),
            plan: Plan {
                equal: 0,
                there: 0,
                extras: Extras::default(),
                later: Later::default(),
                knowledge: Knowledge::Whole,
                left_out: Vec::new(),
                notices: Vec::new(),
            },
            refused,
            markers: Vec::new(),
            last_own: None,
            known: is_known.then(|| Guard::new(room(context), pairing.names)),
            way: clears_way.then(InTheWay::default),
        }
    }

    async fn run(&mut self, planner: &mut Planner) -> Result<Ended, Closed> {
        let mut join = Join::default();
        loop {
            match join.step() {
                Step::Need(which) => match self.next(planner, which).await? {
                    Next::Entry(entry) => join.push(which, Some(entry)),
                    Next::End => join.push(which, None),
                    Next::Disorder => return Ok(Ended::Disorder(which)),
                    // What is behind would be taken for missing, and all of it be transferred.
                    Next::Torn => return self.met(planner).await,
                },
                Step::Both(source, destination) => {
                    self.comes_to(planner, Which::Source, &source.name).await?;
                    self.know(planner, &source).await?;
                    self.both(planner, source, destination).await?;
                }
                Step::OnlySource(source) => {
                    self.comes_to(planner, Which::Source, &source.name).await?;
                    self.know(planner, &source).await?;
                    self.only_source(planner, source).await?;
                }
                Step::OnlyDestination(entry) => {
                    self.comes_to(planner, Which::Destination, &entry.name).await?;
                    self.only_destination(planner, entry).await?;
                }
                Step::Again(Which::Source, source) => self.again(planner, source).await?,
                // Listed twice: it was met.
                Step::Again(Which::Destination, _) => {}
                Step::Disorder(which) => return Ok(Ended::Disorder(which)),
                Step::End => return self.met(planner).await,
            }
        }
    }

    /// What comes next of a side, and may be met.
    async fn next(&mut self, planner: &mut Planner, which: Which) -> Result<Next, Closed> {
        loop {
            let side = match which {
                Which::Source => &mut self.source,
                Which::Destination => &mut self.destination,
            };
            match side.next().await {
                Item::Entry(entry) => return Ok(Next::Entry(entry)),
                Item::Disorder => return Ok(Next::Disorder),
                Item::Refused(refused) => self.refuse(planner, refused).await?,
                Item::LeftOut(left_out) => {
                    if self.plan.left_out.len() < MOST_LEFT_OUT {
                        self.plan.left_out.push(left_out);
                    }
                }
                Item::Stopped => return Err(Closed),
                Item::End(ending) => {
                    self.end(planner, which, ending).await?;
                    return Ok(if ending.is_torn { Next::Torn } else { Next::End });
                }
            }
        }
    }

    async fn end(
        &mut self,
        planner: &mut Planner,
        which: Which,
        ending: Ending,
    ) -> Result<(), Closed> {
        if !ending.is_whole {
            self.plan.knowledge = Knowledge::Cut;
        }
        match &self.pairing.source {
            // Mistyped, most likely: then all there is on the other side would be extra.
            Tree::Objects { uri, .. }
                if which == Which::Source
                    && ending.is_whole
                    && !ending.any
                    && !uri.rest.is_empty() =>
            {
                self.refuse(planner, nothing_found(uri)).await
            }
            _ => Ok(()),
        }
    }

    /// What is refused has no place in the other side: nothing there may be called extra.
    async fn refuse(&mut self, planner: &mut Planner, refused: Refused) -> Result<(), Closed> {
        self.plan.knowledge = Knowledge::Cut;
        let is_new =
            self.refused.len() >= MOST_REFUSED || self.refused.insert(refused.name.clone());
        if is_new { planner.refuse(refused).await } else { Ok(()) }
    }

    /// Remembers a name of the source, whatever the filters say of it.
    async fn know(&mut self, planner: &mut Planner, source: &Entry) -> Result<(), Closed> {
        if source.kind == EntryKind::Marker {
            self.leave_folders(&source.name);
            self.markers.push(source.name.clone());
        }
        self.last_own.clone_from(&source.own);
        let Some(known) = &mut self.known else { return Ok(()) };
        let place = match source.kind {
            EntryKind::Marker => Destination::Folder(&source.name),
            EntryKind::Content | EntryKind::Other => Destination::File(&source.name),
        };
        match known.admit(place, b"source") {
            Ok(_) => Ok(()),
            Err(error) => {
                let reason = crate::transfer::error::chain(&error);
                let cause = "the plan could not be checked";
                self.refuse(planner, Refused::new("", cause, reason)).await
            }
        }
    }

    /// Takes the folders off the way that a name is not in.
    fn leave_folders(&mut self, name: &str) {
        while self.markers.last().is_some_and(|folder| !name.starts_with(folder.as_str())) {
            self.markers.pop();
        }
    }

    async fn both(
        &mut self,
        planner: &mut Planner,
        source: Entry,
        destination: Entry,
    ) -> Result<(), Closed> {
        self.plan.there += u64::from(self.pairing.is_meant(&destination));
        if !self.pairing.is_wanted(&source) || source.kind == EntryKind::Other {
            return Ok(());
        }
        let decision = match destination.kind {
            EntryKind::Other => Decision::Transfer,
            EntryKind::Content | EntryKind::Marker => {
                let one_second = self.pairing.one_second(&source);
                decide(self.pairing.by, &source, &destination, one_second)
            }
        };
        match decision {
            Decision::Equal => {
                self.plan.equal += 1;
                Ok(())
            }
            Decision::Transfer => self.submit(planner, &source, Doubt::None).await,
            Decision::TransferUnlessSame => self.submit(planner, &source, Doubt::Compare).await,
        }
    }

    async fn only_source(&mut self, planner: &mut Planner, source: Entry) -> Result<(), Closed> {
        if !self.pairing.is_wanted(&source) || source.kind == EntryKind::Other {
            return Ok(());
        }
        // A walk names no folders.
        if source.kind == EntryKind::Marker && is_folder(&self.pairing.destination, &source.name) {
            self.plan.equal += 1;
            return Ok(());
        }
        match &mut self.way {
            Some(way) if way.is_below_file(&source.name) => {
                self.leave_for_later(planner, &source).await
            }
            Some(way) if source.kind == EntryKind::Content => {
                way.hold(source);
                Ok(())
            }
            _ => self.submit(planner, &source, Doubt::None).await,
        }
    }

    async fn only_destination(
        &mut self,
        planner: &mut Planner,
        entry: Entry,
    ) -> Result<(), Closed> {
        let is_meant = self.pairing.is_meant(&entry);
        self.plan.there += u64::from(is_meant);
        let is_known = self.plan.knowledge == Knowledge::Whole;
        if !is_meant || self.pairing.extras == Wanted::No || !is_known {
            if let Some(way) = &mut self.way {
                way.other(&entry.name);
            }
            return Ok(());
        }
        if let Some(way) = &mut self.way {
            way.extra(&entry.name);
        }
        self.leave_folders(&entry.name);
        let kept = self.markers.last().map_or(0, String::len);
        let extra = Extra::of(entry, kept, &self.pairing.destination);
        match self.plan.extras.push(&extra) {
            Ok(()) => Ok(()),
            Err(error) => self.refuse(planner, no_room(&error)).await,
        }
    }

    /// Two keys that are one file: the later one is refused.
    async fn again(&mut self, planner: &mut Planner, source: Entry) -> Result<(), Closed> {
        if source.own == self.last_own || !self.pairing.is_wanted(&source) {
            return Ok(());
        }
        let place = self.pairing.source.place(source.own());
        let own = place.map_or_else(|_| source.own().to_owned(), |place| place.exact());
        let name = Escaped(&source.name);
        let reason =
            format!("could not write {name}: another key is the same file as {}", Escaped(&own));
        let cause = "two jobs with one destination";
        self.refuse(planner, Refused::new(own, cause, reason)).await
    }

    async fn submit(
        &mut self,
        planner: &mut Planner,
        source: &Entry,
        doubt: Doubt,
    ) -> Result<(), Closed> {
        let job = task::task(self.pairing, source).and_then(|task| {
            let pair = match doubt {
                Doubt::None => None,
                Doubt::Compare => Some(Box::new(task::pair(self.pairing, source)?)),
            };
            Ok((task, pair))
        });
        match job {
            Ok((task, pair)) => {
                planner.tell_altered(source.own.as_deref(), &source.name);
                planner.submit_unless_same(task, pair).await
            }
            Err(reason) => self.refuse(planner, task::impossible(source.own(), &reason)).await,
        }
    }

    /// Both sides are behind all names before this one: what was held of those is decided.
    async fn comes_to(
        &mut self,
        planner: &mut Planner,
        which: Which,
        name: &str,
    ) -> Result<(), Closed> {
        let Some(way) = &mut self.way else { return Ok(()) };
        let held = way.behind(Some((which, name)));
        self.decide_held(planner, held).await
    }

    /// The end of the join.
    async fn met(&mut self, planner: &mut Planner) -> Result<Ended, Closed> {
        let held = self.way.as_mut().map(|way| way.behind(None)).unwrap_or_default();
        self.decide_held(planner, held).await?;
        Ok(Ended::Met)
    }

    async fn decide_held(&mut self, planner: &mut Planner, held: Vec<Held>) -> Result<(), Closed> {
        for Held { entry, below } in held {
            match below {
                Below::Extras => self.leave_for_later(planner, &entry).await?,
                Below::Nothing | Below::More => self.submit(planner, &entry, Doubt::None).await?,
            }
        }
        Ok(())
    }

    /// What is in its way is extra, and has to go first.
    async fn leave_for_later(
        &mut self,
        planner: &mut Planner,
        source: &Entry,
    ) -> Result<(), Closed> {
        match task::task(self.pairing, source) {
            Ok(task) => planner.leave_for_later(&task).await?,
            Err(reason) => {
                return self.refuse(planner, task::impossible(source.own(), &reason)).await;
            }
        }
        match self.plan.later.push(source) {
            Ok(()) => Ok(()),
            Err(error) => self.refuse(planner, no_room(&error)).await,
        }
    }

    /// What was found, without what the file system takes for a name of the source.
    fn finish(self) -> Plan {
        let Self { mut plan, known, .. } = self;
        if plan.knowledge == Knowledge::Cut {
            plan.extras = Extras::default();
        } else if let Some(mut known) = known {
            let extras = std::mem::take(&mut plan.extras);
            match distinct(extras, &mut known) {
                Some(extras) => plan.extras = extras,
                None => plan.knowledge = Knowledge::Cut,
            }
        }
        plan
    }
}

/// Whether the listings leave a doubt that content can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    Compare,
}

/// Those that the file system does not take for something of the source; `None` if it can't be
/// told.
fn distinct(mut extras: Extras, known: &mut Guard) -> Option<Extras> {
    let mut left = Extras::default();
    for extra in extras.read().ok()? {
        let extra = extra.ok()?;
        match known.admit(Destination::File(&extra.name), extra.name.as_bytes()).ok()? {
            Admission::Fresh => left.push(&extra).ok()?,
            Admission::Duplicate | Admission::Refused(_) => {}
        }
    }
    Some(left)
}
