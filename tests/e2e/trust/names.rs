//! Host names.

use std::time::Duration;

use crate::stage::Stage;

#[test]
fn a_host_that_does_not_exist_is_told_by_name() {
    let stage = Stage::new();
    stage.sandbox.write("file", "bytes");
    for words in [
        ["download", "s3://bucket/a", "out"],
        ["upload", "file", "s3://bucket/key"],
        ["ls", "s3://bucket/", "-r"],
    ] {
        let endpoint = ["--endpoint-url", "http://nx.invalid:9000"];
        let output = stage.haul().args(words).args(endpoint).run();
        output.code(1).stderr_has("cannot resolve nx.invalid").stderr_has("--endpoint-url");
        assert_eq!(output.stderr.matches("error: ").count(), 1, "{output}");
        assert!(output.took < Duration::from_secs(30), "too slow\n{output}");
    }
}

#[test]
fn a_host_by_name_is_reached() {
    let stage = Stage::with_keys(&["a"]);
    let endpoint = format!("http://localhost:{}", stage.testbed.port());
    stage.run(["download", "s3://bucket/a", "out", "--endpoint-url", &endpoint]).code(0);
    assert_eq!(stage.text("out"), "a");
}
