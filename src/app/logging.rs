//! Logs of the engine, for `-vv`. The SDK's own stay off at every verbosity: some of its lines have
//! held secrets.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::ui::options::Verbosity;
use crate::ui::streams::Stderr;

pub(super) fn start(verbosity: Verbosity) {
    if verbosity < Verbosity::Everything {
        return;
    }
    let ours = tracing_subscriber::filter::Targets::new()
        .with_target("haul", LevelFilter::DEBUG)
        .with_default(LevelFilter::OFF);
    let lines = fmt::layer().with_writer(|| Stderr).with_ansi(false).without_time();
    tracing_subscriber::registry().with(lines).with(ours).try_init().ok();
}
