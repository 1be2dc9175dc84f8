//! Names, files and replies made to make `haul` do what it should not.

use testbed::{Bytes, Fault, FaultKind, Operation};

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

#[test]
fn a_bucket_s_name_can_not_name_a_host_or_another_path() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.write("file", "bytes");
    for bucket in
        ["a..b", ".", "..", "b@evil", "x?y", "x#y", "-x", "b:1", "b%2fc", "b c", "b\u{1b}", "é"]
    {
        let uri = format!("s3://{bucket}/key");
        for words in [
            ["download", uri.as_str(), "out"],
            ["upload", "file", uri.as_str()],
            ["ls", uri.as_str(), "-r"],
        ] {
            stage.run(words).code(2).no_escapes();
        }
        stage.sandbox.write("rows.csv", format!("source,destination\n\"{uri}\",out\n"));
        let output = stage.run(["download", "--manifest", "rows.csv", "."]);
        output.code(1).no_escapes();
    }
    assert_eq!(stage.testbed.totals().requests, 0, "a request was sent");
}

#[test]
fn what_follows_the_bucket_is_a_key_and_never_another_bucket() {
    let stage = Stage::with_keys(&["a"]);
    stage.testbed.create_bucket("secret");
    stage.testbed.put_object("secret", "key", "secret");
    let output = stage.run(["download", "s3://bucket/../secret/key", "out"]);
    output.code(1);
    for request in stage.testbed.requests() {
        assert_eq!(request.bucket.as_deref(), Some(BUCKET));
    }
}

/// An editor's project, an archive that was unpacked: whoever writes files there must not choose
/// where credentials go.
#[test]
fn no_configuration_is_read_from_the_current_folder() {
    let stage = Stage::with_keys(&["a"]);
    let evil = "[default]\nendpoint_url = http://127.0.0.1:9\nregion = eu-west-1\n\
                credential_process = touch was-run\n";
    for name in [
        "config",
        "credentials",
        ".aws/config",
        ".aws/credentials",
        "aws/config",
        "haul.toml",
        ".haul.toml",
        "config.toml",
        ".config/haul/config.toml",
        ".env",
        ".envrc",
    ] {
        let content = if name.contains("env") {
            "AWS_ENDPOINT_URL=http://127.0.0.1:9\nHAUL_ENDPOINT_URL=http://127.0.0.1:9\n"
        } else {
            evil
        };
        stage.sandbox.write(name, content);
    }
    stage.run(["download", "s3://bucket/a", "out"]).code(0);
    // Nor where there are no credentials elsewhere.
    let bare = crate::harness::haul().current_dir(stage.sandbox.path(""));
    let output = bare.env("AWS_ENDPOINT_URL", stage.testbed.endpoint());
    output.args(["ls", "s3://bucket/"]).run().code(1).stderr_has("no usable credentials");
    assert!(!stage.sandbox.path("was-run").exists(), "a program was run");
}

#[test]
fn the_next_command_can_be_pasted_into_a_shell() {
    for name in [
        "$(touch was-run)",
        "`touch was-run`",
        "a'b;touch was-run",
        "-rf",
        "a\nb",
        "\u{1b}]52;c;x\u{7}",
        "\u{202e}gpj",
        "a\\b\t\u{9b}",
        "é日本",
    ] {
        let stage = Stage::new();
        stage.testbed.put_object(BUCKET, name, "the bytes");
        let broken = Fault::new(Operation::GetObject, FaultKind::internal_error());
        let broken = stage.testbed.fault(broken.always());
        let uri = format!("s3://bucket/{name}");
        let download = ["download", "--raw", &uri, "out", "--max-attempts", "1"];
        let output = stage.run(download);
        output.code(1).no_escapes();
        assert!(stage.testbed.hits(broken) > 0);
        let next = next_command(&output);
        stage.testbed.clear_faults();
        let haul = std::path::Path::new(env!("CARGO_BIN_EXE_haul"));
        let folder = haul.parent().expect("it is in a folder");
        let shell = std::process::Command::new("bash")
            .args(["-c", &format!("PATH={}:$PATH; {next}", folder.display())])
            .envs(stage.testbed.env())
            .current_dir(stage.sandbox.path(""))
            .output()
            .expect("there is a shell");
        assert!(shell.status.success(), "{next}\n{}", String::from_utf8_lossy(&shell.stderr));
        assert_eq!(stage.text("out"), "the bytes", "{next}");
        assert!(!stage.sandbox.path("was-run").exists(), "{next}");
    }
}

#[test]
fn an_object_of_a_petabyte_takes_no_space_and_is_an_error() {
    let petabyte: u64 = 1 << 50;
    let stage = Stage::with_keys(&["a", "small"]);
    // A listing that says so, and replies that do.
    let xml = format!(
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key>\
         <Size>{petabyte}</Size><ETag>\"x\"</ETag></Contents></ListBucketResult>"
    );
    stage.testbed.fault(Fault::new(Operation::ListObjectsV2, FaultKind::xml(xml)).always());
    let claims = |length: u64| {
        let headers = vec![
            ("content-length".to_owned(), length.to_string()),
            ("etag".to_owned(), "\"x\"".to_owned()),
        ];
        FaultKind::Reply { status: 200, headers, body: Bytes::from_static(b"a") }
    };
    stage.testbed.fault(Fault::new(Operation::GetObject, claims(petabyte)).key("a").always());
    stage.testbed.fault(Fault::new(Operation::HeadObject, claims(petabyte)).key("a").always());
    for source in ["s3://bucket/a", "s3://bucket/"] {
        let output = stage.run(["download", source, "out/", "--max-attempts", "2"]);
        output.code(1).no_escapes().stderr_has("s3://bucket/a");
        assert!(output.took < std::time::Duration::from_secs(20), "too slow\n{output}");
        assert!(stage.files("out").is_empty(), "{output}");
        stage.sandbox.no_leftovers("");
    }
}

fn next_command(output: &Output) -> String {
    let line = output.stderr.lines().find_map(|line| line.strip_prefix("next: "));
    line.unwrap_or_else(|| panic!("no next command\n{output}")).to_owned()
}
