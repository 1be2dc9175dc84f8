//! Options that are not typed: from the environment and the file, and `haul config`, which shows
//! them; completions and pages for `man`.

use std::collections::BTreeSet;

use testbed::Operation;

use crate::harness::{Output, haul};
use crate::stage::Stage;

fn configured(text: &str, args: &[&str]) -> Output {
    let stage = Stage::new();
    stage.sandbox.write("c.toml", text);
    stage.haul().env("HAUL_CONFIG", "c.toml").args(args).run()
}

#[test]
fn a_variable_does_what_the_flag_does_and_less_than_one_that_is_typed() {
    let stage = Stage::with_keys(&["p/a", "p/b.tmp", "p/c~"]);
    let download = |out: &str, typed: &[&str]| {
        let haul =
            stage.haul().env("HAUL_EXCLUDE", "*.tmp\n*~").args(["download", "s3://bucket/p/"]);
        haul.arg(out).args(typed).run().code(0).stderr_has("");
        stage.files(out).len()
    };
    assert_eq!(download("one", &[]), 1);
    assert_eq!(download("two", &["--exclude", "nothing"]), 3);
}

#[test]
fn a_file_sets_options_of_all_commands_or_of_one() {
    let stage = Stage::with_keys(&["p/a", "p/b.tmp"]);
    stage.sandbox.write("c.toml", "json = true\n[ls]\nexclude = ['*.tmp']\n");
    let list = |args: &[&str]| {
        let haul = stage.haul().env("HAUL_CONFIG", "c.toml").args(args);
        haul.run().code(0).json_lines().len()
    };
    assert_eq!(list(&["ls", "-r", "s3://bucket/"]), 1);
    assert_eq!(list(&["download", "--dry-run", "s3://bucket/", "out"]), 3, "two and a summary");
}

#[test]
fn the_usual_file_is_read_where_none_is_named() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.write("config/haul/config.toml", "[ls]\nhuman-readable = true\n");
    let config = stage.sandbox.path("config");
    let output =
        stage.haul().env("XDG_CONFIG_HOME", config).args(["ls", "-v", "s3://bucket/"]).run();
    output.code(0).stderr_has("note: --human-readable is true, by ").stderr_has("config.toml [ls]");
}

#[test]
fn what_is_set_wrong_starts_nothing_and_says_where() {
    let stage = Stage::with_keys(&["a"]);
    for (name, value) in [
        ("HAUL_CONCURRENCY", "none"),
        ("HAUL_PROGRESS", "much"),
        ("HAUL_QUIET", "perhaps"),
        ("HAUL_MAX_MEMORY", "-1"),
    ] {
        let output = stage.haul().env(name, value).args(["download", "s3://bucket/a", "out"]).run();
        output.code(2).stderr_has(&format!("error: {name}: ")).stderr_has(value);
    }
    let args = ["download", "s3://bucket/a", "out"];
    for text in ["concurrency = 'none'", "[download", "uplaod = 1", "yes = true"] {
        configured(text, &args).code(2).stderr_has("error: c.toml");
    }
    let missing = stage.haul().env("HAUL_CONFIG", "none.toml").args(args).run();
    missing.code(2).stderr_has("could not read the settings in `none.toml`");
    assert_eq!(stage.testbed.totals().requests, 0);
    // Help is what somebody needs now.
    configured("[download", &["download", "--help"]).code(0);
}

#[test]
fn what_removes_things_has_to_be_typed() {
    let stage = Stage::new();
    stage.testbed.put_object("bucket", "old", "x");
    let created = stage.run(["clean", "s3://bucket", "--json"]).code(0).json_lines().len();
    assert_eq!(created, 0);
    let clean = stage.haul().env("HAUL_YES", "true").args(["clean", "s3://bucket"]).run();
    clean.code(0).stderr_has("note: HAUL_YES is ignored: --yes has to be typed");
    assert_eq!(stage.testbed.count(Operation::AbortMultipartUpload), 0);
    let typo = stage.haul().env("HAUL_CONCURENCY", "1").args(["ls", "s3://bucket"]).run();
    typo.code(0).stderr_has("note: HAUL_CONCURENCY is ignored: there is no option --concurency");
}

#[test]
fn config_shows_every_option_and_where_its_value_is_from() {
    let stage = Stage::new();
    stage.sandbox.write("c.toml", "max-bandwidth = '10M'\n[upload]\nconcurrency = 3\n");
    let haul = || stage.haul().env("HAUL_CONFIG", "c.toml").env("HAUL_CONCURRENCY", "8");
    let lines = haul().args(["config", "--json"]).run().code(0).json_lines();
    let find = |option: &str| lines.iter().find(|line| line["option"] == option).expect("shown");
    assert_eq!(find("max-bandwidth")["origin"], "c.toml");
    assert_eq!(find("max-bandwidth")["values"][0], "10M");
    assert_eq!(find("concurrency")["origin"], "HAUL_CONCURRENCY");
    assert_eq!(find("max-attempts")["origin"], "default");
    assert_eq!(find("max-attempts")["values"][0], "10");
    let shown: BTreeSet<_> = lines.iter().map(|line| line["option"].to_string()).collect();
    for hidden in ["\"yes\"", "\"all\"", "\"help\"", "\"version\""] {
        assert!(!shown.contains(hidden), "{hidden}");
    }
    haul().arg("config").run().code(0).stdout_has("HAUL_CONCURRENCY");
}

#[test]
fn completions_and_pages_are_of_all_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = haul().args(["completions", shell]).run();
        output.code(0).stdout_has("download").stdout_has("max-bandwidth");
    }
    haul().args(["completions", "tcsh"]).run().code(2);
    haul().arg("man").run().code(0).stdout_has(".TH haul 1").stdout_has("haul\\-download");
    haul().args(["man", "upload"]).run().code(0).stdout_has(".TH haul-upload 1");
    haul().args(["man", "uplaod"]).run().code(2).stderr_has("no command `uplaod`");
}

#[test]
fn a_typo_is_told_what_was_meant() {
    haul().arg("downlaod").run().code(2).stderr_has("download");
    haul()
        .args(["download", "--concurency", "1", "s3://b/k", "."])
        .run()
        .code(2)
        .stderr_has("--concurrency");
}

/// Filters are one list, and it is typed or set: a rule that was set must not come behind one that
/// spares something.
#[test]
fn what_is_typed_to_be_spared_is_spared_whatever_is_set() {
    let stage = Stage::with_keys(&["d/gone", "d/keep/x"]);
    let remove = |typed: &[&str]| {
        let haul = stage.haul().env("HAUL_INCLUDE", "**").args(["rm", "-r", "s3://bucket/d/"]);
        let told = "--include, by HAUL_INCLUDE, does not count";
        haul.args(typed).run().code(0).stderr_has("1 object removed").stderr_has(told);
    };
    remove(&["--exclude", "keep/**"]);
    assert_eq!(stage.keys(), ["d/keep/x"]);

    stage.sandbox.write("tree/a", "a");
    let sync = ["sync", "tree/", "s3://bucket/d/", "--delete", "--exclude", "keep/**"];
    let haul = stage.haul().env("HAUL_INCLUDE", "**").args(sync);
    haul.args(["--max-delete", "100%"]).run().code(0);
    assert_eq!(stage.keys(), ["d/a", "d/keep/x"]);
}

#[test]
fn a_setting_that_excludes_what_is_typed_does_not_count() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.write("a", "old");
    let cp = ["cp", "s3://bucket/a", "a", "--overwrite", "always"];
    stage.haul().env("HAUL_NO_CLOBBER", "1").args(cp).run().code(0).stderr_has("1 object,");
    assert_eq!(stage.text("a"), "a");
}

/// More would be moved, or for real, than somebody wanted.
#[test]
fn a_setting_that_leaves_something_out_is_never_left_out_itself() {
    let stage = Stage::with_keys(&["a", "b"]);
    stage.sandbox.write("rows.txt", "a\nb\n");
    stage.sandbox.write("c.toml", "[mv]\nolder-than = '7d'\n");
    stage.sandbox.write("dry.toml", "dry-run = true\n");
    stage.sandbox.write("lines", "mv --manifest rows.txt s3://bucket/ out/\n");
    let rows: &[&str] = &["mv", "--manifest", "rows.txt", "s3://bucket/", "out/"];
    let up: &[&str] = &["upload", "--manifest", "rows.txt", "s3://bucket/"];
    let journal: &[&str] = &["mv", "s3://bucket/a", "out/", "--journal", "j"];
    for (name, value, args, told) in [
        ("HAUL_OLDER_THAN", "7d", rows, "unset HAUL_OLDER_THAN for this command"),
        ("HAUL_NEWER_THAN", "2026-01-01", rows, "unset HAUL_NEWER_THAN"),
        ("HAUL_NO_FOLLOW_SYMLINKS", "1", up, "unset HAUL_NO_FOLLOW_SYMLINKS"),
        ("HAUL_DRY_RUN", "1", journal, "unset HAUL_DRY_RUN"),
        ("HAUL_CONFIG", "c.toml", rows, "--older-than is set by c.toml [mv]"),
        ("HAUL_CONFIG", "dry.toml", journal, "take `dry-run` out of the file"),
    ] {
        let output = stage.haul().env(name, value).args(args).run();
        output.code(2).stderr_has(told).stderr_has("can't be had with --");
        // What is typed itself is the command line's own affair.
        if args == rows {
            let typed = stage.haul().args(args).args(["--older-than", "7d"]).run();
            typed.code(2).stderr_has("cannot be used with");
        }
    }
    let lines = stage.haul().env("HAUL_OLDER_THAN", "7d").args(["run", "lines"]).run();
    lines.code(1).stderr_has("unset HAUL_OLDER_THAN");
    assert_eq!(stage.testbed.totals().requests, 0);
    assert_eq!(stage.keys().len(), 2);
    // A flag that is not set is none, and what is harmless does not count.
    let haul = stage.haul().env("HAUL_NO_FOLLOW_SYMLINKS", "no").env("HAUL_FLATTEN", "1");
    haul.args(["cp", "--manifest", "rows.txt", "s3://bucket/", "out/"]).run().code(0);
    assert_eq!(stage.files("out").len(), 2);
}
