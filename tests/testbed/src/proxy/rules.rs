//! The rules of a proxy, what they make of a request, and the record of what they did.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::dice::Dice;
use super::disruption::{Break, Disruption, Hook, Place};
use super::exchange::Exchange;
use super::padding::Padding;
use super::rule::Rule;

/// Names a rule that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId(usize);

/// One fault that happened.
#[derive(Clone, Debug)]
pub struct Injected {
    pub rule: RuleId,
    pub exchange: Exchange,
    /// The disruption, as it reads in a message.
    pub what: String,
}

#[derive(Debug)]
pub(super) struct Rules {
    dice: Dice,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    armed: Vec<Armed>,
    injected: Vec<Injected>,
    /// How often each request came, for each rule that leaves it to the seed.
    asked: HashMap<(usize, String), u64>,
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    matched: u64,
    hits: u64,
    /// Cleared rules keep their place so that ids stay true.
    live: bool,
}

/// What is to be done to one exchange.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) before: Vec<Before>,
    pub(super) after: Vec<Hook>,
    pub(super) instead: Option<Disruption>,
    pub(super) request: Option<Cut>,
    pub(super) reply: Option<Cut>,
    pub(super) interim: u64,
    pub(super) padding: Option<Padding>,
    pub(super) closes: bool,
}

/// What happens before a request is passed on, in the order of the rules.
#[derive(Debug)]
pub(super) enum Before {
    Run(Hook),
    Wait(std::time::Duration),
}

/// A break, where it is, and where in a body it is if the seed decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) how: Break,
    pub(super) place: Place,
    pub(super) share: f64,
}

impl Rules {
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), state: Mutex::default() }
    }

    pub(super) fn add(&self, rule: Rule) -> RuleId {
        let mut state = self.lock();
        state.armed.push(Armed { rule, matched: 0, hits: 0, live: true });
        RuleId(state.armed.len() - 1)
    }

    pub(super) fn clear(&self) {
        self.lock().armed.iter_mut().for_each(|armed| armed.live = false);
    }

    pub(super) fn hits_of(&self, id: RuleId) -> u64 {
        self.lock().armed.get(id.0).map_or(0, |armed| armed.hits)
    }

    pub(super) fn injected(&self) -> Vec<Injected> {
        self.lock().injected.clone()
    }

    /// Counts the exchange against every rule that it matches, and collects what those do that
    /// fire. Of breaks of one way, and of answers, only the first acts.
    pub(super) fn script(&self, exchange: &Exchange) -> Script {
        let mut script = Script::default();
        let mut state = self.lock();
        let State { armed, injected, asked } = &mut *state;
        for (index, armed) in armed.iter_mut().enumerate() {
            if !armed.live || !armed.rule.matches(exchange) {
                continue;
            }
            armed.matched += 1;
            if !armed.rule.fires_at(armed.matched) {
                continue;
            }
            let question = exchange.question();
            let time = asked.entry((index, question.clone())).or_default();
            *time += 1;
            if self.dice.throw(index, &question, *time) >= armed.rule.share() {
                continue;
            }
            // Another throw: whether and where must not depend on each other.
            let share = self.dice.throw(index, &question, *time | 1 << 63);
            let disruption = armed.rule.disruption().clone();
            let what = format!("{disruption:?}");
            if script.take(disruption, share) {
                armed.hits += 1;
                injected.push(Injected { rule: RuleId(index), exchange: exchange.clone(), what });
            }
        }
        script
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    /// Whether it acts.
    fn take(&mut self, disruption: Disruption, share: f64) -> bool {
        let place = match &disruption {
            Disruption::Request(..) => &mut self.request,
            _ => &mut self.reply,
        };
        match disruption {
            Disruption::Request(how, at) | Disruption::Reply(how, at) => {
                let is_free = place.is_none();
                place.get_or_insert(Cut { how, place: at, share });
                return is_free;
            }
            Disruption::Before(hook) => self.before.push(Before::Run(hook)),
            Disruption::Latency(time) => self.before.push(Before::Wait(time)),
            Disruption::After(hook) => self.after.push(hook),
            Disruption::Interim(count) => self.interim = count,
            Disruption::Whitespace { spaces, pause } => {
                self.padding = Some(Padding { spaces, pause });
            }
            Disruption::CloseBehindReply => self.closes = true,
            instead => {
                debug_assert!(instead.is_instead());
                let is_free = self.instead.is_none();
                self.instead.get_or_insert(instead);
                return is_free;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(number: u64, target: &str) -> Exchange {
        Exchange {
            number,
            connection: number,
            nth_on_connection: 1,
            method: "GET".to_owned(),
            target: target.to_owned(),
            range: None,
        }
    }

    /// Which of a hundred requests are hit, each one asked for twice.
    fn hit(seed: u64, order: impl Iterator<Item = u64>) -> Vec<String> {
        let rules = Rules::new(seed);
        rules.add(Rule::new(Disruption::lost_reply()).chance(0.3).always());
        for number in order {
            for _ in 0..2 {
                rules.script(&exchange(number, &format!("/b/{number}")));
            }
        }
        let mut targets: Vec<_> =
            rules.injected().into_iter().map(|injected| injected.exchange.target).collect();
        targets.sort();
        targets
    }

    #[test]
    fn the_same_seed_hits_the_same_requests_in_any_order() {
        let first = hit(7, 0..100);
        assert!((40..80).contains(&first.len()), "{}", first.len());
        assert_eq!(first, hit(7, (0..100).rev()));
        assert_ne!(first, hit(8, 0..100));
    }

    #[test]
    fn a_rule_fires_at_its_occurrences_and_only_the_first_break_of_a_way_acts() {
        let rules = Rules::new(0);
        let lost = rules.add(Rule::new(Disruption::lost_reply()).target("/b/k").nth(2));
        let stall = Disruption::Reply(Break::Stall, Place::Body(3));
        let stall = rules.add(Rule::new(stall).always());
        for target in ["/b/k", "/b/other", "/b/k"] {
            rules.script(&exchange(1, target));
        }
        assert_eq!((rules.hits_of(lost), rules.hits_of(stall)), (1, 2));
        rules.clear();
        assert!(rules.script(&exchange(1, "/b/k")).reply.is_none());
        assert_eq!(rules.injected().len(), 3);
    }
}
