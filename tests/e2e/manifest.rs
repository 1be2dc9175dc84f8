//! `--manifest`: every format from every place, what entries are joined to, and what a row may say
//! of its object. Rows that are bad are in `rows`; it must never be about one row's syntax alone,
//! which unit tests cover.

mod names;
mod rows;
mod sizes;
mod strict;
mod whole;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use testbed::Operation;

use crate::stage::{BUCKET, Stage};

const FORMATS: [&str; 5] = ["csv", "tsv", "jsonl", "keys", "keys0"];
const KEYS: [&str; 3] = ["p/a", "p/b/c", "p/#d e"];

#[test]
fn every_format_downloads_from_every_place() {
    for format in FORMATS {
        for packing in ["", ".gz", ".zst"] {
            let stage = Stage::with_keys(&KEYS);
            let name = format!("list.{format}{packing}");
            let bytes = pack(&list(format, |key| format!("s3://bucket/{key}")), packing);
            stage.sandbox.write(&name, &bytes);
            stage.testbed.put_object(BUCKET, &name, bytes.clone());
            let stored = format!("s3://bucket/{name}");
            stage.run(["download", "--manifest", &name, "file"]).code(0);
            stage.run(["download", "--manifest", &stored, "object"]).code(0);
            assert_eq!(stage.files("file"), ["p/#d e", "p/a", "p/b/c"], "{name}");
            stage.sandbox.same("file", "object");
            if packing.is_empty() {
                let args = ["download", "--manifest", "-", "--manifest-format", format, "stdin"];
                stage.feed(bytes, args).code(0);
                stage.sandbox.same("file", "stdin");
            }
        }
    }
}

#[test]
fn every_format_uploads_from_every_place() {
    for format in FORMATS {
        for packing in ["", ".gz", ".zst"] {
            let stage = Stage::new();
            for key in KEYS {
                stage.sandbox.write(key, key);
            }
            let name = format!("list.{format}{packing}");
            let bytes = pack(&list(format, str::to_owned), packing);
            stage.sandbox.write(&name, &bytes);
            stage.testbed.create_bucket("lists");
            stage.testbed.put_object("lists", &name, bytes.clone());
            let stored = format!("s3://lists/{name}");
            stage.run(["upload", "--manifest", &name, "s3://bucket/file/"]).code(0);
            stage.run(["upload", "--manifest", &stored, "s3://bucket/object/"]).code(0);
            let mut places = vec!["file", "object"];
            if packing.is_empty() {
                let args = ["upload", "--manifest", "-", "--manifest-format", format];
                let upload = stage.haul().stdin(bytes).args(args).arg("s3://bucket/stdin/").run();
                upload.code(0);
                places.push("stdin");
            }
            for place in &places {
                for key in KEYS {
                    assert_eq!(stage.object_text(&format!("{place}/{key}")), key, "{name}");
                }
            }
            assert_eq!(stage.keys().len(), places.len() * KEYS.len(), "{name}");
        }
    }
}

#[test]
fn keys_without_a_bucket_are_joined_to_the_source() {
    let stage = Stage::with_keys(&["p/a", "p/b/c"]);
    stage.sandbox.write("keys.keys", "a\nb/c\n");
    stage.run(["download", "--manifest", "keys.keys", "s3://bucket/p/", "out"]).code(0);
    assert_eq!(stage.files("out"), ["a", "b/c"]);
    stage.sandbox.write("uris.keys", "s3://bucket/p/a\ns3://bucket/p/b/c\n");
    stage.run(["download", "--manifest", "uris.keys", "s3://bucket/p/", "below"]).code(0);
    stage.sandbox.same("out", "below");
    stage.run(["download", "--manifest", "uris.keys", "whole"]).code(0);
    assert_eq!(stage.files("whole"), ["p/a", "p/b/c"]);
    let output = stage.run(["download", "--manifest", "keys.keys", "none"]);
    output.code(1).stderr_has("without a bucket").stderr_has("(line 2)");
}

#[test]
fn destinations_are_joined_to_the_base() {
    let stage = Stage::with_keys(&["a", "b"]);
    let rows = "bucket,key,path\nbucket,a,x/one\nbucket,b,folder/\n";
    stage.sandbox.write("rows.csv", rows);
    stage.run(["download", "--manifest", "rows.csv"]).code(0);
    assert_eq!(stage.files(""), ["folder/b", "rows.csv", "x/one"]);
    stage.run(["download", "--manifest", "rows.csv", "new/base"]).code(0);
    assert_eq!(stage.files("new/base"), ["folder/b", "x/one"]);
    let bare = "bucket,a,x/one\nbucket,b,folder/\n";
    stage.sandbox.write("bare.csv", bare);
    stage.run(["download", "--manifest", "bare.csv", "bare"]).code(0);
    stage.sandbox.same("bare", "new/base");
}

#[test]
fn an_absolute_destination_needs_the_base_of_all() {
    let stage = Stage::with_keys(&["a"]);
    let target = stage.sandbox.path("target").to_string_lossy().into_owned();
    stage.sandbox.write("rows.csv", format!("source,destination\ns3://bucket/a,{target}\n"));
    let output = stage.run(["download", "--manifest", "rows.csv", "out"]);
    output.code(1).stderr_has("absolute").stderr_has("(line 2)");
    assert!(!stage.sandbox.path("target").exists());
    stage.run(["download", "--manifest", "rows.csv", "/"]).code(0);
    assert_eq!(stage.text("target"), "a");
}

#[test]
fn uploads_are_joined_to_both_bases() {
    let stage = Stage::new();
    stage.sandbox.write("data/a", "a");
    stage.sandbox.write("data/b/c", "c");
    stage.sandbox.write("paths.keys", "a\nb/c\n");
    stage.run(["upload", "--manifest", "paths.keys", "data", "s3://bucket/p/"]).code(0);
    assert_eq!(stage.keys(), ["p/a", "p/b/c"]);
    let rows = "source,destination\na,s3://bucket/q/full\nb/c,s3://bucket/q/\na,relative\n";
    stage.sandbox.write("rows.csv", rows);
    stage.run(["upload", "--manifest", "rows.csv", "data", "s3://bucket/r/"]).code(0);
    assert_eq!(stage.keys()[2..], ["q/c", "q/full", "r/relative"]);
    let rows = "bucket,key,path\nbucket,s/x,data/a\n";
    stage.sandbox.write("columns.csv", rows);
    stage.run(["upload", "--manifest", "columns.csv"]).code(0);
    assert_eq!(stage.object_text("s/x"), "a");
    let output = stage.run(["upload", "--manifest", "paths.keys", "data"]);
    output.code(1).stderr_has("without a bucket");
}

#[test]
fn a_copy_takes_the_direction_of_its_rows_or_base() {
    let stage = Stage::with_keys(&["p/a"]);
    stage.sandbox.write("f", "f");
    stage.sandbox.write("down.csv", "source,destination\ns3://bucket/p/a,a\n");
    stage.run(["cp", "--manifest", "down.csv", "out"]).code(0);
    assert_eq!(stage.text("out/a"), "p/a");
    stage.sandbox.write("up.keys", "f\n");
    stage.run(["cp", "--manifest", "up.keys", "s3://bucket/up/"]).code(0);
    assert_eq!(stage.object_text("up/f"), "f");
}

#[test]
fn what_a_row_says_of_its_object_must_hold() {
    let stage = Stage::new();
    let etag = stage.testbed.put_object(BUCKET, "k", "12345");
    let (right, wrong) = (sha256("12345"), sha256("54321"));
    for (name, row, said) in [
        ("size", json!({"size": 4}), "4"),
        ("etag", json!({"etag": "0123456789abcdef"}), ""),
        ("checksum", json!({"checksum": wrong}), "sha256"),
        ("crc", json!({"checksum": "crc64nvme:AAAAAAAAAAA="}), "crc64nvme"),
        ("unknown", json!({"checksum": "md4:00"}), "md4"),
    ] {
        let mut row = row;
        row["source"] = json!("s3://bucket/k");
        row["destination"] = json!("kept");
        let good = json!({"source": "s3://bucket/k", "destination": "good", "size": 5,
            "etag": etag, "checksum": right});
        stage.sandbox.write("out/kept", "old");
        stage.sandbox.write("rows.jsonl", format!("{row}\n{good}\n"));
        let output = stage.run(["download", "--manifest", "rows.jsonl", "out"]);
        output.code(1).stderr_has("s3://bucket/k").stderr_has("(line 1)").stderr_has(said);
        assert_eq!(stage.text("out/kept"), "old", "{name}\n{output}");
        assert_eq!(stage.text("out/good"), "12345", "{name}\n{output}");
    }
    stage.sandbox.no_leftovers("");
}

#[test]
fn what_a_row_says_of_its_file_must_hold() {
    for size in [5, 20 << 20] {
        let stage = Stage::new();
        stage.sandbox.fill("f", size);
        let right = sha256(stage.sandbox.read("f"));
        let rows = [
            json!({"source": "f", "destination": "size", "size": 4}),
            json!({"source": "f", "destination": "checksum", "checksum": sha256("other")}),
            json!({"source": "f", "destination": "right", "size": size, "checksum": right}),
        ];
        let rows = rows.map(|row| format!("{row}\n")).concat();
        stage.sandbox.write("rows.jsonl", rows);
        let output = stage.run(["upload", "--manifest", "rows.jsonl", "s3://bucket/"]);
        output.code(1).stderr_has("(line 1)").stderr_has("(line 2)");
        assert_eq!(stage.keys(), ["right"], "{size} bytes\n{output}");
        assert!(stage.testbed.open_uploads(BUCKET).is_empty());
    }
}

#[test]
fn a_row_has_attributes_of_its_own() {
    let stage = Stage::new();
    stage.sandbox.write("f.txt", "f");
    stage.sandbox.fill("large.bin", 20 << 20);
    let rows = "source,content_type,storage_class,metadata\n\
        f.txt,text/x-own,STANDARD_IA,colour=blue;shape=round\n\
        large.bin,image/x-own,STANDARD_IA,colour=blue;shape=round\n";
    stage.sandbox.write("rows.csv", rows);
    stage.sandbox.write("plain.keys", "f.txt\n");
    let common =
        ["--metadata", "Colour=red", "--metadata", "owner=me", "--cache-control", "no-cache"];
    for (manifest, prefix) in [("rows.csv", "own"), ("plain.keys", "plain")] {
        let upload = stage.haul().args(["upload", "--manifest", manifest]).args(common);
        upload.arg(format!("s3://bucket/{prefix}/")).run().code(0);
    }
    for (key, content_type) in [("own/f.txt", "text/x-own"), ("own/large.bin", "image/x-own")] {
        let attributes = stage.object(key).attributes;
        assert_eq!(attributes.content_type.as_deref(), Some(content_type), "{key}");
        assert_eq!(attributes.storage_class.as_deref(), Some("STANDARD_IA"), "{key}");
        assert_eq!(attributes.cache_control.as_deref(), Some("no-cache"), "{key}");
        let metadata: Vec<_> = attributes.metadata.iter().collect();
        let wanted = [("colour", "blue"), ("owner", "me"), ("shape", "round")];
        assert_eq!(metadata.len(), wanted.len(), "{key}: {metadata:?}");
        for (name, value) in wanted {
            assert_eq!(attributes.metadata[name], value, "{key}");
        }
    }
    assert_eq!(stage.object("plain/f.txt").attributes.metadata["colour"], "red");
}

#[test]
fn sizes_of_the_rows_make_the_totals_of_a_dry_run() {
    let stage = Stage::with_keys(&["a", "b"]);
    stage.sandbox.write("rows.csv", "source,size\ns3://bucket/a,1000\ns3://bucket/b,24\n");
    let output = stage.run(["download", "--dry-run", "--json", "--manifest", "rows.csv", "out"]);
    let lines = output.code(0).json_lines();
    let summary = lines.last().expect("a summary");
    assert_eq!(summary["planned_objects"], 2, "{output}");
    assert_eq!(summary["planned_bytes"], 1024, "{output}");
    assert_eq!(lines[0]["line"], 2, "{output}");
    assert_eq!(stage.testbed.count(Operation::GetObject), 0);
    assert_eq!(stage.files(""), ["rows.csv"]);
}

#[test]
fn filters_leave_rows_out() {
    let stage = Stage::with_keys(&["a.txt", "b.log"]);
    stage.sandbox.write("list.keys", "s3://bucket/a.txt\ns3://bucket/b.log\n");
    stage.run(["download", "--manifest", "list.keys", "out", "--exclude", "*.log"]).code(0);
    assert_eq!(stage.files("out"), ["a.txt"]);
}

#[test]
fn a_manifest_in_a_missing_object_ends_the_run() {
    let stage = Stage::new();
    let output = stage.run(["download", "--manifest", "s3://bucket/no-such.csv", "out"]);
    output.code(1).stderr_has("error: ").stderr_has("s3://bucket/no-such.csv");
    assert!(!stage.sandbox.path("out").exists());
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bytes.as_ref());
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A list of all keys in a format, each under the name that `name` gives it.
fn list(format: &str, name: impl Fn(&str) -> String) -> Vec<u8> {
    let names = KEYS.iter().map(|key| name(key));
    let text: String = match format {
        "csv" | "tsv" => {
            std::iter::once("source".to_owned()).chain(names).map(|name| name + "\n").collect()
        }
        "jsonl" => names.map(|name| json!({ "source": name }).to_string() + "\n").collect(),
        "keys0" => names.map(|name| name + "\0").collect(),
        _ => names.map(|name| name + "\n").collect(),
    };
    text.into_bytes()
}

fn pack(bytes: &[u8], packing: &str) -> Vec<u8> {
    match packing {
        ".gz" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).expect("memory takes everything");
            encoder.finish().expect("memory takes everything")
        }
        ".zst" => zstd::encode_all(bytes, 1).expect("memory takes everything"),
        _ => bytes.to_owned(),
    }
}

/// It is the manifest that is wrong, and no option about stores would help.
#[test]
fn a_checksum_that_does_not_hold_is_told_as_the_manifest_s() {
    let stage = Stage::with_keys(&["k"]);
    let rows = "source,checksum\ns3://bucket/k,crc64nvme:AAAAAAAAAAA=\n";
    stage.sandbox.write("rows.csv", rows);
    for (more, said) in [
        (["--verify", "auto"], "the object has crc64nvme:"),
        (["--verify", "off"], "the downloaded bytes have crc64nvme:"),
    ] {
        let args = ["download", "--manifest", "rows.csv", "out", "--json"];
        let output = stage.haul().args(args).args(more).run();
        output.code(1).stderr_has(said).stderr_has("the manifest says crc64nvme:AAAAAAAAAAA=");
        output.stderr_lacks("hint:").stderr_lacks("next:");
        let lines = output.json_lines();
        let failed = lines.iter().find(|line| line["event"] == "failed").expect("a failure");
        assert_eq!(failed["cause"], "not what the manifest says", "{output}");
        assert_eq!(failed["may_pass"], false, "{output}");
    }
}

#[test]
fn an_etag_of_an_upload_is_a_bad_row() {
    let stage = Stage::new();
    stage.sandbox.write("f", "f");
    stage.sandbox.write("rows.csv", "path,key,etag\nf,bad,abc\nf,good,\n");
    let output = stage.run(["upload", "--manifest", "rows.csv", "s3://bucket/"]);
    output.code(1).stderr_has("bad row: an etag is the object's").stderr_has("(line 2)");
    assert_eq!(stage.keys(), ["good"]);
}
