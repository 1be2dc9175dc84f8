//! `haul config`: what is set, and where.

use clap::Args;

/// Show every option, its value and where that came from
///
/// What is typed goes before the environment, the environment before the file, and the file before
/// the default. An option --max-bandwidth is HAUL_MAX_BANDWIDTH in the environment (options that may
/// be repeated: one value a line), and `max-bandwidth = "10M"` in the file, for one command alone in
/// a table that is called as the command is. The file is ~/.config/haul/config.toml, or what HAUL_CONFIG names.
/// Options that remove things, such as --delete and --yes, have to be typed.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul config
  haul config --json
  HAUL_CONCURRENCY=8 haul config | grep concurrency")]
pub struct ConfigArgs {}
