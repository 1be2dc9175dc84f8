//! `haul completions`: what a shell offers after Tab.

use clap::Args;
use clap_complete::Shell;

/// Write what a shell needs to complete commands and options
///
/// It is made of the same text as --help, and goes to standard output.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul completions bash > ~/.local/share/bash-completion/completions/haul
  haul completions zsh > ~/.zfunc/_haul        (a folder of $fpath)
  haul completions fish > ~/.config/fish/completions/haul.fish
  haul completions powershell >> $PROFILE")]
pub struct CompletionsArgs {
    /// bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    shell: Shell,
}

impl CompletionsArgs {
    /// The script, for the whole command line.
    pub fn script(&self, mut command: clap::Command) -> Vec<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "haul", &mut script);
        script
    }
}
