//! `haul man`: pages for `man`.

use clap::Args;
use clap_mangen::Man;

use super::error::CommandError;

/// Write a page for `man`
///
/// Without a command the page of haul itself. It is made of the same text as --help, and goes to
/// standard output.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul man | man -l -
  haul man download > ~/.local/share/man/man1/haul-download.1")]
pub struct ManArgs {
    /// The command whose page it is, such as `download`
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

impl ManArgs {
    /// The page, of the whole command line or of one command.
    pub fn page(&self, mut command: clap::Command) -> Result<Vec<u8>, CommandError> {
        command.build();
        let of = match &self.command {
            None => command,
            Some(name) => match command.find_subcommand(name) {
                Some(found) => {
                    let name = format!("haul-{}", found.get_name());
                    found.clone().name(name.clone()).display_name(name)
                }
                None => {
                    return Err(CommandError::misuse(format!("haul has no command `{name}`"))
                        .hint("`haul --help` names them all"));
                }
            },
        };
        let mut page = Vec::new();
        Man::new(of).render(&mut page).map_err(CommandError::failed)?;
        Ok(page)
    }
}
