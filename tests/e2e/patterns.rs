//! `--include-from`, `--exclude-from`: rules in files, in their place among those that are typed. A file
//! that can't be read never lets anything pass.

use crate::stage::Stage;

const KEYS: [&str; 5] = ["p/a.tmp", "p/b.txt", "p/keep/c.tmp", "p/keep/d.txt", "p/z"];

fn with_files(files: &[(&str, &str)]) -> Stage {
    let stage = Stage::with_keys(&KEYS);
    for (name, text) in files {
        stage.sandbox.write(name, text);
    }
    stage
}

#[test]
fn a_file_stands_where_it_was_typed() {
    let tmp = "# what nobody needs\r\n\r\n  \t\r\n*.tmp\r\n";
    let stage = with_files(&[("tmp", tmp), ("keep", "keep/**\n"), ("none", "# nothing\n\n")]);
    for (filters, wanted) in [
        (["--exclude-from", "tmp"].as_slice(), ["b.txt", "keep/d.txt", "z"].as_slice()),
        (&["--include-from", "tmp"], &["a.tmp", "keep/c.tmp"]),
        // The last rule that matches wins.
        (
            &["--exclude-from", "tmp", "--include-from", "keep"],
            &["b.txt", "keep/c.tmp", "keep/d.txt", "z"],
        ),
        (&["--include-from", "keep", "--exclude-from", "tmp"], &["keep/d.txt"]),
        (
            &["--include-from", "keep", "--exclude", "*.txt", "--include", "*/d*"],
            &["keep/c.tmp", "keep/d.txt"],
        ),
        (&["--include", "z", "--include-from", "none"], &["z"]),
        // A list of what is meant, and there is nothing on it.
        (&["--include-from", "none"], &[]),
        (&["--include-from", "none", "--include", "z"], &["z"]),
        (&["--exclude-from", "none"], &["a.tmp", "b.txt", "keep/c.tmp", "keep/d.txt", "z"]),
    ] {
        let output =
            stage.haul().args(["ls", "-r", "s3://bucket/p/", "--json"]).args(filters).run();
        let lines = output.code(0).json_lines();
        let keys: Vec<_> = lines.iter().filter_map(|line| line["key"].as_str()).collect();
        let wanted: Vec<_> = wanted.iter().map(|name| format!("p/{name}")).collect();
        assert_eq!(keys, wanted, "{filters:?}");
    }
    stage.run(["cp", "s3://bucket/p/", "out", "--exclude-from", "tmp"]).code(0);
    assert_eq!(stage.files("out"), ["b.txt", "keep/d.txt", "z"]);
    stage.run(["rm", "-r", "s3://bucket/p/", "--include-from", "tmp"]).code(0);
    assert_eq!(stage.keys(), ["p/b.txt", "p/keep/d.txt", "p/z"]);
}

/// Whatever would have been left out would be removed.
#[test]
fn a_file_that_is_no_list_starts_nothing() {
    let stage = with_files(&[("glob", "*.txt\na[\n"), ("wide", "a\0\n\0")]);
    stage.sandbox.write("bytes", b"*.tmp\n\xff\xfe\n");
    for (name, line) in [
        ("not", "!keep"),
        ("plus", "+ *.tmp"),
        ("minus", "- *.tmp"),
        ("dot", "./a.tmp"),
        ("uri", "s3://bucket/p/*.tmp"),
        ("comment", "*.tmp # why"),
    ] {
        stage.sandbox.write(name, format!("*.tmp\n{line}\n"));
    }
    stage.sandbox.folder("folder");
    for (file, said) in [
        ("missing", "could not read the patterns in `missing`"),
        ("folder", "could not read the patterns in `folder`"),
        ("bytes", "line 2 of the patterns in `bytes` is no UTF-8"),
        ("wide", "line 1 of the patterns in `wide` has a control character"),
        ("glob", "`a[` is not a glob"),
        ("not", "line 2 of the patterns in `not` begins with `!`"),
        ("plus", "line 2 of the patterns in `plus` begins with `+ `"),
        ("minus", "line 2 of the patterns in `minus` begins with `- `"),
        ("dot", "line 2 of the patterns in `dot` begins with `./`"),
        ("uri", "line 2 of the patterns in `uri` begins with `s3://`"),
        ("comment", "line 2 of the patterns in `comment` has ` #` in it"),
    ] {
        for option in ["--exclude-from", "--include-from"] {
            for command in [
                ["rm", "-r", "s3://bucket/p/"].as_slice(),
                &["mv", "s3://bucket/p/", "out"],
                &["cp", "s3://bucket/p/", "out"],
                &["sync", "s3://bucket/p/", "out", "--delete"],
                &["ls", "s3://bucket/p/"],
                &["du", "s3://bucket/p/"],
                &["restore", "-r", "s3://bucket/p/"],
                &["verify", "s3://bucket/p/", "folder"],
            ] {
                let output = stage.haul().args(command).args([option, file]).run();
                output.code(2).stderr_has(said).stdout_is("");
            }
        }
    }
    assert_eq!(stage.testbed.requests().len(), 0);
    // In lines of many commands, too: the others go on.
    stage.sandbox.write("run", "rm -r s3://bucket/p/ --exclude-from missing\nrm s3://bucket/p/z\n");
    let output = stage.run(["run", "run"]);
    output.code(1).stderr_has("could not read the patterns in `missing`").stderr_has("line 1");
    assert_eq!(stage.keys(), KEYS[..4]);
}

#[test]
fn blanks_are_part_of_a_pattern() {
    let stage = Stage::with_keys(&["p/a ", "p/a", "p/ a", "p/b"]);
    for (text, left) in [
        ("a \nb\n", ["p/ a", "p/a"]),
        ("a \r\nb\r\n", ["p/ a", "p/a"]),
        (" a\nb", ["p/a", "p/a "]),
        ("a\n\t\n \nb\n", ["p/ a", "p/a "]),
    ] {
        stage.sandbox.write("names", text);
        let list = ["ls", "-r", "s3://bucket/p/", "--json", "--exclude-from", "names"];
        let lines = stage.run(list).code(0).json_lines();
        let keys: Vec<_> = lines.iter().filter_map(|line| line["key"].as_str()).collect();
        assert_eq!(keys, left, "{text:?}");
    }
}

/// A note and no error: there are such names.
#[test]
fn what_is_hardly_meant_is_told_and_done() {
    let stage = Stage::with_keys(&["p//a", "p/'b'", "p/c ", "p/d"]);
    stage.sandbox.write("odd", "/a\n'b'\nc \n/e\n");
    let list = ["ls", "-r", "s3://bucket/p/", "--json", "--exclude-from", "odd"];
    let output = stage.run(list);
    assert_eq!(output.code(0).json_lines().len(), 1, "{output}");
    for told in ["line 1 of the patterns in `odd` begins with `/`", "line 2 of", "line 3 of"] {
        output.stderr_has(&format!("note: {}", told.trim_start_matches("note: ")));
    }
    output.stderr_lacks("line 4");
    stage.run([&list[..], &["-q"]].concat()).code(0).stderr_lacks("line 1");
}

#[test]
fn patterns_come_through_standard_input_where_nothing_else_does() {
    let stage = with_files(&[("rows.csv", "source,destination\ns3://bucket/p/z,z\n")]);
    stage.feed("*.tmp\n", ["rm", "-r", "s3://bucket/p/", "--include-from", "-"]).code(0);
    assert_eq!(stage.keys(), ["p/b.txt", "p/keep/d.txt", "p/z"]);
    let sum = stage.feed("z", ["du", "s3://bucket/p/", "--exclude-from", "-", "--json"]);
    assert_eq!(sum.code(0).json_lines()[0]["objects"], 2);
    for command in [
        ["rm", "-r", "s3://bucket/p/", "--include-from", "-", "--exclude-from", "-"].as_slice(),
        &["upload", "-", "s3://bucket/k", "--exclude-from", "-"],
        &["cp", "--manifest", "-", "out", "--exclude-from", "-"],
        &["verify", "--manifest", "-", "out", "--exclude-from", "-"],
    ] {
        let output = stage.feed("*.tmp\n", command);
        output.code(2).stderr_has("standard input can be read once");
    }
    for verb in ["rm", "ls"] {
        let args = [verb, "-r", "s3://bucket/p/", "--exclude-from", "-"];
        let closed = stage.haul().under(["sh", "-c", "exec \"$@\" <&-", "sh"]).args(args).run();
        closed.code(2).stderr_has("standard input is closed");
    }
    stage.sandbox.write("run", "rm -r s3://bucket/p/ --exclude-from -\n");
    stage.feed("x\n", ["run", "run"]).code(1).stderr_has("`-`, a stream");
    assert_eq!(stage.keys().len(), 3);
}

/// Under another name standard input is there no second time either, and closed it is no list.
#[cfg(unix)]
#[test]
fn other_names_of_standard_input_are_guarded_as_its_own() {
    let stage = with_files(&[("rows.csv", "source,destination\ns3://bucket/p/z,z\n")]);
    let link = stage.sandbox.path("link");
    std::os::unix::fs::symlink("/dev/stdin", &link).expect("a link");
    for name in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "link"] {
        for command in [
            ["rm", "-r", "s3://bucket/p/", "--include-from", name, "--exclude-from", "-"]
                .as_slice(),
            &["upload", "-", "s3://bucket/k", "--exclude-from", name],
            &["upload", "-", "s3://bucket/k", "--sse-c-key-file", name],
            &["ls", "s3://bucket/p/", "--sse-c-key-file", name, "--include-from", "-"],
            &["cp", "--manifest", "-", "out", "--exclude-from", name],
            &["cp", "--manifest", name, "out", "--exclude-from", "-"],
            &["cp", "--manifest", name, "out", "--exclude-from", name],
            &["verify", "--manifest", name, "out", "--exclude-from", "-"],
            &["run", name, "--sse-c-key-file", "/dev/stdin"],
        ] {
            let output = stage.feed("*.tmp\n", command);
            output.code(2).stderr_has("standard input can be read once");
        }
        for command in [
            ["ls", "-r", "s3://bucket/p/", "--exclude-from", name].as_slice(),
            &["rm", "-r", "s3://bucket/p/", "--exclude-from", name],
            &["cp", "--manifest", name, "out"],
            &["verify", "--manifest", name, "out"],
            &["run", name],
        ] {
            let closed =
                stage.haul().under(["sh", "-c", "exec \"$@\" <&-", "sh"]).args(command).run();
            closed.code(2).stderr_has("standard input is closed");
        }
        for line in ["--exclude-from", "--include-from", "--sse-c-key-file"] {
            stage.sandbox.write("run", format!("rm -r s3://bucket/p/ {line} {name}\n"));
            stage.feed("x\n", ["run", "run"]).code(1).stderr_has("`-`, a stream");
        }
        stage.sandbox.write("run", format!("cp --manifest {name} --manifest-format keys out\n"));
        stage.feed("s3://bucket/p/z\n", ["run", "run"]).code(1).stderr_has("`-`, a stream");
        let strict = stage.feed("rm s3://bucket/p/z\n", ["run", "--strict", name]);
        strict.code(2).stderr_has("passes once");
        assert_eq!(stage.keys(), KEYS);
        // What is read through it alone is read.
        let listed = stage.feed("*.tmp\n", ["ls", "-r", "s3://bucket/p/", "--exclude-from", name]);
        assert_eq!(listed.code(0).stdout_text().lines().count(), 3);
        stage.feed("s3://bucket/p/z,z\n", ["cp", "--manifest", name, "out"]).code(0);
        stage.feed("cp s3://bucket/p/b.txt out/\n", ["run", name]).code(0);
        assert_eq!(stage.files("out"), ["b.txt", "z"]);
        std::fs::remove_dir_all(stage.sandbox.path("out")).expect("removed");
    }
}

/// A line that waits for nobody's writing holds up the end of all others.
#[cfg(unix)]
#[test]
fn no_line_of_many_waits_for_a_pipe() {
    let stage = Stage::with_keys(&KEYS);
    let pipe = stage.sandbox.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    for line in [
        "rm -r s3://bucket/p/ --exclude-from pipe",
        "rm -r s3://bucket/p/ --include-from pipe",
        "cp s3://bucket/p/z out/ --sse-c-key-file pipe",
        "cp s3://bucket/p/z s3://bucket/q --source-sse-c-key-file pipe",
        "cp --manifest pipe --manifest-format keys out",
        "mv --manifest pipe --manifest-format journal",
        "rm -r s3://bucket/p/ --ca-bundle pipe",
    ] {
        stage.sandbox.write("run", format!("{line}\ncp s3://bucket/p/b.txt out/\n"));
        let run = stage.haul().limit(std::time::Duration::from_secs(20)).args(["run", "run"]);
        let output = run.run();
        output.code(1).stderr_has("`pipe` is no regular file").stderr_has("(line 1)");
        assert_eq!(
            (stage.keys(), stage.files("out")),
            (KEYS.map(str::to_owned).to_vec(), vec!["b.txt".to_owned()])
        );
        std::fs::remove_dir_all(stage.sandbox.path("out")).expect("removed");
    }
    // What is set for all lines, too.
    stage.sandbox.write("run", "rm -r s3://bucket/p/\n");
    let run =
        stage.haul().limit(std::time::Duration::from_secs(20)).env("HAUL_EXCLUDE_FROM", "pipe");
    run.args(["run", "run"]).run().code(1).stderr_has("`pipe` is no regular file");
    // A look at its first line would be all that there is of it.
    let journal = ["download", "--manifest", "pipe", "--manifest-format", "journal"];
    let run = stage.haul().limit(std::time::Duration::from_secs(20)).args(journal).run();
    run.code(2).stderr_has("which folder its paths are below");
}

/// A journal goes with what the files say, whatever they are called.
#[test]
fn a_journal_knows_the_patterns_and_not_the_file() {
    let stage = with_files(&[("one", "*.tmp\n"), ("same", "# again\n*.tmp"), ("other", "*.txt\n")]);
    let run = |file| {
        let args = ["cp", "s3://bucket/p/", "out", "--journal", "journal", "--exclude-from", file];
        stage.run(args)
    };
    run("one").code(0).stderr_has("3 objects");
    run("same").code(0).stderr_has("3 done before");
    run("other").code(2).stderr_has("journal");
}

#[test]
fn what_is_set_does_not_count_where_rules_are_typed() {
    let stage = with_files(&[("tmp", "*.tmp\n")]);
    let list = |args: &[&str]| {
        let haul = stage.haul().env("HAUL_EXCLUDE_FROM", "tmp");
        let output = haul.args(["ls", "-r", "s3://bucket/p/", "--json"]).args(args).run();
        output.code(0).json_lines().len()
    };
    assert_eq!(list(&[]), 3);
    assert_eq!(list(&["--exclude", "z"]), 4);
}

/// Nobody wrote them in an order, and what is left out is not to come back by another variable.
#[test]
fn of_rules_that_are_set_excludes_have_the_last_word() {
    let stage = with_files(&[("all", "*\n"), ("keep", "keep/**\n"), ("tmp", "*.tmp\n")]);
    let list = |set: &[(&str, &str)], typed: &[&str]| {
        let haul = stage.haul().envs(set.iter().copied());
        let output = haul.args(["ls", "-r", "s3://bucket/p/", "--json"]).args(typed).run();
        let lines = output.code(0).json_lines();
        lines.iter().filter_map(|line| Some(line["key"].as_str()?.to_owned())).collect::<Vec<_>>()
    };
    let kept = ["p/b.txt", "p/keep/d.txt", "p/z"];
    let (all, tmp) = (("HAUL_INCLUDE_FROM", "all"), ("HAUL_EXCLUDE", "*.tmp"));
    assert_eq!(list(&[all, tmp], &[]), kept);
    assert_eq!(list(&[all, ("HAUL_EXCLUDE_FROM", "tmp")], &[]), kept);
    assert_eq!(list(&[("HAUL_INCLUDE", "*"), ("HAUL_EXCLUDE_FROM", "tmp")], &[]), kept);
    // The first rule is an include, wherever that is set.
    assert_eq!(list(&[("HAUL_INCLUDE_FROM", "keep"), tmp], &[]), kept[1..2]);
    // Where one is typed, none of them counts.
    assert_eq!(list(&[all, tmp], &["--include-from", "keep"]), ["p/keep/c.tmp", "p/keep/d.txt"]);
    assert_eq!(list(&[all, tmp], &["--exclude", "p"]).len(), KEYS.len());
    let file = "exclude = ['*.tmp']\ninclude-from = ['all']\n";
    for text in [file.to_owned(), format!("[ls]\n{file}")] {
        stage.sandbox.write("c.toml", text);
        assert_eq!(list(&[("HAUL_CONFIG", "c.toml")], &[]), kept);
    }
}

#[test]
fn a_depth_is_a_pattern() {
    let stage = Stage::with_keys(&["p/a", "p/b/c", "p/b/d/e"]);
    for (pattern, wanted) in [("*/**", ["a"].as_slice()), ("*/*/**", &["a", "b/c"])] {
        stage.run(["cp", "s3://bucket/p/", "out", "--exclude", pattern]).code(0);
        assert_eq!(stage.files("out"), wanted);
        stage.sandbox.remove("out");
    }
}
