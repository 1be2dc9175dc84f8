//! The real program: built where it is missing or old, run with its own screen, and remembered as
//! it was typed. It never sees the user's own AWS settings, so that it can't reach their buckets.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};

/// `haul`, in a folder and an environment of its own.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    interrupted: Arc<AtomicBool>,
    commands: Vec<String>,
}

impl Program {
    /// Builds the program beside this example, so with the same profile and target folder. That is
    /// quick where nothing changed. The example is named too: what it needs decides the features of
    /// shared dependencies, and with others everything would be compiled a second time.
    pub(crate) fn build(
        folder: &Path,
        environment: Vec<(String, String)>,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self> {
        let example = std::env::current_exe().context("could not find out where this runs")?;
        // TARGET/PROFILE/examples/quickstart
        let Some((target, profile)) = example.ancestors().nth(2).and_then(|profile_folder| {
            Some((profile_folder.parent()?, profile_folder.file_name()?.to_str()?))
        }) else {
            bail!("{} is not where cargo puts an example", example.display());
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
        let built = Command::new(cargo)
            .args(["build", "--bin", "haul", "--example", "quickstart", "--profile"])
            .arg(if profile == "debug" { "dev" } else { profile })
            .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
            .arg("--target-dir")
            .arg(target)
            .status()
            .context("could not run cargo")?;
        ensure!(built.success(), "the program could not be built");
        let path = target.join(profile).join(format!("haul{}", std::env::consts::EXE_SUFFIX));
        let folder = folder.to_owned();
        Ok(Self { path, folder, environment, interrupted, commands: Vec::new() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was run, as it can be typed.
    pub(crate) fn commands(&self) -> &[String] {
        &self.commands
    }

    /// The variables that lead to the server.
    pub(crate) fn environment(&self) -> impl Iterator<Item = &(String, String)> {
        self.environment.iter()
    }

    /// Runs the program to its end; anything but success is an error.
    pub(crate) fn run(&mut self, arguments: &[&str]) -> Result<()> {
        let typed = typed(arguments);
        crate::say(&format!("$ {typed}"));
        self.commands.push(typed.clone());
        let mut command = Command::new(&self.path);
        command.args(arguments).current_dir(&self.folder);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_foreign(name)) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let status =
            command.status().with_context(|| format!("could not run {}", self.path.display()))?;
        ensure!(!self.interrupted.load(Ordering::Relaxed), "interrupted");
        ensure!(status.success(), "`{typed}` ended with {status}");
        Ok(())
    }
}

/// Whether a variable of the user's leads elsewhere: to an account, or through a proxy.
fn is_foreign(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    name.starts_with("AWS_") || name.ends_with("_PROXY")
}

/// The command as a shell takes it.
fn typed(arguments: &[&str]) -> String {
    let is_plain = |argument: &str| !argument.contains(['*', '?', ' ']);
    let words = arguments.iter().map(|argument| {
        if is_plain(argument) { (*argument).to_owned() } else { format!("'{argument}'") }
    });
    std::iter::once("haul".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
