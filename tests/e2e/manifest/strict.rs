//! `--strict`: one bad row, and nothing of the manifest is done. It must never refuse what would be
//! done without it.

use crate::stage::Stage;

#[test]
fn one_bad_row_refuses_the_whole_manifest() {
    for (name, rows, said) in [
        ("m.csv", "source,size\ns3://bucket/a,1\ns3://bucket/b,x\n", "(line 3)"),
        ("m.csv", "source,destination\ns3://bucket/a,x\ns3://bucket/b,../x\n", "(line 3)"),
        ("m.csv", "source,destination\ns3://bucket/a,/x\ns3://bucket/b,y\n", "absolute"),
        ("m.csv", "source,destination\ns3://bucket/a,x\ns3://bucket/b,x\n", "(line 3)"),
        ("m.csv", "source,destination\ns3://bucket/a,x\ns3://bucket/b,x/y\n", "(line 3)"),
        ("m.csv", "source,destination\ns3://bucket/a,x\n\"s3://bucket/b,y\n", "never closed"),
        ("m.keys", "s3://bucket/a\nno-bucket\nnor-here\n", "(line 2), and 1 more"),
        ("m.jsonl", "\"s3://bucket/a\"\n{}\n", "names nothing"),
    ] {
        let stage = Stage::with_keys(&["a", "b"]);
        stage.sandbox.write(name, rows);
        let strict = ["download", "--strict", "--journal", "j", "--manifest", name, "out"];
        let output = stage.run(strict);
        output.code(2).stderr_has("the manifest is refused as a whole").stderr_has(said);
        assert_eq!(stage.testbed.totals().requests, 0, "{output}");
        assert_eq!(stage.files(""), [name], "{output}");
        stage.run(["download", "--manifest", name, "out"]).code(1);
        let format = name.strip_prefix("m.").expect("a name");
        let args =
            ["download", "--strict", "--manifest", "-", "--manifest-format", format, "stdin"];
        stage.feed(rows, args).code(2).stderr_has(said);
        assert!(!stage.sandbox.path("stdin").exists());
    }
}

#[test]
fn a_good_manifest_is_done_from_everywhere() {
    let stage = Stage::with_keys(&["a", "b"]);
    // The same row twice is no reason.
    let rows = "source\ns3://bucket/a\ns3://bucket/b\ns3://bucket/a\n";
    stage.sandbox.write("m.csv", rows);
    stage.testbed.create_bucket("lists");
    stage.testbed.put_object("lists", "m.csv", rows);
    for (place, name) in [("file", "m.csv"), ("object", "s3://lists/m.csv"), ("stdin", "-")] {
        let args = ["download", "--strict", "--journal", place, "--manifest", name];
        let command = || stage.haul().stdin(rows).args(args).arg(format!("out/{place}")).run();
        command().code(0).stderr_has("2 objects");
        command().code(0).stderr_has("2 done before");
        assert_eq!(stage.files(&format!("out/{place}")), ["a", "b"]);
    }
    stage.run(["download", "--strict", "s3://bucket/a", "x"]).code(2).stderr_has("--manifest");
}
