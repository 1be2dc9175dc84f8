//! Throws made-up input at everything that reads what others wrote: manifests, URIs, keys, headers,
//! records, listings. Each input follows from a seed, is half well-formed, and is checked against
//! properties or an oracle, not only for panics.
//!
//! `fuzz [--executions N] [--seed S] [--target NAME] [--replay NAME:SEED]`
//!
//! It must never need the network, a nightly compiler or a corpus, and never find a failure that
//! it can't show again.

mod mutation;
mod runner;
mod targets;
mod words;

use std::process::ExitCode;

const USAGE: &str = "usage: fuzz [--executions N] [--seed S] [--target NAME] [--replay NAME:SEED]";

fn main() -> ExitCode {
    match asked().and_then(runner::run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

fn asked() -> Result<runner::Plan, String> {
    let mut plan = runner::Plan::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value\n{USAGE}"))?;
        match argument.as_str() {
            "--executions" => plan.executions = number(&value)?,
            "--seed" => plan.seed = number(&value)?,
            "--target" => plan.target = Some(value),
            "--replay" => {
                let (name, seed) = value.split_once(':').ok_or(USAGE)?;
                plan.replay = Some((name.to_owned(), number(seed)?));
            }
            _ => return Err(format!("unknown argument {argument}\n{USAGE}")),
        }
    }
    Ok(plan)
}

fn number(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    digits.parse().map_err(|_| format!("{text:?} is not a number\n{USAGE}"))
}

#[expect(clippy::print_stderr, reason = "a program of its own, and this is for who called it")]
fn complain(error: &str) {
    eprintln!("{error}");
}
