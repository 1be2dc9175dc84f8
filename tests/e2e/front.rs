//! Options before the verb, where other tools have them.

use testbed::{Operation, Testbed};

use crate::harness::haul;
use crate::stage::{BUCKET, Stage};

#[test]
fn options_before_the_verb_are_what_they_are_behind_it() {
    let stage = Stage::on(Testbed::builder().anonymous().spawn().expect("a testbed"));
    for key in ["p/a.tmp", "p/b.txt"] {
        stage.testbed.put_object(BUCKET, key, key);
    }
    let url = stage.testbed.endpoint();
    // Nothing in the environment says where the server is.
    let away = || {
        let variables = stage.testbed.env().into_iter();
        haul().envs(variables.filter(|(name, _)| !name.starts_with("AWS_ENDPOINT")))
    };
    let front = ["--endpoint-url", &url, "--no-sign-request", "--json", "--exclude", "*.tmp"];
    let listed = away().args(front).args(["ls", "-r", "s3://bucket/"]).run();
    assert_eq!(listed.code(0).json_lines().len(), 1, "{listed}");
    let request = stage.testbed.requests_of(Operation::ListObjectsV2).pop().expect("a request");
    assert_eq!(request.header("authorization"), None);
    // The order of rules is that of the whole line.
    let both = ["--exclude=*", "ls", "-r", "s3://bucket/", "--include", "*.txt", "--json"];
    assert_eq!(stage.run(both).code(0).json_lines().len(), 1);
    stage.run(["-q", "--dry-run", "rm", "-r", "s3://bucket/p/"]).code(0).stdout_has("b.txt");
    stage.run(["--recursive", "rm", "s3://bucket/p/", "--max-size=0"]).code(0);
    assert_eq!(stage.keys().len(), 2);
    // What is set goes behind what is typed, wherever that stands.
    let set = stage.haul().env("HAUL_INCLUDE", "*.tmp").env("HAUL_VERBOSE", "1");
    let listed = set.args(["--exclude", "*.tmp", "-q", "ls", "-r", "s3://bucket/", "--json"]).run();
    assert_eq!(listed.code(0).json_lines().len(), 1, "{listed}");
    stage.sandbox.write("lines", "rm s3://bucket/p/a.tmp\n");
    away().args(["--endpoint-url", &url, "run"]).arg(stage.sandbox.path("lines")).run().code(0);
    assert_eq!(stage.keys(), ["p/b.txt"]);
}

#[test]
fn what_no_verb_has_or_this_one_has_not_is_told() {
    let stage = Stage::with_keys(&["a"]);
    for (args, said) in [
        (["--delete", "rm", "s3://bucket/a"].as_slice(), "`haul rm` has no option --delete"),
        (&["-r", "cp", "s3://bucket/a", "b"], "`haul cp` has no option -r"),
        (&["--endpoint-url", "http://x"], "no command behind --endpoint-url"),
        (&["--endpont-url", "x", "ls"], "unexpected argument '--endpont-url'"),
        (&["--region", "r", "lss"], "unrecognized subcommand 'lss'"),
        (&["--region", "a", "ls", "--region", "b"], "cannot be used multiple times"),
        (&["--log", "debug", "ls"], "-vv everything"),
        (&["--numworkers", "9", "cp", "s3://bucket/a", "b"], "--concurrency"),
        (&["rm", "s3://bucket/a", "--min-age", "1d"], "--older-than"),
    ] {
        stage.haul().args(args).run().code(2).stderr_has(said).stdout_is("");
    }
    assert_eq!((stage.keys().len(), stage.testbed.requests().len()), (1, 0));
    let help = haul().args(["--region", "r", "--help"]).run();
    help.code(0).stdout_has("may also stand before the command").stdout_has("Commands:");
    let of_one = haul().args(["--json", "--region", "r", "help", "ls"]).run();
    assert_eq!(of_one.code(0).stdout, haul().args(["help", "ls"]).run().stdout);
    // Lines are of one shape: nothing stands before their verbs.
    stage.sandbox.write("lines", "--region r rm s3://bucket/a\n");
    let output = stage.run(["run", "lines"]);
    output.code(1).stderr_has("`--region` stands before a command");
    assert_eq!(stage.keys().len(), 1);
}
