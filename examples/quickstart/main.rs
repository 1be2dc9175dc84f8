//! The quickstart: `cargo run --release --example quickstart`.
//!
//! Starts an S3 server in memory, makes a few hundred files, moves them up and down with the real
//! program and its real progress bars, compares every byte, and prints the commands, to be pasted
//! with a bucket of your own. It needs no account and no network, writes nothing outside one
//! temporary folder, and must never reach a store other than its own server.

mod comparison;
mod program;
mod sample;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use testbed::Testbed;

use program::Program;
use sample::Sample;

const BUCKET: &str = "quickstart";
/// Slow enough for the bars to be seen, on a server that would else be done in a blink.
const BANDWIDTH_OF_A_REQUEST: u64 = 6_000_000;
const FIRST_BYTE_DELAY: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    let since = Instant::now();
    // Ctrl-C ends the program that is running; here it becomes an error, so that the folder goes.
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))?;

    let server = start_server()?;
    let folder = tempfile::Builder::new()
        .prefix("haul-quickstart-")
        .tempdir()
        .context("could not make a temporary folder")?;
    let sample = make_sample(folder.path())?;
    say("Building the program, where that is not done yet");
    let mut program = Program::build(folder.path(), server.env(), interrupted)?;

    upload(&mut program)?;
    download_by_prefix(&mut program, &sample)?;
    download_by_wildcard(&mut program, &sample)?;
    download_by_manifest(&mut program, &sample)?;

    say("\nAll is well: every byte went up and came down again. What was typed:\n");
    for command in program.commands() {
        say(&format!("  {command}"));
    }
    say("\nPut your own bucket in the place of `quickstart`, and it is done on S3.");
    say("Credentials and region are found as every AWS tool finds them; here these");
    say("led to the server in memory:\n");
    for (name, value) in program.environment() {
        say(&format!("  export {name}={value}"));
    }
    folder.close().context("could not remove the temporary folder")?;
    say(&format!(
        "\nDone in {:.0} s; the temporary folder is gone.",
        since.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn start_server() -> Result<Testbed> {
    let server = Testbed::builder()
        .per_request_bandwidth(BANDWIDTH_OF_A_REQUEST)
        .first_byte_delay(FIRST_BYTE_DELAY)
        .spawn()
        .context("could not start the server")?;
    server.create_bucket(BUCKET);
    say(&format!(
        "An S3 server runs in memory, at {}, at {} MB/s a request",
        server.endpoint(),
        BANDWIDTH_OF_A_REQUEST / 1_000_000
    ));
    Ok(server)
}

fn make_sample(folder: &Path) -> Result<Sample> {
    let sample = Sample::make(&folder.join("tree"))?;
    say(&format!(
        "{} files of 0 bytes to {} MiB, {} MiB in all, are below\n{}",
        sample.files().len(),
        sample.largest() >> 20,
        // Rounded, as the program itself will show it.
        (sample.bytes() + (1 << 19)) >> 20,
        folder.join("tree").display()
    ));
    sample.write_manifest(&folder.join("files.csv"), BUCKET)?;
    Ok(sample)
}

fn upload(program: &mut Program) -> Result<()> {
    say("\nA tree goes up:");
    program.run(&["upload", "tree/", "s3://quickstart/tree/"])
}

fn download_by_prefix(program: &mut Program, sample: &Sample) -> Result<()> {
    say("\nEverything below a prefix comes down:");
    program.run(&["download", "s3://quickstart/tree/", "by-prefix/"])?;
    let expected = sample.files().iter().map(|file| (file.path.clone(), file)).collect();
    compare(program, sample, "by-prefix", &expected)
}

fn download_by_wildcard(program: &mut Program, sample: &Sample) -> Result<()> {
    say("\nWhat matches a wildcard, with the folders below the first one that has it:");
    program.run(&["download", "s3://quickstart/tree/readings/2024-0?/*.csv", "by-wildcard/"])?;
    let below = |path: &str| path.strip_prefix("readings/").map(str::to_owned);
    let expected = sample.files().iter().filter_map(|file| Some((below(&file.path)?, file)));
    let expected = expected.filter(|(path, _)| path.starts_with("2024-0")).collect();
    compare(program, sample, "by-wildcard", &expected)
}

fn download_by_manifest(program: &mut Program, sample: &Sample) -> Result<()> {
    say("\nThe rows of a list, which gives each file another name; its first lines are");
    for line in sample.manifest_lines(BUCKET).take(4) {
        say(&format!("  {line}"));
    }
    program.run(&["download", "--manifest", "files.csv", "by-manifest/"])?;
    let expected = sample.files().iter().map(|file| (sample::renamed(&file.path), file)).collect();
    compare(program, sample, "by-manifest", &expected)
}

/// Compares what came down with what went up, and makes room for the next.
fn compare(
    program: &Program,
    sample: &Sample,
    folder: &str,
    expected: &comparison::Expected,
) -> Result<()> {
    let folder = program.folder().join(folder);
    let differences = comparison::differences(expected, sample.folder(), &folder)?;
    for difference in &differences {
        say(&format!("  {difference}"));
    }
    ensure!(differences.is_empty(), "{} files are not as they were", differences.len());
    say(&format!("{} files compared: the same, byte for byte", expected.len()));
    std::fs::remove_dir_all(&folder).context("could not make room for the next download")
}

#[expect(clippy::print_stdout, reason = "what it says is what the quickstart is for")]
fn say(text: &str) {
    println!("{text}");
}
