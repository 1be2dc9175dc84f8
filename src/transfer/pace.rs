//! How many requests of one kind are worth having in flight. Pure: a state machine that is told how
//! much was moved, and when.
//!
//! It tries more, and keeps them where they pay: by leaps at first, for the right number may be four
//! or a thousand, and nobody knows; then now and then a few more, or a few less. It must draw no
//! conclusion from a time in which the run did not use what it was allowed: more would not have
//! helped.

use std::time::Duration;

/// A request is as much work as so many bytes, whatever it carries. Little: bytes come evenly, but
/// requests that began together end together.
const REQUEST: f64 = 8192.0;
/// So many bytes of each request, or its end, are enough to see.
const ENOUGH: f64 = 65_536.0;
/// The shortest look at a level: of the leaps at the start, and later.
const SHORT_LOOK: Duration = Duration::from_millis(15);
const LONG_LOOK: Duration = Duration::from_millis(100);
/// A look that saw hardly anything goes on for so many times its length.
const PATIENCE: u32 = 10;
/// The longest first byte that is waited for before a look begins.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The longest time of a request that is waited for, and looked at, in a trial.
const LONGEST_TRIAL: Duration = Duration::from_secs(4);
/// What of the hoped-for gain says that a leap paid, and may be larger the next time.
const PAID: f64 = 0.6;
const PAID_WELL: f64 = 0.85;
/// A store that is so far away, and no farther, needs no more requests than were begun with; one
/// that is farther needs as many times as many.
const NEAR: Duration = Duration::from_millis(4);
/// The same where bodies are sent. The one reply that tells it may be that of a server that has its
/// hands full, and each of them is in memory.
const NEAR_TO_SEND: Duration = Duration::from_millis(12);
/// A first leap there.
const SMALL_LEAP: f64 = 1.5;
/// How often requests to a store that is near are to have come and gone in one look: what buffers
/// take in at once would hide that more of them do not help.
const ROUNDS_OF_ENDS: f64 = 4.0;
/// Below this, leaps may be larger: what is too much costs little.
const FEW: usize = 16;
/// Looks that saw too little, each twice as long as the one before: what was added may need time to
/// read its bytes from a disk, or for a connection.
const MOST_DOUBTS: u32 = 2;
/// Where the first leap gained less, fewer are tried: so often, half of them each time.
const NO_GAIN: f64 = 1.15;
const MOST_FALLS: u32 = 2;
/// Where a leap went too far, what would have been enough, and some more: a request that waits for
/// its first byte does nothing.
const ROOM: f64 = 1.6;
/// What of the hoped-for gain a few more must bring.
const WORTH_IT: f64 = 0.25;
/// What is left of the work when a few less do as well.
const AS_GOOD: f64 = 0.97;
/// So much less, or more, than usual says that this is another kind of work.
const UNUSUAL: f64 = 2.0;
/// How long a level is left alone after a try that was in vain, at first and at most.
const REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(super) struct Pace {
    least: usize,
    most: usize,
    /// Where to begin if the store is far away.
    far: usize,
    level: usize,
    /// How long the first byte of a reply takes.
    first_byte: Option<Duration>,
    /// Whether requests carry bodies. Of those, megabytes each count as moved that have only got into
    /// buffers, here and at the other end.
    sends: bool,
    /// How long a request takes, the body included.
    request: Duration,
    /// Whether there were ever as many requests as there might be.
    has_begun: bool,
    look: Look,
    mode: Mode,
}

/// What was seen by now, since the run began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) now: Duration,
    pub(super) bytes: u64,
    /// Of them, those of bodies that have arrived: their requests have ended.
    pub(super) arrived: u64,
    pub(super) requests: u64,
    pub(super) used: Used,
}

/// How much of what is allowed is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    /// Nobody waits for more.
    Some,
    /// As many are in flight as may be, and more are waiting.
    All,
    /// There are still more than that, from before.
    More,
}

impl Seen {
    fn work(&self, bytes: u64) -> f64 {
        exact(bytes) + exact(self.requests) * REQUEST
    }
}

#[derive(Debug)]
enum Mode {
    Fixed,
    /// By leaps upwards, each from the best level so far.
    Leaping {
        best: Option<Level>,
        /// Whether a leap has paid by now.
        has_paid: bool,
        /// Looks at this level that saw too little gain.
        doubts: u32,
    },
    /// The first leap brought nothing: it may be that fewer do as well.
    Falling {
        best: Level,
        steps: u32,
    },
    Resting {
        until: Duration,
        rest: Duration,
        usual: f64,
        next: Way,
    },
    Trying(Trial),
}

/// A level, and the work that it did a second.
#[derive(Debug, Clone, Copy)]
struct Level {
    level: usize,
    rate: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Two levels in turns: the old one, the new one, and both again.
#[derive(Debug)]
struct Trial {
    way: Way,
    old: Level,
    new: usize,
    /// Rates so far: of the new one, and of the old one again.
    first: Option<f64>,
    old_again: Option<f64>,
    rest: Duration,
}

/// One measurement of a rate.
#[derive(Debug)]
struct Look {
    begins: Duration,
    from: Option<Seen>,
    ticks: u32,
    full: u32,
}

impl Look {
    fn from(begins: Duration) -> Self {
        Self { begins, from: None, ticks: 0, full: 0 }
    }
}

impl Pace {
    /// Finds the number by itself, from `start` on, or from `far` where the store is far away.
    pub(super) fn found(start: usize, far: usize, most: usize) -> Self {
        let (least, most) = (2.min(most.max(1)), most.max(1));
        let mode = Mode::Leaping { best: None, has_paid: false, doubts: 0 };
        let (level, request) = (start.clamp(least, most), Duration::ZERO);
        let look = Look::from(Duration::ZERO);
        let (first_byte, sends, has_begun) = (None, false, false);
        Self { least, most, far, level, first_byte, sends, request, has_begun, look, mode }
    }

    /// So many, whatever they do.
    pub(super) fn fixed(level: usize) -> Self {
        Self { mode: Mode::Fixed, level: level.max(1), ..Self::found(level, level, level) }
    }

    pub(super) fn allowed(&self) -> usize {
        self.level
    }

    /// The first byte of a reply took so long.
    pub(super) fn answered(&mut self, after: Duration) {
        self.first_byte = Some(match self.first_byte {
            None => {
                self.go_far(after);
                after
            }
            // One that is late says little of the others.
            Some(usual) => usual.mul_f64(0.875) + after.min(usual * 4).mul_f64(0.125),
        });
    }

    /// Requests of this kind carry bodies, and a reply to one without took so long.
    pub(super) fn answered_to_send(&mut self, after: Duration) {
        self.sends = true;
        self.answered(after);
    }

    /// Nothing was tried yet, and the store is so far away: each request waits for longer, and so
    /// more of them are worth it.
    fn go_far(&mut self, first_byte: Duration) {
        if let Mode::Leaping { best: None, .. } = self.mode {
            let near = if self.sends { NEAR_TO_SEND } else { NEAR };
            let farther = times(self.level, first_byte.div_duration_f64(near).max(1.0));
            self.level = farther.min(self.far).max(self.level).min(self.most);
            self.look = Look::from(self.look.begins);
            self.has_begun = false;
        }
    }

    /// How soon it is to be told what was seen: `None` where it needs to know nothing.
    pub(super) fn period(&self) -> Option<Duration> {
        match self.mode {
            Mode::Fixed => None,
            Mode::Leaping { .. } | Mode::Falling { .. } => Some(SHORT_LOOK / 3),
            Mode::Resting { .. } | Mode::Trying(_) => Some(LONG_LOOK / 8),
        }
    }

    /// Takes note of what was seen by now, and may allow another number from now on.
    pub(super) fn tick(&mut self, seen: Seen) {
        let resting = matches!(self.mode, Mode::Resting { until, .. } if seen.now < until);
        if matches!(self.mode, Mode::Fixed) || resting || seen.now < self.look.begins {
            return;
        }
        if seen.used == Used::More {
            self.look = Look::from(seen.now);
            return;
        }
        let Some(from) = self.look.from else {
            // What the system takes in at once from the first requests says nothing of the network.
            if seen.used == Used::All && !std::mem::replace(&mut self.has_begun, true) {
                self.go_to(self.level, seen.now);
            } else {
                self.look.from = Some(seen);
            }
            return;
        };
        self.look.ticks += 1;
        self.look.full += u32::from(seen.used == Used::All);
        let length = seen.now.saturating_sub(from.now);
        let ended = seen.requests - from.requests;
        let Some(work) = self.work(from, seen) else { return };
        if self.look.full * 4 < self.look.ticks * 3 {
            self.withdraw(seen.now);
            return;
        }
        self.look = Look::from(seen.now);
        if ended > 0 {
            self.request = length.mul_f64(real(self.level) / exact(ended));
        }
        self.judge(seen.now, work / length.as_secs_f64());
    }

    /// What was done in a look that has seen enough.
    fn work(&self, from: Seen, seen: Seen) -> Option<f64> {
        let (length, window) = (seen.now.saturating_sub(from.now), self.window());
        let ended = exact(seen.requests - from.requests);
        let moved = seen.work(seen.bytes) - from.work(from.bytes);
        let (is_enough, patience, work) = if self.is_judged_by_ends() {
            let arrived = seen.work(seen.arrived) - from.work(from.arrived);
            let is_enough = ended >= real(self.level) * self.rounds().max(ROUNDS_OF_ENDS);
            (is_enough, LONGEST_TRIAL, if is_enough { arrived } else { moved })
        } else {
            let is_enough = (moved / ENOUGH).max(ended) >= real(self.level) * self.rounds();
            (is_enough, window * PATIENCE, moved)
        };
        (length >= window && is_enough || length >= window.max(patience)).then_some(work)
    }

    /// Where a request takes little time. Elsewhere it takes too long for that, and many are worth
    /// it in any case.
    fn is_judged_by_ends(&self) -> bool {
        self.sends && self.first_byte.is_none_or(|usual| usual < NEAR_TO_SEND)
    }

    fn first_leap(&self) -> f64 {
        if self.is_judged_by_ends() { SMALL_LEAP } else { 2.0 }
    }

    /// How often the requests in flight are to have come and gone in one look. They start together,
    /// and so they end together: a look that is shorter sees all of them, or none.
    fn rounds(&self) -> f64 {
        if matches!(self.mode, Mode::Leaping { .. } | Mode::Falling { .. }) { 0.5 } else { 2.5 }
    }

    fn window(&self) -> Duration {
        let first_byte = self.first_byte.unwrap_or_default().min(LONGEST_WAIT);
        match self.mode {
            Mode::Leaping { doubts, .. } => first_byte.max(SHORT_LOOK) * (1 << doubts),
            Mode::Falling { .. } => first_byte.max(SHORT_LOOK) * 2,
            _ => (first_byte * 3).max(LONG_LOOK).max(self.request.min(LONGEST_TRIAL)),
        }
    }

    /// The run did not use what it was allowed: nothing was learnt.
    fn withdraw(&mut self, now: Duration) {
        if let Mode::Trying(trial) = &self.mode {
            let (level, rest) = (trial.old.level, trial.rest);
            let (usual, next) = (trial.old.rate, trial.way);
            self.mode = Mode::Resting { until: now + rest, rest, usual, next };
            self.level = level;
        }
        self.look = Look::from(now);
    }

    /// Another number from now on. Those that are added show what they do after their first byte;
    /// what it comes to in the end shows when all were started at that level.
    fn go_to(&mut self, level: usize, now: Duration) {
        self.level = level.clamp(self.least, self.most);
        let settled = match self.mode {
            Mode::Leaping { .. } | Mode::Falling { .. } => {
                self.first_byte.unwrap_or_default() + SHORT_LOOK / 3
            }
            _ => self.first_byte.unwrap_or_default() + self.request.min(LONGEST_TRIAL),
        };
        self.look = Look::from(now + settled.min(LONGEST_WAIT + LONGEST_TRIAL));
    }

    fn judge(&mut self, now: Duration, rate: f64) {
        let seen = Level { level: self.level, rate };
        match self.mode {
            Mode::Fixed => {}
            Mode::Leaping { best: None, .. } => self.leap(seen, self.first_leap(), false, now),
            Mode::Leaping { best: Some(best), has_paid, doubts } => {
                self.judge_leap(best, seen, (has_paid, doubts), now);
            }
            Mode::Falling { best, steps } => {
                let is_as_good = rate >= best.rate * AS_GOOD;
                let found = if is_as_good { seen } else { best };
                if is_as_good && steps < MOST_FALLS {
                    self.fall(found, steps + 1, now);
                } else {
                    self.rest(found.level, found.rate, REST, Way::Up, now);
                }
            }
            Mode::Resting { usual, .. } if rate * UNUSUAL < usual || rate > usual * UNUSUAL => {
                self.leap(seen, self.first_leap(), false, now);
            }
            Mode::Resting { rest, next, .. } => self.try_out(next, seen, rest, now),
            Mode::Trying(_) => self.judge_trial(now, rate),
        }
    }

    fn judge_leap(
        &mut self,
        best: Level,
        seen: Level,
        (has_paid, doubts): (bool, u32),
        now: Duration,
    ) {
        let hoped = real(seen.level) / real(best.level) - 1.0;
        let gain = seen.rate / best.rate.max(1.0);
        if gain - 1.0 >= PAID * hoped {
            let may_be_far = seen.level < FEW && !self.is_judged_by_ends();
            let is_far = gain - 1.0 >= PAID_WELL * hoped && may_be_far;
            self.leap(seen, if is_far { 4.0 } else { 2.0 }, true, now);
        } else if doubts < MOST_DOUBTS {
            self.mode = Mode::Leaping { best: Some(best), has_paid, doubts: doubts + 1 };
        } else if gain < NO_GAIN && !has_paid {
            self.fall(best, 1, now);
        } else {
            let level = times(best.level, gain.max(1.0) * ROOM).min(seen.level);
            self.rest(level, seen.rate.max(best.rate), REST, Way::Up, now);
        }
    }

    fn leap(&mut self, best: Level, factor: f64, has_paid: bool, now: Duration) {
        let next = times(best.level, factor).min(self.most);
        if next <= best.level {
            self.rest(best.level, best.rate, REST, Way::Down, now);
            return;
        }
        self.mode = Mode::Leaping { best: Some(best), has_paid, doubts: 0 };
        self.go_to(next, now);
    }

    fn fall(&mut self, best: Level, steps: u32, now: Duration) {
        self.mode = Mode::Falling { best, steps };
        self.go_to(best.level.div_ceil(2), now);
    }

    fn rest(&mut self, level: usize, usual: f64, rest: Duration, next: Way, now: Duration) {
        self.mode = Mode::Resting { until: now + rest, rest, usual, next };
        self.go_to(level, now);
    }

    fn try_out(&mut self, way: Way, old: Level, rest: Duration, now: Duration) {
        let new = match way {
            Way::Up => times(old.level, 1.5).max(old.level + 1).min(self.most),
            Way::Down => times(old.level, 0.75).min(old.level - 1).max(self.least),
        };
        if new == old.level {
            self.rest(old.level, old.rate, longer(rest), way.other(), now);
            return;
        }
        self.mode = Mode::Trying(Trial { way, old, new, first: None, old_again: None, rest });
        self.go_to(new, now);
    }

    fn judge_trial(&mut self, now: Duration, rate: f64) {
        let Mode::Trying(trial) = &mut self.mode else { return };
        let (old, new) = (trial.old, trial.new);
        match (trial.first, trial.old_again) {
            (None, _) if trial.is_better(rate, old.rate) => {
                trial.first = Some(rate);
                self.go_to(old.level, now);
            }
            (Some(_), None) => {
                trial.old_again = Some(rate);
                self.go_to(new, now);
            }
            (Some(_), Some(again)) if trial.is_better(rate, again) => {
                let way = trial.way;
                self.rest(new, rate, REST, way, now);
            }
            _ => {
                let (other, rest) = (trial.way.other(), longer(trial.rest));
                self.rest(old.level, old.rate, rest, other, now);
            }
        }
    }
}

impl Trial {
    fn is_better(&self, new: f64, old: f64) -> bool {
        match self.way {
            Way::Up => {
                let hoped = real(self.new) / real(self.old.level) - 1.0;
                new >= old * (1.0 + WORTH_IT * hoped)
            }
            Way::Down => new >= old * AS_GOOD,
        }
    }
}

impl Way {
    fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

fn longer(rest: Duration) -> Duration {
    (rest * 2).min(LONGEST_REST)
}

fn real(level: usize) -> f64 {
    f64::from(u32::try_from(level).unwrap_or(u32::MAX))
}

/// Up to 2^53, which is nine petabytes.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) fn exact(count: u64) -> f64 {
    count as f64
}

/// A level, so many times as high.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn times(level: usize, factor: f64) -> usize {
    (real(level) * factor).round() as usize
}
